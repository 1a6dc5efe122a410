//! A home that is opened again: with the servers that can read what it has, on the ports it had.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::home::{Home, Ran, quittance};

/// A home whose data were made by this version of PostgreSQL.
fn made_by(major: &str) -> Home {
    let home = Home::new();
    let data = home.path().join("postgres/data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("PG_VERSION"), format!("{major}\n")).unwrap();
    fs::write(home.path().join("quittance.lock"), "").unwrap();
    home
}

/// A directory with a PostgreSQL that tells its version and does nothing else.
fn postgres(home: &Home, version: &str) -> PathBuf {
    let bin = home.directory.path().join(version);
    fs::create_dir(&bin).unwrap();
    for program in ["postgres", "initdb"] {
        let path = bin.join(program);
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'postgres (PostgreSQL) {version}'; else echo 'this is {version}'; exit 1; fi\n"
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    bin
}

fn up(home: &Home, variable: &str, value: &Path) -> Ran {
    let mut up = quittance(&home.path());
    up.args(["up", "--detach", "--json", "--free-ports"]);
    up.env(variable, value).output().unwrap().into()
}

#[test]
fn the_data_choose_their_postgresql() {
    let home = made_by("97");
    let path = std::env::join_paths(
        [postgres(&home, "98.1"), postgres(&home, "97.4")]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let ran = up(&home, "PATH", Path::new(&path.unwrap()));
    assert!(ran.stderr.contains("this is 97.4"), "{}", ran.stderr);
}

#[test]
fn data_that_no_postgresql_here_can_read_say_what_to_install() {
    let home = made_by("97");
    let newer = postgres(&home, "98.1");
    for (variable, is_named) in [("QUITTANCE_PG_BIN", true), ("OTHER", false)] {
        let ran = up(&home, variable, &newer);
        assert_eq!(ran.code, 1);
        if is_named {
            let said = "98.1, the data need 97";
            assert!(ran.stderr.contains(said), "{}", ran.stderr);
            continue;
        }
        for said in [
            "this bank's data were made by PostgreSQL 97 and need PostgreSQL 97",
            "sudo apt install postgresql-97",
            "QUITTANCE_PG_BIN",
            "up --fresh",
        ] {
            assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
        }
    }
}

/// The program of a home's last start is used again, also where nobody would look for it.
#[test]
fn a_home_keeps_its_programs() {
    let home = made_by("97");
    let hidden = postgres(&home, "97.4");
    let note = format!(
        r#"{{"programs": {{"PostgreSQL": {{"path": "{}/postgres", "version": [97, 4]}}}}}}"#,
        hidden.display()
    );
    fs::write(home.path().join("last-start.json"), note).unwrap();
    let ran = up(&home, "OTHER", Path::new("/"));
    assert!(ran.stderr.contains("this is 97.4"), "{}", ran.stderr);
}

#[test]
fn a_home_keeps_its_ports() {
    let home = Home::new();
    let first = home.run("up --detach --free-ports").ok();
    assert!(first.contains("Nothing is on its usual port.\n"), "{first}");
    let status = home.run("status --json").json();
    home.run("down").ok();

    for options in ["--free-ports", ""] {
        let again = home.run(&format!("up --detach {options}")).ok();
        assert_eq!(home.run("status --json").json(), status);
        assert!(
            !again.contains("ports:") && !again.contains("Nothing is on"),
            "{again}"
        );
        home.run("down").ok();
    }

    let host = status["ledger"].as_str().unwrap();
    let _taken = TcpListener::bind(host.strip_prefix("http://").unwrap()).unwrap();
    let moved = home.run("up --detach --free-ports").ok();
    assert!(
        moved.contains("Not on their old ports: ledger.\n"),
        "{moved}"
    );
}
