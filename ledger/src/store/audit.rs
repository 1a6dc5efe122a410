//! What is read back: to publish it again, and to compare it with what the log leads to.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use common::kinds::Answer;
use common::kinds::posting::Direction;
use common::money::Currency;
use common::timestamp;
use rust_decimal::Decimal;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{
    AccountRow, PostingRow, bigint, digest, direction_word, from_bigint, token, unreadable, used_up,
};
use crate::core::batch::Decided;
use crate::core::book::account::Account;
use crate::core::chain::Chain;
use crate::core::event::Event;

/// The row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnswerRow {
    request_seq: i64,
    subject: String,
    event_type: String,
    reason: Option<String>,
    client_id: Option<String>,
    token_id: Option<String>,
    key_id: Option<String>,
    payment_id: Option<Uuid>,
    content: Option<Vec<u8>>,
    published_at: DateTime<Utc>,
    traceparent: Option<String>,
    request_digest: Vec<u8>,
    body: Vec<u8>,
    chain: Vec<u8>,
}

impl AnswerRow {
    /// What the row of this answer must be.
    pub(crate) fn of(item: &Decided) -> Self {
        let (request, token, used_up) = (&item.request, token(item), used_up(item));
        Self {
            request_seq: bigint(request.at.seq),
            subject: request.answer_subject.clone(),
            event_type: item.answer.ce_type().to_owned(),
            reason: item.answer.outcome().1.map(|code| code.as_str().to_owned()),
            client_id: token.map(|token| token.claims.client_id.to_string()),
            token_id: token.map(|token| token.claims.jti.clone()),
            key_id: token.map(|token| token.kid.clone()),
            payment_id: used_up.map(|(id, _)| id.0),
            content: used_up.map(|(_, content)| content.to_vec()),
            published_at: request.at.published_at,
            traceparent: request.traceparent.clone(),
            request_digest: request.digest.to_vec(),
            body: item.body.to_vec(),
            chain: item.chain.0.to_vec(),
        }
    }

    /// Its settlement event.
    pub(crate) fn event(self) -> sqlx::Result<Event> {
        let seq = self.request_seq;
        let answer = Answer::from_json(&self.event_type, &self.body).map_err(|error| {
            unreadable(format!("the body of answer {seq} can't be read: {error}"))
        })?;
        Ok(Event {
            request_seq: from_bigint(seq),
            subject: self.subject,
            about: answer.about(),
            event_type: self.event_type,
            published_at: timestamp::text(&self.published_at),
            traceparent: self.traceparent,
            chain: Chain(digest(self.chain)?),
            body: Bytes::from(self.body),
        })
    }

    /// What it says besides its event.
    pub(crate) fn record(&self) -> String {
        let Self {
            reason,
            client_id,
            token_id,
            key_id,
            payment_id,
            content,
            request_digest,
            ..
        } = self;
        format!(
            "reason {reason:?}, client {client_id:?}, token {token_id:?}, key {key_id:?}, payment {payment_id:?}, \
             content {content:02x?}, request {request_digest:02x?}"
        )
    }
}

/// The answers to `first..=last`, in order.
pub(crate) async fn answers(
    db: impl PgExecutor<'_>,
    first: u64,
    last: u64,
) -> sqlx::Result<Vec<AnswerRow>> {
    let rows = sqlx::query_as!(
        AnswerRow,
        "select request_seq, subject, event_type, published_at, traceparent, body, chain, reason, client_id, token_id,
                key_id, payment_id, content, request_digest
         from answer where request_seq between $1 and $2 order by request_seq",
        bigint(first),
        bigint(last),
    );
    rows.fetch_all(db).await
}

/// The postings of `first..=last`, in order.
pub(crate) async fn postings(
    db: impl PgExecutor<'_>,
    first: u64,
    last: u64,
) -> sqlx::Result<Vec<PostingRow>> {
    let rows = sqlx::query!(
        "select request_seq, line, account_id, currency, direction, amount, balance, number
         from posting where request_seq between $1 and $2 order by request_seq, line",
        bigint(first),
        bigint(last),
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        let seq = row.request_seq;
        let unknown =
            |what: &str| unreadable(format!("a posting of request {seq} has an unknown {what}"));
        let currency = Currency::from_code(&row.currency).ok_or_else(|| unknown("currency"))?;
        let direction = [Direction::Debit, Direction::Credit]
            .map(direction_word)
            .into_iter()
            .find(|word| *word == row.direction)
            .ok_or_else(|| unknown("direction"))?;
        Ok((
            seq,
            row.line,
            row.account_id,
            currency.code(),
            direction,
            row.amount,
            row.balance,
            row.number,
        ))
    });
    rows.collect()
}

/// What the audit compares: every account with its balance and the sum of its postings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedAccount {
    /// As it stands in the table.
    pub account: Account,
    /// The sum of its postings, on its normal side.
    pub postings_sum: Decimal,
}

/// All accounts with the sums of their postings, by id.
///
/// # Errors
/// When the database does not answer.
pub async fn audited_accounts(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<AuditedAccount>> {
    let rows = sqlx::query!(
        r#"select account.*, coalesce(sums.sum, 0) as "sum!",
                  coalesce(last.balance, 0) as "posted!", coalesce(last.number, 0) as "postings!"
           from account left join lateral (
               select balance, number from posting where account_id = account.id order by number desc limit 1
           ) as last on true
           left join (select account_id, sum(case when (direction = 'debit') = (category in ('asset', 'expense'))
                                             then amount else -amount end) as sum
                      from posting join account on account.id = account_id group by account_id) as sums
           on account_id = account.id order by account.id"#
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        Ok(AuditedAccount {
            postings_sum: row.sum,
            account: Account::try_from(AccountRow {
                id: row.id,
                owner: row.owner,
                name: row.name,
                currency: row.currency,
                category: row.category,
                status: row.status,
                overdraft_limit: row.overdraft_limit,
                posted: row.posted,
                postings: row.postings,
                held: row.held,
                opened_seq: row.opened_seq,
            })?,
        })
    });
    rows.collect()
}
