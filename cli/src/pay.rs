//! `quittance pay`: asks for a payment, and says what became of it.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use common::account_number::AccountName;
use common::ids::PaymentId;
use common::kinds::payment::PaymentRequest;
use uuid::Uuid;

use crate::asking::As;
use crate::bank::Bank;
use crate::names::{Person, account, account_id};
use crate::sending::Asked;

/// Options of `quittance pay`.
#[derive(Debug, Args)]
pub(crate) struct Pay {
    /// The account that pays: its number or id, or ada, grace or cash
    #[arg(long, value_name = "ACCOUNT", value_parser = account())]
    from: AccountName,
    /// The account that is paid: its number or id, or ada, grace or cash
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
    /// The value date: the day that it counts from, today or before [default: the day it is booked]
    #[arg(long, value_name = "YYYY-MM-DD")]
    effective_date: Option<String>,
    /// The payment's id; sending the same payment again never pays twice [default: a new UUID]
    #[arg(long, value_name = "UUID")]
    payment_id: Option<PaymentId>,
    #[command(flatten)]
    by: As,
    /// Wait for the settlement, this many seconds at most (1 to 30)
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10",
          value_parser = clap::value_parser!(u64).range(1..=30))]
    wait: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Asks for a payment.
pub(crate) async fn run(options: Pay, bank: &Bank) -> Result<ExitCode> {
    let client = bank.client();
    let payer = Person::of_account(options.from);
    let token = options.by.token(bank, payer).await?;
    let account = async |typed| account_id(typed, &client, &token).await;
    let payment = PaymentRequest {
        payment_id: options
            .payment_id
            .unwrap_or_else(|| PaymentId(Uuid::now_v7())),
        debtor_account: account(options.from).await?,
        creditor_account: account(options.to).await?,
        amount: options.amount,
        currency: options.currency,
        reference: options.reference,
        effective_date: options.effective_date,
        metadata: BTreeMap::new(),
    };
    let sent = client.pay(&token, &payment, options.wait).await;
    let asked = Asked {
        what: "payment",
        id: payment.payment_id,
        wait: options.wait,
        json: options.json,
    };
    asked.told(sent, bank)
}
