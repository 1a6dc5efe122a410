//! Who asks, about others as an administrator or about oneself, and how the answer is printed.

use anyhow::{Result, bail};
use clap::Args;

use crate::login;
use crate::names::Person;
use crate::running::Running;
use crate::token::secret;
use client::{Client, Login};

/// Who asks, and how it is printed.
#[derive(Debug, Args)]
pub(crate) struct Asking {
    /// Who asks; it takes the scope auth:admin
    #[arg(
        long = "as",
        value_enum,
        value_name = "WHO",
        default_value = "staff",
        ignore_case = true
    )]
    person: Person,
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
        let login = self.person.login(running.demo()?)?;
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
