//! Who asks, about others as an administrator or about oneself, and how the answer is printed.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum as _};

use crate::login;
use crate::names::Person;
use crate::print;
use crate::running::Running;
use crate::token::secret;
use client::{Client, Login};

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    Demo(Person),
    /// Anybody, by e-mail address.
    Email(String),
}

impl Who {
    /// Reads what was typed.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match Person::named(text) {
            Some(person) => Ok(Self::Demo(person)),
            None if text.contains('@') => Ok(Self::Email(text.to_owned())),
            None => Err("neither staff, ada, grace, shop nor an e-mail address".to_owned()),
        }
    }

    /// What they log in with. `password` is for an address; without it the first line of standard input is.
    pub(crate) fn login(&self, password: Option<&str>, running: &Running) -> Result<Login> {
        match self {
            Self::Demo(person) => person.login(running.demo()?),
            Self::Email(email) => {
                let password = password.map(str::to_owned);
                let password = password.map_or_else(|| secret("--as-password"), Ok)?;
                Ok(Login::person(email, &password))
            }
        }
    }
}

/// Who asks, and how it is printed.
#[derive(Debug, Args)]
pub(crate) struct Asking {
    /// Who asks: staff, or an e-mail address; it takes the scope auth:admin
    #[arg(long = "as", value_parser = Who::parse, value_name = "WHO", default_value = "staff")]
    who: Who,
    /// The password of whoever asks, with an e-mail address; without it the first line of standard input
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "QUITTANCE_AS_PASSWORD",
        hide_env_values = true
    )]
    as_password: Option<String>,
    /// A code of their second factor, or a recovery code; a terminal is asked for it
    #[arg(
        long,
        value_name = "CODE",
        env = "QUITTANCE_OTP",
        hide_env_values = true
    )]
    otp: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Asking {
    /// A token of who asks.
    pub(crate) async fn token(&self, client: &Client, running: &Running) -> Result<String> {
        let login = self.who.login(self.as_password.as_deref(), running)?;
        login::token(client, &login.with_otp(self.otp.clone())).await
    }
}

/// Who does something about oneself.
#[derive(Debug, Args)]
pub(crate) struct Oneself {
    /// Somebody of the demo bank
    #[arg(
        long = "as",
        value_enum,
        value_name = "WHO",
        default_value = "ada",
        ignore_case = true
    )]
    person: Person,
    /// A person's e-mail address
    #[arg(long, conflicts_with = "person")]
    email: Option<String>,
    /// The person's password; without it the first line of standard input
    #[arg(long, env = "QUITTANCE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// A code of the second factor to log in with, or a recovery code; a terminal is asked for it
    #[arg(
        long,
        value_name = "CODE",
        env = "QUITTANCE_OTP",
        hide_env_values = true
    )]
    otp: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Oneself {
    /// The option that names the same person again.
    pub(crate) fn repeated(&self) -> String {
        match &self.email {
            Some(email) => format!(" --email {}", print::readable(email)),
            None if self.person == Person::Ada => String::new(),
            None => {
                let value = self.person.to_possible_value();
                value.map_or_else(String::new, |value| format!(" --as {}", value.get_name()))
            }
        }
    }

    /// A token, and the password that it takes to change something.
    pub(crate) async fn token(
        self,
        client: &Client,
        running: &Running,
    ) -> Result<(String, String)> {
        let login = match self.email {
            Some(email) => {
                let password = self.password.map_or_else(|| secret("--password"), Ok)?;
                Login::person(&email, &password)
            }
            None => self.person.login(running.demo()?)?,
        };
        let Login::Person { password, .. } = &login else {
            bail!("a program has no second factor: a key protects it better than a secret");
        };
        let password = password.clone();
        let token = login::token(client, &login.with_otp(self.otp)).await?;
        Ok((token, password))
    }
}
