//! Who asks an administrator's question, and how the answer is printed.

use anyhow::Result;
use clap::Args;

use crate::client::Client;
use crate::names::Person;
use crate::running::Running;

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
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Asking {
    /// A token of who asks.
    pub(crate) async fn token(&self, client: &Client, running: &Running) -> Result<String> {
        client.token(&self.person.login(running.demo()?)?).await
    }
}
