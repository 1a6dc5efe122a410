//! What is kept of a log-in at a bank elsewhere: where the bank is, who logged in, and the tokens that stand in for a password.
//!
//! A person's password is never kept. Their refresh token is: auth takes each once and answers with the next one. A program
//! has no such token, so its secret is kept.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use client::{Login, access_token};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// With less time left an access token is not used: it has to reach the bank, and what it asks for may take a while.
const LEFT_MIN: TimeDelta = TimeDelta::seconds(60);

/// A log-in at one bank. It is secret as a whole, so it can't be printed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeptBank {
    /// The gateway's address, without a slash at its end.
    pub(crate) url: String,
    /// The file (PEM) with the certificates of who may vouch for it. Read each time: a renewed certificate counts at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    pub(crate) who: KeptWho,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access: Option<Access>,
}

/// Who logged in.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum KeptWho {
    /// A person, by a session.
    Person {
        /// The login name.
        email: String,
        /// The session's good refresh token.
        refresh: String,
    },
    /// A service account.
    Program {
        /// Its id.
        client_id: String,
        /// Its secret.
        client_secret: String,
    },
}

/// An access token, for the commands that come before it ends.
#[derive(Clone, Serialize, Deserialize)]
struct Access {
    token: String,
    /// By this machine's clock.
    ends_at: DateTime<Utc>,
}

/// When a token was issued and when it ends, in seconds by auth's clock.
#[derive(Deserialize)]
struct Times {
    iat: i64,
    exp: i64,
}

impl KeptBank {
    /// What is kept of auth's answer to a log-in, which came at `now`.
    ///
    /// # Errors
    /// When the answer lacks a token.
    pub(crate) fn of(
        url: String,
        ca: Option<PathBuf>,
        login: Login,
        answer: &Value,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let who = match login {
            Login::Person { email, .. } => KeptWho::Person {
                email,
                refresh: String::new(),
            },
            Login::Program {
                client_id,
                client_secret,
                ..
            } => KeptWho::Program {
                client_id,
                client_secret,
            },
        };
        let access = None;
        Self {
            url,
            ca,
            who,
            access,
        }
        .after(answer, now)
    }

    /// The same with the tokens of an answer, which came at `now`.
    ///
    /// # Errors
    /// When the answer lacks a token.
    pub(crate) fn after(mut self, answer: &Value, now: DateTime<Utc>) -> Result<Self> {
        let token = access_token(answer).context("auth answered without a token")?;
        if let KeptWho::Person { refresh, .. } = &mut self.who {
            let next = answer["refresh"].as_str();
            next.context("auth answered without a refresh token")?
                .clone_into(refresh);
        }
        // This machine's clock may be wrong, so only the span counts.
        let times = times(token).context("auth answered with a token that can't be read")?;
        let life = TimeDelta::seconds(
            times
                .exp
                .saturating_sub(times.iat)
                .clamp(0, i64::from(u32::MAX)),
        );
        self.access = Some(Access {
            token: token.to_owned(),
            ends_at: now + life,
        });
        Ok(self)
    }

    /// An access token that is good for a while yet, and is not the one that was refused.
    pub(crate) fn good_token(&self, refused: Option<&str>, now: DateTime<Utc>) -> Option<&str> {
        let access = self.access.as_ref()?;
        let is_good = access.ends_at - LEFT_MIN > now && refused != Some(&access.token);
        is_good.then_some(&access.token)
    }

    /// The access token, whether it is good or not.
    pub(crate) fn last_token(&self) -> Option<&str> {
        self.access.as_ref().map(|access| &*access.token)
    }

    /// Whose log-in it is: an e-mail address or a client id.
    pub(crate) fn name_of_who(&self) -> &str {
        match &self.who {
            KeptWho::Person { email, .. } => email,
            KeptWho::Program { client_id, .. } => client_id,
        }
    }

    /// When a session that is not used ends. A program's log-in lasts as long as its secret.
    pub(crate) fn ends_at(&self) -> Option<DateTime<Utc>> {
        match &self.who {
            KeptWho::Person { refresh, .. } => DateTime::from_timestamp(times(refresh)?.exp, 0),
            KeptWho::Program { .. } => None,
        }
    }
}

/// Reads a token of a bank that we asked ourselves; its signature is for others to check.
fn times(token: &str) -> Option<Times> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok()
}

#[cfg(test)]
mod tests {
    use common::service::now;
    use serde_json::json;

    use super::*;

    fn token(iat: i64, exp: i64) -> String {
        let claims = URL_SAFE_NO_PAD.encode(json!({"iat": iat, "exp": exp}).to_string());
        format!("e30.{claims}.c2ln")
    }

    #[test]
    fn a_token_is_used_until_shortly_before_its_end_whatever_the_clocks_say() {
        let now = now();
        // Auth's clock is in another year.
        let access = token(1000, 1000 + 900);
        let answer = json!({"access": access, "refresh": token(1000, 90_000)});
        let login = Login::person("ada@bank.test", "password");
        let kept = KeptBank::of("http://localhost".to_owned(), None, login, &answer, now).unwrap();
        let at = |seconds| now + TimeDelta::seconds(seconds);
        assert_eq!(kept.good_token(None, at(0)), Some(&*access));
        assert_eq!(kept.good_token(None, at(839)), Some(&*access));
        assert_eq!(kept.good_token(None, at(840)), None);
        assert_eq!(kept.good_token(Some(&access), at(0)), None);
        assert_eq!(kept.good_token(Some("another"), at(0)), Some(&*access));
        assert_eq!(kept.ends_at(), DateTime::from_timestamp(90_000, 0));
    }

    #[test]
    fn no_password_is_kept_and_an_answer_without_tokens_is_none() {
        let login = || Login::person("ada@bank.test", "password");
        let answer = json!({"access": token(0, 900), "refresh": token(0, 900)});
        let of = |answer: &Value| KeptBank::of("u".to_owned(), None, login(), answer, now());
        let text = serde_json::to_string(&of(&answer).unwrap()).unwrap();
        assert!(!text.contains("password"), "{text}");
        assert!(of(&json!({"access": token(0, 900)})).is_err());
        assert!(of(&json!({"refresh": token(0, 900)})).is_err());
    }
}
