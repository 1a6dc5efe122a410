//! Who asks, about others as an administrator or about oneself, and how the answer is printed.

use anyhow::{Result, bail};
use clap::Args;

use crate::bank::Bank;
use crate::login;
use crate::names::Person;
use crate::print;
use crate::token::secret;
use client::Login;

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
}

/// Who asks: the same options for every command.
#[derive(Debug, Args)]
pub(crate) struct As {
    /// Who asks: staff, ada, grace or shop of the demo bank, or an e-mail address [default: whoever is logged in; at the demo
    /// bank staff, or the customer whose money it is]
    #[arg(long = "as", value_parser = Who::parse, value_name = "WHO")]
    who: Option<Who>,
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
}

impl As {
    /// A token of who asks; `usual` is who that is at the demo bank unless it is said.
    pub(crate) async fn token(&self, bank: &Bank, usual: Person) -> Result<String> {
        self.token_after(None, bank, usual).await
    }

    /// A token that is not the one that was `refused`.
    pub(crate) async fn token_after(
        &self,
        refused: Option<&str>,
        bank: &Bank,
        usual: Person,
    ) -> Result<String> {
        let login = match (&self.who, bank) {
            (None, Bank::Elsewhere(there)) => return there.token(refused).await,
            (None, Bank::Here(_)) => usual.login(bank.demo())?,
            (Some(Who::Demo(person)), _) => person.login(bank.demo())?,
            (Some(Who::Email(email)), _) => {
                let password = self.as_password.clone();
                let password = password.map_or_else(|| secret("--as-password"), Ok)?;
                Login::person(email, &password)
            }
        };
        login::token(&bank.client(), &login.with_otp(self.otp.clone())).await
    }

    /// The option that names the same in another command, whose `usual` may be another.
    pub(crate) fn repeated(&self, bank: &Bank, usual: Person) -> String {
        match (&self.who, bank) {
            (None, Bank::Elsewhere(_)) => String::new(),
            (None, Bank::Here(_)) => format!(" --as {}", usual.word()),
            (Some(Who::Demo(person)), _) => format!(" --as {}", person.word()),
            (Some(Who::Email(email)), _) => format!(" --as {}", print::readable(email)),
        }
    }
}

/// Who asks, and how it is printed.
#[derive(Debug, Args)]
pub(crate) struct Asking {
    #[command(flatten)]
    pub(crate) by: As,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Asking {
    /// A token of who asks.
    pub(crate) async fn token(&self, bank: &Bank) -> Result<String> {
        self.by.token(bank, Person::Staff).await
    }
}

/// Who does something about oneself.
#[derive(Debug, Args)]
pub(crate) struct Oneself {
    /// Somebody of the demo bank [default: whoever is logged in; at the demo bank ada]
    #[arg(long = "as", value_enum, value_name = "WHO", ignore_case = true)]
    person: Option<Person>,
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
        match (&self.email, self.person) {
            (Some(email), _) => format!(" --email {}", print::readable(email)),
            (None, Some(person)) => format!(" --as {}", person.word()),
            (None, None) => String::new(),
        }
    }

    /// A token.
    pub(crate) async fn token(self, bank: &Bank) -> Result<String> {
        if let (None, None, Bank::Elsewhere(there)) = (&self.email, self.person, bank) {
            return there.token(None).await;
        }
        Ok(self.token_and_password(bank).await?.0)
    }

    /// A token, and the password that it takes to change something. That of a log-in is not kept: it is asked for.
    pub(crate) async fn token_and_password(self, bank: &Bank) -> Result<(String, String)> {
        let typed = || {
            self.password
                .clone()
                .map_or_else(|| secret("--password"), Ok)
        };
        let login = match (&self.email, self.person, bank) {
            (Some(email), _, _) => Login::person(email, &typed()?),
            (None, None, Bank::Elsewhere(there)) => {
                let password = typed()?;
                return Ok((there.token(None).await?, password));
            }
            (None, person, _) => person.unwrap_or(Person::Ada).login(bank.demo())?,
        };
        let Login::Person { password, .. } = &login else {
            bail!("a program has no second factor: a key protects it better than a secret");
        };
        let password = password.clone();
        let token = login::token(&bank.client(), &login.with_otp(self.otp)).await?;
        Ok((token, password))
    }
}
