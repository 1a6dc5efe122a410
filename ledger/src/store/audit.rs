//! What a replay compares at its end: every account with what its postings come to.

use rust_decimal::Decimal;
use sqlx::PgExecutor;

use super::accounts::AccountRow;
use super::values::{bigint, from_bigint};
use crate::core::book::account::Account;
use crate::core::chain::Cursor;

/// An account and the sum of its postings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedAccount {
    /// As it stands in the table.
    pub account: Account,
    /// How many postings it has.
    pub postings_count: u64,
    /// Their sum, on the debit side.
    pub postings_sum: Decimal,
}

/// All accounts with the sums of their postings, by id.
///
/// # Errors
/// When the database does not answer.
pub async fn audited_accounts(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<AuditedAccount>> {
    let rows = sqlx::query!(
        r#"select account.*, coalesce(sums.sum, 0) as "sum!", coalesce(sums.count, 0) as "count!",
                  coalesce(last.balance, 0) as "posted!", coalesce(last.number, 0) as "postings!"
           from account left join lateral (
               select balance, number from posting where account_seq = account.opened_seq order by number desc limit 1
           ) as last on true
           left join (select account_seq, sum(amount) as sum, count(*) as count from posting group by account_seq) as sums
           on account_seq = account.opened_seq order by account.id"#
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        Ok(AuditedAccount {
            postings_count: from_bigint(row.count)?,
            postings_sum: row.sum,
            account: Account::try_from(AccountRow {
                id: row.id,
                owner: row.owner,
                name: row.name,
                metadata: row.metadata,
                currency: row.currency,
                category: row.category,
                status: row.status,
                overdraft_limit: row.overdraft_limit,
                posted: row.posted,
                postings: row.postings,
                held: row.held,
                opened_seq: row.opened_seq,
                controls: row.controls,
            })?,
        })
    });
    rows.collect()
}

/// How many answers are behind the cursor, where nothing is decided yet.
///
/// # Errors
/// When the database can't be read.
pub async fn stray_answers(db: impl PgExecutor<'_>, cursor: Cursor) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from answer where request_seq > $1 or request_seq < 1"#,
        bigint(cursor.seq)
    );
    from_bigint(count.fetch_one(db).await?)
}

/// Postings on no account.
///
/// # Errors
/// When the database does not answer.
pub async fn stray_postings(db: impl PgExecutor<'_>) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from posting left join account on opened_seq = account_seq where account.id is null"#
    );
    from_bigint(count.fetch_one(db).await?)
}
