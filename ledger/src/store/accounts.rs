//! Accounts with their balances.

use std::collections::{HashMap, HashSet};

use common::ids::AccountId;
use common::kinds::account::Category;
use common::money::{Currency, Money};
use rust_decimal::Decimal;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::controls;
use super::values::{from_bigint, unreadable};
use crate::core::book::account::{Account, Status};

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
               select balance, number from posting where account_seq = account.opened_seq order by number desc limit 1
           ) as last on true where id = any($1)"#,
        &ids
    );
    let rows = rows.fetch_all(db).await?;
    rows.into_iter()
        .map(|row| Ok((AccountId(row.id), row.try_into()?)))
        .collect()
}

/// Which requests opened these accounts, as far as they exist.
pub(crate) async fn opened_seqs(
    db: impl PgExecutor<'_>,
    ids: &HashSet<AccountId>,
) -> sqlx::Result<HashMap<AccountId, u64>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        "select id, opened_seq from account where id = any($1)",
        &ids
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    rows.map(|row| Ok((AccountId(row.id), from_bigint(row.opened_seq)?)))
        .collect()
}

/// The account that this request opened.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn account_opened_by(
    db: impl PgExecutor<'_>,
    opened_seq: u64,
) -> sqlx::Result<Option<Account>> {
    // Beyond what the column holds nothing was opened.
    let Ok(opened_seq) = i64::try_from(opened_seq) else {
        return Ok(None);
    };
    let row = sqlx::query_as!(
        AccountRow,
        r#"select account.*,
                  coalesce(last.balance, 0) as "posted!", coalesce(last.number, 0) as "postings!"
           from account left join lateral (
               select balance, number from posting where account_seq = account.opened_seq order by number desc limit 1
           ) as last on true where opened_seq = $1"#,
        opened_seq
    );
    let row = row.fetch_optional(db).await?;
    row.map(Account::try_from).transpose()
}

/// Accounts by id, from behind `after`; only this owner's, or everybody's; only of this category, or of all.
pub(crate) async fn account_page(
    db: impl PgExecutor<'_>,
    owner: Option<&str>,
    category: Option<Category>,
    after: Option<AccountId>,
    rows_max: i64,
) -> sqlx::Result<Vec<Account>> {
    let rows = sqlx::query_as!(
        AccountRow,
        r#"select account.*,
                  coalesce(last.balance, 0) as "posted!", coalesce(last.number, 0) as "postings!"
           from account left join lateral (
               select balance, number from posting where account_seq = account.opened_seq order by number desc limit 1
           ) as last on true where ($1::text is null or owner = $1) and ($2::uuid is null or id > $2)
             and ($4::text is null or category = $4)
           order by id limit $3"#,
        owner,
        after.map(|id| id.0),
        rows_max,
        category.map(Category::as_str),
    );
    rows.fetch_all(db)
        .await?
        .into_iter()
        .map(Account::try_from)
        .collect()
}

/// An account, with what its last posting says.
pub(super) struct AccountRow {
    pub(super) id: Uuid,
    pub(super) owner: String,
    pub(super) name: Option<String>,
    pub(super) metadata: Option<serde_json::Value>,
    pub(super) currency: String,
    pub(super) category: String,
    pub(super) status: String,
    pub(super) overdraft_limit: Decimal,
    pub(super) posted: Decimal,
    pub(super) postings: i64,
    pub(super) held: Decimal,
    pub(super) opened_seq: i64,
    pub(super) controls: Option<serde_json::Value>,
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
            metadata: row
                .metadata
                .map(serde_json::from_value)
                .transpose()
                .map_err(|_| unreadable(format!("account {id} has unreadable metadata")))?
                .unwrap_or_default(),
            category: Category::from_word(&row.category).ok_or_else(|| unknown("category"))?,
            status: Status::from_word(&row.status).ok_or_else(|| unknown("status"))?,
            overdraft_limit: Money::stored(row.overdraft_limit, currency),
            posted: Money::stored(row.posted, currency),
            postings: from_bigint(row.postings)?,
            held: Money::stored(row.held, currency),
            opened_seq: from_bigint(row.opened_seq)?,
            controls: row
                .controls
                .map(|controls| controls::read(controls, id, currency))
                .transpose()?,
        })
    }
}
