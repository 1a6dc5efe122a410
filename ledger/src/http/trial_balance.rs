//! The trial balance: what all accounts come to, made anew at most every few seconds.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use common::http::problem::Problem;
use common::kinds::account::Category;
use common::money::{Currency, Money};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgPool;

use crate::statement::just_behind;
use crate::store;

/// All accounts are looked at for a trial balance, so it is made anew at most this often.
const AGE_MAX: Duration = Duration::from_secs(5);

/// All accounts, by currency and category.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct TrialBalance {
    /// The last request that is in it.
    seq: u64,
    /// The time that was asked for; `null` for now.
    as_of: Option<DateTime<Utc>>,
    currencies: Vec<CurrencyBalance>,
}

/// The accounts of one currency.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct CurrencyBalance {
    currency: String,
    /// The sum of what the accounts of assets and expenses hold.
    debit: String,
    /// The sum of what the others hold.
    credit: String,
    /// Debit − credit: zero, or the books are broken.
    difference: String,
    categories: Vec<CategoryBalance>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct CategoryBalance {
    category: Category,
    accounts: u64,
    /// On the category's normal side.
    sum: String,
}

/// The last trial balance, and the turn to make the next.
#[derive(Default)]
pub(super) struct TrialBalances {
    turn: tokio::sync::Mutex<()>,
    last: Mutex<Option<(Instant, TrialBalance)>>,
}

impl TrialBalances {
    /// The last one, or a new one when that is old.
    ///
    /// # Errors
    /// 503 when the database does not answer.
    pub(super) async fn newest(&self, pool: &PgPool) -> Result<TrialBalance, Problem> {
        // One at a time: whoever waits here takes the same.
        let _turn = self.turn.lock().await;
        let last = self
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((made_at, balance)) = last
            && made_at.elapsed() < AGE_MAX
        {
            return Ok(balance);
        }
        let balance = made(pool, None).await?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((Instant::now(), balance.clone()));
        Ok(balance)
    }

    /// The one of a time that has come. It is made for whoever asks, one at a time.
    ///
    /// # Errors
    /// 503 when the database does not answer.
    pub(super) async fn at(
        &self,
        pool: &PgPool,
        as_of: DateTime<Utc>,
    ) -> Result<TrialBalance, Problem> {
        let _turn = self.turn.lock().await;
        made(pool, Some(as_of)).await
    }
}

async fn made(pool: &PgPool, as_of: Option<DateTime<Utc>>) -> Result<TrialBalance, Problem> {
    let begin = "begin transaction isolation level repeatable read, read only";
    let mut tx = pool.begin_with(begin).await?;
    let (seq, rows) = match as_of {
        None => (
            store::cursor(&mut *tx).await?.seq,
            store::category_sums(&mut *tx).await?,
        ),
        Some(as_of) => {
            let seq = store::seq_before(&mut *tx, just_behind(as_of)).await?;
            (seq, store::category_sums_at(&mut *tx, seq).await?)
        }
    };
    tx.rollback().await?;
    let mut currencies: Vec<CurrencyBalance> = Vec::new();
    for group in rows.chunk_by(|a, b| a.currency == b.currency) {
        let code = &group[0].currency;
        let currency = Currency::from_code(code)
            .ok_or_else(|| Problem::unavailable("the ledger", &format!("currency {code}")))?;
        let money = |amount: Decimal| Money::stored(amount, currency).to_string();
        let (mut debit, mut credit) = (Decimal::ZERO, Decimal::ZERO);
        let mut categories = Vec::new();
        for row in group {
            let category = Category::from_word(&row.category)
                .ok_or_else(|| Problem::unavailable("the ledger", &row.category))?;
            let side = match category {
                Category::Asset | Category::Expense => &mut debit,
                Category::Liability | Category::Equity | Category::Income => &mut credit,
            };
            *side = side
                .checked_add(row.sum)
                .ok_or_else(|| Problem::unavailable("the ledger", &"a sum beyond 28 digits"))?;
            categories.push(CategoryBalance {
                category,
                accounts: u64::try_from(row.accounts).unwrap_or_default(),
                sum: money(row.sum),
            });
        }
        let difference = debit
            .checked_sub(credit)
            .ok_or_else(|| Problem::unavailable("the ledger", &"a sum beyond 28 digits"))?;
        currencies.push(CurrencyBalance {
            currency: code.clone(),
            debit: money(debit),
            credit: money(credit),
            difference: money(difference),
            categories,
        });
    }
    Ok(TrialBalance {
        seq,
        as_of,
        currencies,
    })
}
