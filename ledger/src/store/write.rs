//! Writing a batch.

#![expect(
    clippy::as_conversions,
    reason = "how sqlx is told that the elements of an array may be null"
)]

use chrono::{DateTime, NaiveDate, Utc};
use common::reason::Code;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, PgExecutor};
use uuid::Uuid;

use super::history::PostingRow;
use super::prepared::Prepared;
use super::values::{bigint, column};
use super::write_rare::RareChanges;
use crate::core::batch::{Batch, Decided};
use crate::engine::crash::{CrashAt, CrashPoint};

/// Writes a batch: answers, what they change, and the cursor behind them. All of it, or nothing and `false` when the
/// cursor is not where the batch begins: another ledger is ahead.
///
/// Nearly all batches are plain payments only. They take one statement, which is one transaction and one round trip. Rarer
/// changes are written before it in the same transaction, so that payments don't pay for them. In a batch with batches of
/// payments, the ids that these used up and all postings are written behind it.
pub(crate) async fn write_batch(
    db: &mut PgConnection,
    prepared: Prepared,
    crash: &CrashAt,
) -> sqlx::Result<bool> {
    let Prepared {
        batch,
        plain,
        copied,
    } = prepared;
    let rare = RareChanges::of(&batch);
    if rare.is_empty() && copied.is_empty() {
        return write_payments(db, &batch, &plain).await;
    }
    let mut tx = db.begin().await?;
    rare.write(&mut tx).await?;
    crash.here(CrashPoint::BeforePayments);
    if !write_payments(&mut *tx, &batch, &plain).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    for rows in copied {
        crash.here(CrashPoint::BeforeCopy);
        rows.copy(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Writes answers and these postings, none of them for a payment of a batch of payments, and moves the cursor.
///
/// Everything that is added comes `from moved`, the cursor's compare-and-set; so an overtaken ledger waits there for the
/// other's commit and then adds nothing. The columns are unnested side by side in the select list, which makes rows one by
/// one; in `from` they would all be made and stored first.
async fn write_payments(
    db: impl PgExecutor<'_>,
    batch: &Batch,
    postings: &[PostingRow],
) -> sqlx::Result<bool> {
    let answers = AnswerColumns::of(&batch.decided);
    let moved = sqlx::query_scalar!(
        r#"with moved as (
               update cursor set seq = $1, chain = $2 where seq = $3 and chain = $4 returning 1
           ), answers as (
               insert into answer (request_seq, subject, event_type, reason, client_id, token_id, key_id, payment_id,
                                   content, published_at, traceparent, request_digest, body, chain)
               select unnest($5::bigint[]), unnest($6::text[]), unnest($7::text[]), unnest($8::text[]),
                      unnest($9::text[]), unnest($10::text[]), unnest($11::text[]), unnest($12::uuid[]),
                      unnest($13::bytea[]), unnest($14::timestamptz[]), unnest($15::text[]), unnest($16::bytea[]),
                      unnest($17::bytea[]), unnest($18::bytea[])
               from moved
           ), posted as (
               insert into posting (account_seq, number, request_seq, amount, balance, effective_date)
               select unnest($19::bigint[]), unnest($20::bigint[]), unnest($21::bigint[]), unnest($22::numeric[]),
                      unnest($23::numeric[]), unnest($24::date[])
               from moved
           )
           select count(*) as "count!" from moved"#,
        bigint(batch.to.seq),
        &batch.to.chain.0,
        bigint(batch.from.seq),
        &batch.from.chain.0,
        &answers.request_seq,
        &answers.subject as &[&str],
        &answers.event_type as &[&str],
        &answers.reason as &[Option<&str>],
        &answers.client_id as &[Option<&str>],
        &answers.token_id as &[Option<&str>],
        &answers.key_id as &[Option<&str>],
        &answers.payment_id as &[Option<Uuid>],
        &answers.content as &[Option<&[u8]>],
        &answers.published_at,
        &answers.traceparent as &[Option<&str>],
        &answers.request_digest as &[&[u8]],
        &answers.body as &[&[u8]],
        &answers.chain as &[&[u8]],
        &column(postings, |row| row.account_seq),
        &column(postings, |row| row.number),
        &column(postings, |row| row.request_seq),
        &column(postings, |row| row.amount),
        &column(postings, |row| row.balance),
        &column(postings, |row| row.effective_date) as &[Option<NaiveDate>],
    );
    Ok(moved.fetch_one(db).await? == 1)
}

/// The columns of `answer`.
#[derive(Default)]
struct AnswerColumns<'b> {
    request_seq: Vec<i64>,
    subject: Vec<&'b str>,
    event_type: Vec<&'static str>,
    reason: Vec<Option<&'static str>>,
    client_id: Vec<Option<&'b str>>,
    token_id: Vec<Option<&'b str>>,
    key_id: Vec<Option<&'b str>>,
    payment_id: Vec<Option<Uuid>>,
    content: Vec<Option<&'b [u8]>>,
    published_at: Vec<DateTime<Utc>>,
    traceparent: Vec<Option<&'b str>>,
    request_digest: Vec<&'b [u8]>,
    body: Vec<&'b [u8]>,
    chain: Vec<&'b [u8]>,
}

impl<'b> AnswerColumns<'b> {
    fn of(decided: &'b [Decided]) -> Self {
        let mut columns = Self::default();
        for item in decided {
            columns.push(item);
        }
        columns
    }

    fn push(&mut self, item: &'b Decided) {
        let (request, token, used) = (&item.request, item.request.token(), item.used_payment());
        self.request_seq.push(bigint(request.at.seq));
        self.subject.push(&request.answer_subject);
        self.event_type.push(item.answer.ce_type());
        self.reason.push(item.answer.outcome().1.map(Code::as_str));
        self.client_id
            .push(token.map(|token| token.claims.client_id.as_str()));
        self.token_id.push(token.map(|token| &*token.claims.jti));
        self.key_id.push(token.map(|token| &*token.kid));
        self.payment_id.push(used.map(|((_, id), _)| id.0));
        self.content.push(used.map(|(_, used)| &used.content[..]));
        self.published_at.push(request.at.published_at);
        self.traceparent.push(request.traceparent.as_deref());
        self.request_digest.push(&request.digest);
        self.body.push(&item.body);
        self.chain.push(&item.chain.0);
    }
}
