//! `quittance hold`, `capture`, `void` and `reverse`: money that moves later, or back.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use common::account_number::AccountName;
use common::ids::PaymentId;
use common::kinds::hold::HoldRequest;
use serde_json::{Value, json};

use crate::asking::As;
use crate::bank::Bank;
use crate::names::{self, Person, account};
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
    #[command(flatten)]
    by: As,
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
    #[command(flatten)]
    by: As,
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
    #[command(flatten)]
    by: As,
    #[command(flatten)]
    sending: Sending,
}

/// Options of `quittance reverse`.
#[derive(Debug, Args)]
pub(crate) struct Reverse {
    /// The id of the payment, capture or transaction
    reverses: PaymentId,
    /// Whose payment: ada, grace, shop, or a client's id [default: that of --as]
    #[arg(long, value_name = "CLIENT")]
    client_id: Option<String>,
    /// How much of it; a transaction is reversed whole [default: all that was not reversed before]
    #[arg(long, allow_hyphen_values = true)]
    amount: Option<String>,
    /// Text for both statements, up to 140 characters
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    by: As,
    #[command(flatten)]
    sending: Sending,
}

pub(crate) async fn hold(options: Hold, bank: &Bank) -> Result<ExitCode> {
    let client = bank.client();
    let holder = Person::of_account(options.from);
    let token = options.by.token(bank, holder).await?;
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
    asked.told(client.hold(&token, &hold, asked.wait).await, bank)
}

pub(crate) async fn capture(options: Capture, bank: &Bank) -> Result<ExitCode> {
    let token = options.by.token(bank, Person::Ada).await?;
    let act = Act {
        payment: options.hold_id,
        action: "capture",
        body: json!({"amount": options.amount, "final": options.is_final}),
        whose: None,
    };
    act.ask(&options.sending.asked("capture"), &token, bank)
        .await
}

pub(crate) async fn void(options: Void, bank: &Bank) -> Result<ExitCode> {
    let token = options.by.token(bank, Person::Ada).await?;
    let act = Act {
        payment: options.hold_id,
        action: "void",
        body: json!({}),
        whose: options.client_id,
    };
    act.ask(&options.sending.asked("void"), &token, bank).await
}

pub(crate) async fn reverse(options: Reverse, bank: &Bank) -> Result<ExitCode> {
    let token = options.by.token(bank, Person::Staff).await?;
    let act = Act {
        payment: options.reverses,
        action: "reverse",
        body: json!({"amount": options.amount, "reason": options.reason}),
        whose: options.client_id,
    };
    act.ask(&options.sending.asked("reversal"), &token, bank)
        .await
}

/// Something that is asked for about a payment.
struct Act {
    payment: PaymentId,
    action: &'static str,
    body: Value,
    /// Whose payment it is, if that is not the caller's.
    whose: Option<String>,
}

impl Act {
    async fn ask(self, asked: &Asked, token: &str, bank: &Bank) -> Result<ExitCode> {
        let mut body = self.body;
        if let Some(whose) = &self.whose {
            body["client_id"] = names::client_id(whose, bank).await?.into();
        }
        body["payment_id"] = asked.id.to_string().into();
        let client = bank.client();
        let sent = client.act(token, self.payment, self.action, &body, asked.wait);
        asked.told(sent.await, bank)
    }
}
