//! Holds.

#![expect(
    clippy::as_conversions,
    reason = "how sqlx is told that the elements of an array may be null"
)]

use chrono::{DateTime, Utc};
use common::ids::{AccountId, ClientId, PaymentId};
use common::money::{Currency, Money};
use rust_decimal::Decimal;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::values::{bigint, column, from_bigint, unreadable};
use crate::core::book::hold::{Hold, HoldStatus, Party};
use crate::core::book::usage::PaymentKey;

/// Selects [`HoldRow`]s: what stands behind the joins is all that differs.
macro_rules! holds_that {
    ($rest:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            HoldRow,
            "select hold.request_seq, client_id, payment_id, debtor_seq, debtor.id as debtor, creditor_seq,
                    creditor.id as creditor, debtor.currency, amount, remaining, reference, reference_with_nul,
                    hold.status, expires_at, is_announced, changed_seq
             from hold join account as debtor on debtor.opened_seq = debtor_seq
             join account as creditor on creditor.opened_seq = creditor_seq " + $rest
            $(, $argument)*
        )
    };
}

/// A row of `hold` with the accounts' names.
struct HoldRow {
    request_seq: i64,
    client_id: String,
    payment_id: Uuid,
    debtor_seq: i64,
    debtor: Uuid,
    creditor_seq: i64,
    creditor: Uuid,
    currency: String,
    amount: Decimal,
    remaining: Decimal,
    reference: Option<String>,
    reference_with_nul: Option<Vec<u8>>,
    status: String,
    expires_at: Option<DateTime<Utc>>,
    is_announced: bool,
    changed_seq: i64,
}

impl TryFrom<HoldRow> for Hold {
    type Error = sqlx::Error;

    fn try_from(row: HoldRow) -> sqlx::Result<Self> {
        let seq = row.request_seq;
        let unknown = |what: &str| unreadable(format!("hold {seq} has an unknown {what}"));
        let currency = Currency::from_code(&row.currency).ok_or_else(|| unknown("currency"))?;
        let client: ClientId = row.client_id.parse().map_err(|_| unknown("client"))?;
        let party = |account, account_seq| {
            Ok::<_, sqlx::Error>(Party {
                account: AccountId(account),
                account_seq: from_bigint(account_seq)?,
            })
        };
        let reference = match row.reference_with_nul {
            Some(utf8) => Some(String::from_utf8(utf8).map_err(|_| unknown("reference"))?),
            None => row.reference,
        };
        Ok(Self {
            key: (client, PaymentId(row.payment_id)),
            seq: from_bigint(seq)?,
            debtor: party(row.debtor, row.debtor_seq)?,
            creditor: party(row.creditor, row.creditor_seq)?,
            amount: Money::stored(row.amount, currency),
            remaining: Money::stored(row.remaining, currency),
            reference,
            status: HoldStatus::from_word(&row.status).ok_or_else(|| unknown("status"))?,
            expires_at: row.expires_at,
            is_announced: row.is_announced,
            changed_seq: from_bigint(row.changed_seq)?,
        })
    }
}

fn holds_of(rows: Vec<HoldRow>) -> sqlx::Result<Vec<Hold>> {
    rows.into_iter().map(Hold::try_from).collect()
}

/// The holds with these names, as far as they exist.
pub(crate) async fn holds(db: impl PgExecutor<'_>, keys: &[PaymentKey]) -> sqlx::Result<Vec<Hold>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows = holds_that!(
        "join unnest($1::text[], $2::uuid[]) as asked (client, payment)
           on client_id = asked.client and payment_id = asked.payment",
        &column(keys, |(client, _)| client.as_str()) as &[&str],
        &column(keys, |(_, payment)| payment.0),
    );
    holds_of(rows.fetch_all(db).await?)
}

/// The holds on these accounts that have ended by this time, though their rows do not say so yet.
pub(crate) async fn due_holds(
    db: impl PgExecutor<'_>,
    debtors: &[u64],
    until: DateTime<Utc>,
) -> sqlx::Result<Vec<Hold>> {
    let rows = holds_that!(
        "where debtor_seq = any($1) and hold.status = 'authorised' and expires_at <= $2",
        &column(debtors, |seq| bigint(*seq)),
        until,
    );
    holds_of(rows.fetch_all(db).await?)
}

/// The holds of an account that are authorised, the newest first, those before request `before`.
pub(crate) async fn account_holds(
    db: impl PgExecutor<'_>,
    debtor: u64,
    before: Option<u64>,
    rows_max: i64,
) -> sqlx::Result<Vec<Hold>> {
    let rows = holds_that!(
        "where debtor_seq = $1 and hold.status = 'authorised' and ($2::bigint is null or hold.request_seq < $2)
         order by hold.request_seq desc limit $3",
        bigint(debtor),
        before.map(super::values::bigint_asked),
        rows_max,
    );
    holds_of(rows.fetch_all(db).await?)
}

/// Every hold, in the order of their requests.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn all_holds(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Hold>> {
    let rows = holds_that!("order by hold.request_seq");
    holds_of(rows.fetch_all(db).await?)
}

/// Holds that have ended by this time, and whose end was not announced yet; the first ones.
pub(crate) async fn unannounced_holds(
    db: impl PgExecutor<'_>,
    until: DateTime<Utc>,
    rows_max: i64,
) -> sqlx::Result<Vec<PaymentKey>> {
    let rows = sqlx::query!(
        "select client_id, payment_id from hold
         where expires_at <= $1 and not is_announced and status in ('authorised', 'expired')
         order by expires_at limit $2",
        until,
        rows_max,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    rows.map(|row| {
        let client = row.client_id.parse();
        let client = client.map_err(|_| unreadable("a hold has no client id".to_owned()))?;
        Ok((client, PaymentId(row.payment_id)))
    })
    .collect()
}

/// Writes holds as they are after a batch.
pub(super) async fn write_holds(db: impl PgExecutor<'_>, holds: &[&Hold]) -> sqlx::Result<()> {
    let (with_nul, plain): (Vec<_>, Vec<_>) = holds.iter().map(|hold| storable(hold)).unzip();
    sqlx::query!(
        "insert into hold (request_seq, client_id, payment_id, debtor_seq, creditor_seq, amount, remaining, reference,
                           reference_with_nul, status, expires_at, is_announced, changed_seq)
         select * from unnest($1::bigint[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[], $6::numeric[], $7::numeric[],
                              $8::text[], $9::bytea[], $10::text[], $11::timestamptz[], $12::boolean[], $13::bigint[])
         on conflict on constraint hold_pkey do update set
             remaining = excluded.remaining, status = excluded.status, is_announced = excluded.is_announced,
             changed_seq = excluded.changed_seq",
        &column(holds, |hold| bigint(hold.seq)),
        &column(holds, |hold| hold.key.0.as_str()) as &[&str],
        &column(holds, |hold| hold.key.1.0),
        &column(holds, |hold| bigint(hold.debtor.account_seq)),
        &column(holds, |hold| bigint(hold.creditor.account_seq)),
        &column(holds, |hold| hold.amount.amount()),
        &column(holds, |hold| hold.remaining.amount()),
        &plain as &[Option<&str>],
        &with_nul as &[Option<&[u8]>],
        &column(holds, |hold| hold.status.as_str()) as &[&str],
        &column(holds, |hold| hold.expires_at) as &[Option<DateTime<Utc>>],
        &column(holds, |hold| hold.is_announced),
        &column(holds, |hold| bigint(hold.changed_seq)),
    )
    .execute(db)
    .await
    .map(drop)
}

/// A hold's reference as one of its two columns: with a NUL, and without.
fn storable(hold: &Hold) -> (Option<&[u8]>, Option<&str>) {
    match hold.reference.as_deref() {
        Some(text) if text.contains('\0') => (Some(text.as_bytes()), None),
        text => (None, text),
    }
}
