//! The log as it was answered: pages of answers, newest first; and what all accounts come to.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::values::{bigint, bigint_asked};

/// Answers that one page looks through at most. A filter that almost nothing passes gives short pages, not slow ones.
pub(crate) const SCANNED_MAX: u64 = 20_000;

/// What to look for. Each part that is `None` lets everything pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogFilter<'f> {
    /// The second word of the subject: `payment`. Several with commas between them.
    pub(crate) kind: Option<&'f str>,
    /// The second word of the event type: `settled`.
    pub(crate) status: Option<&'f str>,
    /// Whose request it was.
    pub(crate) client_id: Option<&'f str>,
    /// The payment's id.
    pub(crate) payment_id: Option<Uuid>,
    /// The trace that the request belongs to: 32 hex digits.
    pub(crate) trace_id: Option<&'f str>,
}

/// One answer in a list.
pub(crate) struct LogRow {
    pub(crate) request_seq: i64,
    pub(crate) subject: String,
    pub(crate) event_type: String,
    pub(crate) reason: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) traceparent: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// The answers with sequences from `first` to `last` that pass the filter, the newest first.
pub(crate) async fn log_page(
    db: impl PgExecutor<'_>,
    first: u64,
    last: u64,
    filter: LogFilter<'_>,
    rows_max: i64,
) -> sqlx::Result<Vec<LogRow>> {
    let rows = sqlx::query_as!(
        LogRow,
        "select request_seq, subject, event_type, reason, client_id, published_at, traceparent, body
         from answer
         where request_seq between $1 and $2
           and ($3::text is null or split_part(subject, '.', 2) = any (string_to_array($3, ',')))
           and ($4::text is null or split_part(event_type, '.', 2) = $4)
           and ($5::text is null or client_id = $5)
           and ($6::uuid is null or payment_id = $6
                or request_seq in (select used.request_seq from batch_payment as used where used.payment_id = $6))
           and ($7::text is null or split_part(traceparent, '-', 2) = $7)
         order by request_seq desc limit $8",
        bigint_asked(first),
        bigint(last),
        filter.kind,
        filter.status,
        filter.client_id,
        filter.payment_id,
        filter.trace_id,
        rows_max,
    );
    rows.fetch_all(db).await
}

/// What the accounts of one currency and category come to.
pub(crate) struct CategorySum {
    pub(crate) currency: String,
    pub(crate) category: String,
    pub(crate) accounts: i64,
    /// On the normal side of the category.
    pub(crate) sum: Decimal,
}

/// The sums of all accounts, by currency and category.
pub(crate) async fn category_sums(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<CategorySum>> {
    let rows = sqlx::query_as!(
        CategorySum,
        r#"select currency as "currency!", category, count(*) as "accounts!", coalesce(sum(balance), 0) as "sum!"
           from account left join lateral (
               select balance from posting where account_seq = account.opened_seq order by number desc limit 1
           ) as last on true
           group by currency, category order by currency, category"#
    );
    rows.fetch_all(db).await
}

/// The same as it was when `seq` was the last request: the accounts that were open, with what they came to.
pub(crate) async fn category_sums_at(
    db: impl PgExecutor<'_>,
    seq: u64,
) -> sqlx::Result<Vec<CategorySum>> {
    let rows = sqlx::query_as!(
        CategorySum,
        r#"select currency as "currency!", category, count(*) as "accounts!", coalesce(sum(balance), 0) as "sum!"
           from account left join lateral (
               select balance from posting
               where account_seq = account.opened_seq and number = posting_number_at(account.opened_seq, $1) limit 1
           ) as last on true
           where opened_seq <= $1
           group by currency, category order by currency, category"#,
        bigint(seq),
    );
    rows.fetch_all(db).await
}
