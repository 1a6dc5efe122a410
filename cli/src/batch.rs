//! `quittance batch`: pays many at once, and shows what became of each.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Subcommand};
use common::account_number::AccountName;
use common::ids::{BatchId, PaymentId};
use common::kinds::body::RequestBody as _;
use common::kinds::bulk::{BatchItem, BatchRequest, ItemAnswer};
use common::kinds::payment::PaymentStatus;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use client::PaymentBatch;

use crate::asking::As;
use crate::bank::Bank;
use crate::failure::{Exit, Hinted as _, hinted, is_unknown};
use crate::names::{self, Person, short_account_name};
use crate::payment::client_id;
use crate::print;
use client::Client;

/// What to do with batches.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pay many at once
    Send(Send),
    /// Show a batch and what became of each payment
    Show(Show),
    /// List the batches of one client, newest first
    List(List),
}

/// Options of `quittance batch send`.
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// A file with the batch as JSON, as schemas/payment-batch.requested.v1.json describes it; - reads standard input
    #[arg(conflicts_with_all = ["debtor", "to"], required_unless_present = "to")]
    file: Option<PathBuf>,
    /// The account that pays
    #[arg(long = "from", value_name = "ACCOUNT", value_parser = names::account(), requires = "to")]
    debtor: Option<AccountName>,
    /// An account that is paid and how much: grace=1.50. May come again
    #[arg(long, value_name = "ACCOUNT=AMOUNT", requires = "debtor")]
    to: Vec<Paid>,
    /// ISO 4217 code of the amounts
    #[arg(long, default_value = "EUR", conflicts_with = "file")]
    currency: String,
    /// Book all of it, or nothing
    #[arg(long, conflicts_with = "file")]
    atomic: bool,
    #[command(flatten)]
    by: As,
    /// Wait for the answer, this many seconds at most (1 to 30)
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10",
          value_parser = clap::value_parser!(u64).range(1..=30))]
    wait: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `ACCOUNT=AMOUNT`.
#[derive(Debug, Clone)]
struct Paid {
    account: AccountName,
    amount: String,
}

impl FromStr for Paid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (account, amount) = text
            .split_once('=')
            .ok_or("write it as ACCOUNT=AMOUNT, such as grace=1.50")?;
        Ok(Self {
            account: names::parse_account(account)?,
            amount: amount.to_owned(),
        })
    }
}

/// Options of `quittance batch show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The batch's id
    batch_id: BatchId,
    #[command(flatten)]
    by: As,
    /// Whose batch: staff, ada, grace, shop, or a client's id [default: those of --as]
    #[arg(long, value_name = "CLIENT")]
    client_id: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Options of `quittance batch list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    by: As,
    /// Whose batches: staff, ada, grace, shop, or a client's id [default: those of --as]
    #[arg(long, value_name = "CLIENT")]
    client_id: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Only requests before this one
    #[arg(long, value_name = "SEQ")]
    before: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: Command, bank: &Bank) -> Result<ExitCode> {
    match command {
        Command::Send(options) => send(options, bank).await,
        Command::Show(options) => show(&options, bank).await,
        Command::List(options) => list(&options, bank).await,
    }
}

async fn send(options: Send, bank: &Bank) -> Result<ExitCode> {
    let client = bank.client();
    let owner = options.debtor.map(Person::of_account);
    let usual = owner.unwrap_or(Person::Staff);
    let token = options.by.token(bank, usual).await?;
    let batch = match &options.file {
        Some(file) => read(file)?,
        None => of_options(&options, &client, &token).await?,
    };
    let batch_id = batch["batch_id"].as_str().unwrap_or_default().to_owned();
    let sent = client.pay_many(&token, &batch, options.wait).await;
    let answer = match sent {
        Ok(done) => done.body,
        Err(error) => {
            let error = anyhow::Error::from(error);
            return Err(if is_unknown(&error) {
                let error = error.context(format!("whether batch {batch_id} was taken is unknown"));
                hinted(
                    error,
                    "send the same file again: each payment_id is paid once",
                )
            } else {
                error.context("the batch was not taken")
            });
        }
    };
    if options.json {
        print::json(&answer)?;
    }
    let same = options.by.repeated(bank, usual);
    let look = format!("{} batch show {batch_id}{same}", bank.invocation());
    if answer["answer"].is_null() {
        if let Some(seconds) = options.wait {
            return Err(anyhow!(
                "batch {batch_id} is not answered after {seconds} s"
            ))
            .exit(Exit::Undecided)
            .hint("it is in the log and will be; sent again, nothing is paid twice");
        }
        if !options.json {
            let seq = &answer["request_seq"];
            print::line(&format!(
                "Batch {batch_id} is in the log, as request {seq}.\nWhat became of it:\n  {look}"
            ))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let shown = PaymentBatch::deserialize(&answer["answer"])
        .context("payments answered in an unknown form")?;
    if !options.json {
        print::line(&text(&shown))?;
    }
    Ok(code(&shown))
}

/// The batch that a file holds, as it is: what is wrong with it is payments' to say.
fn read(file: &Path) -> Result<Value> {
    let mut text = String::new();
    let limit = u64::try_from(BatchRequest::BYTES_MAX)? + 1;
    if file == Path::new("-") {
        std::io::stdin().take(limit).read_to_string(&mut text)?;
    } else {
        let opened = std::fs::File::open(file);
        let opened = opened.with_context(|| format!("{} can't be read", file.display()))?;
        opened.take(limit).read_to_string(&mut text)?;
    }
    serde_json::from_str(&text)
        .with_context(|| format!("{} holds no JSON", file.display()))
        .hint("schemas/payment-batch.requested.v1.json has the form and an example")
}

async fn of_options(options: &Send, client: &Client, token: &str) -> Result<Value> {
    let account = async |typed| names::account_id(typed, client, token).await;
    let mut payments = Vec::new();
    for paid in &options.to {
        payments.push(BatchItem {
            payment_id: PaymentId(Uuid::now_v7()),
            debtor_account: None,
            creditor_account: account(paid.account).await?,
            amount: paid.amount.clone(),
            currency: None,
            reference: None,
            effective_date: None,
            metadata: std::collections::BTreeMap::new(),
        });
    }
    let debtor_account = match options.debtor {
        Some(debtor) => Some(account(debtor).await?),
        None => None,
    };
    let batch = BatchRequest {
        batch_id: BatchId(Uuid::now_v7()),
        atomic: options.atomic,
        debtor_account,
        currency: Some(options.currency.clone()),
        payments,
    };
    Ok(serde_json::to_value(batch)?)
}

async fn show(options: &Show, bank: &Bank) -> Result<ExitCode> {
    let client = bank.client();
    let token = options.by.token(bank, Person::Staff).await?;
    let whose = client_id(bank, options.client_id.as_deref()).await?;
    let id = options.batch_id;
    let batch: Value = client
        .batch(&token, id, whose.as_deref())
        .await?
        .with_context(|| format!("this caller has no batch {id}"))
        .exit(Exit::NotFound)
        .hint("`--as` says who sent it; staff also name another's with --client-id")?;
    if options.json {
        print::json(&batch)?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown =
        PaymentBatch::deserialize(&batch).context("payments answered in an unknown form")?;
    print::line(&text(&shown))?;
    Ok(ExitCode::SUCCESS)
}

async fn list(options: &List, bank: &Bank) -> Result<ExitCode> {
    let client = bank.client();
    let token = options.by.token(bank, Person::Staff).await?;
    let mut query = vec![("limit", options.limit.to_string())];
    let whose = client_id(bank, options.client_id.as_deref()).await?;
    query.extend(whose.map(|id| ("client_id", id)));
    query.extend(options.before.map(|seq| ("before", seq.to_string())));
    let list = client.batches(&token, &query).await?;
    if options.json {
        print::json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let batches: Vec<PaymentBatch> = Deserialize::deserialize(&list["batches"])
        .context("payments answered in an unknown form")?;
    if batches.is_empty() {
        print::line("No batches yet. `quittance batch send` sends one.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = print::table(&["#", "batch", "settled", "rejected", "duplicate", ""]);
    for batch in batches {
        let count = |count: Option<u32>| count.map_or_else(|| "–".to_owned(), |n| n.to_string());
        table.add_row([
            batch.request_seq.to_string(),
            batch.batch_id.to_string(),
            count(batch.settled),
            count(batch.rejected),
            count(batch.duplicates),
            batch.status,
        ]);
    }
    print::align_right(&mut table, 2..=4);
    print::line(&print::text(table))?;
    Ok(ExitCode::SUCCESS)
}

/// A batch for people: the counts, each payment, and why some were not booked.
fn text(batch: &PaymentBatch) -> String {
    let PaymentBatch {
        batch_id,
        request_seq,
        status,
        ..
    } = batch;
    let mut text = format!("Batch {batch_id} is {status}, as request {request_seq}");
    let counts = [
        (batch.settled, "settled"),
        (batch.rejected, "rejected"),
        (batch.duplicates, "asked for before"),
    ];
    let counts = counts.into_iter().filter_map(|(count, word)| {
        let count = count.filter(|count| *count > 0)?;
        Some(format!("{count} {word}"))
    });
    let counts: Vec<String> = counts.collect();
    if counts.is_empty() {
        return text + ".";
    }
    text += &format!(": {}.\n\n", counts.join(", "));
    let mut table = print::table(&["", "payment", "to", "amount", "", ""]);
    for (number, item) in (1_usize..).zip(&batch.payments) {
        let id = item.payment_id.map(|id| id.to_string());
        let currency = item.currency.as_deref().or(batch.currency.as_deref());
        let reason = item.reason.as_ref().map(|reason| reason.code.as_str());
        table.add_row([
            number.to_string(),
            id.unwrap_or_else(|| "?".to_owned()),
            item.creditor_account
                .map_or_else(String::new, short_account_name),
            item.amount.clone().unwrap_or_default(),
            currency.unwrap_or_default().to_owned(),
            reason.unwrap_or_else(|| item.status.as_str()).to_owned(),
        ]);
    }
    print::align_right(&mut table, 3..=3);
    text += &print::text(table);
    let reasons = (1_usize..)
        .zip(&batch.payments)
        .filter_map(|(number, item)| {
            let reason = item.reason.as_ref()?;
            let message = print::readable(&reason.message);
            Some(format!("\n{number}: {message}"))
        });
    let reasons: String = reasons.collect();
    if !reasons.is_empty() {
        text += "\n";
        text += &reasons;
    }
    text
}

/// Success if each payment is booked, now or by an earlier request.
fn code(batch: &PaymentBatch) -> ExitCode {
    let is_paid = |item: &ItemAnswer| match item.status {
        PaymentStatus::Settled => true,
        PaymentStatus::Duplicate => {
            let first = item.original.as_ref();
            first.is_some_and(|first| first.status == PaymentStatus::Settled)
        }
        _ => false,
    };
    if batch.payments.iter().all(is_paid) {
        ExitCode::SUCCESS
    } else {
        Exit::Rejected.into()
    }
}
