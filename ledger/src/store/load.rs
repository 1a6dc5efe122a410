//! What the book is filled with: the cursor, the rules, the keys, and payment ids that are used up.

#![expect(
    clippy::as_conversions,
    reason = "how sqlx is told that the elements of an array may be null"
)]

use std::collections::HashMap;

use common::ids::PaymentId;
use common::kinds::payment::PaymentStatus;
use common::reason::Code;
use common::token::Keys;
use sqlx::PgExecutor;

use super::values::{bigint, column, digest, from_bigint, rules_version, unreadable};
use crate::core::book::usage::{PaymentKey, UsedPaymentId};
use crate::core::chain::{Chain, Cursor, Digest};
use crate::core::rules::{NewerRules, Rules};

/// The cursor.
///
/// # Errors
/// When the database does not answer.
pub async fn cursor(db: impl PgExecutor<'_>) -> sqlx::Result<Cursor> {
    let row = sqlx::query!("select seq, chain from cursor")
        .fetch_one(db)
        .await?;
    Ok(Cursor {
        seq: from_bigint(row.seq)?,
        chain: Chain(digest(row.chain)?),
    })
}

/// The rules that the next request is decided by; the inner error when this program does not know them.
///
/// # Errors
/// When the database does not answer.
pub async fn rules(db: impl PgExecutor<'_>) -> sqlx::Result<Result<Rules, NewerRules>> {
    let row =
        sqlx::query!("select version, raised_seq from rules_raised order by version desc limit 1")
            .fetch_one(db)
            .await?;
    let version = rules_version(row.version)?;
    let seq = from_bigint(row.raised_seq)?;
    Ok(Rules::from_number(version).ok_or(NewerRules {
        seq,
        rules: version,
    }))
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

/// Those of these payment ids that have been used up.
pub(crate) async fn used_payment_ids(
    db: impl PgExecutor<'_>,
    ids: &[PaymentKey],
) -> sqlx::Result<HashMap<PaymentKey, UsedPaymentId>> {
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
        let status = PaymentStatus::of_type(&row.event_type);
        let status = status.unwrap_or(PaymentStatus::Rejected);
        let reason = row.reason.as_deref().and_then(Code::from_word);
        let request_seq = from_bigint(row.request_seq)?;
        let used = UsedPaymentId {
            request_seq,
            item: None,
            content: digest(row.content)?,
            status,
            reason,
            booked: None,
        };
        Ok(((client, PaymentId(row.payment_id)), used))
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

/// Every raise of the rules: the version, and the request that raised it.
///
/// # Errors
/// When the database does not answer.
pub async fn raised_rules(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<(u32, u64)>> {
    let rows = sqlx::query!("select version, raised_seq from rules_raised order by version");
    let rows = rows
        .fetch_all(db)
        .await?
        .into_iter()
        .map(|row| Ok((rules_version(row.version)?, from_bigint(row.raised_seq)?)));
    rows.collect()
}
