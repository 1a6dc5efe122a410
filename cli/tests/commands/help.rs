//! What a person is told who typed another word, whose shell completes one, or whose bank does not answer.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::home::{Home, Ran, quittance, run};

#[test]
fn a_word_of_other_programs_is_told_ours() {
    for (typed, ours) in [
        ("signin", "login"),
        ("stop", "down"),
        ("balance ada", "account balance"),
        ("staus", "status"),
    ] {
        let ran = run(Path::new("/nowhere"), typed);
        assert_eq!(ran.code, 2, "{typed}");
        let tip = ran.stderr.lines().find(|line| line.starts_with("  tip: "));
        let tip = tip.unwrap_or_else(|| panic!("{typed}: {}", ran.stderr));
        assert!(tip.contains(&format!("'{ours}'")), "{typed}: {tip}");
    }
}

#[test]
fn a_ledger_that_hangs_is_told_within_seconds() {
    let home = Home::new();
    home.run("up --detach --json --free-ports").ok();
    let pid = fs::read_to_string(home.path().join("run/ledger.pid")).unwrap();
    let signal = |name: &str| {
        let status = Command::new("kill").args([name, pid.trim()]).status();
        assert!(status.unwrap().success());
    };
    signal("-STOP");
    local::testing::stands_still(pid.trim().parse().unwrap());
    let began = Instant::now();
    let mut show = quittance(&home.path());
    show.env_remove("QUITTANCE_HOME");
    let path = home.path();
    show.args(["account", "show", "ada", "--home"]).arg(&path);
    let ran: Ran = show.output().unwrap().into();
    let took = began.elapsed();
    signal("-CONT");
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert!(took < Duration::from_secs(13), "{took:?}");
    assert!(
        ran.stderr
            .starts_with("error: the ledger at http://127.0.0.1:"),
        "{}",
        ran.stderr
    );
    let hint = format!("--home {} status` tells which part is down", path.display());
    assert!(ran.stderr.contains(&hint), "{}", ran.stderr);
}

#[test]
fn completions_know_the_commands() {
    let bash = run(Path::new("/nowhere"), "completions bash").ok();
    for word in [
        "_quittance",
        "--detach",
        "--payment-id",
        "replay",
        "cash ada grace",
    ] {
        assert!(bash.contains(word), "{word}");
    }
}
