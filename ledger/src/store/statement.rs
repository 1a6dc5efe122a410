//! An account's history: its balance by two clocks, and its postings in the order of either.
//!
//! Nothing here is rewritten, so what is read up to a sequence (`seq`) stays the same whatever is booked meanwhile.
//! `seq_before` and `posting_number_at` find moments; `migrations/0020_value_dates.sql` says how.

use chrono::{DateTime, NaiveDate, Utc};
use common::kinds::Answer;
use rust_decimal::Decimal;
use sqlx::PgExecutor;

use super::bulk::payment_answers;
use super::values::{bigint, bigint_asked, from_bigint};

/// The last decided request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Newest {
    pub(crate) seq: u64,
    /// The broker's timestamp of it; `None` while there is no request.
    pub(crate) published_at: Option<DateTime<Utc>>,
}

/// The last decided request and its time.
pub(crate) async fn newest(db: impl PgExecutor<'_>) -> sqlx::Result<Newest> {
    let row = sqlx::query!(
        r#"select seq, published_at as "published_at?" from cursor left join answer on request_seq = seq"#
    );
    let row = row.fetch_one(db).await?;
    Ok(Newest {
        seq: from_bigint(row.seq)?,
        published_at: row.published_at,
    })
}

/// The last request that was decided before a moment; 0 when there is none.
pub(crate) async fn seq_before(
    db: impl PgExecutor<'_>,
    moment: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let seq = sqlx::query_scalar!(r#"select seq_before($1) as "seq!""#, moment);
    from_bigint(seq.fetch_one(db).await?)
}

/// The first day of an account's history: the day it was opened, or an earlier value date.
pub(crate) async fn first_day(
    db: impl PgExecutor<'_>,
    account_seq: u64,
) -> sqlx::Result<Option<NaiveDate>> {
    sqlx::query_scalar!(
        r#"select least(
               (select (published_at at time zone 'UTC')::date from answer where request_seq = $1),
               (select min(effective_date) from posting where account_seq = $1 and effective_date is not null)
           ) as day"#,
        bigint(account_seq),
    )
    .fetch_one(db)
    .await
}

/// A place in an account's postings by value date: behind this day's posting of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) day: NaiveDate,
    pub(crate) number: u64,
}

impl Place {
    /// Behind all postings of a day.
    pub(crate) fn end_of(day: NaiveDate) -> Self {
        let number = u64::try_from(i64::MAX).expect("positive");
        Self { day, number }
    }
}

/// What an account comes to at a [`Place`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// The last request that is in it.
    pub(crate) seq: i64,
    /// The account's last posting by that request.
    pub(crate) last: i64,
    /// Of the postings that count from the day they were booked on, the place is behind those up to this number.
    pub(crate) number: i64,
    /// The balance after that posting, on the normal side.
    pub(crate) balance: Decimal,
    /// What value dates add to it, on the debit side.
    pub(crate) correction: Decimal,
    /// How many postings value dates add to it.
    pub(crate) correction_count: i64,
}

/// What an account came to by value date, as it was known when `seq` was the last request and before the moment
/// `recorded_before`, if there is one.
///
/// This is the balance after the last posting booked by both, the end of the day and that time; plus what was booked later
/// and counts from the day or before; minus what was booked by then and counts from later.
pub(crate) async fn standing(
    db: impl PgExecutor<'_>,
    account_seq: u64,
    place: Place,
    seq: u64,
    recorded_before: Option<DateTime<Utc>>,
) -> sqlx::Result<Standing> {
    let standing = sqlx::query_as!(
        Standing,
        r#"with asked as (
               select least($4, seq_before($5)) as seq
           ), days as (
               select seq, posting_number_at($1, seq) as last,
                      posting_number_at($1, least(seq, seq_before($2::date::timestamp at time zone 'UTC'))) as before_day,
                      posting_number_at($1, least(seq, seq_before(($2::date + 1)::timestamp at time zone 'UTC'))) as by_day
               from asked
           ), place as (
               select seq, last, greatest(before_day, least($3, by_day)) as number from days
           )
           select seq as "seq!", last as "last!", number as "number!",
                  coalesce((select balance from posting where account_seq = $1 and posting.number = place.number), 0) as "balance!",
                  coalesce(later.sum, 0) - coalesce(earlier.sum, 0) as "correction!",
                  later.count - earlier.count as "correction_count!"
           from place cross join lateral (
               select sum(amount), count(*) from posting
               where account_seq = $1 and effective_date is not null and (effective_date, posting.number) <= ($2, $3)
                 and posting.number > place.number and posting.number <= place.last
           ) as later cross join lateral (
               select sum(amount), count(*) from posting
               where account_seq = $1 and effective_date is not null and (effective_date, posting.number) > ($2, $3)
                 and posting.number <= place.number
           ) as earlier"#,
        bigint(account_seq),
        place.day,
        bigint(place.number),
        bigint(seq),
        recorded_before,
    );
    standing.fetch_one(db).await
}

/// The postings of an account that were booked on some days: behind `first`, up to `last`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Booked {
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// After the posting `first`.
    pub(crate) opening: Decimal,
    /// After the posting `last`.
    pub(crate) closing: Decimal,
}

/// The postings that were booked from one day to another by the requests up to `seq`.
pub(crate) async fn booked(
    db: impl PgExecutor<'_>,
    account_seq: u64,
    from: NaiveDate,
    to: NaiveDate,
    seq: u64,
) -> sqlx::Result<Booked> {
    let booked = sqlx::query_as!(
        Booked,
        r#"with range as (
               select posting_number_at($1, least($4, seq_before($2::date::timestamp at time zone 'UTC'))) as first,
                      posting_number_at($1, least($4, seq_before(($3::date + 1)::timestamp at time zone 'UTC'))) as last
           )
           select first as "first!", last as "last!",
                  coalesce((select balance from posting where account_seq = $1 and number = first), 0) as "opening!",
                  coalesce((select balance from posting where account_seq = $1 and number = last), 0) as "closing!"
           from range"#,
        bigint(account_seq),
        from,
        to,
        bigint(seq),
    );
    booked.fetch_one(db).await
}

/// One posting of a statement, with what its answer says.
#[derive(Debug)]
pub(crate) struct StatementRow {
    pub(crate) number: i64,
    pub(crate) request_seq: i64,
    /// On the debit side.
    pub(crate) amount: Decimal,
    /// After it, in the order of booking.
    pub(crate) balance: Decimal,
    pub(crate) effective_date: Option<NaiveDate>,
    pub(crate) published_at: DateTime<Utc>,
    /// `None` for a payment of a batch, until it is filled in.
    pub(crate) body: Option<Vec<u8>>,
    /// Which payment of a batch it is booked for, from 0.
    pub(crate) item: Option<i16>,
}

/// The postings behind number `after` up to `last`, in the order of booking.
pub(crate) async fn rows_as_booked(
    db: impl PgExecutor<'_>,
    account_seq: u64,
    after: u64,
    last: u64,
    rows_max: i64,
) -> sqlx::Result<Vec<StatementRow>> {
    let rows = sqlx::query_as!(
        StatementRow,
        // The limit makes it one look into the index for each answer; a join might read the whole table.
        r#"with page as materialized (
               select * from posting where account_seq = $1 and number > $2 and number <= $3 order by number limit $4
           )
           select number, page.request_seq, amount, balance, effective_date, published_at, item, body
           from page cross join lateral (
               select published_at, case when page.item is null then body end as body
               from answer where answer.request_seq = page.request_seq limit 1
           ) as answered order by number"#,
        bigint(account_seq),
        bigint(after),
        bigint(last),
        rows_max,
    );
    rows.fetch_all(db).await
}

/// The postings before number `before`, the newest first.
pub(crate) async fn newest_rows(
    db: impl PgExecutor<'_>,
    account_seq: u64,
    before: Option<u64>,
    rows_max: i64,
) -> sqlx::Result<Vec<StatementRow>> {
    let rows = sqlx::query_as!(
        StatementRow,
        r#"with page as materialized (
               select * from posting where account_seq = $1 and ($2::bigint is null or number < $2)
               order by number desc limit $3
           )
           select number, page.request_seq, amount, balance, effective_date, published_at, item, body
           from page cross join lateral (
               select published_at, case when page.item is null then body end as body
               from answer where answer.request_seq = page.request_seq limit 1
           ) as answered order by number desc"#,
        bigint(account_seq),
        before.map(bigint_asked),
        rows_max,
    );
    rows.fetch_all(db).await
}

/// Fills in what the answers to batches say of these postings: each answer is read once.
pub(crate) async fn read_batches(
    db: impl PgExecutor<'_>,
    rows: &mut [StatementRow],
) -> sqlx::Result<()> {
    let (places, rows): (Vec<_>, Vec<_>) = rows
        .iter_mut()
        .filter_map(|row| Some(((row.request_seq, row.item?), row)))
        .unzip();
    if places.is_empty() {
        return Ok(());
    }
    let answers = payment_answers(db, &places).await?;
    for (row, answer) in rows.into_iter().zip(answers) {
        row.body = Some(Answer::Payment(answer).to_json());
    }
    Ok(())
}

/// Where a page by value date begins and what it may reach.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByValueDate {
    /// The page begins behind it.
    pub(crate) after: Place,
    /// As in [`Standing`], of the page's beginning.
    pub(crate) after_number: u64,
    /// The last day.
    pub(crate) to: NaiveDate,
    /// As in [`Standing`], of the end of the last day.
    pub(crate) to_number: u64,
    /// The account's last posting that is known.
    pub(crate) last: u64,
}

/// The postings from a place on, by value date and then number: those that count from the day they were booked on, and
/// those with a value date of their own, each in its order, merged.
pub(crate) async fn rows_by_value_date(
    db: impl PgExecutor<'_>,
    account_seq: u64,
    page: ByValueDate,
    rows_max: i64,
) -> sqlx::Result<Vec<StatementRow>> {
    let rows = sqlx::query_as!(
        StatementRow,
        r#"with plain as materialized (
               select * from posting where account_seq = $1 and effective_date is null and number > $2 and number <= $3
               order by number limit $8
           ), dated as materialized (
               select * from posting where account_seq = $1 and effective_date is not null
                 and (effective_date, number) > ($4, $5) and effective_date <= $6 and number <= $7
               order by effective_date, number limit $8
           )
           select number as "number!", page.request_seq as "request_seq!", amount as "amount!", balance as "balance!",
                  effective_date as "effective_date?", published_at as "published_at!", item as "item?", body as "body?"
           from (select * from plain union all select * from dated) as page cross join lateral (
               select published_at, case when page.item is null then body end as body
               from answer where answer.request_seq = page.request_seq limit 1
           ) as answered
           order by coalesce(effective_date, (published_at at time zone 'UTC')::date), number limit $8"#,
        bigint(account_seq),
        bigint(page.after_number),
        bigint(page.to_number),
        page.after.day,
        bigint(page.after.number),
        page.to,
        bigint(page.last),
        rows_max,
    );
    rows.fetch_all(db).await
}
