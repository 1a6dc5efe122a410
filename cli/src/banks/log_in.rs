//! `quittance login`: looks whether a bank is there, logs in, and keeps what later commands need.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use client::{Client, Error, Login, is_loopback};
use common::service::now;
use common::token::Audience;
use reqwest::Url;
use serde_json::json;

use super::files::{Files, parse_name};
use super::kept::{KeptBank, KeptWho};
use super::session::client_of;
use crate::bank::HERE;
use crate::failure::{Exit, Hinted as _, hinted, warn};
use crate::running::program;
use crate::token::secret;
use crate::{login, print, prompt};

/// Options of `quittance login`.
#[derive(Debug, Args)]
pub(crate) struct LogIn {
    /// The address of the bank's gateway, such as bank.example.org; or the name of a bank, to log in there again
    #[arg(value_name = "URL")]
    gateway: String,
    /// What to call it [default: its host]
    #[arg(long, value_parser = parse_name)]
    name: Option<String>,
    /// A person's e-mail address; a terminal is asked for it
    #[arg(long, value_name = "EMAIL", conflicts_with = "client_id")]
    user: Option<String>,
    /// A service account's id, in the place of a person
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The first line of standard input is the password, or a service account's secret; a terminal is asked for it
    #[arg(long)]
    password_stdin: bool,
    /// The first line of this file is the service account's secret
    #[arg(
        long,
        value_name = "FILE",
        requires = "client_id",
        conflicts_with = "password_stdin"
    )]
    secret_file: Option<PathBuf>,
    /// A code of the person's second factor, or a recovery code; a terminal is asked for it
    #[arg(
        long,
        value_name = "CODE",
        env = "QUITTANCE_OTP",
        hide_env_values = true
    )]
    otp: Option<String>,
    /// Certificates (PEM) of who may vouch for the bank, instead of those that the machine trusts; read at each command
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Take http:// to another machine too; whoever is on the way reads the password and everything else
    #[arg(long)]
    without_tls: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Where to log in, and as whom if that is known.
struct Place {
    name: String,
    url: String,
    ca: Option<PathBuf>,
    /// Whoever was logged in there before.
    before: Option<KeptWho>,
}

pub(crate) async fn run(options: LogIn) -> Result<()> {
    let files = Files::of_user()?;
    let place = place(&options, &files)?;
    let client = client_of(&place.url, place.ca.as_deref())?;
    look(&client, &place.url).await?;
    let login = asked(&options, place.before.as_ref())?;
    let answer = login::log_in(&client, &login).await?;
    let Place { name, url, ca, .. } = place;
    let kept = KeptBank::of(url, ca, login, &answer, now())?;
    match files.hold(&name).await? {
        None => files.write(&name, &kept)?,
        Some(held) => {
            held.replace(&kept)?;
            // Nobody has the session before this one any more. It ends by itself if auth does not hear of it.
            if let KeptWho::Person { refresh, .. } = &held.kept.who {
                drop(client.log_out(refresh).await);
            }
        }
    }
    files.set_in_use(Some(&name))?;
    told(&options, &name, &kept)
}

fn told(options: &LogIn, name: &str, kept: &KeptBank) -> Result<()> {
    let who = kept.name_of_who();
    if options.json {
        return Ok(print::json(&json!({
            "name": name, "url": kept.url, "who": who, "ends_at": kept.ends_at(),
        }))?);
    }
    let until = kept.ends_at().map_or_else(
        || "It lasts as long as the secret.".to_owned(),
        |end| {
            let end = end.format("%Y-%m-%d %H:%M");
            format!("Used by {end} UTC, the log-in goes on: for 14 days at most.")
        },
    );
    print::line(&format!("Logged in to {name} as {who}.\n{until}"))?;
    let ask = "On a machine without a bank of its own, all commands ask it.";
    print::line(&print::folded(
        &format!("Ask it with `--bank {name}`. {ask}"),
        0,
    ))?;
    Ok(())
}

/// What was typed is the name of a bank, or an address.
fn place(options: &LogIn, files: &Files) -> Result<Place> {
    let again = files.read(&options.gateway)?;
    let again = again.map(|kept| (options.gateway.clone(), kept));
    let url = match &again {
        Some((_, kept)) => kept.url.clone(),
        None => address(&options.gateway, options.without_tls)?,
    };
    let name = match (&options.name, &again) {
        (Some(name), _) | (None, Some((name, _))) => name.clone(),
        (None, None) => name_of(&url)?,
    };
    if name == HERE {
        return Err(anyhow!("{HERE} is what the bank on this machine is called"))
            .hint("give this one another name, with --name");
    }
    let there = files.read(&name)?;
    if let Some(other) = there.as_ref().filter(|there| there.url != url) {
        let other = &other.url;
        return Err(anyhow!("{name} is the name of {other}")).hint(format!(
            "give this bank another name, with --name; or log out there: `{} logout {name}`",
            program()
        ));
    }
    let ca = options.ca.as_ref().map(std::path::absolute).transpose();
    let mut ca = ca.context("--ca is no usable path")?;
    let before = there.or(again.map(|(_, kept)| kept)).map(|kept| {
        ca = ca.take().or(kept.ca);
        kept.who
    });
    Ok(Place {
        name,
        url,
        ca,
        before,
    })
}

/// The address in its one spelling, without a slash at its end.
fn address(text: &str, without_tls: bool) -> Result<String> {
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let none = || anyhow!("{} is no address of a bank", print::readable(text));
    let url = Url::parse(&with_scheme).map_err(|_| none())?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    match url.scheme() {
        _ if !is_plain || url.host_str().is_none() => return Err(none()),
        "https" => {}
        "http" if without_tls || is_loopback(&url) => {}
        "http" => {
            return Err(anyhow!(
                "over http:// everybody on the way reads the password"
            ))
            .hint("use https://, or say --without-tls where the way is safe by other means");
        }
        _ => return Err(none()),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// `bank.example.org`, and with a port `127.0.0.1-8080`.
fn name_of(url: &str) -> Result<String> {
    let url = Url::parse(url)?;
    let host = url.host_str().unwrap_or_default();
    let host = host.replace(['[', ']'], "").replace(':', "-");
    let name = match url.port() {
        Some(port) => format!("{host}-{port}"),
        None => host,
    };
    parse_name(&name)
        .map_err(|_| anyhow!("{} makes no name", print::readable(&name)))
        .hint("name the bank with --name")
}

/// Whether a bank is behind this gateway.
async fn look(client: &Client, url: &str) -> Result<()> {
    let addresses = client.addresses();
    for (path, service) in [
        ("/auth/", &addresses.auth),
        ("/bank/", &addresses.ledger),
        ("/payment/", &addresses.payments),
    ] {
        match client.is_there(service).await {
            Ok(true) => {}
            Err(error) if is_untrusted(&error) => {
                return Err(error)
                    .with_context(|| format!("nobody whom this machine trusts vouches for {url}"))
                    .exit(Exit::Failed)
                    .hint("if the bank made its certificate itself, name that with `--ca FILE`");
            }
            Err(error @ Error::Silent { .. }) => {
                return Err(error).with_context(|| format!("nothing answers at {url}"));
            }
            Err(Error::Refused(refused)) if refused.status.is_server_error() => {
                let error = Error::Refused(refused);
                return Err(error)
                    .with_context(|| format!("{url} answers, but not what is behind {path}"));
            }
            Ok(false) | Err(_) => {
                let error = anyhow!("there is no bank at {url}: it has nothing behind {path}");
                let hint =
                    "give the address of a bank's gateway, as a browser has it without /admin/";
                return Err(hinted(error, hint)).exit(Exit::NotFound);
            }
        }
    }
    Ok(())
}

/// The other side has a certificate for which nobody vouches.
fn is_untrusted(error: &Error) -> bool {
    let mut causes =
        std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.any(|cause| cause.to_string().contains("invalid peer certificate"))
}

/// What to log in with. Whoever logs in again need not say as whom.
fn asked(options: &LogIn, before: Option<&KeptWho>) -> Result<Login> {
    let (user, client_id) = match (&options.user, &options.client_id, before) {
        (None, None, Some(KeptWho::Person { email, .. })) => (Some(email.clone()), None),
        (None, None, Some(KeptWho::Program { client_id, .. })) => (None, Some(client_id.clone())),
        (user, client_id, _) => (user.clone(), client_id.clone()),
    };
    if let Some(client_id) = client_id {
        let client_secret = match &options.secret_file {
            Some(file) => first_line(file)?,
            None => password(options, &format!("Secret of {client_id}: "))?,
        };
        return Ok(Login::Program {
            client_id,
            client_secret,
            audience: Audience::Http,
        });
    }
    let email = match user {
        Some(email) => email,
        None => prompt::line("E-mail address: ")?
            .ok_or_else(|| anyhow!("who logs in?"))
            .hint("say it with --user EMAIL, or --client-id ID for a service account")?,
    };
    let password = password(options, &format!("Password of {email}: "))?;
    Ok(Login::person(&email, &password).with_otp(options.otp.clone()))
}

fn password(options: &LogIn, question: &str) -> Result<String> {
    if options.password_stdin {
        return secret("--password-stdin");
    }
    prompt::hidden(question)?
        .ok_or_else(|| anyhow!("no password was given"))
        .hint("type it at a terminal, or pipe it in with --password-stdin")
}

fn first_line(file: &Path) -> Result<String> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("can't read {shown}"))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(anyhow!("{shown} begins with an empty line"));
    }
    let mode = fs::metadata(file).map(|metadata| metadata.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        warn(&format!("others on this machine may read {shown}"));
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling_and_http_stays_on_this_machine() {
        for (typed, expected) in [
            ("https://Bank.Example.org/", "https://bank.example.org"),
            ("bank.example.org", "https://bank.example.org"),
            ("localhost:8443", "https://localhost:8443"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            (
                "https://example.org/our/bank/",
                "https://example.org/our/bank",
            ),
        ] {
            assert_eq!(address(typed, false).unwrap(), expected);
        }
        for bad in [
            "http://bank.example.org",
            "ftp://bank.example.org",
            "https://ada:pw@bank.example.org",
            "https://bank.example.org?x=1",
            "https://",
            "a b",
        ] {
            assert!(address(bad, false).is_err(), "{bad}");
        }
        let said = address("http://bank.example.org", true).unwrap();
        assert_eq!(said, "http://bank.example.org");
    }

    #[test]
    fn a_bank_is_called_after_its_host() {
        for (url, expected) in [
            ("https://bank.example.org", "bank.example.org"),
            ("http://127.0.0.1:8080", "127.0.0.1-8080"),
        ] {
            assert_eq!(name_of(url).unwrap(), expected);
        }
    }
}
