//! What a replay compares: answers and rows batch by batch, and the books at the end.

use std::collections::{BTreeMap, HashSet};

use common::ids::AccountId;
use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::error::Stop;
use super::holds;
use super::snapshot::Snapshot;
use super::trusted::Trusted;
use crate::core::batch::Decided;
use crate::core::book::Book;
use crate::core::book::account::{Account, normal_side, on_debit_side};
use crate::core::chain::Cursor;
use crate::core::event::Event;
use crate::store::{self, AnswerRow, AuditedAccount, PostingRow};

/// Compares answers with those that are published; there may be fewer of these.
pub(super) fn published(decided: &[Decided], published: &[Event], place: &str) -> Result<(), Stop> {
    for (item, theirs) in decided.iter().zip(published) {
        if let Some(difference) = Event::from(item).difference(theirs, place) {
            return Err(Stop::Differs(difference));
        }
    }
    Ok(())
}

/// Compares answers and postings with every column of their rows.
pub(super) async fn rows(db: &mut PgConnection, decided: &[Decided]) -> Result<(), Stop> {
    let (Some(first), Some(last)) = (decided.first(), decided.last()) else {
        return Ok(());
    };
    let (first, last) = (first.request.at.seq, last.request.at.seq);
    let stored = store::answers(&mut *db, first, last).await?;
    if stored.len() != decided.len() {
        let found = stored.len();
        return Err(Stop::Differs(format!(
            "the database has {found} of the answers {first} to {last}"
        )));
    }
    for (item, theirs) in decided.iter().zip(stored) {
        let ours = AnswerRow::of(item);
        if ours == theirs {
            continue;
        }
        let (seq, record) = (item.request.at.seq, theirs.record());
        let event = Event::from(item).difference(&theirs.event()?, "the database");
        return Err(Stop::Differs(event.unwrap_or_else(|| {
            let ours = ours.record();
            format!("the record of answer {seq} is {ours} by the log, but {record} in the database")
        })));
    }
    let ours: Vec<PostingRow> = store::posting_rows(decided).collect();
    let theirs = store::postings_like(&mut *db, &ours).await?;
    if ours != theirs {
        return Err(Stop::Differs(posting_difference(&ours, &theirs)));
    }
    batch_payments(db, decided).await
}

/// Compares the payment ids that batches used up with their rows.
async fn batch_payments(db: &mut PgConnection, decided: &[Decided]) -> Result<(), Stop> {
    let ours = store::batch_payment_rows(decided);
    let theirs = store::batch_payments_like(db, &ours).await?;
    let mut rest = theirs.iter().peekable();
    for row in &ours {
        if rest.next_if_eq(&row).is_none() {
            let (seq, number) = row.number();
            return Err(Stop::Differs(format!(
                "the id of payment {number} of batch {seq} is not used up as the log leads to: {} by the log, but {} in the \
                 database",
                row.facts(),
                rest.find(|stored| stored.is_same_id(row))
                    .map_or("missing".to_owned(), |stored| stored.facts())
            )));
        }
    }
    Ok(())
}

/// The first posting that is not as it should be, as a sentence.
fn posting_difference(ours: &[PostingRow], theirs: &[PostingRow]) -> String {
    let text = |row: &PostingRow| {
        let PostingRow {
            request_seq,
            amount,
            balance,
            effective_date,
            item,
            ..
        } = row;
        let item = item.map(|item| format!(" (payment {})", item + 1));
        let item = item.unwrap_or_default();
        let date = effective_date.map(|date| format!(", effective {date}"));
        let date = date.unwrap_or_default();
        format!("{amount} for request {request_seq}{item} with balance {balance}{date}")
    };
    let place = |row: &PostingRow| (row.account_seq, row.number);
    // Those that are missing are left out of theirs.
    let mut rest = theirs.iter();
    for row in ours {
        let stored = rest.next().filter(|stored| place(stored) == place(row));
        if stored == Some(row) {
            continue;
        }
        let PostingRow {
            request_seq: seq,
            number,
            account_seq,
            ..
        } = row;
        let (ours, theirs) = (text(row), stored.map_or("missing".to_owned(), text));
        return format!(
            "the postings of request {seq} are not what the log leads to: number {number} of the account that request \
             {account_seq} opened is {ours} by the log, but {theirs} in the database"
        );
    }
    "the database has more postings than the log leads to".to_owned()
}

/// At the cursor: the head of the chain, the keys, the rules, every account and its postings.
pub(super) fn books(
    at: Cursor,
    book: &Book,
    trusted: &Trusted,
    snapshot: &Snapshot,
) -> Result<(), Stop> {
    let Cursor { seq, chain } = at;
    let differs = |difference| Err(Stop::Differs(difference));
    if chain != snapshot.cursor.chain {
        let theirs = snapshot.cursor.chain;
        return differs(format!(
            "the hash chain after {seq} is {chain} by the log, but {theirs} in the database"
        ));
    }
    let (ours, theirs) = (book.keys.issuers(), snapshot.keys.issuers());
    if ours != theirs {
        return differs(format!(
            "the signing keys are {ours:?} by the log, but {theirs:?} in the database"
        ));
    }
    let Trusted {
        raised,
        revoked,
        batch_payments,
    } = trusted;
    if *batch_payments != snapshot.batch_payments {
        let theirs = snapshot.batch_payments;
        return differs(format!(
            "batches used {batch_payments} payment ids up by the log, but {theirs} in the database"
        ));
    }
    if *raised != snapshot.rules {
        let theirs = &snapshot.rules;
        return differs(format!(
            "the rules were raised as {raised:?} (version, request) by the log, but {theirs:?} in the database"
        ));
    }
    if *revoked != snapshot.revocations {
        let differs_at = revoked
            .iter()
            .zip(&snapshot.revocations)
            .position(|(ours, theirs)| ours != theirs)
            .unwrap_or(revoked.len().min(snapshot.revocations.len()));
        let (ours, theirs) = (
            revoked.get(differs_at),
            snapshot.revocations.get(differs_at),
        );
        return differs(format!(
            "the {}. revocation (request, target) is {ours:?} by the log, but {theirs:?} in the database",
            differs_at + 1
        ));
    }
    if let Some(difference) = compare_accounts(book, &snapshot.accounts) {
        return differs(difference);
    }
    if let Some(difference) = holds::differ(book, &snapshot.holds)
        .or_else(|| holds::reversals_differ(book, &snapshot.reversed))
    {
        return differs(difference);
    }
    if snapshot.stray_postings > 0 {
        let count = snapshot.stray_postings;
        return differs(format!("{count} postings are on no account"));
    }
    if snapshot.stray_answers > 0 {
        let count = snapshot.stray_answers;
        return differs(format!(
            "{count} answers are in the database, but not between 1 and {seq}, where it is"
        ));
    }
    Ok(())
}

fn compare_accounts(book: &Book, audited: &[AuditedAccount]) -> Option<String> {
    for AuditedAccount {
        account,
        postings_count,
        postings_sum,
    } in audited
    {
        let id = account.id;
        let Some(replayed) = book.accounts.get(&id) else {
            return Some(format!(
                "account {id} is in the database, but no request opened it"
            ));
        };
        if account != replayed {
            return Some(format!(
                "account {id} is {}; the log makes it {}",
                facts(account),
                facts(replayed)
            ));
        }
        let posted = on_debit_side(normal_side(account.category), account.posted);
        if *postings_sum != posted.amount() {
            return Some(format!(
                "account {id} has posted {posted} on the debit side, but its postings sum to {postings_sum}"
            ));
        }
        if *postings_count != account.postings {
            let last = account.postings;
            return Some(format!(
                "account {id} has {postings_count} postings, but the last is number {last}"
            ));
        }
    }
    let found: HashSet<AccountId> = audited.iter().map(|audited| audited.account.id).collect();
    let missing = book
        .accounts
        .keys()
        .filter(|id| !found.contains(id))
        .min()?;
    Some(format!(
        "account {missing} was opened, but is not in the database"
    ))
}

fn facts(account: &Account) -> String {
    let Account {
        id: _,
        owner,
        name,
        metadata,
        category,
        status,
        overdraft_limit,
        posted,
        postings,
        held,
        controls,
        opened_seq,
    } = account;
    let (currency, status, category) = (posted.currency(), status.as_str(), category.as_str());
    let name = name.as_deref().unwrap_or_default();
    format!(
        "posted {posted} {currency}, held {held}, overdraft {overdraft_limit}, {status}, owned by {owner}, {category}, \
         named {name:?}, noted {metadata:?}, with {postings} postings, opened by request {opened_seq}, limits {controls:?}"
    )
}

/// Debit balances minus credit balances per currency: zero, or money came from nowhere.
pub(super) fn sums(book: &Book) -> Result<BTreeMap<String, String>, Stop> {
    let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
    for account in book.accounts.values() {
        let signed = on_debit_side(normal_side(account.category), account.posted).amount();
        *sums
            .entry(account.posted.currency().code().to_owned())
            .or_default() += signed;
    }
    if let Some((currency, sum)) = sums.iter().find(|(_, sum)| !sum.is_zero()) {
        return Err(Stop::Differs(format!(
            "all {currency} balances sum to {sum}, not to zero"
        )));
    }
    Ok(sums
        .into_keys()
        .map(|currency| (currency, "0".to_owned()))
        .collect())
}
