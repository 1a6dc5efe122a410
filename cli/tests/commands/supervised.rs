//! Parts that are killed while the bank runs, and again while they start.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::home::Home;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_part_that_is_killed_again_while_it_starts_is_started_again() {
    let home = Home::new();
    let opened = home.run("up --detach --json --free-ports --tls").json();
    let gateway = opened["gateway"].as_str().unwrap();
    assert!(gateway.starts_with("https://"), "{opened}");
    for part in ["postgres", "nats", "gateway"] {
        let file = home.path().join("run").join(format!("{part}.pid"));
        let pid = || fs::read_to_string(&file).unwrap_or_default();
        let kill = |pid: &str| {
            let killed = Command::new("kill").args(["-9", pid]).status();
            assert!(killed.unwrap().success(), "{part} {pid}");
        };
        let first = pid();
        kill(&first);
        let began = Instant::now();
        let second = loop {
            let now = pid();
            if !now.is_empty() && now != first {
                break now;
            }
            assert!(began.elapsed() < PATIENCE, "{part} is not started again");
        };
        kill(&second);
        while home.run("status").code != 0 {
            assert!(began.elapsed() < PATIENCE, "{part} does not come back");
        }
    }
    home.run("pay --from ada --to grace --amount 1 --wait").ok();
    let audit = home.run("audit replay --json").json();
    assert_eq!(audit["agrees"], true, "{audit}");
}
