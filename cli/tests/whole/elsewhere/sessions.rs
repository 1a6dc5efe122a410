//! The log-in at a bank elsewhere as time goes by: it is exchanged, shared, ended, and refused where it is not safe.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use local::Part;

use super::{Desk, Ran, make_boss, mode};
use crate::bank::{PATIENCE, TestBank};

/// Commands that begin at one time.
const AT_ONCE: usize = 6;
/// Longer than a command waits for one answer, and shorter than it goes on asking. Source: `client/src/login.rs`.
const LOST: Duration = Duration::from_millis(3500);

async fn logged_in() -> Result<(TestBank, Desk)> {
    let test = TestBank::start_behind_gateway(local::Tls::Off).await?;
    let url = test.bank.gateway_url().context("it has one")?;
    let desk = Desk::new()?;
    desk.log_in(&url, "ada", "prod")?;
    Ok((test, desk))
}

/// A command that needs the next token, under way.
fn exchanging(desk: &Desk) -> Result<Child> {
    let mut command = desk.command(&["token", "--bank", "prod"]);
    Ok(command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_at_once_exchange_a_refresh_token_once_and_an_older_file_ends_the_session()
-> Result<()> {
    let (_test, desk) = logged_in().await?;
    let first = fs::read(desk.file("prod"))?;
    let refresh = desk.kept("prod")?["who"]["refresh"].clone();
    // A token that is good is used again.
    desk.run("token --bank prod")?.ok()?;
    ensure!(desk.kept("prod")?["who"]["refresh"] == refresh);
    for _ in 0..2 {
        let before = desk.kept("prod")?["who"]["refresh"].clone();
        desk.age("prod")?;
        let started = (0..AT_ONCE).map(|_| exchanging(&desk));
        let started = started.collect::<Result<Vec<_>>>()?;
        let mut tokens = Vec::new();
        for child in started {
            tokens.push(Ran::of(child.wait_with_output()?)?.ok()?);
        }
        tokens.dedup();
        ensure!(tokens.len() == 1, "{} tokens", tokens.len());
        let kept = desk.kept("prod")?;
        ensure!(kept["who"]["refresh"] != before, "the file follows");
        ensure!(kept["access"]["token"] == tokens[0].trim());
        ensure!(mode(&desk.file("prod"))? == 0o600);
    }
    // An answer that never reached the file is asked for again.
    let last = fs::read(desk.file("prod"))?;
    desk.age("prod")?;
    desk.run("token --bank prod")?.ok()?;
    fs::write(desk.file("prod"), &last)?;
    desk.age("prod")?;
    desk.run("token --bank prod")?.ok()?;
    // A copy of the file that is older than that is taken for a thief's.
    fs::write(desk.file("prod"), first)?;
    desk.age("prod")?;
    desk.run("account list --bank prod")?
        .fails(7, &["ada@bank.test's log-in at prod is over", "login prod"])?;
    // The name is enough to log in again.
    desk.say("ada-password", "login prod --password-stdin")?
        .ok()?;
    desk.run("account list --bank prod")?.ok()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_waits_until_the_next_refresh_token_is_in_the_file() -> Result<()> {
    let (mut test, desk) = logged_in().await?;
    let before = desk.kept("prod")?["who"]["refresh"].clone();
    desk.age("prod")?;
    test.bank.freeze(Part::Auth);
    let child = exchanging(&desk)?;
    // It has the lock while it exchanges.
    let file = File::open(desk.file("prod"))?;
    let began = Instant::now();
    while file.try_lock().is_ok() {
        file.unlock()?;
        ensure!(began.elapsed() < PATIENCE, "nobody takes the lock");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let pid = child.id().to_string();
    ensure!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()?
            .success()
    );
    test.bank.thaw(Part::Auth);
    let ran = Ran::of(child.wait_with_output()?)?;
    ensure!((ran.code, &*ran.stdout) == (130, ""), "{ran:?}");
    ensure!(desk.kept("prod")?["who"]["refresh"] != before);
    desk.run("account list --bank prod")?.ok()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_on_the_way_is_asked_for_again() -> Result<()> {
    let (mut test, desk) = logged_in().await?;
    let before = desk.kept("prod")?["who"]["refresh"].clone();
    desk.age("prod")?;
    // The first try reaches auth, which answers when nobody listens any more.
    test.bank.freeze(Part::Auth);
    let child = exchanging(&desk)?;
    tokio::time::sleep(LOST).await;
    test.bank.thaw(Part::Auth);
    Ran::of(child.wait_with_output()?)?.ok()?;
    ensure!(desk.kept("prod")?["who"]["refresh"] != before);
    desk.age("prod")?;
    desk.run("account list --bank prod")?.ok()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_that_was_ended_at_the_bank_says_so_and_how_to_begin_again() -> Result<()> {
    let (test, desk) = logged_in().await?;
    let url = test.bank.gateway_url().context("it has one")?;
    make_boss(&test).await?;
    desk.log_in(&url, "boss", "boss")?;
    desk.run("users log-out ada@bank.test --bank boss")?.ok()?;
    for _ in 0..2 {
        desk.run("account list --bank prod")?
            .fails(7, &["is over", "hint: log in again: `", "login prod`"])?;
    }
    let out = desk.run("logout prod")?.ok()?;
    ensure!(out.contains("was over already"), "{out}");
    // Logging out ends the session at the bank, not only here.
    let kept = fs::read(desk.file("boss"))?;
    let out = desk.run("logout boss")?.ok()?;
    ensure!(out.contains("Its session is over."), "{out}");
    fs::write(desk.file("boss"), kept)?;
    fs::set_permissions(desk.file("boss"), Permissions::from_mode(0o600))?;
    desk.run("users list --bank boss")?.fails(7, &["is over"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_log_in_is_told_with_what_to_do() -> Result<()> {
    let (mut test, desk) = logged_in().await?;
    let url = test.bank.gateway_url().context("it has one")?;
    let wrong = format!("login {url} --user ada@bank.test --password-stdin --name other");
    desk.say("not-her-password", &wrong)?
        .fails(1, &["error: no token"])?;
    ensure!(!desk.file("other").exists());
    desk.run(&format!("login {url} --user ada@bank.test"))?
        .fails(1, &["no password was given", "--password-stdin"])?;
    desk.run("login http://bank.example --user ada@bank.test")?
        .fails(1, &["everybody on the way", "--without-tls"])?;
    desk.run("account list --bank nobody")?
        .fails(5, &["no bank is called nobody", "banks` shows"])?;
    desk.run("account list --bank https://bank.example")?
        .fails(
            7,
            &[
                "nobody is logged in to https://bank.example",
                "log in first",
            ],
        )?;
    // A service alone is no gateway.
    let auth = test.bank.url(local::Service::Auth);
    desk.run(&format!("login {auth} --user ada@bank.test"))?
        .fails(5, &["there is no bank at"])?;

    fs::set_permissions(desk.file("prod"), Permissions::from_mode(0o640))?;
    desk.run("account list --bank prod")?.fails(
        1,
        &[
            "others on this machine may use",
            "its mode is 640",
            "chmod 600",
        ],
    )?;
    fs::set_permissions(desk.file("prod"), Permissions::from_mode(0o600))?;
    desk.run("account list --bank prod")?.ok()?;

    test.bank.kill(Part::Gateway);
    let silent = desk.run("account list --bank prod")?;
    silent.fails(6, &["the ledger at http://", "--bank prod status` tells"])?;
    desk.age("prod")?;
    desk.run("account list --bank prod")?
        .fails(6, &["no token of prod", "does not answer"])?;
    desk.run("logout prod")?
        .fails(6, &["still logged in to prod", "--forget"])?;
    desk.run("logout prod --forget")?.ok()?;
    ensure!(!desk.file("prod").exists());
    desk.run("logout")?.fails(5, &["no bank is in use"])?;
    Ok(())
}
