//! `quittance users`: who may log in, and locking somebody out.

mod dumpdata;
mod import;
mod invitations;
mod second_factor;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::asking::Asking;
use crate::bank::Bank;
use crate::failure::{Exit, Hinted as _};
use crate::print;
use crate::token::secret;
use client::Client;

/// What to do with people.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List people, by e-mail address
    List(List),
    /// Show somebody
    Show(Named),
    /// Make somebody who can log in
    Create(Create),
    /// Print a code with which somebody chooses a password and logs in from then on
    Invite(invitations::Invite),
    /// Print a code with which somebody sets a new password
    Reset(Named),
    /// Use such a code: choose a password
    Accept(invitations::Accept),
    /// Let somebody log in again
    Activate(Named),
    /// Log somebody out everywhere, and let in no more; the ledger refuses every token at once
    Deactivate(Named),
    /// Log somebody out everywhere; the ledger refuses every token at once
    LogOut(Named),
    /// Give somebody a new password, and log out everywhere
    SetPassword(SetPassword),
    /// Take in the people of a Django system, with their passwords; those who are there already stay as they are
    Import(import::Import),
    /// Make somebody customer, staff or admin; whoever may do less by it is logged out
    Role(ChangeRole),
    /// Forget wrong passwords, and the lock that they led to
    Unlock(Named),
    /// Codes of an authenticator besides the password
    #[command(subcommand)]
    SecondFactor(second_factor::Command),
}

/// Options of `quittance users list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those with this in their address
    #[arg(long, value_name = "TEXT")]
    email: Option<String>,
    /// Only those behind this address
    #[arg(long, value_name = "EMAIL")]
    after: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    #[command(flatten)]
    asking: Asking,
}

/// Options of `quittance users create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The e-mail address to log in with
    email: String,
    /// What the person is to the bank
    #[arg(long, value_enum, value_name = "ROLE", default_value = "customer")]
    role: Role,
    /// The password; without it the first line of standard input
    #[arg(long, env = "QUITTANCE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

/// What a person is to the bank.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Has accounts and pays from them
    Customer,
    /// Opens accounts and takes deposits
    Staff,
    /// Staff that decides who else is
    Admin,
}

impl Role {
    /// The word in auth's API.
    fn word(self) -> Result<String> {
        let value = self.to_possible_value();
        let value = value.context("every role has a word")?;
        Ok(value.get_name().to_owned())
    }
}

/// Options of `quittance users role`.
#[derive(Debug, Args)]
pub(crate) struct ChangeRole {
    /// The person: an e-mail address or an id
    user: String,
    /// What the person is to the bank from now on
    #[arg(value_enum)]
    role: Role,
    #[command(flatten)]
    asking: Asking,
}

/// Options of a command about one person.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The person: an e-mail address or an id
    user: String,
    #[command(flatten)]
    asking: Asking,
}

/// Options of `quittance users set-password`.
#[derive(Debug, Args)]
pub(crate) struct SetPassword {
    /// The person: an e-mail address or an id
    user: String,
    /// The password; without it the first line of standard input
    #[arg(long, env = "QUITTANCE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

/// A person, as auth shows one.
#[derive(Debug, Deserialize)]
struct Shown {
    id: String,
    email: String,
    role: String,
    is_active: bool,
    has_second_factor: bool,
    last_login_at: Option<String>,
}

pub(crate) async fn run(command: Command, bank: &Bank) -> Result<()> {
    match command {
        Command::List(options) => list(&options, bank).await,
        Command::Show(named) => show(&named, bank).await,
        Command::Create(options) => create(options, bank).await,
        Command::Invite(options) => invitations::invite(options, bank).await,
        Command::Reset(named) => invitations::reset(&named, bank).await,
        Command::Accept(options) => invitations::accept(options, bank).await,
        Command::Activate(named) => change(&named, "activate", bank).await,
        Command::Deactivate(named) => change(&named, "deactivate", bank).await,
        Command::LogOut(named) => change(&named, "log-out", bank).await,
        Command::SetPassword(options) => set_password(options, bank).await,
        Command::Import(options) => import::run(&options, bank).await,
        Command::Role(options) => change_role(options, bank).await,
        Command::Unlock(named) => change(&named, "unlock", bank).await,
        Command::SecondFactor(command) => second_factor::run(command, bank).await,
    }
}

async fn caller(asking: &Asking, bank: &Bank) -> Result<(Client, String)> {
    let client = bank.client();
    let token = asking.token(bank).await?;
    Ok((client, token))
}

async fn list(options: &List, bank: &Bank) -> Result<()> {
    let (client, token) = caller(&options.asking, bank).await?;
    let mut query = vec![("limit", options.limit.to_string())];
    query.extend(options.email.clone().map(|part| ("email", part)));
    query.extend(options.after.clone().map(|email| ("cursor", email)));
    let page = client.users(&token, &query).await?;
    if options.asking.json {
        print::json(&page)?;
        return Ok(());
    }
    let users = Vec::<Shown>::deserialize(&page["users"]);
    let users = users.context("auth answered in an unknown form")?;
    if users.is_empty() {
        print::line("No people.")?;
        return Ok(());
    }
    let mut table = print::table(&["email", "role", "", "last login"]);
    for user in &users {
        let login = user.last_login_at.as_deref().unwrap_or("never");
        table.add_row([
            print::readable(&user.email),
            user.role.clone(),
            if user.is_active { "" } else { "inactive" }.to_owned(),
            login.get(..16).unwrap_or(login).replace('T', " "),
        ]);
    }
    print::line(&print::text(table))?;
    if let (false, Some(last)) = (page["next"].is_null(), users.last()) {
        let email = print::readable(&last.email);
        print::line(&format!("\nMore: the same with `--after {email}`."))?;
    }
    Ok(())
}

async fn create(options: Create, bank: &Bank) -> Result<()> {
    let password = options.password.map_or_else(|| secret("--password"), Ok)?;
    let (client, token) = caller(&options.asking, bank).await?;
    let role = options.role.word()?;
    let user = json!({"email": options.email, "password": password, "role": role});
    let user = client.create_user(&token, &user).await?;
    told(&user, &options.asking)
}

async fn show(named: &Named, bank: &Bank) -> Result<()> {
    let (client, token) = caller(&named.asking, bank).await?;
    let id = id(&client, &token, &named.user).await?;
    let user = match id.parse() {
        Ok(id) => client.user(&token, id).await?,
        Err(_) => None,
    };
    let user = user.with_context(|| format!("there is nobody called {}", named.user));
    let user = user
        .exit(Exit::NotFound)
        .hint("`quittance users list` shows everybody")?;
    told(&user, &named.asking)
}

async fn change(named: &Named, action: &str, bank: &Bank) -> Result<()> {
    let (client, token) = caller(&named.asking, bank).await?;
    let id = id(&client, &token, &named.user).await?;
    let user = client.change_user(&token, &id, action, None).await?;
    told(&user, &named.asking)
}

async fn set_password(options: SetPassword, bank: &Bank) -> Result<()> {
    let password = options.password.map_or_else(|| secret("--password"), Ok)?;
    let (client, token) = caller(&options.asking, bank).await?;
    let id = id(&client, &token, &options.user).await?;
    let body = json!({"password": password});
    let user = client
        .change_user(&token, &id, "password", Some(&body))
        .await?;
    told(&user, &options.asking)
}

async fn change_role(options: ChangeRole, bank: &Bank) -> Result<()> {
    let body = json!({"role": options.role.word()?});
    let (client, token) = caller(&options.asking, bank).await?;
    let id = id(&client, &token, &options.user).await?;
    let user = client.change_user(&token, &id, "role", Some(&body)).await?;
    told(&user, &options.asking)
}

/// The id of a person who is named by address or by id.
async fn id(client: &Client, token: &str, user: &str) -> Result<String> {
    if !user.contains('@') {
        return Ok(user.to_owned());
    }
    let query = [("email", user.to_owned()), ("limit", "100".to_owned())];
    let page = client.users(token, &query).await?;
    let users = Vec::<Shown>::deserialize(&page["users"]);
    let users = users.context("auth answered in an unknown form")?;
    let found = users
        .into_iter()
        .find(|found| found.email.eq_ignore_ascii_case(user));
    let found = found.with_context(|| format!("nobody has the address {user}"));
    Ok(found
        .exit(Exit::NotFound)
        .hint("`quittance users list` shows everybody")?
        .id)
}

fn told(user: &Value, asking: &Asking) -> Result<()> {
    if asking.json {
        print::json(user)?;
        return Ok(());
    }
    let user = Shown::deserialize(user).context("auth answered in an unknown form")?;
    let state = if user.is_active { "active" } else { "inactive" };
    let factor = if user.has_second_factor { "on" } else { "off" };
    print::line(&print::pairs(&[
        ("email", print::readable(&user.email)),
        ("id", user.id),
        ("role", user.role),
        ("state", state.to_owned()),
        ("second factor", factor.to_owned()),
    ]))?;
    Ok(())
}
