//! An audit as somebody types it: verify the books, export the log, replay it where no bank is.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};

use crate::home::{Home, quittance, run};

#[test]
fn an_audit_with_a_bank_and_without_one() {
    let home = Home::new();
    home.run("up --detach --json --free-ports").ok();
    home.run("pay --from ada --to grace --amount 30 --wait")
        .ok();

    let verified = home.run("audit verify").ok();
    assert!(
        verified.starts_with("The books hold together."),
        "{verified}"
    );
    let verified = home.run("audit verify --json").json();
    assert_eq!(verified["sound"], true);
    assert_eq!(verified["sums"]["EUR"], "0");
    assert_eq!(verified["answers"], verified["published"]);
    let alone = home.run("audit verify --database-only --json").json();
    assert_eq!(alone["published"], 0);

    let file = home.directory.path().join("log.quittance");
    let named = file.display();
    let exported = home.run(&format!("audit export {named} --json")).json();
    assert_eq!(exported["requests"], verified["answers"]);
    let again = home.run(&format!("audit export {named}"));
    assert_eq!(again.code, 1);
    assert!(
        again.stderr.contains("is there already"),
        "{}",
        again.stderr
    );
    assert!(again.stderr.contains("hint: `--force`"), "{}", again.stderr);
    let said = home.run(&format!("audit export {named} --force"));
    assert!(
        said.stderr.contains("as secret as the log"),
        "{}",
        said.stderr
    );
    said.ok();

    let with_books = format!("audit replay --from-file {named}");
    let told = home.run(&with_books).ok();
    assert!(told.contains("leads to the same books."), "{told}");
    let streamed = home.run("audit replay --from-stream --json").json();
    let nowhere = Path::new("/nowhere");
    let replayed = run(nowhere, &format!("{with_books} --json")).json();
    assert_eq!(replayed["agrees"], true);
    assert_eq!(replayed["chain"], streamed["chain"]);
    assert_eq!(replayed["compared"]["books"], false);
    let told = run(nowhere, &with_books).ok();
    assert!(told.contains("leads to the same answers."), "{told}");
    assert!(told.contains("not compared"), "{told}");
    interrupted(&home);
    receipts(&home);

    damaged(&file);
    let replayed = run(nowhere, &format!("{with_books} --json"));
    assert_eq!(replayed.code, 1);
    let said = "the file was changed or damaged behind request";
    assert!(replayed.stderr.contains(said), "{}", replayed.stderr);
}

/// A receipt, and what becomes of it when somebody changes it.
fn receipts(home: &Home) {
    let paid = home
        .run("pay --from ada --to grace --amount 12.34 --wait --json")
        .json();
    let seq = paid["request_seq"].as_u64().unwrap();
    let file = home.directory.path().join("receipt.json");
    let named = file.display();
    home.run(&format!("audit receipt {seq} --as ada --out {named}"))
        .ok();
    assert_eq!(
        home.run("audit receipt 999999").code,
        5,
        "there is no such answer"
    );
    let shared = home.run(&format!("audit receipt {seq} --as grace")).json();
    let answer = home.run(&format!("payment answer {seq} --as grace")).json();
    let body = shared["answer"]["body"].as_str().unwrap();
    assert_eq!(
        answer,
        serde_json::from_str::<serde_json::Value>(body).unwrap()
    );
    assert_eq!(home.run("payment answer 999999").code, 5);
    assert_eq!(shared["answer"]["form"], "shared");

    home.run("pay --from ada --to grace --amount 1 --wait").ok();
    // Whoever holds a receipt checks that the log has only grown; the sender of a payment needs no more rights.
    let growth = format!("audit check-growth {named} --as ada");
    let told = home.run(&growth).ok();
    assert!(told.starts_with("The log has only grown"), "{told}");
    home.run(&format!("audit receipt {}", seq + 1)).ok();
    let grown = home.run(&format!("{growth} --json")).json();
    assert!(
        grown["from"].as_u64() >= Some(seq) && grown["to"].as_u64() > grown["from"].as_u64(),
        "{grown}"
    );
    let other = "audit check-growth /nowhere/receipt.json";
    assert_eq!(home.run(other).code, 1);

    let nowhere = Path::new("/nowhere");
    let told = run(nowhere, &format!("audit check-receipt {named}")).ok();
    for part in [
        "12.34",
        "quittance.localhost/ledger",
        "Compare its fingerprint",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let key = shared["key"].as_str().unwrap();
    let with_key = format!("audit check-receipt {named} --key {key}");
    let proven = run(nowhere, &format!("{with_key} --json")).json();
    assert_eq!(proven["request_seq"], seq);
    assert_eq!(proven["key_given"], true);

    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("12.34", "99.99")).unwrap();
    let refused = run(nowhere, &with_key);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(
        refused.stderr.contains("the answer is not the one"),
        "{}",
        refused.stderr
    );
    fs::write(&file, "{}").unwrap();
    let refused = run(nowhere, &with_key);
    assert!(
        refused.stderr.contains("it is no receipt"),
        "{}",
        refused.stderr
    );
    let usage = run(nowhere, &format!("audit check-receipt {named} --key x"));
    assert_eq!(usage.code, 2, "{}", usage.stderr);
}

/// Flips a bit in the middle.
fn damaged(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// Ctrl-C during an export leaves no file. The broker is stopped meanwhile, so that it is not done before.
fn interrupted(home: &Home) {
    let pid = fs::read_to_string(home.path().join("run/nats.pid")).unwrap();
    let signal = |name: &str, pid: &str| {
        let status = Command::new("kill").args([name, pid.trim()]).status();
        assert!(status.unwrap().success());
    };
    let file = home.directory.path().join("interrupted");
    signal("-STOP", &pid);
    let mut export: Child = quittance(&home.path())
        .args(["audit", "export", "--json"])
        .arg(&file)
        .spawn()
        .unwrap();
    // It answers signals itself as soon as it has opened its runtime's signal handling.
    let handles = || {
        let status = fs::read_to_string(format!("/proc/{}/status", export.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        u64::from_str_radix(caught.unwrap().trim(), 16).unwrap() & 0b10 != 0
    };
    while !handles() {
        std::thread::yield_now();
    }
    signal("-INT", &export.id().to_string());
    let ended = export.wait().unwrap();
    signal("-CONT", &pid);
    assert_eq!(ended.code(), Some(1));
    let left = fs::read_dir(home.directory.path()).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    let is_left = |name: &std::ffi::OsString| name.to_string_lossy().contains("interrupted");
    assert!(!names.iter().any(is_left), "{names:?}");
}
