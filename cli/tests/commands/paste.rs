//! What `up` and the README offer for pasting does what they say.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::home::{Home, Ran};

/// Runs a program with this on its standard input.
fn with_input(program: &mut Command, input: &str) -> Ran {
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that fails early has closed it.
    stdin.write_all(input.as_bytes()).ok();
    drop(stdin);
    child.wait_with_output().unwrap().into()
}

#[test]
fn the_commands_for_curl_pay_and_a_wrong_password_stops_them() {
    let home = Home::new();
    let shown = home.run("up --detach --free-ports").ok();
    let (_, commands) = shown.split_once("\n\n  TOKEN=").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let commands = format!("TOKEN={commands}");
    let paid = with_input(&mut Command::new("sh"), &commands).ok();
    let paid: Value = serde_json::from_str(&paid).unwrap();
    assert_eq!(paid["status"], "settled", "{paid}");

    let wrong = commands.replace("\"password\":\"", "\"password\":\"x");
    let stopped = with_input(&mut Command::new("sh"), &wrong);
    assert_ne!(stopped.code, 0);
    assert_eq!(stopped.stdout, "");
    assert!(stopped.stderr.contains("no token"), "{}", stopped.stderr);
}

#[test]
fn the_example_of_the_readme_pays_from_anywhere() {
    let has_client = Command::new("python3")
        .args(["-c", "from nats import connect"])
        .output();
    if !has_client.is_ok_and(|output| output.status.success()) {
        println!("not tried: python3 has no nats-py");
        return;
    }
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, example) = readme.split_once("```python\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();

    let home = Home::new();
    let status = home.run("up --detach --json --free-ports").ok();
    let mut python = Command::new("python3");
    python.args(["-c", example]).current_dir("/");
    let told = with_input(&mut python, &status).ok();
    assert!(told.contains("settled: {\"request_seq\":"), "{told}");
}
