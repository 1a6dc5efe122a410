//! History as it is kept: answers and postings, read back to publish them again and to compare them with the log.

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use common::kinds::Answer;
use common::timestamp;
use rust_decimal::Decimal;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::bulk::smallint;
use super::values::{bigint, column, digest, from_bigint, unreadable};
use crate::core::batch::Decided;
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
    pub(crate) fn published_at(&self) -> DateTime<Utc> {
        self.published_at
    }

    /// What the row of this answer must be.
    pub(crate) fn of(item: &Decided) -> Self {
        let (request, token, used) = (&item.request, item.request.token(), item.used_payment());
        Self {
            request_seq: bigint(request.at.seq),
            subject: request.answer_subject.clone(),
            event_type: item.answer.ce_type().to_owned(),
            reason: item.answer.outcome().1.map(|code| code.as_str().to_owned()),
            client_id: token.map(|token| token.claims.client_id.to_string()),
            token_id: token.map(|token| token.claims.jti.clone()),
            key_id: token.map(|token| token.kid.clone()),
            payment_id: used.map(|((_, id), _)| id.0),
            content: used.map(|(_, used)| used.content.to_vec()),
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
            request_seq: from_bigint(seq)?,
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
        // What is no time here, and can't be one, is read as one that no answer has.
        r#"select request_seq, subject, event_type, traceparent, body, chain, reason, client_id, token_id, key_id, payment_id,
                  content, request_digest,
                  case when isfinite(published_at) then published_at else 'epoch' end as "published_at!"
           from answer where request_seq between $1 and $2 order by request_seq"#,
        bigint(first),
        bigint(last),
    );
    rows.fetch_all(db).await
}

/// A row of `posting`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostingRow {
    /// The account, by the request that opened it.
    pub(crate) account_seq: i64,
    /// Which posting of its account it is, from 1.
    pub(crate) number: i64,
    /// The request that it was booked for.
    pub(crate) request_seq: i64,
    /// Above zero for a debit, below zero for a credit.
    pub(crate) amount: Decimal,
    /// The account's balance after it, on the account's normal side.
    pub(crate) balance: Decimal,
    /// The value date, if it is not the day of the request.
    pub(crate) effective_date: Option<NaiveDate>,
    /// Which payment of a batch it is booked for, from 0.
    pub(crate) item: Option<i16>,
}

/// The rows that the postings of a batch must be.
pub(crate) fn posting_rows(batch: &[Decided]) -> impl Iterator<Item = PostingRow> {
    batch.iter().flat_map(|item| {
        let request_seq = bigint(item.request.at.seq);
        item.entries().map(move |entry| PostingRow {
            account_seq: bigint(entry.account_seq),
            number: bigint(entry.number),
            request_seq,
            amount: entry.debit_side().amount(),
            balance: entry.balance.amount(),
            effective_date: entry.effective_date,
            item: entry.item.map(smallint),
        })
    })
}

/// The stored rows with the places of these, in the same order; those that are missing are left out.
pub(crate) async fn postings_like(
    db: impl PgExecutor<'_>,
    rows: &[PostingRow],
) -> sqlx::Result<Vec<PostingRow>> {
    let stored = sqlx::query_as!(
        PostingRow,
        // The limit makes it one look into the index for each; a join might read the whole table.
        "select found.*
         from unnest($1::bigint[], $2::bigint[]) with ordinality as asked (account_seq, number, place)
         cross join lateral (
             select account_seq, number, request_seq, amount, balance,
                    case when effective_date is null or isfinite(effective_date) then effective_date
                         else '0001-01-01' end as effective_date, item
             from posting
             where posting.account_seq = asked.account_seq and posting.number = asked.number limit 1
         ) as found order by place",
        &column(rows, |row| row.account_seq),
        &column(rows, |row| row.number),
    );
    stored.fetch_all(db).await
}
