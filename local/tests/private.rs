//! What is not for other users of the machine: the broker's monitoring page, and the lock of a home.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use local::{Home, testing};

/// It lists everybody's subjects and inboxes, and lets web pages read it.
#[tokio::test]
async fn nobody_else_on_the_machine_reads_the_brokers_monitoring_page() {
    let servers = testing::servers().await;
    let home = servers.home().path();
    let port = Home::last_ports(home)["nats-monitor"];
    let secrets = fs::read_to_string(home.join("secrets.json")).unwrap();
    let secrets: serde_json::Value = serde_json::from_str(&secrets).unwrap();
    let secret = secrets["monitor"].as_str().unwrap();
    assert!(secret.len() >= 20, "it can be guessed");
    let ask = |path: &str| {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let status = answer.get(9..12).unwrap_or_default().to_owned();
        (status, answer)
    };
    // This user's own programs find it.
    let (status, page) = ask(&format!("/{secret}/connz?subs=1"));
    assert!(status == "200" && page.contains("connections"), "{page}");
    let (wrong, half) = ("x".repeat(secret.len()), &secret[..secret.len() / 2]);
    for base in ["", &format!("/{wrong}"), &format!("/{half}")] {
        for page in [
            "/",
            "/varz",
            "/connz",
            "/subsz",
            "/jsz",
            "/routez",
            "/healthz",
            "/debug/vars",
        ] {
            let (status, said) = ask(&format!("{base}{page}"));
            assert_eq!(status, "404", "{base}{page}: {said}");
            assert!(!said.contains(secret), "{base}{page}: {said}");
        }
    }
    // Nor do others find the path: not among the arguments of a process, and in no file that they may read.
    for pid in pids(home) {
        let shown = Command::new("ps")
            .args(["-o", "args=", "-p", &pid])
            .output();
        let shown = String::from_utf8_lossy(&shown.unwrap().stdout).into_owned();
        assert!(!shown.contains(secret), "{shown}");
    }
    let open = files_open_to_others(home);
    let told = open.iter().filter(|file| {
        let text = fs::read(file).unwrap_or_default();
        String::from_utf8_lossy(&text).contains(secret)
    });
    assert_eq!(told.collect::<Vec<_>>(), Vec::<&PathBuf>::new());
}

/// Whoever may open it may hold it, and so keep the bank from opening.
#[test]
fn the_lock_of_a_home_is_its_users_alone() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("bank");
    let lock = home.join("quittance.lock");
    let mode = || fs::metadata(&lock).unwrap().permissions().mode() & 0o777;
    drop(Home::open(&home).unwrap());
    assert_eq!(mode(), 0o600);
    // One of an older version, which anybody could open.
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o666)).unwrap();
    drop(Home::open(&home).unwrap());
    assert_eq!(mode(), 0o600);
}

/// The processes that were started in this home.
fn pids(home: &Path) -> Vec<String> {
    let files = fs::read_dir(home.join("run")).unwrap();
    files
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect()
}

/// Files that some other user may read, by their own rights and those of the directories on the way.
fn files_open_to_others(directory: &Path) -> Vec<PathBuf> {
    let mut open = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        // A socket or a file that went meanwhile.
        let Ok(about) = fs::symlink_metadata(&path) else {
            continue;
        };
        let mode = about.permissions().mode();
        if about.is_dir() && mode & 0o011 != 0 {
            open.extend(files_open_to_others(&path));
        } else if about.is_file() && mode & 0o044 != 0 {
            open.push(path);
        }
    }
    open
}
