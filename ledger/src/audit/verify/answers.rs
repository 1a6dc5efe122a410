//! The answers, one by one: the chain, the columns, what was booked, and what is published.

use std::collections::BTreeMap;

use common::kinds::posting::{Direction, Posting};
use common::timestamp;
use common::wire::SETTLEMENTS;
use futures::TryStreamExt as _;
use rust_decimal::Decimal;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::batches;
use super::controls::Controlled;
use super::fault;
use super::tree::Made;
use crate::audit::error::Stop;
use crate::audit::published::Published;
use crate::core::chain::{Chain, Cursor, Digest};
use crate::core::event::Event;
use crate::receipts::leaf::Leaf;
use crate::store::{self, BookedAnswerRow};

/// Answers that are compared with the published ones at a time.
const PORTION: usize = 1000;

/// What all answers booked and changed together.
#[derive(Debug, Default)]
pub(super) struct Booked {
    pub(super) postings: u64,
    /// By currency.
    pub(super) sums: BTreeMap<String, Decimal>,
    pub(super) controlled: Controlled,
}

/// Checks every answer. Returns what they booked and changed.
pub(super) async fn check(
    db: &mut PgConnection,
    cursor: Cursor,
    mut published: Option<Published>,
    tree: &mut Made,
    progress: &mut impl FnMut(u64),
) -> Result<Booked, Stop> {
    let (mut seq, mut chain) = (0, Chain::START);
    let mut booked = Booked::default();
    let mut portion = Vec::with_capacity(PORTION);
    let mut rows = store::booked_answers(db);
    while let Some(row) = rows.try_next().await? {
        seq += 1;
        let found = row.request_seq;
        if u64::try_from(found) != Ok(seq) || seq > cursor.seq {
            return if seq > cursor.seq {
                let last = cursor.seq;
                fault(format!(
                    "answer {found} is in the database, but its cursor is {last}"
                ))
            } else {
                fault(format!("answer {seq} is missing: the next one is {found}"))
            };
        }
        let leaf = follows(&row, seq, chain)?;
        chain = leaf.chain();
        tree.add(&leaf)?;
        let body: Value = match serde_json::from_slice(&row.body) {
            Ok(body) => body,
            Err(error) => return fault(format!("the body of answer {seq} can't be read: {error}")),
        };
        columns(&row, seq, &body)?;
        postings(&row, seq, &body, &mut booked)?;
        booked.controlled.hear(&row.event_type, &row.body);
        if published.is_some() {
            portion.push(event(row, seq, chain));
        }
        if seq.is_multiple_of(1000) || seq == cursor.seq {
            if let Some(published) = &mut published {
                compare(published, &mut portion).await?;
            }
            progress(seq);
        }
    }
    if seq != cursor.seq {
        let last = cursor.seq;
        return fault(format!(
            "the last answer is {seq}, but the cursor is {last}"
        ));
    }
    if chain != cursor.chain {
        let theirs = cursor.chain;
        return fault(format!(
            "the hash chain after answer {seq} is {chain} by the answers, but {theirs} at the cursor"
        ));
    }
    Ok(booked)
}

/// What a receipt of this answer proves, if its columns and the chain before lead to the chain after it.
fn follows(row: &BookedAnswerRow, seq: u64, before: Chain) -> Result<Leaf, Stop> {
    let Ok(digest) = Digest::try_from(&row.request_digest[..]) else {
        return fault(format!("the request digest of answer {seq} is no SHA-256"));
    };
    let leaf = Leaf::of(before, seq, row.published_at, digest, &row.body);
    let chain = leaf.chain();
    if row.chain == chain.0 {
        return Ok(leaf);
    }
    let stored = Digest::try_from(&row.chain[..]).map(Chain);
    let stored = stored.map_or("no SHA-256".to_owned(), |stored| stored.to_string());
    fault(format!(
        "the hash chain after answer {seq} is {stored}, but {chain} by its time, request digest and body: answer {seq} \
         or the chain in it was changed"
    ))
}

/// Kinds of which this program knows what their answers say.
fn is_known(event_type: &str) -> bool {
    let family = event_type.split('.').next().unwrap_or_default();
    [
        "payment",
        "payment-batch",
        "account",
        "key",
        "revocation",
        "rules",
        "request",
    ]
    .contains(&family)
}

/// The columns say what the body says. Of kinds that came later nothing is known here but sequence and time.
fn columns(row: &BookedAnswerRow, seq: u64, body: &Value) -> Result<(), Stop> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut pairs = vec![
        (
            "sequence",
            Some(seq.to_string()),
            Some(body["request_seq"].to_string()),
        ),
        (
            "time",
            Some(timestamp::text(&row.published_at)),
            text(&body["published_at"]),
        ),
    ];
    if is_known(&row.event_type) {
        pairs.push(("reason", row.reason.clone(), text(&body["reason"]["code"])));
        if row.client_id.is_some() && !body["client_id"].is_null() {
            pairs.push(("client", row.client_id.clone(), text(&body["client_id"])));
        }
        if let Some(id) = row.payment_id {
            pairs.push((
                "payment id",
                Some(id.to_string()),
                text(&body["payment_id"]),
            ));
        }
        let word = row.event_type.split('.').nth(1).map(str::to_owned);
        if !body["status"].is_null() {
            pairs.push(("type", word, text(&body["status"])));
        }
    }
    for (name, column, in_body) in pairs {
        if column != in_body {
            let (column, in_body) = (column.unwrap_or_default(), in_body.unwrap_or_default());
            return fault(format!(
                "the {name} of answer {seq} is {column:?} in its column, but {in_body:?} in its body"
            ));
        }
    }
    Ok(())
}

/// What was booked sums to zero in each currency, and is what the answer says.
fn postings(
    row: &BookedAnswerRow,
    seq: u64,
    body: &Value,
    booked: &mut Booked,
) -> Result<(), Stop> {
    let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
    for (account, (currency, amount)) in row
        .accounts
        .iter()
        .zip(row.currencies.iter().zip(&row.amounts))
    {
        if account.is_nil() {
            return fault(format!(
                "a posting of request {seq}, of {amount}, is on no account"
            ));
        }
        booked.postings += 1;
        *sums.entry(currency).or_default() += amount;
    }
    for (currency, sum) in sums {
        if !sum.is_zero() {
            return fault(format!(
                "the postings of request {seq} sum to {sum} {currency}, not to zero"
            ));
        }
        *booked.sums.entry(currency.to_owned()).or_default() += sum;
    }
    if !is_known(&row.event_type) {
        return Ok(());
    }
    let said: Vec<Posting> = match body.get("postings") {
        _ if row.event_type.starts_with("payment-batch.") => match batches::postings(body) {
            Some(list) => list,
            None => return fault(format!("the payments in answer {seq} can't be read")),
        },
        None | Some(Value::Null) => Vec::new(),
        Some(list) => match serde_json::from_value(list.clone()) {
            Ok(list) => list,
            Err(error) => {
                return fault(format!(
                    "the postings in answer {seq} can't be read: {error}"
                ));
            }
        },
    };
    match unlike(row, &said) {
        None => Ok(()),
        Some(difference) => fault(format!(
            "the postings of request {seq} are not those in its answer: {difference}"
        )),
    }
}

/// The first posting that is on one side only.
fn unlike(row: &BookedAnswerRow, said: &[Posting]) -> Option<String> {
    let rows = row
        .accounts
        .iter()
        .zip(row.amounts.iter().zip(&row.balances));
    let mut balances = BTreeMap::<(Uuid, Decimal), Vec<Decimal>>::new();
    for (account, (amount, balance)) in rows {
        balances
            .entry((*account, *amount))
            .or_default()
            .push(*balance);
    }
    for posting in said {
        let amount: Decimal = posting.amount.parse().ok()?;
        let amount = match posting.direction {
            Direction::Debit => amount,
            Direction::Credit => -amount,
        };
        // A balance that is not shown to whoever asked is in the row alone.
        let balance: Option<Decimal> = posting
            .balance
            .as_deref()
            .and_then(|text| text.parse().ok());
        let account = posting.account.0;
        let mut alike = balances.get_mut(&(account, amount));
        let place = alike.as_ref().and_then(|alike| {
            let mut stored = alike.iter();
            stored.position(|stored| balance.is_none_or(|balance| balance == *stored))
        });
        if let (Some(alike), Some(place)) = (&mut alike, place) {
            alike.swap_remove(place);
        } else {
            let balance = balance.map(|balance| format!(" with balance {balance}"));
            let balance = balance.unwrap_or_default();
            let of_account = balances.iter().find_map(|((stored, amount), balances)| {
                let balance = balances.first().filter(|_| *stored == account)?;
                Some(format!("{amount} with balance {balance}"))
            });
            let stored = of_account.unwrap_or_else(|| "none".to_owned());
            return Some(format!(
                "the answer has {amount}{balance} on account {account}, the table {stored}"
            ));
        }
    }
    let mut rest = balances.iter().filter(|(_, left)| !left.is_empty());
    let ((account, amount), _) = rest.next()?;
    Some(format!(
        "the table has {amount} on account {account}, and the answer nothing"
    ))
}

fn event(row: BookedAnswerRow, seq: u64, chain: Chain) -> Event {
    Event {
        request_seq: seq,
        subject: row.subject,
        event_type: row.event_type,
        // No column has it: the published one is taken over below, and a replay compares it.
        about: None,
        published_at: timestamp::text(&row.published_at),
        traceparent: row.traceparent,
        chain,
        body: row.body.into(),
    }
}

async fn compare(published: &mut Published, portion: &mut Vec<Event>) -> Result<(), Stop> {
    let Some(first) = portion.first() else {
        return Ok(());
    };
    let theirs = published.take(first.request_seq, portion.len()).await?;
    for (ours, theirs) in portion.iter_mut().zip(&theirs) {
        ours.about.clone_from(&theirs.about);
        if let Some(difference) = ours.difference(theirs, SETTLEMENTS) {
            return fault(difference.replace("by the log", "in the database"));
        }
    }
    portion.clear();
    Ok(())
}
