//! `up --open`: the console in somebody's browser, which here is a script that notes what it is asked to show.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::home::{Home, Ran, quittance};

/// What a desktop opens addresses with.
const PROGRAM: &str = if cfg!(target_os = "macos") {
    "open"
} else {
    "xdg-open"
};

/// Runs a command where addresses are opened by this script.
fn run_with(home: &Home, script: &str, arguments: &[&str]) -> Ran {
    let programs = home.directory.path().join("programs");
    fs::create_dir_all(&programs).unwrap();
    let program = programs.join(PROGRAM);
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let others = std::env::var_os("PATH").unwrap();
    let path: OsString = [programs.as_os_str(), ":".as_ref(), &others]
        .into_iter()
        .collect();
    let mut command = quittance(&home.path());
    command.args(arguments).env("PATH", path);
    command.output().unwrap().into()
}

fn shown(notes: &Path) -> Vec<String> {
    let text = fs::read_to_string(notes).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn up_with_open_shows_the_console_once_the_bank_is_open() {
    let home = Home::new();
    let notes = home.directory.path().join("shown");
    // It asks for what it is given, as a browser would: the gateway answers by then.
    let script = format!(
        "python3 -c 'import sys, urllib.request; \
         urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(sys.argv[1])' \"$1\" && echo \"$@\" >> '{}'",
        notes.display()
    );
    run_with(
        &home,
        &script,
        &["up", "--detach", "--free-ports", "--open"],
    )
    .ok();
    let status = home.run("status --json").json();
    let console = format!("{}/admin/", status["gateway"].as_str().unwrap());
    assert_eq!(shown(&notes), [&*console]);

    // A bank that is open already is shown too, and without the option nothing is.
    run_with(&home, &script, &["up", "--open"]).ok();
    assert_eq!(shown(&notes), [&*console, &*console]);
    run_with(&home, &script, &["up"]).ok();
    assert_eq!(shown(&notes).len(), 2);

    // A machine without a browser has a bank all the same, and says where the console is.
    let ran = run_with(&home, "exit 3", &["up", "--open"]);
    assert!(ran.stderr.contains(&console), "{}", ran.stderr);
    ran.ok();
    let ran = run_with(&home, "exit 3", &["up", "--open", "--json"]);
    assert_eq!(ran.code, 2, "a script wants no browser: {}", ran.stderr);
}
