//! `quittance doctor` on banks that are not well: each fault is made for real, found by its own check, and taken back.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use common::service::now;
use local::{Part, Service, Tls};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::bank::{PATIENCE, TestBank, payment};
use crate::by_hand::change_by_hand;

/// Every check has its limit, and they are asked side by side; a busy machine may take longer.
const ALL_LIMITS: Duration = Duration::from_secs(60);

/// What the doctor found.
struct Found {
    findings: Vec<Value>,
    code: Option<i32>,
}

impl Found {
    /// The state of a check: `well`, `soon`, `bad`, `unknown`; and what it says.
    fn of(&self, check: &str) -> Result<(&str, &str)> {
        let found = self.findings.iter().find(|one| one["check"] == check);
        let found = found.with_context(|| format!("no check {check}: {:#?}", self.findings))?;
        let word = |field: &str| found[field].as_str().context("a word");
        Ok((word("state")?, word("detail")?))
    }

    /// It is so, somebody is told what to do, and the code says that something is wrong.
    fn says(&self, check: &str, state: &str, words: &str, runbook: &str) -> Result<()> {
        let (found, detail) = self.of(check)?;
        ensure!(
            found == state && detail.contains(words),
            "{check}: {found}, {detail}"
        );
        let finding = self.findings.iter().find(|one| one["check"] == check);
        let finding = finding.context("found above")?;
        ensure!(finding["runbook"] == runbook, "{finding}");
        let next = finding["next"].as_str().unwrap_or_default();
        ensure!(!next.is_empty(), "{finding}");
        ensure!(self.code == Some(1), "{:?}", self.code);
        Ok(())
    }

    fn is(&self, check: &str, state: &str) -> Result<()> {
        let (found, detail) = self.of(check)?;
        ensure!(found == state, "{check}: {found}, {detail}");
        Ok(())
    }

    /// Every check but these is well. How full this machine's disks are is not the tests' to say.
    fn else_well(&self, but: &[&str]) -> Result<()> {
        for one in &self.findings {
            let check = one["check"].as_str().context("a name")?;
            let is_ours = !but.contains(&check) && !check.starts_with("disk");
            ensure!(!is_ours || one["state"] == "well", "{one}");
        }
        Ok(())
    }
}

fn run(home: &Path, arguments: &[&str]) -> Result<Output> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_quittance"));
    program
        .arg("doctor")
        .arg("--home")
        .arg(home)
        .args(arguments);
    Ok(program.output()?)
}

fn doctor(test: &TestBank, arguments: &[&str]) -> Result<Found> {
    let began = Instant::now();
    let output = run(test.bank.home().path(), &[&["--json"], arguments].concat())?;
    let took = began.elapsed();
    ensure!(took < ALL_LIMITS, "{took:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.is_empty(), "{said}");
    let mut found: Value = serde_json::from_slice(&output.stdout)?;
    let findings = serde_json::from_value(found["findings"].take())?;
    let is_well = found["is_well"] == true;
    let code = output.status.code();
    ensure!(is_well == (code == Some(0)), "{found} {code:?}");
    Ok(Found { findings, code })
}

/// The doctor, asked again until it says so: what it is told is a moment old, and a busy machine answers late.
fn hears(test: &TestBank, arguments: &[&str], says: impl Fn(&Found) -> Result<()>) -> Result<()> {
    let began = Instant::now();
    loop {
        let found = doctor(test, arguments)?;
        match says(&found) {
            Err(other) if began.elapsed() > PATIENCE => {
                return Err(other.context(format!("{:#?}", found.findings)));
            }
            Err(_) => {}
            Ok(()) => return Ok(()),
        }
    }
}

async fn open() -> Result<TestBank> {
    let test = TestBank::start().await?;
    test.bank.home().publish(&test.bank.status(None))?;
    Ok(test)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_hangs_or_is_dead_is_a_finding_and_so_is_what_waits_for_it() -> Result<()> {
    let mut test = open().await?;
    hears(&test, &[], |found| found.else_well(&[]))?;

    // It holds the lock, and decides nothing.
    test.bank.freeze(Part::Ledger);
    let producer = test.producer().await?;
    let due = payment(test.adas, test.graces, "1.00");
    let seq = test
        .publish(&producer, test.headers(&due), due.to_string())
        .await?;
    hears(&test, &[], |found| {
        found.says("ledger", "bad", "does not answer", "ServiceMissing")?;
        found.says("requests", "bad", "1 wait to be decided", "NothingDecided")?;
        found.is("leader", "well")
    })?;
    test.bank.thaw(Part::Ledger);
    test.settlement(seq).await?;

    test.bank.kill(Part::Ledger);
    hears(&test, &[], |found| {
        found.says("ledger", "bad", "does not answer", "ServiceMissing")?;
        found.says("leader", "bad", "no ledger leads", "NobodyLeads")
    })?;
    test.bank.start_part(Part::Ledger).await?;

    // Answers that nobody projects.
    test.bank.kill(Part::Payments);
    let due = payment(test.adas, test.graces, "1.00");
    let seq = test
        .publish(&producer, test.headers(&due), due.to_string())
        .await?;
    test.settlement(seq).await?;
    hears(&test, &[], |found| {
        found.says("payments", "bad", "does not answer", "ServiceMissing")?;
        let (check, words) = ("projection", "1 answers are not shown");
        found.says(check, "bad", words, "ProjectionBehind")
    })?;
    test.bank.start_part(Part::Payments).await?;

    // A server that hangs: what depends on it is not known, and nothing else is forgotten.
    for (part, check, unknown) in [
        (Part::Postgres, "PostgreSQL", ["leader", "books", "tables"]),
        (
            Part::Nats,
            "NATS",
            ["streams", "room for the log", "clock of NATS"],
        ),
    ] {
        test.bank.freeze(part);
        hears(&test, &[], |found| {
            found.says(check, "bad", "does not answer within 4 s", "ServiceMissing")?;
            for check in unknown {
                found.is(check, "unknown")?;
            }
            found.is("secrets", "well")
        })?;
        test.bank.thaw(part);
    }
    test.bank.kill(Part::Nats);
    hears(&test, &[], |found| {
        found.is("NATS", "bad")?;
        found.is("PostgreSQL", "well")
    })?;
    test.bank.start_part(Part::Nats).await?;
    hears(&test, &[], |found| found.else_well(&[]))?;
    test.check_invariants().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_hurt_later_is_found_before() -> Result<()> {
    let mut test = open().await?;
    let home = test.bank.home().path().to_owned();

    let secrets = home.join("secrets.json");
    fs::set_permissions(&secrets, Permissions::from_mode(0o644))?;
    hears(&test, &[], |found| {
        found.says("secrets", "bad", "secrets.json is 0644", "SecretsOpen")
    })?;
    fs::set_permissions(&secrets, Permissions::from_mode(0o600))?;

    // A broker whose room is used up, and which acknowledges before it writes.
    let configuration = home.join("nats/nats-server.conf");
    let text = fs::read_to_string(&configuration)?;
    let (room, always) = ("max_file_store: 64GB", "sync_interval: always");
    ensure!(text.contains(room) && text.contains(always), "{text}");
    let small = text.replace(room, "max_file_store: 4KB");
    fs::write(&configuration, small.replace(always, "sync_interval: 90s"))?;
    // The stream of lines reserves more than that, and a broker that can't give it does not start.
    test.bank.kill(Part::Nats);
    fs::remove_dir_all(home.join("nats/jetstream/jetstream/LOGS"))?;
    test.bank.start_part(Part::Nats).await?;
    hears(&test, &[], |found| {
        found.says("room for the log", "bad", "are used", "LogFilling")?;
        let (check, words) = ("NATS durability", "has sync_interval=90s");
        found.says(check, "bad", words, "UnsafeSettings")?;
        found.is("streams", "well")
    })?;
    fs::write(&configuration, &text)?;
    test.bank.start_part(Part::Nats).await?;

    test.bank.restart_postgres_with(&["fsync=off"]).await?;
    hears(&test, &[], |found| {
        let (check, words) = ("PostgreSQL durability", "has fsync=off");
        found.says(check, "bad", words, "UnsafeSettings")
    })?;
    test.bank.restart_postgres_with(&[]).await?;

    // Tables of another version, and a balance that somebody changed.
    let superuser = |service| test.bank.servers().superuser_database_url(service);
    let mut database = PgConnection::connect(&superuser(Service::Payments)).await?;
    sqlx::raw_sql(
        "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)",
    )
    .execute(&mut database)
    .await?;
    let mut ledger = PgConnection::connect(&superuser(Service::Ledger)).await?;
    change_by_hand(
        &mut ledger,
        "update posting set balance = balance + 1 where request_seq = (select max(request_seq) from posting)
         and amount < 0",
    )
    .await?;
    hears(&test, &[], |found| {
        let words = "debit is not credit in EUR";
        found.says("books", "bad", words, "BooksUnbalanced")?;
        let words = "run `quittance migrate payments` first";
        found.says("tables", "bad", words, "TablesDiffer")
    })
}

/// A certificate for localhost that ends then, and the option that names it.
fn certificate(directory: &Path, end: DateTime<Utc>) -> Result<Tls> {
    let mut asked = rcgen::CertificateParams::new(["localhost".to_owned()])?;
    asked.not_after = SystemTime::from(end).into();
    let key = rcgen::KeyPair::generate()?;
    let [certificate, key_file] = ["own.pem", "own.key"].map(|name| directory.join(name));
    fs::write(&certificate, asked.self_signed(&key)?.pem())?;
    fs::write(&key_file, key.serialize_pem())?;
    Ok(Tls::Files {
        certificate,
        key: key_file,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_and_a_key_about_to_end_and_a_clock_that_jumps_are_told() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let end = now() + TimeDelta::days(10) + TimeDelta::hours(1);
    let tls = certificate(directory.path(), end)?;
    let test = TestBank::start_behind_gateway(tls).await?;
    test.bank.home().publish(&test.bank.status(None))?;
    hears(&test, &[], |found| {
        found.says("certificate", "soon", "(10 days left)", "CertificateEnds")?;
        found.else_well(&["certificate"])
    })?;

    // What Prometheus hears.
    let console = test.bank.console_url().context("a console")?;
    let name = "quittance_certificate_end_timestamp_seconds{";
    let began = Instant::now();
    let line = loop {
        let page = test.http.get(format!("{console}/metrics")).send().await?;
        let page = page.text().await?;
        if let Some(line) = page.lines().find(|line| line.starts_with(name)) {
            break line.to_owned();
        }
        ensure!(began.elapsed() < PATIENCE, "no end: {page}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    ensure!(line.ends_with(&format!(" {}", end.timestamp())), "{line}");

    // A machine that believes it is two months later.
    let later = (now() + TimeDelta::days(60)).to_rfc3339();
    hears(&test, &["--now", &later], |found| {
        found.says("certificate", "bad", "ended", "CertificateEnds")?;
        let words = "should have had a successor";
        found.says("signing key", "bad", words, "KeyOverdue")?;
        let clocks = ["clock of NATS", "clock of PostgreSQL"];
        for clock in clocks {
            found.says(clock, "bad", "s behind this machine's", "ClockDiffers")?;
        }
        found.else_well(&["certificate", "signing key", clocks[0], clocks[1]])
    })?;

    // For people: it fits their terminal, and names pages that the program has.
    let output = run(test.bank.home().path(), &["--now", &later])?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(
        output.status.code() == Some(1) && text.contains("4 of "),
        "{text}"
    );
    // The path of a test's program is long; it is a line of its own.
    let wide = text
        .lines()
        .find(|line| line.chars().count() > 80 && !line.contains("--runbook"));
    ensure!(wide.is_none(), "{wide:?}");
    for runbook in ["CertificateEnds", "KeyOverdue", "ClockDiffers"] {
        ensure!(text.contains(&format!("--runbook {runbook}`")), "{text}");
        let page = run(directory.path(), &["--runbook", runbook])?;
        ensure!(String::from_utf8(page.stdout)?.starts_with(&format!("# {runbook}\n")));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_is_closed_is_a_finding_and_what_its_files_say_is_told() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let output = run(directory.path(), &["--json"])?;
    let found: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(
        output.status.code() == Some(1) && found["is_well"] == false,
        "{found}"
    );
    ensure!(found["findings"][0]["check"] == "bank" && found["findings"][0]["state"] == "bad");
    let checks: Vec<_> = found["findings"].as_array().into_iter().flatten().collect();
    ensure!(
        checks.iter().any(|one| one["check"] == "secrets"),
        "{found}"
    );
    Ok(())
}
