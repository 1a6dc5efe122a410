//! A bank elsewhere as commands ask it: by its gateway, with the tokens of a log-in that is kept in a file.
//!
//! A refresh token passes once, and one that comes again later ends the session. So it is exchanged under the file's lock,
//! the answer is in the file before anybody uses it, and Ctrl-C waits for that. An answer that was lost can be asked for
//! again for ten seconds; a machine that dies just between answer and file has to log in again.

use std::fs;
use std::path::Path;
use std::pin::pin;
use std::process::exit;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use client::{Client, Error, Login, NotForPeople};
use common::service::now;
use common::token::Audience;
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::files::Files;
use super::kept::{KeptBank, KeptWho};
use crate::failure::{Exit, Hinted as _, hinted, refusal};
use crate::login;
use crate::running::program;

/// Until when a lost answer is asked for again. Auth repeats it for ten seconds, and a try takes up to 2.5. Source:
/// `auth/src/http/simplejwt/refresh.rs`, `client/src/login.rs`.
const LOST_ANSWER_PATIENCE: Duration = Duration::from_secs(7);
const LOST_ANSWER_PAUSE: Duration = Duration::from_millis(300);
/// What a shell shows for a program that a signal has ended: this and the signal's number.
const ENDED_BY_SIGNAL: i32 = 128;

/// A bank elsewhere.
pub(crate) struct Elsewhere {
    /// What its user calls it.
    pub(crate) name: String,
    /// Its gateway.
    pub(crate) url: String,
    /// `--bank` named it; hints do so too.
    is_named: bool,
    files: Files,
    client: Client,
}

impl Elsewhere {
    /// The bank of this name, or at this address.
    ///
    /// # Errors
    /// When nobody is logged in there, or its file can't be used.
    pub(crate) fn find(files: Files, text: &str, is_named: bool) -> Result<Self> {
        let name = name_of(&files, text)?;
        let kept = files
            .read(&name)?
            .ok_or_else(|| anyhow!("no bank is called {name}"))
            .exit(Exit::NotFound)
            .hint(format!(
                "`{0} banks` shows those that you are logged in to; `{0} login URL` logs in",
                program()
            ))?;
        Ok(Self {
            name,
            client: client_of(&kept.url, kept.ca.as_deref())?,
            url: kept.url,
            is_named,
            files,
        })
    }

    /// A client of its services.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// How this program is called for this bank.
    pub(crate) fn invocation(&self) -> String {
        if self.is_named {
            format!("{} --bank {}", program(), self.name)
        } else {
            program()
        }
    }

    /// Whose log-in it is.
    ///
    /// # Errors
    /// When it is not there any more.
    pub(crate) fn who(&self) -> Result<String> {
        let kept = self.there(self.files.read(&self.name)?)?;
        Ok(kept.name_of_who().to_owned())
    }

    /// An access token that is good for a while, and is not the one that was `refused`.
    ///
    /// # Errors
    /// [`Exit::LoggedOut`] when the session is over.
    pub(crate) async fn token(&self, refused: Option<&str>) -> Result<String> {
        let kept = self.there(self.files.read(&self.name)?)?;
        if let Some(token) = kept.good_token(refused, now()) {
            return Ok(token.to_owned());
        }
        unbroken(self.exchanged(refused)).await?
    }

    /// A program's token for messages.
    ///
    /// # Errors
    /// People have none.
    pub(crate) async fn log_token(&self) -> Result<String> {
        let kept = self.there(self.files.read(&self.name)?)?;
        match &kept.who {
            KeptWho::Person { .. } => Err(NotForPeople.into()),
            KeptWho::Program {
                client_id,
                client_secret,
            } => {
                login::token(
                    &self.client,
                    &program_login(client_id, client_secret, Audience::Log),
                )
                .await
            }
        }
    }

    /// An error of a command, and what to do when it is because the session was ended.
    pub(crate) async fn explained(&self, error: anyhow::Error) -> anyhow::Error {
        let is_refused = refusal(&error).is_some_and(|refused| refused.status == 401);
        if !is_refused || error.downcast_ref::<Exit>().is_some() {
            return error;
        }
        let kept = self.files.read(&self.name).ok().flatten();
        let used = kept.as_ref().and_then(KeptBank::last_token);
        match self.token(used).await {
            Ok(_) => hinted(
                error,
                "the log-in stands and has another token now: try once more",
            ),
            Err(over) if Exit::of(&over) == Exit::LoggedOut => over,
            Err(_) => error,
        }
    }

    /// The next token, which is in the file by then.
    async fn exchanged(&self, refused: Option<&str>) -> Result<String> {
        let held = self.there(self.files.hold(&self.name).await?)?;
        // Another command may have fetched one meanwhile.
        if let Some(token) = held.kept.good_token(refused, now()) {
            return Ok(token.to_owned());
        }
        let answer = match &held.kept.who {
            KeptWho::Person { refresh, .. } => refreshed(&self.client, refresh).await,
            KeptWho::Program {
                client_id,
                client_secret,
            } => {
                let login = program_login(client_id, client_secret, Audience::Http);
                self.client.log_in(&login).await
            }
        };
        let answer = answer.map_err(|error| self.not_exchanged(error, &held.kept))?;
        let next = held.kept.clone().after(&answer, now())?;
        held.replace(&next)?;
        let token = next.good_token(None, now());
        let token = token.context("auth answered with a token that has ended")?;
        Ok(token.to_owned())
    }

    /// Why there is no next token.
    fn not_exchanged(&self, error: Error, kept: &KeptBank) -> anyhow::Error {
        // A proxy on the way says such things too, in other words.
        let is_over = error.refused().is_some_and(|refused| {
            let is_auths = refused.body["code"].is_string() || refused.body["error"].is_string();
            is_auths && matches!(refused.status.as_u16(), 400 | 401)
        });
        let name = &self.name;
        let error = anyhow::Error::from(error);
        if !is_over {
            return error.context(format!("no token of {name}"));
        }
        let what = match &kept.who {
            KeptWho::Person { email, .. } => format!("{email}'s log-in at {name} is over"),
            KeptWho::Program { client_id, .. } => {
                format!("the secret of {client_id} is not taken at {name} any more")
            }
        };
        let error = error.context(what).context(Exit::LoggedOut);
        hinted(error, format!("log in again: `{} login {name}`", program()))
    }

    /// It may have been logged out of since the command began.
    fn there<T>(&self, found: Option<T>) -> Result<T> {
        found
            .ok_or_else(|| anyhow!("nobody is logged in to {} any more", self.name))
            .exit(Exit::LoggedOut)
            .hint(format!("log in again: `{} login {}`", program(), self.url))
    }
}

/// A client of the bank behind this gateway.
///
/// # Errors
/// When the file of certificates can't be used.
pub(crate) fn client_of(url: &str, ca: Option<&Path>) -> Result<Client> {
    let pem = match ca {
        Some(file) => {
            let pem = fs::read(file).with_context(|| format!("can't read {}", file.display()));
            let hint = "log in again, with `--ca` for where the certificate is now";
            Some(pem.hint(hint)?)
        }
        None => None,
    };
    Client::of_gateway(url, pem.as_deref()).with_context(|| match ca {
        Some(file) => format!("{} vouches for nobody", file.display()),
        None => format!("nobody vouches for {url}"),
    })
}

/// The name that was typed, or that of the only log-in at the address that was typed.
///
/// # Errors
/// When nobody is logged in at the address, or it has several log-ins.
pub(super) fn name_of(files: &Files, text: &str) -> Result<String> {
    if !text.contains("://") {
        return Ok(text.to_owned());
    }
    let url = text.trim_end_matches('/');
    let mut found = Vec::new();
    for name in files.names()? {
        // One that can't be used says so once it is meant.
        let kept = files.read(&name).ok().flatten();
        if kept.is_some_and(|kept| kept.url.eq_ignore_ascii_case(url)) {
            found.push(name);
        }
    }
    match found.as_slice() {
        [name] => Ok(name.clone()),
        [] => Err(anyhow!("nobody is logged in to {url}"))
            .exit(Exit::LoggedOut)
            .hint(format!("log in first: `{} login {url}`", program())),
        several => Err(anyhow!("there are several log-ins at {url}"))
            .hint(format!("say which one is meant: {}", several.join(", "))),
    }
}

/// What a program logs in with.
fn program_login(client_id: &str, client_secret: &str, audience: Audience) -> Login {
    Login::Program {
        client_id: client_id.to_owned(),
        client_secret: client_secret.to_owned(),
        audience,
    }
}

/// Exchanges a refresh token. An answer that was lost is asked for again, as long as auth repeats it.
async fn refreshed(client: &Client, refresh: &str) -> client::Result<Value> {
    let deadline = Instant::now() + LOST_ANSWER_PATIENCE;
    loop {
        let answer = client.refresh(refresh).await;
        let may_be_lost = match &answer {
            // Nothing was sent.
            Err(Error::Silent { source, .. }) if source.is_connect() => false,
            Err(error) => error.is_unknown(),
            Ok(_) => false,
        };
        if !may_be_lost || Instant::now() > deadline {
            return answer;
        }
        tokio::time::sleep(LOST_ANSWER_PAUSE).await;
    }
}

/// Does all of this, though somebody presses Ctrl-C meanwhile; then the program ends as it would have.
async fn unbroken<T>(work: impl Future<Output = T>) -> Result<T> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut work = pin!(work);
    let mut number = None;
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            signal = either(&mut interrupt, &mut terminate) => number = Some(signal),
        }
    };
    if let Some(number) = number {
        exit(ENDED_BY_SIGNAL + number);
    }
    // The system does not end the program by itself any more, now that we have asked for signals.
    tokio::spawn(async move {
        let number = either(&mut interrupt, &mut terminate).await;
        exit(ENDED_BY_SIGNAL + number);
    });
    Ok(done)
}

/// The number of the signal that comes first.
async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
    }
}
