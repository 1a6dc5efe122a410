//! What a verification reads: all answers with what they booked, all postings by account, all accounts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use common::kinds::account::Limits;
use futures::stream::BoxStream;
use rust_decimal::Decimal;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::controls;
use super::values::{bigint, digest, from_bigint, unreadable};
use crate::core::chain::{Cursor, Digest};
use crate::core::merkle::{Place, Tiles};

/// An answer and the postings of its request, as they stand in the tables.
pub(crate) struct BookedAnswerRow {
    pub(crate) request_seq: i64,
    pub(crate) subject: String,
    pub(crate) event_type: String,
    pub(crate) reason: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) payment_id: Option<Uuid>,
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) traceparent: Option<String>,
    pub(crate) request_digest: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) chain: Vec<u8>,
    /// The accounts of its postings; the nil UUID where there is none.
    pub(crate) accounts: Vec<Uuid>,
    /// Their currencies; empty where there is no account.
    pub(crate) currencies: Vec<String>,
    /// Above zero for debits.
    pub(crate) amounts: Vec<Decimal>,
    pub(crate) balances: Vec<Decimal>,
}

/// All answers in order, each with its postings. One pass: no index finds the postings of one request.
pub(crate) fn booked_answers(
    db: &mut PgConnection,
) -> BoxStream<'_, sqlx::Result<BookedAnswerRow>> {
    sqlx::query_as!(
        BookedAnswerRow,
        // What is no time here, and can't be one, is read as one that no answer has.
        r#"select answer.request_seq, subject, event_type, reason, client_id, payment_id, traceparent, request_digest, body,
                  chain, case when isfinite(published_at) then published_at else 'epoch' end as "published_at!",
                  coalesce(accounts, '{}') as "accounts!", coalesce(currencies, '{}') as "currencies!",
                  coalesce(amounts, '{}') as "amounts!: Vec<Decimal>", coalesce(balances, '{}') as "balances!: Vec<Decimal>"
           from answer left join (
               select posting.request_seq,
                      array_agg(coalesce(account.id, '00000000-0000-0000-0000-000000000000')) as accounts,
                      array_agg(coalesce(account.currency, '')::text) as currencies,
                      array_agg(amount) as amounts, array_agg(balance) as balances
               from posting left join account on account.opened_seq = account_seq
               group by posting.request_seq
           ) as booked on booked.request_seq = answer.request_seq
           order by answer.request_seq"#
    )
    .fetch(db)
}

/// The payment ids that a batch used up, in order, with its answer.
pub(crate) struct AnsweredBatchRow {
    pub(crate) request_seq: i64,
    pub(crate) items: Vec<i16>,
    pub(crate) ids: Vec<Uuid>,
    pub(crate) statuses: Vec<String>,
    pub(crate) reasons: Vec<Option<String>>,
    /// `None` when there is no such answer.
    pub(crate) event_type: Option<String>,
    pub(crate) body: Option<Vec<u8>>,
}

/// All batches that used payment ids up.
pub(crate) fn answered_batches(
    db: &mut PgConnection,
) -> BoxStream<'_, sqlx::Result<AnsweredBatchRow>> {
    sqlx::query_as!(
        AnsweredBatchRow,
        r#"select used.request_seq, items as "items!", ids as "ids!", statuses as "statuses!",
                  reasons as "reasons!: Vec<Option<String>>", event_type as "event_type?", body as "body?"
           from (
               select request_seq, array_agg(item order by item) as items, array_agg(payment_id order by item) as ids,
                      array_agg(status order by item) as statuses, array_agg(reason order by item) as reasons
               from batch_payment group by request_seq
           ) as used left join answer on answer.request_seq = used.request_seq
           order by used.request_seq"#
    )
    .fetch(db)
}

/// A posting with what must be known of its account.
pub(crate) struct LinedPostingRow {
    pub(crate) account_seq: i64,
    pub(crate) number: i64,
    pub(crate) request_seq: i64,
    pub(crate) amount: Decimal,
    pub(crate) balance: Decimal,
    /// `None` when it is on no account.
    pub(crate) account: Option<Uuid>,
    pub(crate) category: Option<String>,
}

/// The postings behind this place, by account and number.
pub(crate) async fn postings_behind(
    db: impl PgExecutor<'_>,
    account_seq: i64,
    number: i64,
    rows_max: i64,
) -> sqlx::Result<Vec<LinedPostingRow>> {
    let rows = sqlx::query_as!(
        LinedPostingRow,
        r#"select account_seq, number, request_seq, amount, balance, account.id as "account?", category as "category?"
           from posting left join account on opened_seq = account_seq
           where (account_seq, number) > ($1, $2) order by account_seq, number limit $3"#,
        account_seq,
        number,
        rows_max,
    );
    rows.fetch_all(db).await
}

/// A request that something was posted for, though it has no answer.
pub(crate) async fn unanswered_posting(db: impl PgExecutor<'_>) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "select posting.request_seq from posting left join answer using (request_seq)
         where answer.request_seq is null order by posting.request_seq limit 1"
    )
    .fetch_optional(db)
    .await
}

/// An account and the answer that opened it.
pub(crate) struct OpenedAccountRow {
    pub(crate) id: Uuid,
    pub(crate) opened_seq: i64,
    pub(crate) owner: String,
    pub(crate) currency: String,
    pub(crate) category: String,
    pub(crate) status: String,
    pub(crate) overdraft_limit: Decimal,
    /// `None` when they can't be read.
    pub(crate) limits: Option<Limits>,
    /// `None` when there is no such answer.
    pub(crate) event_type: Option<String>,
    pub(crate) body: Option<Vec<u8>>,
    /// What is still available: not below zero.
    pub(crate) available: Decimal,
}

/// The accounts behind this one, by the request that opened them.
pub(crate) async fn accounts_behind(
    db: impl PgExecutor<'_>,
    opened_seq: i64,
    rows_max: i64,
) -> sqlx::Result<Vec<OpenedAccountRow>> {
    let rows = sqlx::query!(
        r#"select id, opened_seq, owner, currency, category, status, overdraft_limit, controls,
                  event_type as "event_type?", body as "body?",
                  coalesce(last.balance, 0) - held + overdraft_limit as "available!"
           from account left join answer on request_seq = opened_seq
           left join lateral (
               select balance from posting where account_seq = opened_seq order by number desc limit 1
           ) as last on true
           where opened_seq > $1 order by opened_seq limit $2"#,
        opened_seq,
        rows_max,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    let rows = rows.map(|row| OpenedAccountRow {
        id: row.id,
        opened_seq: row.opened_seq,
        owner: row.owner,
        currency: row.currency,
        category: row.category,
        status: row.status,
        overdraft_limit: row.overdraft_limit,
        limits: controls::limits(row.controls),
        event_type: row.event_type,
        body: row.body,
        available: row.available,
    });
    Ok(rows.collect())
}

/// The type of an answer that booked something back.
pub(crate) const REVERSED: &str = "payment.reversed.v1";

/// A reversal with the name of what it reversed, and the answer that says so.
pub(crate) struct ReversalRow {
    pub(crate) request_seq: i64,
    /// `false` when there is no such reversal.
    pub(crate) is_stored: bool,
    /// `None` also when a transaction is reversed.
    pub(crate) amount: Option<Decimal>,
    pub(crate) client_id: Option<String>,
    pub(crate) payment_id: Option<Uuid>,
    /// `None` when there is no such answer.
    pub(crate) body: Option<Vec<u8>>,
}

/// All reversals and all answers that reverse something, in order.
pub(crate) fn reversals_with_answers(
    db: &mut PgConnection,
) -> BoxStream<'_, sqlx::Result<ReversalRow>> {
    sqlx::query_as!(
        ReversalRow,
        r#"select coalesce(said.request_seq, reversal.request_seq) as "request_seq!",
                  reversal.request_seq is not null as "is_stored!", amount as "amount?",
                  original.client_id as "client_id?",
                  case when original_item is null then original.payment_id else used.payment_id end as "payment_id?",
                  said.body as "body?"
           from reversal
           full join (select request_seq, body from answer where event_type = $1) as said
             on said.request_seq = reversal.request_seq
           left join answer as original on original.request_seq = original_seq
           left join batch_payment as used on used.request_seq = original_seq and used.item = original_item
           order by 1"#,
        REVERSED,
    )
    .fetch(db)
}

/// How many accounts were opened up to the cursor, by what the answers say.
pub(crate) async fn answered_openings(
    db: impl PgExecutor<'_>,
    cursor: Cursor,
) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from answer where event_type = 'account.opened.v1' and request_seq <= $1"#,
        bigint(cursor.seq)
    );
    from_bigint(count.fetch_one(db).await?)
}

/// An account on which more or less is held than its authorised holds come to.
pub(crate) struct MisheldAccount {
    pub(crate) id: Uuid,
    pub(crate) held: Decimal,
    /// What its holds come to.
    pub(crate) sum: Decimal,
}

/// The first account whose `held` is not the sum of its holds.
pub(crate) async fn misheld_account(
    db: impl PgExecutor<'_>,
) -> sqlx::Result<Option<MisheldAccount>> {
    sqlx::query_as!(
        MisheldAccount,
        r#"select id, held, coalesce(sum, 0) as "sum!"
           from account left join (
               select debtor_seq, sum(remaining) as sum from hold where status = 'authorised' group by debtor_seq
           ) as holds on debtor_seq = opened_seq
           where held <> coalesce(sum, 0) order by opened_seq limit 1"#
    )
    .fetch_optional(db)
    .await
}

/// Every root that was signed, by the size of its tree.
pub(crate) async fn signed_roots(db: impl PgExecutor<'_>) -> sqlx::Result<BTreeMap<u64, Digest>> {
    let rows = sqlx::query!("select size, root from checkpoint")
        .fetch_all(db)
        .await?;
    let rows = rows
        .into_iter()
        .map(|row| Ok((from_bigint(row.size)?, digest(row.root)?)));
    rows.collect()
}

/// The tiles behind this place, by level and number.
pub(crate) async fn tiles_behind(
    db: impl PgExecutor<'_>,
    place: Option<Place>,
    rows_max: i64,
) -> sqlx::Result<Tiles> {
    let (level, number) = place.map_or((-1, 0), |place| {
        (i16::from(place.level), bigint(place.number))
    });
    let rows = sqlx::query!(
        "select level, number, hashes from tile where (level, number) > ($1, $2) order by level, number limit $3",
        level,
        number,
        rows_max,
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        let level = u8::try_from(row.level)
            .map_err(|_| unreadable(format!("a tile has level {}", row.level)))?;
        let number = from_bigint(row.number)?;
        let hashes = row.hashes.chunks(32).map(|hash| digest(hash.to_vec()));
        Ok((
            Place { level, number },
            hashes.collect::<sqlx::Result<_>>()?,
        ))
    });
    rows.collect()
}
