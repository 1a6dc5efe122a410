//! The commands as somebody types them: their help, their exit codes, and one bank from `up` to `down`.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod again;
mod alive;
mod auditing;
mod browser;
mod collector;
mod counter;
mod disk;
mod examples;
mod help;
mod history;
mod home;
mod importing;
mod moving;
mod paste;
mod people;
mod services;
mod supervised;
mod width;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::alive::is_alive;
use crate::home::{Home, Ran, quittance, run};

#[test]
fn every_command_tells_its_options() {
    let commands = [
        "",
        "up",
        "down",
        "status",
        "doctor",
        "demo",
        "login",
        "logout",
        "banks",
        "banks use",
        "token",
        "account open",
        "account show",
        "account list",
        "account balance",
        "account statement",
        "trial-balance",
        "pay",
        "deposit",
        "withdraw",
        "payment show",
        "payment list",
        "payment answer",
        "hold",
        "capture",
        "void",
        "reverse",
        "transaction",
        "batch",
        "users import",
        "services",
        "watch",
        "audit replay",
        "audit verify",
        "audit export",
        "audit receipt",
        "audit check-receipt",
        "audit check-growth",
        "audit events",
        "completions",
    ];
    let nowhere = Path::new("/nowhere");
    let help = commands.map(|command| {
        let help = run(nowhere, &format!("{command} --help")).ok();
        format!("$ quittance {command}\n{help}")
    });
    insta::assert_snapshot!(help.join("\n"));
}

#[test]
fn a_usage_error_is_exit_code_2() {
    let usage = |arguments: &str| {
        let ran = run(Path::new("/nowhere"), arguments);
        assert_eq!(ran.code, 2, "{arguments}: {}", ran.stderr);
        ran.stderr
    };
    usage("pay --from ada --to grace");
    usage("watch --from 0");
    usage("token --as ada --email ada@demo.quittance");
    let unknown = usage("pay --from ada --to eve --amount 1");
    assert!(
        unknown.contains("neither ada, grace, cash nor an account's number or UUID"),
        "{unknown}"
    );
}

#[test]
fn without_a_bank_commands_say_how_to_open_one() {
    let home = Home::new();
    for command in ["status", "status --json", "demo", "token", "audit replay"] {
        let ran = home.run(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (6, ""), "{command}");
        assert!(
            ran.stderr.starts_with("error: no bank runs in "),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains("hint: start one with "),
            "{}",
            ran.stderr
        );
    }
    assert!(home.run("down").ok().starts_with("No bank runs in "));
}

#[test]
fn a_home_that_is_not_ours_is_left_alone() {
    let home = Home::new();
    fs::write(home.directory.path().join("thesis.txt"), "irreplaceable").unwrap();
    let ran = run(home.directory.path(), "up --detach --fresh");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("stays untouched"), "{}", ran.stderr);
}

#[test]
fn a_bank_from_up_to_down() {
    let home = Home::new();
    let up = home.run("up --detach --json --free-ports").json();
    let status = home.run("status --json").json();
    assert_eq!(up, status);
    check_status(&status);
    let again = home.run("up --json").json();
    assert_eq!(again, status, "a second `up` tells of the first");

    let log = fs::read_to_string(home.path().join("logs/up.log")).unwrap();
    let password = status["demo"]["staff"]["password"].as_str().unwrap();
    assert!(log.contains("The bank is open"), "{log}");
    assert!(!log.contains(password), "{log}");

    tokens(&home);
    payments(&home);
    accounts(&home);
    counter::money_over_the_counter(&home);
    moving::a_transaction_and_back(&home);
    history::accounts_as_they_were(&home);
    watched(&home);

    let story = home.run("demo --json").json();
    assert_eq!(story["before"], story["after"]);
    let told = home.run("demo").ok();
    assert!(
        told.contains("9. The audit decides the whole log again"),
        "{told}"
    );
    let audit = home.run("audit replay --json").json();
    assert_eq!(audit["agrees"], true);
    assert_eq!(audit["sums"]["EUR"], "0");

    let pids = home.pids();
    assert_eq!(pids.len(), 8, "seven parts and who watches over them");
    assert!(pids.iter().all(|pid| is_alive(pid)));
    assert!(home.run("down").ok().contains("is closed"));
    let left: Vec<_> = pids.iter().filter(|pid| is_alive(pid)).collect();
    assert!(left.is_empty(), "still there: {left:?}");
    assert_eq!(home.run("status").code, 6);
}

#[test]
fn a_database_url_that_is_none_is_told_without_its_password() {
    let home = Home::new();
    let password = "s3cret/pw";
    let url = format!("postgres://ledger:{password}@localhost:5432/ledger");
    let file = home.directory.path().join("url");
    fs::write(&file, &url).unwrap();
    for (option, command) in [
        ("QUITTANCE_DATABASE_URL", "serve"),
        ("QUITTANCE_MIGRATION_DATABASE_URL", "migrate"),
    ] {
        for (variable, value) in [
            (option.to_owned(), url.as_str()),
            (format!("{option}_FILE"), file.to_str().unwrap()),
        ] {
            for service in ["auth", "ledger", "payments"] {
                let mut program = quittance(&home.path());
                program.args([command, service]);
                if command == "serve" {
                    program
                        .args(["--listen", "127.0.0.1:0"])
                        .args(["--nats-user", "x", "--nats-password", "y"])
                        .env("QUITTANCE_KEY_ENCRYPTION_KEY", "00".repeat(32))
                        .env("QUITTANCE_AUTH_URL", "http://127.0.0.1:1")
                        .env("QUITTANCE_EXCHANGE_SECRET", "z")
                        .env("QUITTANCE_NATS_URL", "nats://127.0.0.1:1");
                }
                let ran: Ran = program.env(&variable, value).output().unwrap().into();
                let said = format!("{}{}", ran.stdout, ran.stderr);
                assert_ne!(ran.code, 0, "{said}");
                assert!(said.contains(option), "{service}, {variable}: {said}");
                for part in password.split('/') {
                    assert!(!said.contains(part), "{service}, {variable}: {said}");
                }
            }
        }
    }
}

fn check_status(status: &Value) {
    for service in ["gateway", "auth", "ledger", "payments"] {
        assert!(
            status[service]
                .as_str()
                .unwrap()
                .starts_with("http://127.0.0.1:")
        );
    }
    assert!(
        status["nats"]
            .as_str()
            .unwrap()
            .starts_with("nats://127.0.0.1:")
    );
    assert!(
        status["postgres"]
            .as_str()
            .unwrap()
            .starts_with("postgres://127.0.0.1:")
    );
    let demo = &status["demo"];
    for text in [
        &demo["staff"]["email"],
        &demo["staff"]["password"],
        &demo["customers"][0]["email"],
        &demo["customers"][1]["password"],
        &demo["customers"][1]["account"],
        &demo["service_account"]["client_id"],
        &demo["service_account"]["client_secret"],
        &demo["producer"]["user"],
        &demo["producer"]["password"],
    ] {
        assert!(text.is_string(), "{demo}");
    }
}

fn tokens(home: &Home) {
    let token = home.run("token --as shop").ok();
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
    assert_eq!(token.lines().count(), 1);
    let answer = home.run("token --as staff --json").json();
    assert!(answer["refresh"].is_string());
    let wrong = home.run("token --email ada@demo.quittance --password wrong");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (1, ""));
}

fn payments(home: &Home) {
    let id = "0198c0de-0000-7000-8000-000000000001";
    let pay = format!("pay --from ada --to grace --amount 30 --payment-id {id} --wait");
    let settled = home.run(&format!("{pay} --json")).json();
    assert_eq!(settled["status"], "settled");
    assert_eq!(settled["settlement"]["postings"][0]["balance"], "970.00");
    let seq = settled["request_seq"].as_u64().unwrap();
    // The first outcome again: not paid twice.
    let again = home.run(&pay).ok();
    let before = format!("Payment {id}\nwas settled before, as request {seq}; nothing was booked");
    assert!(again.starts_with(&before), "{again}");

    let rejected = home.run("pay --from Ada --to Grace --amount 5000 --wait");
    assert_eq!((rejected.code, rejected.stdout.as_str()), (3, ""));
    let reason = "because AM04: account 01900000-ada0-7000-8000-000000000002 has 970.00 available";
    assert!(rejected.stderr.contains(reason), "{}", rejected.stderr);

    let other = home.run(&format!("{} --json", pay.replace("30", "31")));
    assert_eq!(other.code, 3, "{}", other.stderr);
    let refused = format!("error: this payment is refused: another one has its id, {id}");
    assert!(other.stderr.starts_with(&refused), "{}", other.stderr);
    let nowhere = "payment show 0198c0de-0000-7000-8000-00000000ffff";
    assert_eq!(home.run(nowhere).code, 5);

    for who in ["ada", "Staff"] {
        let shown = home.run(&format!("payment show {id} --as {who} --json"));
        assert_eq!(shown.json()["request_seq"], seq);
    }
    assert_eq!(home.run(&format!("payment show {id} --as grace")).code, 5);
    let listed = home
        .run("payment list --client-id ada --status settled")
        .ok();
    let row = format!("  {id}  settled  ada   grace   30.00  EUR");
    assert!(listed.contains(&row), "{listed}");
    let listed = home.run("payment list --as ada --limit 1 --json").json();
    assert_eq!(listed["payments"][0]["status"], "rejected");
    assert!(listed["next"].is_string());
    let back = "0198c0de-0000-7000-8000-0000000000bb";
    let back = format!("pay --from grace --to ada --amount 30 --as grace --payment-id {back}");
    assert!(home.run(&back).ok().contains("is in the log"));
    // It pays once, and what comes next sees it.
    home.run(&format!("{back} --wait")).ok();
}

fn accounts(home: &Home) {
    let cash = home.run("account show cash").ok();
    let balances = "
  currency   posted  held  overdraft limit  available
  EUR       2000.00  0.00             0.00    2000.00
";
    assert!(cash.ends_with(balances), "{cash}");
    assert_eq!(home.run("account show grace --as ada").code, 5);
    let grace = "01900000-96ac-7000-8000-000000000003";
    let listed = home.run("account list --owner grace").ok();
    let row = "  Grace  liability  1000.00  EUR\n";
    assert!(listed.ends_with(row), "{listed}");
    let all = home.run("account list --json").json();
    assert_eq!(all["accounts"].as_array().unwrap().len(), 3, "{all}");
    let own = home.run("account list --as grace --json").json();
    assert_eq!(own["accounts"].as_array().unwrap().len(), 1, "{own}");
    let id = "0198c0de-0000-7000-8000-0000000000aa";
    let ada = home.run("account show ada --json").json();
    let opened = home.run("account open --owner Ada").ok();
    assert!(opened.starts_with("Opened account "), "{opened}");
    let owner = ada["owner"].as_str().unwrap();
    assert!(opened.contains(owner), "{opened}");
    let rejected = home.run(&format!("account open --owner ada --id {grace}"));
    assert_eq!(rejected.code, 3);
    let said = format!("error: account {grace} is rejected, as request ");
    assert!(rejected.stderr.starts_with(&said), "{}", rejected.stderr);
    let nobody = home.run("account open --owner Eve --id 0198c0de-0000-7000-8000-0000000000ee");
    assert!(
        nobody.stderr.contains("nobody of the demo bank is \"Eve\""),
        "{}",
        nobody.stderr
    );

    let open = format!(
        "account open --owner demo-shop --currency JPY --overdraft-limit 500 --id {id} --json"
    );
    let opened = home.run(&open).json();
    assert_eq!(opened["available"], "500");
    assert_eq!(home.run(&open).json(), opened, "opened once");
}

fn watched(home: &Home) {
    let answers = home.run("watch --json --from 1 --count 3").ok();
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let sequences: Vec<_> = answers
        .iter()
        .map(|answer| answer["request_seq"].as_u64())
        .collect();
    assert_eq!(sequences, [Some(1), Some(2), Some(3)]);
    let all = home.run("watch --until-end").ok();
    let day = all.lines().next().unwrap();
    assert!(day.starts_with("20") && day.ends_with(", UTC:"), "{all}");
    assert!(
        all.contains("payment.rejected   ada → grace  5000.00 EUR"),
        "{all}"
    );
    let wide = all.lines().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None);
    let books = home.run("status --books").ok();
    let psql = Command::new(local::testing::programs().psql)
        .args([books.trim(), "-Atc", "select count(*) from account"])
        .output();
    let rows = psql.unwrap();
    assert!(
        rows.status.success(),
        "{}",
        String::from_utf8_lossy(&rows.stderr)
    );

    // Auth may announce its key a second time, when the rules were raised meanwhile: the sequence is not always the same.
    let answers = home.run("watch --until-end --json").ok();
    let deposit = answers
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|answer| answer["status"] == "settled")
        .unwrap();
    let seq = deposit["request_seq"].as_u64().unwrap();
    let told = home.run(&format!("watch --from {seq} --count 1")).ok();
    assert!(
        told.contains("payment.settled    cash → ada  1000.00 EUR"),
        "{told}"
    );
}
