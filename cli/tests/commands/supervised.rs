//! Parts that are killed while the bank runs, and again while they start.

use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::home::Home;

const PATIENCE: Duration = Duration::from_secs(60);

fn signal(signal: &str, pid: &str) {
    let sent = Command::new("kill").args([signal, pid.trim()]).status();
    assert!(sent.unwrap().success(), "{signal} {pid}");
}

/// nginx works in processes of its own, which do not notice that their first one is gone.
#[test]
fn nothing_listens_at_the_gateway_once_its_supervisor_was_killed() {
    for is_gateway_killed_first in [false, true] {
        let home = Home::new();
        let opened = home.run("up --detach --json --free-ports").json();
        let address = opened["gateway"].as_str().unwrap();
        let address = address.strip_prefix("http://").unwrap();
        let noted = |file: &str| fs::read_to_string(home.path().join(file)).unwrap();
        let supervisor = noted("quittance.lock");
        signal("-STOP", &supervisor);
        if is_gateway_killed_first {
            signal("-KILL", &noted("run/gateway.pid"));
            // Its workers still answer.
            assert!(TcpStream::connect(address).is_ok());
        }
        signal("-KILL", &supervisor);
        let began = Instant::now();
        while TcpStream::connect(address).is_ok() {
            assert!(began.elapsed() < PATIENCE, "{address} still answers");
        }
    }
}

#[test]
fn a_part_that_is_killed_again_while_it_starts_is_started_again() {
    let home = Home::new();
    let opened = home.run("up --detach --json --free-ports --tls").json();
    let gateway = opened["gateway"].as_str().unwrap();
    assert!(gateway.starts_with("https://"), "{opened}");
    for part in ["postgres", "nats", "gateway"] {
        let file = home.path().join("run").join(format!("{part}.pid"));
        let pid = || fs::read_to_string(&file).unwrap_or_default();
        let kill = |pid: &str| signal("-KILL", pid);
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
