//! Whether the books hold together, asked again and again for those who watch the bank. A replay proves more; this is seen
//! within a minute.

use std::convert::Infallible;
use std::time::Duration;

use async_nats::jetstream;
use common::broker;
use common::kinds::account::Category;
use common::service::as_gauge;
use metrics::gauge;
use rust_decimal::Decimal;
use sqlx::PgPool;
use tokio::time::Instant;

use crate::store::{self, CategorySum};

/// From one look to the next.
const INTERVAL: Duration = Duration::from_secs(15);
/// A look reads each account's last posting: in a bank of millions it may take at most one part of so many.
const SHARE: u32 = 20;

/// Looks at the books and at the broker's room for ever.
pub(crate) async fn look(pool: &PgPool, jetstream: &jetstream::Context) -> Infallible {
    loop {
        let began = Instant::now();
        if let Err(error) = look_at_books(pool).await {
            tracing::warn!(%error, "nobody knows whether the books balance");
        }
        let took = began.elapsed();
        match broker::servers(&jetstream.client(), &[]).await {
            Ok(servers) => {
                for server in servers {
                    let stored = gauge!("quittance_broker_storage_bytes");
                    stored.set(as_gauge(server.stored_bytes));
                    let most = gauge!("quittance_broker_storage_bytes_max");
                    most.set(as_gauge(server.stored_bytes_max));
                }
            }
            Err(error) => tracing::debug!(%error, "the broker does not say how much it stores"),
        }
        tokio::time::sleep(INTERVAL.max(took.saturating_mul(SHARE))).await;
    }
}

async fn look_at_books(pool: &PgPool) -> sqlx::Result<()> {
    let sums = store::category_sums(pool).await?;
    for group in sums.chunk_by(|a, b| a.currency == b.currency) {
        let currency = group[0].currency.clone();
        let balanced = gauge!("quittance_books_balanced", "currency" => currency);
        balanced.set(f64::from(u8::from(is_balanced(group))));
    }
    let cursor = store::cursor(pool).await?.seq;
    let last = store::answers(pool, cursor, cursor).await?;
    if let Some(last) = last.first() {
        let at = last.published_at().timestamp();
        let head = gauge!("quittance_chain_head_timestamp_seconds");
        head.set(as_gauge(u64::try_from(at).unwrap_or_default()));
    }
    Ok(())
}

/// Debit is credit. A sum beyond 28 digits is none of ours.
pub(crate) fn is_balanced(of_one_currency: &[CategorySum]) -> bool {
    let difference =
        of_one_currency.iter().try_fold(
            Decimal::ZERO,
            |difference, row| match Category::from_word(&row.category)? {
                Category::Asset | Category::Expense => difference.checked_add(row.sum),
                Category::Liability | Category::Equity | Category::Income => {
                    difference.checked_sub(row.sum)
                }
            },
        );
    difference == Some(Decimal::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_balance_when_debit_is_credit() {
        let sums = |rows: &[(&str, i64)]| -> Vec<CategorySum> {
            let row = |&(category, sum): &(&str, i64)| CategorySum {
                currency: "EUR".to_owned(),
                category: category.to_owned(),
                accounts: 1,
                sum: Decimal::from(sum),
            };
            rows.iter().map(row).collect()
        };
        assert!(is_balanced(&sums(&[
            ("asset", 5),
            ("expense", 1),
            ("income", 2),
            ("liability", 4),
        ])));
        assert!(!is_balanced(&sums(&[("asset", 5), ("liability", 4)])));
        assert!(!is_balanced(&sums(&[("nothing of ours", 0)])));
    }
}
