//! What somebody asks who looks whether a ledger's bank is well, without the ledger: its database and what it knows of its
//! broker.

use common::service;
use sqlx::PgConnection;

use crate::oversight::is_balanced;
use crate::store;

pub use crate::engine::durability::{unsafe_at_broker, unsafe_at_database};

/// Whether the tables are those of this version.
///
/// # Errors
/// When they are not: the text says what to do.
pub async fn check_tables(db: &mut PgConnection) -> anyhow::Result<()> {
    service::check_tables(db, "ledger", &store::MIGRATIONS).await
}

/// Who holds the leader's lock, for people.
///
/// # Errors
/// When the database does not answer.
pub async fn leader(db: &mut PgConnection) -> sqlx::Result<Option<String>> {
    let leader = store::leader(db).await?;
    Ok(leader.map(|leader| {
        let role = leader.role.unwrap_or_default();
        match leader.name {
            Some(name) if !name.is_empty() => format!("{name} (role {role})"),
            _ => format!("role {role}"),
        }
    }))
}

/// The last request that is booked.
///
/// # Errors
/// When the database does not answer.
pub async fn booked(db: &mut PgConnection) -> sqlx::Result<u64> {
    Ok(store::cursor(db).await?.seq)
}

/// The currencies of the books, and those in which debit is not credit.
///
/// # Errors
/// When the database does not answer.
pub async fn balances(db: &mut PgConnection) -> sqlx::Result<Balances> {
    let sums = store::category_sums(db).await?;
    let mut found = Balances::default();
    for group in sums.chunk_by(|a, b| a.currency == b.currency) {
        let currency = group[0].currency.clone();
        if !is_balanced(group) {
            found.unbalanced.push(currency.clone());
        }
        found.currencies.push(currency);
    }
    Ok(found)
}

/// Whether the books balance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balances {
    /// All currencies that there are accounts in.
    pub currencies: Vec<String>,
    /// Those in which debit is not credit.
    pub unbalanced: Vec<String>,
}
