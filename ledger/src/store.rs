//! All of the ledger's SQL. One statement per function; each takes the caller's connection, so that the caller decides
//! what stands in one transaction.

#![expect(
    clippy::as_conversions,
    reason = "how sqlx is told that the elements of an array may be null"
)]

mod audit;

pub(crate) use audit::{AnswerRow, answers, postings};
pub use audit::{AuditedAccount, audited_accounts};

use std::collections::HashMap;

use common::answer::{Answer, Code, Direction, KeyStatus, PaymentStatus};
use common::ids::{AccountId, ClientId, PaymentId};
use common::money::{Currency, Money};
use common::request::Category;
use common::token::{Keys, Verified};
use rust_decimal::Decimal;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, PgExecutor};
use uuid::Uuid;

use crate::batch::Decided;
use crate::book::{Account, Status, UsedPaymentId};
use crate::chain::{Chain, Digest};
use crate::verify::Content;

/// The migrations, run by the owner of the tables.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Names the advisory lock of the active ledger; any number that nothing else in this database uses.
const LEADER_LOCK: i64 = 0x5155_4954;

/// How far the log has been decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last decided request; 0 when there is none.
    pub seq: u64,
    /// The hash chain after its answer.
    pub chain: Chain,
}

/// Waits until no other ledger leads this database, then leads it for as long as the connection lives.
pub(crate) async fn lead(database: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let mut connection = database.connect().await?;
    sqlx::query!("select pg_advisory_lock($1)", LEADER_LOCK)
        .execute(&mut connection)
        .await?;
    Ok(connection)
}

/// The cursor.
///
/// # Errors
/// When the database does not answer.
pub async fn cursor(db: impl PgExecutor<'_>) -> sqlx::Result<Cursor> {
    let row = sqlx::query!("select seq, chain from cursor")
        .fetch_one(db)
        .await?;
    Ok(Cursor {
        seq: from_bigint(row.seq),
        chain: Chain(digest(row.chain)?),
    })
}

/// Moves the cursor from `from` to `to`; false when it does not stand at `from`: another ledger is ahead.
pub(crate) async fn advance_cursor(
    db: impl PgExecutor<'_>,
    from: Cursor,
    to: Cursor,
) -> sqlx::Result<bool> {
    let moved = sqlx::query!(
        "update cursor set seq = $1, chain = $2 where seq = $3 and chain = $4",
        bigint(to.seq),
        &to.chain.0,
        bigint(from.seq),
        &from.chain.0,
    );
    Ok(moved.execute(db).await?.rows_affected() == 1)
}

/// All keys that have been announced.
///
/// # Errors
/// When the database does not answer.
pub async fn keys(db: impl PgExecutor<'_>) -> sqlx::Result<Keys> {
    let mut keys = Keys::default();
    for row in sqlx::query!("select kid, issuer, n, e from signing_key")
        .fetch_all(db)
        .await?
    {
        keys.insert(&row.kid, &row.issuer, &row.n, &row.e)
            .map_err(|error| unreadable(format!("signing key {}: {error}", row.kid)))?;
    }
    Ok(keys)
}

/// The accounts of these ids, as far as they exist.
///
/// # Errors
/// When the database does not answer.
pub async fn accounts(
    db: impl PgExecutor<'_>,
    ids: &[AccountId],
) -> sqlx::Result<HashMap<AccountId, Account>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        AccountRow,
        r#"select account.*,
                  coalesce(last.balance, 0) as "posted!", coalesce(last.number, 0) as "postings!"
           from account left join lateral (
               select balance, number from posting where account_id = account.id order by number desc limit 1
           ) as last on true where id = any($1)"#,
        &ids
    );
    let rows = rows.fetch_all(db).await?;
    rows.into_iter()
        .map(|row| Ok((AccountId(row.id), row.try_into()?)))
        .collect()
}

/// Accounts by id, from behind `after`; only this owner's, or everybody's.
pub(crate) async fn account_page(
    db: impl PgExecutor<'_>,
    owner: Option<&str>,
    after: Option<AccountId>,
    rows_max: i64,
) -> sqlx::Result<Vec<Account>> {
    let rows = sqlx::query_as!(
        AccountRow,
        r#"select account.*,
                  coalesce(last.balance, 0) as "posted!", coalesce(last.number, 0) as "postings!"
           from account left join lateral (
               select balance, number from posting where account_id = account.id order by number desc limit 1
           ) as last on true where ($1::text is null or owner = $1) and ($2::uuid is null or id > $2)
           order by id limit $3"#,
        owner,
        after.map(|id| id.0),
        rows_max,
    );
    rows.fetch_all(db)
        .await?
        .into_iter()
        .map(Account::try_from)
        .collect()
}

/// Those of these payment ids that have been used up.
pub(crate) async fn used_payment_ids(
    db: impl PgExecutor<'_>,
    ids: &[(ClientId, PaymentId)],
) -> sqlx::Result<HashMap<(ClientId, PaymentId), UsedPaymentId>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"select client_id as "client_id!", payment_id as "payment_id!", request_seq, content as "content!", event_type, reason
           from answer join unnest($1::text[], $2::uuid[]) as asked (client, payment)
           on client_id = asked.client and payment_id = asked.payment"#,
        &column(ids, |(client, _)| client.as_str()) as &[&str],
        &column(ids, |(_, payment)| payment.0),
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        let client = row.client_id.parse();
        let client = client
            .map_err(|_| unreadable(format!("answer {} has no client id", row.request_seq)))?;
        let status = match row.event_type.as_str() {
            "payment.settled.v1" => PaymentStatus::Settled,
            _ => PaymentStatus::Rejected,
        };
        let reason = row.reason.as_deref().and_then(Code::from_word);
        let request_seq = from_bigint(row.request_seq);
        let used = UsedPaymentId {
            request_seq,
            content: digest(row.content)?,
            status,
            reason,
        };
        Ok(((client, PaymentId(row.payment_id)), used))
    });
    rows.collect()
}

/// Adds the answers of a batch.
pub(crate) async fn insert_answers(db: impl PgExecutor<'_>, batch: &[Decided]) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into answer (request_seq, subject, event_type, reason, client_id, token_id, key_id, payment_id, content,
                             published_at, traceparent, request_digest, body, chain)
         select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                              $8::uuid[], $9::bytea[], $10::timestamptz[], $11::text[], $12::bytea[], $13::bytea[],
                              $14::bytea[])",
        &column(batch, |item| bigint(item.request.at.seq)),
        &column(batch, |item| &*item.request.answer_subject) as &[&str],
        &column(batch, |item| item.answer.ce_type()) as &[&str],
        &column(batch, |item| item.answer.outcome().1.map(Code::as_str)) as &[Option<&str>],
        &column(batch, |item| token(item).map(|token| token.claims.client_id.as_str())) as &[Option<&str>],
        &column(batch, |item| token(item).map(|token| &*token.claims.jti)) as &[Option<&str>],
        &column(batch, |item| token(item).map(|token| &*token.kid)) as &[Option<&str>],
        &column(batch, |item| used_up(item).map(|(id, _)| id.0)) as &[Option<Uuid>],
        &column(batch, |item| used_up(item).map(|(_, content)| &content[..])) as &[Option<&[u8]>],
        &column(batch, |item| item.request.at.published_at),
        &column(batch, |item| item.request.traceparent.as_deref()) as &[Option<&str>],
        &column(batch, |item| &item.request.digest[..]) as &[&[u8]],
        &column(batch, |item| &item.body[..]) as &[&[u8]],
        &column(batch, |item| &item.chain.0[..]) as &[&[u8]],
    )
    .execute(db)
    .await?;
    Ok(())
}

/// One column of a set of rows, for `unnest`.
fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

fn token(item: &Decided) -> Option<&Verified> {
    item.request.token.as_deref()
}

/// The payment id that an answer used up, and the digest of what was asked under it.
///
/// A duplicate and an AM05 name an id that an earlier answer used up; they carry that original.
fn used_up(item: &Decided) -> Option<(PaymentId, &Digest)> {
    match (&item.answer, &item.request.content) {
        (
            Answer::Payment(answer),
            Content::Payment {
                request, digest, ..
            },
        ) if answer.original.is_none() => Some((request.payment_id, digest)),
        _ => None,
    }
}

/// One row of `posting`: sequence, line, account, currency, direction, amount, balance and number.
pub(crate) type PostingRow = (
    i64,
    i16,
    Uuid,
    &'static str,
    &'static str,
    Decimal,
    Decimal,
    i64,
);

/// The rows that the postings of a batch must be.
pub(crate) fn posting_rows(batch: &[Decided]) -> Vec<PostingRow> {
    let rows = batch.iter().flat_map(|item| {
        (1_i16..).zip(&item.entries).map(|(line, entry)| {
            let (seq, money) = (bigint(item.request.at.seq), entry.amount);
            (
                seq,
                line,
                entry.account.0,
                money.currency().code(),
                direction_word(entry.direction),
                money.amount(),
                entry.balance.amount(),
                bigint(entry.number),
            )
        })
    });
    rows.collect()
}

/// Adds the postings of a batch.
pub(crate) async fn insert_postings(
    db: impl PgExecutor<'_>,
    batch: &[Decided],
) -> sqlx::Result<()> {
    let postings = posting_rows(batch);
    if postings.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into posting (request_seq, line, account_id, currency, direction, amount, balance, number)
         select * from unnest($1::bigint[], $2::smallint[], $3::uuid[], $4::text[], $5::text[], $6::numeric[],
                              $7::numeric[], $8::bigint[])",
        &column(&postings, |row| row.0),
        &column(&postings, |row| row.1),
        &column(&postings, |row| row.2),
        &column(&postings, |row| row.3) as &[&str],
        &column(&postings, |row| row.4) as &[&str],
        &column(&postings, |row| row.5),
        &column(&postings, |row| row.6),
        &column(&postings, |row| row.7),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Adds accounts that a batch opened, with a balance of zero.
pub(crate) async fn insert_accounts(
    db: impl PgExecutor<'_>,
    opened: &[Account],
) -> sqlx::Result<()> {
    if opened.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into account (id, owner, name, currency, category, status, overdraft_limit, held, opened_seq)
         select id, owner, name, currency, category, 'open', overdraft_limit, 0, opened_seq
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::bigint[])
              as opened (id, owner, name, currency, category, overdraft_limit, opened_seq)",
        &column(opened, |account| account.id.0),
        &column(opened, |account| &*account.owner) as &[&str],
        &column(opened, |account| account.name.as_deref()) as &[Option<&str>],
        &column(opened, |account| account.posted.currency().code()) as &[&str],
        &column(opened, |account| account.category.as_str()) as &[&str],
        &column(opened, |account| account.overdraft_limit.amount()),
        &column(opened, |account| bigint(account.opened_seq)),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Adds the keys that a batch noted.
pub(crate) async fn insert_keys(db: &mut PgConnection, batch: &[Decided]) -> sqlx::Result<()> {
    for item in batch {
        let (Answer::Key(answer), Content::Key(key)) = (&item.answer, &item.request.content) else {
            continue;
        };
        if answer.status == KeyStatus::Noted {
            sqlx::query!(
                "insert into signing_key (kid, issuer, n, e, announced_seq) values ($1, $2, $3, $4, $5)",
                key.kid,
                key.issuer,
                key.n,
                key.e,
                bigint(answer.request_seq),
            )
            .execute(&mut *db)
            .await?;
        }
    }
    Ok(())
}

/// The digest of request `seq` as it was when it was decided.
pub(crate) async fn decided_digest(
    db: impl PgExecutor<'_>,
    seq: u64,
) -> sqlx::Result<Option<Digest>> {
    let digests = sqlx::query_scalar!(
        "select request_digest from answer where request_seq = $1",
        bigint(seq)
    );
    digests.fetch_optional(db).await?.map(digest).transpose()
}

struct AccountRow {
    id: Uuid,
    owner: String,
    name: Option<String>,
    currency: String,
    category: String,
    status: String,
    overdraft_limit: Decimal,
    posted: Decimal,
    postings: i64,
    held: Decimal,
    opened_seq: i64,
}

impl TryFrom<AccountRow> for Account {
    type Error = sqlx::Error;

    fn try_from(row: AccountRow) -> sqlx::Result<Self> {
        let id = row.id;
        let unknown = |what: &str| unreadable(format!("account {id} has an unknown {what}"));
        let currency = Currency::from_code(&row.currency).ok_or_else(|| unknown("currency"))?;
        Ok(Self {
            id: AccountId(row.id),
            owner: row.owner,
            name: row.name,
            category: Category::from_word(&row.category).ok_or_else(|| unknown("category"))?,
            status: Status::from_word(&row.status).ok_or_else(|| unknown("status"))?,
            overdraft_limit: Money::stored(row.overdraft_limit, currency),
            posted: Money::stored(row.posted, currency),
            postings: from_bigint(row.postings),
            held: Money::stored(row.held, currency),
            opened_seq: from_bigint(row.opened_seq),
        })
    }
}

fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Debit => "debit",
        Direction::Credit => "credit",
    }
}

fn bigint(seq: u64) -> i64 {
    i64::try_from(seq).expect("a stream would need 29 000 years at 10 million messages a second")
}

fn from_bigint(seq: i64) -> u64 {
    u64::try_from(seq).expect("sequences are not negative")
}

fn digest(bytes: Vec<u8>) -> sqlx::Result<Digest> {
    bytes
        .try_into()
        .map_err(|_| unreadable("a digest in the database is no SHA-256".to_owned()))
}

/// Somebody has changed the tables behind our back: an error that names the place, for whoever audits.
fn unreadable(what: String) -> sqlx::Error {
    sqlx::Error::Decode(what.into())
}
