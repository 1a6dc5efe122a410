//! `quittance deposit` and `withdraw`: money that comes into the bank, and goes out of it. Both are payments against an
//! asset account of the bank, which takes the scope bank:operate.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use common::account_number::AccountName;
use common::ids::{AccountId, OWNER_BANK};
use common::kinds::payment::PaymentRequest;

use crate::asking::As;
use crate::bank::Bank;
use crate::failure::{Exit, Hinted as _};
use crate::names::{self, CASH, Person};
use crate::sending::Sending;
use client::{Account, AccountPage, Client};

/// Options of `quittance deposit` and `withdraw`.
#[derive(Debug, Args)]
pub(crate) struct Counter {
    /// The customer's account: its number or id, or ada or grace
    #[arg(value_parser = names::account())]
    account: AccountName,
    /// How much, in the account's currency: 30.00
    #[arg(allow_hyphen_values = true)]
    amount: String,
    /// The bank's own account that the money comes out of or goes into [default: its cash]
    #[arg(long, value_name = "ACCOUNT", value_parser = names::account())]
    via: Option<AccountName>,
    /// Text for both statements, up to 140 characters
    #[arg(long)]
    reference: Option<String>,
    /// The value date: the day that it counts from, today or before [default: the day it is booked]
    #[arg(long, value_name = "YYYY-MM-DD")]
    effective_date: Option<String>,
    #[command(flatten)]
    by: As,
    #[command(flatten)]
    sending: Sending,
}

/// Which way the money goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Deposit,
    Withdrawal,
}

pub(crate) async fn run(way: Way, options: Counter, bank: &Bank) -> Result<ExitCode> {
    let client = bank.client();
    let token = options.by.token(bank, Person::Staff).await?;
    let customer: Option<Account> = client.account(&token, options.account).await?;
    let customer = customer
        .with_context(|| format!("there is no account {} to be seen", options.account))
        .exit(Exit::NotFound)?;
    let till = match options.via {
        Some(typed) => names::account_id(typed, &client, &token).await?,
        None => cash(&client, &token, &customer.currency).await?,
    };
    let (what, debtor_account, creditor_account) = match way {
        Way::Deposit => ("deposit", till, customer.account_id),
        Way::Withdrawal => ("withdrawal", customer.account_id, till),
    };
    let asked = options.sending.asked(what);
    let payment = PaymentRequest {
        payment_id: asked.id,
        debtor_account,
        creditor_account,
        amount: options.amount,
        currency: customer.currency,
        reference: options.reference,
        effective_date: options.effective_date,
        metadata: BTreeMap::new(),
    };
    asked.told(client.pay(&token, &payment, asked.wait).await, bank)
}

/// The bank's cash in a currency: the demo's, or the first asset of that name that the bank owns.
async fn cash(client: &Client, token: &str, currency: &str) -> Result<AccountId> {
    let query = [
        ("owner", OWNER_BANK.to_owned()),
        ("category", "asset".to_owned()),
        ("limit", "100".to_owned()),
    ];
    let assets: AccountPage = client.accounts(token, &query).await?;
    let of_currency = assets.accounts.into_iter();
    let of_currency = of_currency.filter(|asset| asset.currency == currency);
    let mut cash = of_currency
        .filter(|asset| asset.account_id == CASH || asset.name.as_deref() == Some("Cash"));
    let first = cash.next().map(|asset| asset.account_id);
    first
        .with_context(|| format!("the bank has no account named Cash in {currency}"))
        .exit(Exit::NotFound)
        .hint("name one of the bank's asset accounts with --via, or open one with --owner bank --category asset")
}
