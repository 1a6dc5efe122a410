//! `quittance users import`: people of a Django system come to the demo bank.

use std::fs;

use serde_json::json;

use crate::home::Home;

/// What `manage.py dumpdata` writes, with the hashes of invented passwords.
const DUMPDATA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../auth/tests/it/dumpdata.json"
);

#[test]
fn people_of_django_come_with_their_passwords_and_a_repeat_changes_nothing() {
    let home = Home::new();
    home.run("up --detach --json --free-ports").ok();
    let import = format!("users import {DUMPDATA}");

    let dry = home.run(&format!("{import} --dry-run"));
    assert_eq!(
        (dry.code, dry.stderr.as_str()),
        (3, "error: 2 of 7 people were refused\n"),
        "{}",
        dry.stdout
    );
    assert_eq!(
        dry.stdout,
        "  would be created              5
    of them without a password  1
  already there                 0
  refused                       2

Refused:
  alan@example.com  19f6c3e8-7a0d-4b95-a2e4-6c8b1d5f7093
    another object has this e-mail address, but for upper and lower case
  ALAN@example.com  a6e83d14-5b27-49f0-8d3c-2e9b7c1f0a68
    another object has this e-mail address, but for upper and lower case
"
    );

    for (created, already_there) in [(5, 0), (0, 5)] {
        let ran = home.run(&format!("{import} --json"));
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        let mut report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let refused = report["refused"].take();
        assert_eq!(refused.as_array().unwrap().len(), 2, "{refused}");
        let expected = json!({
            "dry_run": false, "created": created, "without_password": created / 5, "already_there": already_there,
            "refused": null,
        });
        assert_eq!(report, expected);
        assert!(!ran.stdout.contains("pbkdf2"), "{}", ran.stdout);
    }

    // The old password opens the door.
    let token = "token --email ada@example.com --password";
    let mut login = crate::quittance(&home.path());
    login.args(token.split(' ')).arg("ada counts to a million");
    assert!(login.output().unwrap().status.success());
    let users = home.run("users list --email @example.com").ok();
    assert_eq!(users.lines().count(), 6, "{users}");
    let events = home.run("audit events --json --what user.imported").ok();
    assert!(events.contains("user.imported") && !events.contains("pbkdf2"));

    // Nothing is refused, so the command succeeds.
    let only = home.directory.path().join("one.json");
    let one = json!([{"model": "auth.user", "pk": 1, "fields": {"email": "one@example.com", "password": "!"}}]);
    fs::write(&only, one.to_string()).unwrap();
    let ran = home.run(&format!("users import {}", only.display()));
    assert!(ran.ok().starts_with("  created                       1\n"));
    let ran = home.run(&format!("users import {} --model a.b", only.display()));
    assert_eq!(ran.code, 1);

    // No log of the bank holds a hash.
    for log in fs::read_dir(home.path().join("logs")).unwrap() {
        let path = log.unwrap().path();
        let text = fs::read_to_string(&path).unwrap_or_default();
        assert!(!text.contains("pbkdf2_sha256$"), "{}", path.display());
    }
    home.run("down").ok();
}
