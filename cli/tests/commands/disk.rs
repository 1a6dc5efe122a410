//! A disk that is full: everybody who looks is told, nothing is lost, and the bank goes on by itself when there is room.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::home::Home;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A bank whose broker stores on a small disk. It closes before its disk goes, and the disk before its directory.
struct Bank {
    home: Home,
    disk: Option<SmallDisk>,
}

impl Drop for Bank {
    fn drop(&mut self) {
        self.home.run("down");
        self.disk.take();
    }
}

/// A small disk in the place of a directory, with what was in it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount one.
    fn over(directory: &Path) -> Option<Self> {
        let before = directory.with_extension("before");
        fs::rename(directory, &before).unwrap();
        fs::create_dir(directory).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "small"])
            .arg(directory)
            .output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let this = Self(directory.to_owned());
        let copied = Command::new("cp")
            .arg("-a")
            .arg(before.join("."))
            .arg(directory)
            .status();
        assert!(copied.unwrap().success());
        Some(this)
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        for piece in [1024 * 1024, 4096, 1] {
            let piece = vec![b'x'; piece];
            loop {
                match file.write_all(&piece) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().ok();
    }
}

/// Waits until it is so; returns how long that took.
#[track_caller]
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
    began.elapsed()
}

/// The answer to `GET path`, head and body.
fn get(url: &str, path: &str) -> String {
    let host = url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_bank_whose_disk_was_full_goes_on_by_itself_and_has_lost_nothing() {
    let home = Home::new();
    home.run("up --detach --json --free-ports").ok();
    home.run("down").ok();
    let disk = SmallDisk::over(&home.path().join("nats/jetstream"));
    let bank = Bank { home, disk };
    let (home, Some(disk)) = (&bank.home, &bank.disk) else {
        println!("not tried: this user may not mount a small disk");
        return;
    };
    let status = home.run("up --detach --json --free-ports").json();
    let payments = status["payments"].as_str().unwrap();
    let pay = |number: u32| {
        let id = format!("0198c0de-0000-7000-8000-00000000d{number:03}");
        home.run(&format!(
            "pay --from ada --to grace --amount 1 --payment-id {id} --wait"
        ))
    };
    pay(0).ok();

    disk.fill();
    // What the server has allocated may still take a few.
    let mut refused = 0;
    eventually("a payment fails", || {
        refused += 1;
        pay(refused).code != 0
    });
    eventually("payments names the disk", || {
        let answer = get(payments, "/health/ready");
        answer.starts_with("HTTP/1.1 503") && answer.contains("its disk may be full")
    });
    let shown = home.run("status");
    assert_eq!(shown.code, 1, "{}", shown.stdout);
    assert!(
        shown.stdout.contains("FULL: 0 MB free in"),
        "{}",
        shown.stdout
    );
    let found = home.run("doctor --json");
    assert_eq!(found.code, 1, "{}", found.stderr);
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    let of_disk = |one: &&Value| one["check"] == "disk of NATS";
    let findings = found["findings"].as_array().unwrap();
    let disk_found = findings.iter().find(of_disk).unwrap();
    assert_eq!(disk_found["state"], "bad", "{found}");
    assert_eq!(disk_found["runbook"], "DiskFull", "{found}");
    let log = || fs::read_to_string(home.path().join("logs/up.log")).unwrap();
    eventually("the supervisor names the disk", || {
        log().contains("no space left on device")
    });

    disk.make_room();
    let back = eventually("the bank is well", || home.run("status").code == 0);
    println!("well again after {back:?}");
    assert!(back < Duration::from_secs(15), "{back:?}");
    assert!(log().contains("There is room again"), "{}", log());
    // What was refused may be in the log or not: sent again it is paid once, like all the others.
    for number in 0..=refused {
        pay(number).ok();
    }
    let ada = home.run("account show ada --json").json();
    let paid = format!("{}.00", 1000 - u64::from(refused) - 1);
    assert_eq!(ada["posted"], paid, "{ada}");
    let audit = home.run("audit replay --json").json();
    assert_eq!(audit["agrees"], true, "{audit}");
}
