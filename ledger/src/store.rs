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
use std::time::Duration;

use common::ids::{AccountId, ClientId, PaymentId};
use common::kinds::account::Category;
use common::kinds::payment::PaymentStatus;
use common::kinds::posting::Direction;
use common::money::{Currency, Money};
use common::reason::Code;
use common::token::{Keys, Verified};
use rust_decimal::Decimal;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, PgExecutor};
use uuid::Uuid;

use crate::core::batch::{Batch, Decided};
use crate::core::book::account::{Account, Status};
use crate::core::book::usage::UsedPaymentId;
use crate::core::chain::{Chain, Cursor, Digest};
use crate::core::change::Change;

/// The migrations, run by the owner of the tables.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Names the advisory lock of the active ledger; any number that nothing else in this database uses.
const LEADER_LOCK: i64 = 0x5155_4954;

/// How often a ledger that waits for its turn asks. Waiting inside of a statement would hold a snapshot, and with it every
/// old version of the cursor's row.
const LEADER_INTERVAL: Duration = Duration::from_millis(200);

/// Waits until no other ledger leads this database, then leads it for as long as the connection lives.
pub(crate) async fn lead(database: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let mut connection = database.connect().await?;
    while !try_lead(&mut connection).await? {
        tokio::time::sleep(LEADER_INTERVAL).await;
    }
    Ok(connection)
}

async fn try_lead(db: &mut PgConnection) -> sqlx::Result<bool> {
    let leads = sqlx::query_scalar!(
        r#"select pg_try_advisory_lock($1) as "leads!""#,
        LEADER_LOCK
    );
    leads.fetch_one(db).await
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

/// Writes a batch: answers, accounts, keys and postings, and the cursor behind them. All of it, or nothing and `false` when
/// the cursor does not stand where the batch begins: another ledger is ahead.
///
/// One statement, which is one transaction and one round trip. Everything that is added comes `from moved`, the cursor's
/// compare-and-set; so an overtaken ledger waits there for the other's commit and then adds nothing. The columns are
/// unnested side by side in the select list, which makes rows one by one; in `from` they would all be made and stored first.
pub(crate) async fn write_batch(db: impl PgExecutor<'_>, batch: &Batch) -> sqlx::Result<bool> {
    let Batch { from, to, decided } = batch;
    let postings = posting_rows(decided);
    let (mut opened, mut keys) = (Vec::new(), Vec::new());
    for (seq, change) in decided.iter().flat_map(|item| {
        let seq = item.request.at.seq;
        item.changes.iter().map(move |change| (seq, change))
    }) {
        match change {
            Change::AccountOpened(account) => opened.push(account),
            Change::KeyNoted(key) => keys.push((seq, key)),
            Change::PaymentIdUsed(..) | Change::Posted(_) => {}
        }
    }
    let moved = sqlx::query_scalar!(
        r#"with moved as (
               update cursor set seq = $1, chain = $2 where seq = $3 and chain = $4 returning 1
           ), answers as (
               insert into answer (request_seq, subject, event_type, reason, client_id, token_id, key_id, payment_id,
                                   content, published_at, traceparent, request_digest, body, chain)
               select unnest($5::bigint[]), unnest($6::text[]), unnest($7::text[]), unnest($8::text[]), unnest($9::text[]),
                      unnest($10::text[]), unnest($11::text[]), unnest($12::uuid[]), unnest($13::bytea[]),
                      unnest($14::timestamptz[]), unnest($15::text[]), unnest($16::bytea[]), unnest($17::bytea[]),
                      unnest($18::bytea[])
               from moved
           ), opened as (
               insert into account (id, owner, name, currency, category, status, overdraft_limit, held, opened_seq)
               select unnest($19::uuid[]), unnest($20::text[]), unnest($21::text[]), unnest($22::text[]),
                      unnest($23::text[]), 'open', unnest($24::numeric[]), 0, unnest($25::bigint[])
               from moved
           ), noted as (
               insert into signing_key (kid, issuer, n, e, announced_seq)
               select unnest($26::text[]), unnest($27::text[]), unnest($28::text[]), unnest($29::text[]), unnest($30::bigint[])
               from moved
           ), posted as (
               insert into posting (request_seq, line, account_id, currency, direction, amount, balance, number)
               select unnest($31::bigint[]), unnest($32::smallint[]), unnest($33::uuid[]), unnest($34::text[]),
                      unnest($35::text[]), unnest($36::numeric[]), unnest($37::numeric[]), unnest($38::bigint[])
               from moved
           )
           select count(*) as "count!" from moved"#,
        bigint(to.seq),
        &to.chain.0,
        bigint(from.seq),
        &from.chain.0,
        &column(decided, |item| bigint(item.request.at.seq)),
        &column(decided, |item| &*item.request.answer_subject) as &[&str],
        &column(decided, |item| item.answer.ce_type()) as &[&str],
        &column(decided, |item| item.answer.outcome().1.map(Code::as_str)) as &[Option<&str>],
        &column(decided, |item| token(item)
            .map(|token| token.claims.client_id.as_str())) as &[Option<&str>],
        &column(decided, |item| token(item).map(|token| &*token.claims.jti)) as &[Option<&str>],
        &column(decided, |item| token(item).map(|token| &*token.kid)) as &[Option<&str>],
        &column(decided, |item| used_up(item).map(|(id, _)| id.0)) as &[Option<Uuid>],
        &column(decided, |item| used_up(item)
            .map(|(_, content)| &content[..])) as &[Option<&[u8]>],
        &column(decided, |item| item.request.at.published_at),
        &column(decided, |item| item.request.traceparent.as_deref()) as &[Option<&str>],
        &column(decided, |item| &item.request.digest[..]) as &[&[u8]],
        &column(decided, |item| &item.body[..]) as &[&[u8]],
        &column(decided, |item| &item.chain.0[..]) as &[&[u8]],
        &column(&opened, |account| account.id.0),
        &column(&opened, |account| &*account.owner) as &[&str],
        &column(&opened, |account| account.name.as_deref()) as &[Option<&str>],
        &column(&opened, |account| account.posted.currency().code()) as &[&str],
        &column(&opened, |account| account.category.as_str()) as &[&str],
        &column(&opened, |account| account.overdraft_limit.amount()),
        &column(&opened, |account| bigint(account.opened_seq)),
        &column(&keys, |(_, key)| &*key.kid) as &[&str],
        &column(&keys, |(_, key)| &*key.issuer) as &[&str],
        &column(&keys, |(_, key)| &*key.n) as &[&str],
        &column(&keys, |(_, key)| &*key.e) as &[&str],
        &column(&keys, |(seq, _)| bigint(*seq)),
        &column(&postings, |row| row.0),
        &column(&postings, |row| row.1),
        &column(&postings, |row| row.2),
        &column(&postings, |row| row.3) as &[&str],
        &column(&postings, |row| row.4) as &[&str],
        &column(&postings, |row| row.5),
        &column(&postings, |row| row.6),
        &column(&postings, |row| row.7),
    );
    Ok(moved.fetch_one(db).await? == 1)
}

/// One column of a set of rows, for `unnest`.
fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

fn token(item: &Decided) -> Option<&Verified> {
    item.request.token()
}

/// The payment id that an answer used up, and the digest of what was asked under it.
fn used_up(item: &Decided) -> Option<(PaymentId, &Digest)> {
    item.changes.iter().find_map(|change| match change {
        Change::PaymentIdUsed((_, payment_id), used) => Some((*payment_id, &used.content)),
        Change::Posted(_) | Change::AccountOpened(_) | Change::KeyNoted(_) => None,
    })
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
        (1_i16..).zip(item.entries()).map(|(line, entry)| {
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
