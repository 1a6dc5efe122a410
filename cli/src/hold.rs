//! `quittance hold`, `capture`, `void` and `reverse`: money that moves later, or back.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use common::account_number::AccountName;
use common::ids::PaymentId;
use common::kinds::hold::HoldRequest;
use serde_json::{Value, json};

use crate::login;
use crate::names::{self, Person, account};
use crate::running::Running;
use crate::sending::{Asked, Sending};

/// Options of `quittance hold`.
#[derive(Debug, Args)]
pub(crate) struct Hold {
    /// The account on which money is held: its number or id, or ada, grace or cash
    #[arg(long, value_name = "ACCOUNT", value_parser = account())]
    from: AccountName,
    /// The account that a capture pays: its number or id, or ada, grace or cash
    #[arg(long, value_name = "ACCOUNT", value_parser = account())]
    to: AccountName,
    /// How much: 30.00
    #[arg(long, allow_hyphen_values = true)]
    amount: String,
    /// ISO 4217 code, the same as both accounts'
    #[arg(long, default_value = "EUR")]
    currency: String,
    /// Text for both statements, up to 140 characters
    #[arg(long)]
    reference: Option<String>,
    /// When it ends by itself: 2026-12-24T12:00:00Z, at most 31 days away
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// Who asks for it [default: whose account --from is]
    #[arg(long = "as", value_enum, value_name = "WHO", ignore_case = true)]
    person: Option<Person>,
    #[command(flatten)]
    sending: Sending,
}

/// Options of `quittance capture`.
#[derive(Debug, Args)]
pub(crate) struct Capture {
    /// The hold's id
    hold_id: PaymentId,
    /// How much of it [default: all that is still held]
    #[arg(long, allow_hyphen_values = true)]
    amount: Option<String>,
    /// Free what is left of the hold
    #[arg(long = "final")]
    is_final: bool,
    /// Who asks for it: whoever asked for the hold
    #[arg(
        long = "as",
        value_enum,
        value_name = "WHO",
        default_value = "ada",
        ignore_case = true
    )]
    person: Person,
    #[command(flatten)]
    sending: Sending,
}

/// Options of `quittance void`.
#[derive(Debug, Args)]
pub(crate) struct Void {
    /// The hold's id
    hold_id: PaymentId,
    /// Whose hold: ada, grace, shop, or a client's id; for staff [default: that of --as]
    #[arg(long, value_name = "CLIENT")]
    client_id: Option<String>,
    /// Who asks for it
    #[arg(
        long = "as",
        value_enum,
        value_name = "WHO",
        default_value = "ada",
        ignore_case = true
    )]
    person: Person,
    #[command(flatten)]
    sending: Sending,
}

/// Options of `quittance reverse`.
#[derive(Debug, Args)]
pub(crate) struct Reverse {
    /// The id of the payment or capture
    reverses: PaymentId,
    /// Whose payment: ada, grace, shop, or a client's id [default: that of --as]
    #[arg(long, value_name = "CLIENT")]
    client_id: Option<String>,
    /// How much of it [default: all that was not reversed before]
    #[arg(long, allow_hyphen_values = true)]
    amount: Option<String>,
    /// Text for both statements, up to 140 characters
    #[arg(long)]
    reason: Option<String>,
    /// Who asks for it: staff, or whoever was paid
    #[arg(
        long = "as",
        value_enum,
        value_name = "WHO",
        default_value = "staff",
        ignore_case = true
    )]
    person: Person,
    #[command(flatten)]
    sending: Sending,
}

pub(crate) async fn hold(options: Hold, home: &Path) -> Result<ExitCode> {
    let running = Running::find(home)?;
    let client = running.client();
    let person = options
        .person
        .unwrap_or_else(|| Person::of_account(options.from));
    let token = login::token(&client, &person.login(running.demo()?)?).await?;
    let account = async |typed| names::account_id(typed, &client, &token).await;
    let asked = options.sending.asked("hold");
    let hold = HoldRequest {
        payment_id: asked.id,
        debtor_account: account(options.from).await?,
        creditor_account: account(options.to).await?,
        amount: options.amount,
        currency: options.currency,
        reference: options.reference,
        effective_date: None,
        metadata: BTreeMap::new(),
        expires_at: options.expires_at,
    };
    asked.told(client.hold(&token, &hold, asked.wait).await, home)
}

pub(crate) async fn capture(options: Capture, home: &Path) -> Result<ExitCode> {
    let body = json!({"amount": options.amount, "final": options.is_final});
    let asked = options.sending.asked("capture");
    act(
        options.person,
        options.hold_id,
        "capture",
        body,
        None,
        &asked,
        home,
    )
    .await
}

pub(crate) async fn void(options: Void, home: &Path) -> Result<ExitCode> {
    let whose = options.client_id.as_deref();
    let asked = options.sending.asked("void");
    act(
        options.person,
        options.hold_id,
        "void",
        json!({}),
        whose,
        &asked,
        home,
    )
    .await
}

pub(crate) async fn reverse(options: Reverse, home: &Path) -> Result<ExitCode> {
    let body = json!({"amount": options.amount, "reason": options.reason});
    let whose = options.client_id.as_deref();
    let asked = options.sending.asked("reversal");
    act(
        options.person,
        options.reverses,
        "reverse",
        body,
        whose,
        &asked,
        home,
    )
    .await
}

async fn act(
    person: Person,
    payment: PaymentId,
    action: &str,
    mut body: Value,
    whose: Option<&str>,
    asked: &Asked,
    home: &Path,
) -> Result<ExitCode> {
    let running = Running::find(home)?;
    let client = running.client();
    let token = login::token(&client, &person.login(running.demo()?)?).await?;
    if let Some(whose) = whose {
        body["client_id"] = names::client_id(whose, &client, running.demo()?)
            .await?
            .into();
    }
    body["payment_id"] = asked.id.to_string().into();
    let sent = client.act(&token, payment, action, &body, asked.wait).await;
    asked.told(sent, home)
}
