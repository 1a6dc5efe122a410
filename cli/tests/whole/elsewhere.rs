//! A bank elsewhere: somebody logs in through its gateway, from an empty home, and commands reach it from there.

mod sessions;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use auth::people::{Role, ensure_user};
use local::Service;
use serde_json::{Value, json};
use sqlx::postgres::PgPool;

use crate::bank::{CLIENT_SECRET, KIOSK, TestBank};

/// Somebody at a machine that knows no bank.
struct Desk {
    home: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn of(output: Output) -> Result<Self> {
        let ran = Self {
            code: output.status.code().context("no signal ended it")?,
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        };
        // A token begins like this, whatever it is for.
        ensure!(!ran.stderr.contains("eyJ"), "a token: {ran:?}");
        Ok(ran)
    }

    fn ok(self) -> Result<String> {
        ensure!(self.code == 0, "{self:?}");
        Ok(self.stdout)
    }

    fn json(self) -> Result<Value> {
        Ok(serde_json::from_str(&self.ok()?)?)
    }

    /// It ended with this code, and says why and what to do.
    fn fails(self, code: i32, words: &[&str]) -> Result<()> {
        ensure!(self.code == code, "{self:?}");
        for word in words {
            ensure!(self.stderr.contains(word), "no {word:?}: {self:?}");
        }
        Ok(())
    }
}

impl Desk {
    fn new() -> Result<Self> {
        let home = tempfile::tempdir()?;
        Ok(Self { home })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quittance"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("QUITTANCE_") || text.starts_with("XDG_") {
                command.env_remove(&name);
            }
        }
        command
            .args(arguments)
            .env("HOME", self.home.path())
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &str) -> Result<Ran> {
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        Ran::of(self.command(&arguments).output()?)
    }

    /// The same with a line on standard input.
    fn say(&self, line: &str, arguments: &str) -> Result<Ran> {
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        let mut command = self.command(&arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut input = child.stdin.take().context("it is piped")?;
        // One that ends before it reads has no need of it.
        writeln!(input, "{line}").ok();
        drop(input);
        let ran = Ran::of(child.wait_with_output()?)?;
        ensure!(
            !ran.stdout.contains(line) && !ran.stderr.contains(line),
            "{ran:?}"
        );
        Ok(ran)
    }

    fn log_in(&self, url: &str, who: &str, name: &str) -> Result<String> {
        let arguments =
            format!("login {url} --user {who}@bank.test --password-stdin --name {name}");
        self.say(&format!("{who}-password"), &arguments)?.ok()
    }

    fn file(&self, name: &str) -> PathBuf {
        let directory = self.home.path().join(".config/quittance/banks");
        directory.join(format!("{name}.json"))
    }

    fn kept(&self, name: &str) -> Result<Value> {
        Ok(serde_json::from_str(&fs::read_to_string(self.file(name))?)?)
    }

    /// Lets the next command exchange the refresh token.
    fn age(&self, name: &str) -> Result<()> {
        let mut kept = self.kept(name)?;
        kept["access"]["ends_at"] = json!("2020-01-01T00:00:00Z");
        // In its place, so that it stays as closed as it is.
        Ok(fs::write(self.file(name), kept.to_string())?)
    }
}

/// Makes somebody who may do anything.
async fn make_boss(test: &TestBank) -> Result<()> {
    let people = PgPool::connect(&test.bank.servers().database_url(Service::Auth)).await?;
    ensure_user(&people, "boss@bank.test", "boss-password", Role::Admin).await?;
    people.close().await;
    Ok(())
}

fn mode(path: &Path) -> Result<u32> {
    Ok(path.metadata()?.permissions().mode() & 0o777)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_logs_in_pays_at_a_bank_elsewhere_and_needs_nothing_of_it_but_its_gateway()
-> Result<()> {
    let test = TestBank::start_behind_gateway(local::Tls::SelfSigned).await?;
    let url = test.bank.gateway_url().context("it has one")?;
    let certificate = local::certificate_of(test.bank.home().path());
    let certificate = certificate.display();
    let desk = Desk::new()?;

    let untrusted = format!("login {url} --user ada@bank.test --password-stdin");
    desk.say("ada-password", &untrusted)?
        .fails(1, &["vouches for", "hint:", "--ca FILE"])?;
    ensure!(
        !desk.home.path().join(".config").exists(),
        "nothing is kept"
    );
    let trusted = format!("{untrusted} --ca {certificate} --name prod");
    let said = desk.say("ada-password", &trusted)?.ok()?;
    ensure!(
        said.starts_with("Logged in to prod as ada@bank.test.\n"),
        "{said}"
    );
    let file = desk.file("prod");
    ensure!(mode(&file)? == 0o600);
    for directory in file.ancestors().skip(1).take(2) {
        ensure!(mode(directory)? == 0o700, "{}", directory.display());
    }
    let kept = fs::read_to_string(&file)?;
    ensure!(!kept.contains("ada-password"), "a password is kept");

    let (from, to) = (test.adas, test.graces);
    let pay = format!("pay --from {from} --to {to} --amount 30.00 --wait");
    for bank in ["prod", &url] {
        let paid = desk.run(&format!("{pay} --bank {bank} --json"))?.json()?;
        ensure!(paid["status"] == "settled", "{paid}");
    }
    // It is the one in use where this machine has no bank; as root a developer's own may be there.
    let is_asked = desk.run("banks")?.ok()?.contains("Commands ask prod");
    let list = if is_asked { "" } else { " --bank prod" };
    let accounts = desk.run(&format!("account list --json{list}"))?.json()?;
    ensure!(accounts["accounts"][0]["posted"] == "940.00", "{accounts}");
    let rejected = format!("pay --from {from} --to {to} --amount 5000 --wait --bank prod");
    desk.run(&rejected)?.fails(3, &["AM04"])?;
    let show = desk.run(&format!("account show {to} --bank prod"))?;
    show.fails(5, &["there is no account"])?;
    let status = desk.run("status --bank prod")?.ok()?;
    for row in ["auth", "ledger", "payments"] {
        ensure!(status.contains(&format!("  {row} ")), "{status}");
    }
    ensure!(!status.contains("DOWN"), "{status}");
    let token = desk.run("token --bank prod")?.ok()?;
    ensure!(token.trim().split('.').count() == 3, "a token");
    let token = desk.run("token --bank prod --json")?.ok()?;
    ensure!(!token.contains("refresh"), "the refresh token stays here");

    // An administrator, at the same machine.
    make_boss(&test).await?;
    let boss = format!(
        "login {url} --ca {certificate} --user boss@bank.test --password-stdin --name boss"
    );
    desk.say("boss-password", &boss)?.ok()?;
    for arguments in [
        "account list",
        "payment list",
        "trial-balance",
        "users list",
        "clients list",
        "keys list",
        "audit events",
        "file list",
        "logs",
    ] {
        let ran = desk.run(&format!("{arguments} --bank boss"))?;
        ensure!(ran.code == 0, "{arguments}: {ran:?}");
    }
    desk.run("logs --bank prod")?.fails(1, &["scope"])?;

    let banks = desk.run("banks")?.ok()?;
    let wide = banks.lines().find(|line| line.chars().count() > 80);
    ensure!(wide.is_none(), "{banks}");
    let listed = desk.run("banks --json")?.json()?;
    let in_use = |listed: &Value| {
        let banks = listed["banks"].as_array().into_iter().flatten();
        let mut in_use = banks.filter(|bank| bank["in_use"] == true);
        in_use.next().map(|bank| bank["name"].clone())
    };
    ensure!(in_use(&listed) == Some(json!("boss")), "{listed}");
    desk.run("banks use prod")?.ok()?;
    let listed = desk.run("banks --json")?.json()?;
    ensure!(in_use(&listed) == Some(json!("prod")), "{listed}");

    what_a_gateway_does_not_do_is_said(&desk)?;
    // Somebody else asks there, once.
    let mut list = desk.command(&["users", "list", "--bank", "prod", "--as", "boss@bank.test"]);
    let list = list.env("QUITTANCE_AS_PASSWORD", "boss-password");
    Ran::of(list.output()?)?.ok()?;
    a_bank_on_this_machine_is_never_taken_for_another(&desk)?;

    desk.run("logout prod")?.ok()?;
    ensure!(!file.exists());
    desk.run("account list --bank prod")?
        .fails(5, &["no bank is called prod", "hint:"])?;
    Ok(())
}

fn what_a_gateway_does_not_do_is_said(desk: &Desk) -> Result<()> {
    for command in ["watch", "services", "doctor", "audit verify", "up", "demo"] {
        let ran = desk.run(&format!("{command} --bank prod"))?;
        ran.fails(
            1,
            &["needs", "prod is reached by its gateway only", "hint:"],
        )?;
    }
    desk.run("account list --bank prod --as ada")?
        .fails(1, &["somebody of a demo bank"])?;
    desk.run("account list --bank prod --home /nowhere")?
        .fails(2, &["give one of them"])?;
    Ok(())
}

/// Though one elsewhere is in use.
fn a_bank_on_this_machine_is_never_taken_for_another(desk: &Desk) -> Result<()> {
    let here = |arguments: &[&str], variable: &str, value: &str| -> Result<()> {
        let mut list = desk.command(&[&["account", "list"], arguments].concat());
        let ran = Ran::of(list.env(variable, value).output()?)?;
        ran.fails(6, &["no bank runs in "])
    };
    here(&[], "QUITTANCE_HOME", "/nowhere")?;
    here(&["--home", "/nowhere"], "QUITTANCE_BANK", "prod")?;
    here(&["--bank", "local"], "QUITTANCE_HOME", "/nowhere")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_logs_in_with_its_secret_and_the_variable_names_its_bank() -> Result<()> {
    let test = TestBank::start_behind_gateway(local::Tls::Off).await?;
    let url = test.bank.gateway_url().context("it has one")?;
    let desk = Desk::new()?;
    let login = format!("login {url} --client-id {KIOSK} --password-stdin --name till");
    desk.say("a wrong secret", &login)?.fails(1, &["error:"])?;
    desk.say(CLIENT_SECRET, &login)?.ok()?;
    let pay = format!(
        "pay --from {} --to {} --amount 1 --wait",
        test.adas, test.graces
    );
    let arguments: Vec<_> = pay.split_whitespace().collect();
    let paid = desk
        .command(&arguments)
        .env("QUITTANCE_BANK", "till")
        .output()?;
    Ran::of(paid)?.ok()?;
    let token = desk
        .run("token --bank till --audience quittance-log")?
        .ok()?;
    ensure!(token.trim().split('.').count() == 3);
    let file = desk.home.path().join("secret");
    fs::write(&file, format!("{CLIENT_SECRET}\n"))?;
    let again = format!(
        "login till --client-id {KIOSK} --secret-file {}",
        file.display()
    );
    let ran = desk.run(&again)?;
    ensure!(
        ran.stderr.contains("others on this machine may read"),
        "{ran:?}"
    );
    ran.ok()?;
    desk.run("logout till")?.ok()?;
    Ok(())
}
