//! `quittance transaction`: books several postings at once.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Result;
use clap::Args;
use common::account_number::AccountName;
use common::kinds::posting::Direction;
use common::kinds::settlement::Rate;
use common::kinds::transaction::{NewPosting, TransactionRequest};

use crate::asking::As;
use crate::bank::Bank;
use crate::names::{self, Person};
use crate::sending::Sending;

/// Options of `quittance transaction`.
#[derive(Debug, Args)]
pub(crate) struct Transaction {
    /// An account that is debited and by how much; ada=10.00, or cash=10.00:USD for another currency. May come again
    #[arg(long, required = true, value_name = "ACCOUNT=AMOUNT")]
    debit: Vec<Side>,
    /// An account that is credited and by how much. May come again
    #[arg(long, required = true, value_name = "ACCOUNT=AMOUNT")]
    credit: Vec<Side>,
    /// ISO 4217 code of the amounts that name none
    #[arg(long, default_value = "EUR")]
    currency: String,
    /// A rate to record: EUR/USD=1.0812 says that one euro is so many dollars. May come again
    #[arg(long = "rate", value_name = "FROM/TO=RATE")]
    rates: Vec<Recorded>,
    /// Text for all statements, up to 140 characters
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

/// `ACCOUNT=AMOUNT` or `ACCOUNT=AMOUNT:CURRENCY`.
#[derive(Debug, Clone)]
struct Side {
    account: AccountName,
    amount: String,
    currency: Option<String>,
}

impl FromStr for Side {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (account, amount) = text
            .split_once('=')
            .ok_or("write it as ACCOUNT=AMOUNT, such as ada=10.00")?;
        let (amount, currency) = match amount.split_once(':') {
            Some((amount, currency)) => (amount, Some(currency.to_owned())),
            None => (amount, None),
        };
        Ok(Self {
            account: names::parse_account(account)?,
            amount: amount.to_owned(),
            currency,
        })
    }
}

/// `FROM/TO=RATE`.
#[derive(Debug, Clone)]
struct Recorded(Rate);

impl FromStr for Recorded {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('=').and_then(|(pair, rate)| {
            let (from, to) = pair.split_once('/')?;
            Some(Rate {
                from: from.to_owned(),
                to: to.to_owned(),
                rate: rate.to_owned(),
            })
        });
        parts
            .map(Self)
            .ok_or("write it as FROM/TO=RATE, such as EUR/USD=1.0812")
    }
}

pub(crate) async fn run(options: Transaction, bank: &Bank) -> Result<ExitCode> {
    let client = bank.client();
    let token = options.by.token(bank, Person::Staff).await?;
    let asked = options.sending.asked("transaction");
    let currency = options.currency;
    let debits = options
        .debit
        .into_iter()
        .map(|side| (Direction::Debit, side));
    let credits = options
        .credit
        .into_iter()
        .map(|side| (Direction::Credit, side));
    let mut postings = Vec::new();
    for (direction, side) in debits.chain(credits) {
        postings.push(NewPosting {
            account: names::account_id(side.account, &client, &token).await?,
            direction,
            amount: side.amount,
            currency: side.currency.unwrap_or_else(|| currency.clone()),
        });
    }
    let transaction = TransactionRequest {
        payment_id: asked.id,
        postings,
        rates: options.rates.into_iter().map(|rate| rate.0).collect(),
        reference: options.reference,
        effective_date: options.effective_date,
        metadata: BTreeMap::new(),
    };
    asked.told(client.book(&token, &transaction, asked.wait).await, bank)
}
