//! What a statement is made of: its sums, and its lines from a position on.

use chrono::NaiveDate;
use common::money::Money;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::entry::{AccountPosting, Numbers};
use crate::core::book::account::{Account, normal_side, on_debit_side};
use crate::store::{self, ByValueDate, Place, Standing, StatementRow};

/// The order of a statement, and what belongs to a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// The day a posting was booked.
    #[default]
    Booked,
    /// The day a posting counts from, its value date.
    Effective,
}

/// From the first to the last day, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) from: NaiveDate,
    pub(crate) to: NaiveDate,
}

/// Why there is no statement, or no more of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// More digits than a decimal holds.
    #[error("account {0} has a sum beyond 28 digits")]
    Overflow(common::ids::AccountId),
    /// The books are wrong.
    #[error("account {account} closes with {closing}, its postings come to {found}")]
    Sum {
        account: common::ids::AccountId,
        closing: Money,
        found: Money,
    },
}

/// A cursor that this statement never gave.
#[derive(Debug, thiserror::Error)]
#[error("the cursor is none of this statement's: begin again without it")]
pub(crate) struct Malformed;

/// An account's history over some days, as it was known when `seq` was the last request.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) account: Account,
    pub(crate) days: Days,
    pub(crate) by: By,
    /// The last request that may be in it.
    pub(crate) seq: u64,
    /// Before the first day.
    pub(crate) opening: Money,
    /// After the last day.
    pub(crate) closing: Money,
    /// How many lines it has.
    pub(crate) count: u64,
    start: Position,
    reach: Reach,
}

/// Up to which numbers its postings go.
#[derive(Debug, Clone, Copy)]
enum Reach {
    Booked { last: u64 },
    Effective { to_number: u64, last: u64 },
}

/// Behind a line, or before the first one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    place: Place,
    /// By value date: as [`Standing::number`].
    number: u64,
    /// After that line.
    pub(crate) balance: Money,
}

impl Statement {
    /// Makes the sums of a statement; its lines are read when they are needed.
    pub(crate) async fn of(
        pool: &PgPool,
        account: Account,
        days: Days,
        by: By,
        seq: u64,
    ) -> Result<Self, Fault> {
        match by {
            By::Booked => Self::as_booked(pool, account, days, seq).await,
            By::Effective => Self::by_value_date(pool, account, days, seq).await,
        }
    }

    async fn as_booked(
        pool: &PgPool,
        account: Account,
        days: Days,
        seq: u64,
    ) -> Result<Self, Fault> {
        let booked = store::booked(pool, account.opened_seq, days.from, days.to, seq).await?;
        let currency = account.posted.currency();
        let opening = Money::stored(booked.opening, currency);
        let (first, last) = (natural(booked.first), natural(booked.last));
        Ok(Self {
            days,
            by: By::Booked,
            seq,
            opening,
            closing: Money::stored(booked.closing, currency),
            count: last.saturating_sub(first),
            start: Position {
                place: Place {
                    day: days.from,
                    number: first,
                },
                number: first,
                balance: opening,
            },
            reach: Reach::Booked { last },
            account,
        })
    }

    async fn by_value_date(
        pool: &PgPool,
        account: Account,
        days: Days,
        seq: u64,
    ) -> Result<Self, Fault> {
        let before = Place::end_of(days.from.pred_opt().unwrap_or(days.from));
        let end = Place::end_of(days.to);
        let opened_seq = account.opened_seq;
        let opening = store::standing(pool, opened_seq, before, seq, None).await?;
        let closing = store::standing(pool, opened_seq, end, seq, None).await?;
        let count = (closing.number + closing.correction_count)
            - (opening.number + opening.correction_count);
        let start = Position {
            place: before,
            number: natural(opening.number),
            balance: balance_at(&account, &opening)?,
        };
        Ok(Self {
            days,
            by: By::Effective,
            seq,
            opening: start.balance,
            closing: balance_at(&account, &closing)?,
            count: natural(count),
            start,
            reach: Reach::Effective {
                to_number: natural(closing.number),
                last: natural(closing.last),
            },
            account,
        })
    }

    /// Before its first line.
    pub(crate) fn start(&self) -> Position {
        self.start
    }

    /// The sequence that a cursor holds on to.
    pub(crate) fn seq_of(cursor: &str) -> Result<u64, Malformed> {
        let (seq, _) = cursor.split_once('-').ok_or(Malformed)?;
        digits(seq)
    }

    /// A cursor for the place behind a line: `seq-number`, and by value date its day.
    pub(crate) fn cursor(&self, position: Position) -> String {
        let (seq, Place { day, number }) = (self.seq, position.place);
        match self.by {
            By::Booked => format!("{seq}-{number}"),
            By::Effective => format!("{seq}-{number}-{}", day.format("%Y%m%d")),
        }
    }

    /// Where a cursor of this statement goes on.
    pub(crate) async fn resume(
        &self,
        pool: &PgPool,
        cursor: &str,
    ) -> Result<Result<Position, Malformed>, Fault> {
        let Ok(place) = self.place_of(cursor) else {
            return Ok(Err(Malformed));
        };
        let opened_seq = self.account.opened_seq;
        match self.reach {
            Reach::Booked { .. } => {
                let before = place.number + 1;
                let row = store::newest_rows(pool, opened_seq, Some(before), 1).await?;
                let row = row
                    .first()
                    .filter(|row| natural(row.number) == place.number);
                let currency = self.opening.currency();
                Ok(row.ok_or(Malformed).map(|row| Position {
                    place,
                    number: place.number,
                    balance: Money::stored(row.balance, currency),
                }))
            }
            Reach::Effective { .. } => {
                let standing = store::standing(pool, opened_seq, place, self.seq, None).await?;
                Ok(Ok(Position {
                    place,
                    number: natural(standing.number),
                    balance: balance_at(&self.account, &standing)?,
                }))
            }
        }
    }

    fn place_of(&self, cursor: &str) -> Result<Place, Malformed> {
        let mut parts = cursor.split('-');
        let mut next = || parts.next().ok_or(Malformed);
        let (seq, number) = (digits(next()?)?, digits(next()?)?);
        let (day, last) = match self.reach {
            Reach::Booked { last } => (self.days.to, last),
            Reach::Effective { last, .. } => (day(next()?)?, last),
        };
        let is_ours = parts.next().is_none()
            && seq == self.seq
            && (1..=last).contains(&number)
            && (self.by == By::Effective || number > self.start.number)
            && (self.days.from..=self.days.to).contains(&day);
        is_ours.then_some(Place { day, number }).ok_or(Malformed)
    }

    /// The lines behind a position, at most so many, and the position behind them. `None` where the statement ends.
    pub(crate) async fn lines(
        &self,
        pool: &PgPool,
        from: Position,
        lines_max: u32,
        numbers: &mut Numbers,
    ) -> Result<(Vec<AccountPosting>, Option<Position>), Fault> {
        let rows_max = i64::from(lines_max) + 1;
        let mut rows = self.rows(pool, from, rows_max).await?;
        let limit = usize::try_from(lines_max).unwrap_or(usize::MAX);
        let goes_on = rows.len() > limit;
        rows.truncate(limit);
        let mut at = from;
        let mut balanced = Vec::with_capacity(rows.len());
        for row in rows {
            at = self.behind(at, &row)?;
            balanced.push((at.balance, row));
        }
        let lines = AccountPosting::all_of(pool, self.account.id, balanced, numbers).await?;
        if goes_on {
            return Ok((lines, Some(at)));
        }
        if at.balance != self.closing {
            return Err(Fault::Sum {
                account: self.account.id,
                closing: self.closing,
                found: at.balance,
            });
        }
        Ok((lines, None))
    }

    async fn rows(
        &self,
        pool: &PgPool,
        from: Position,
        rows_max: i64,
    ) -> sqlx::Result<Vec<StatementRow>> {
        let opened_seq = self.account.opened_seq;
        let mut rows = match self.reach {
            Reach::Booked { last } => {
                let after = from.place.number;
                store::rows_as_booked(pool, opened_seq, after, last, rows_max).await?
            }
            Reach::Effective { to_number, last } => {
                let page = ByValueDate {
                    after: from.place,
                    after_number: from.number,
                    to: self.days.to,
                    to_number,
                    last,
                };
                store::rows_by_value_date(pool, opened_seq, page, rows_max).await?
            }
        };
        store::read_batches(pool, &mut rows).await?;
        Ok(rows)
    }

    /// The position behind a row that comes next.
    fn behind(&self, at: Position, row: &StatementRow) -> Result<Position, Fault> {
        let overflow = || Fault::Overflow(self.account.id);
        let added = on_normal_side(&self.account, row.amount);
        let number = natural(row.number);
        Ok(Position {
            place: Place {
                day: row
                    .effective_date
                    .unwrap_or_else(|| row.published_at.date_naive()),
                number,
            },
            number: match row.effective_date {
                Some(_) => at.number,
                None => number,
            },
            balance: at.balance.checked_add(added).ok_or_else(overflow)?,
        })
    }
}

/// What an account comes to, value dates included.
pub(crate) fn balance_at(account: &Account, standing: &Standing) -> Result<Money, Fault> {
    let booked = Money::stored(standing.balance, account.posted.currency());
    let corrected = booked.checked_add(on_normal_side(account, standing.correction));
    corrected.ok_or(Fault::Overflow(account.id))
}

/// An amount on the debit side, seen from the side on which the account grows.
fn on_normal_side(account: &Account, amount: Decimal) -> Money {
    let amount = Money::stored(amount, account.posted.currency());
    // Seen from there and from here it is the same step.
    on_debit_side(normal_side(account.category), amount)
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A number as this program writes it: without a sign or a zero in front.
fn digits(text: &str) -> Result<u64, Malformed> {
    let number: i64 = text.parse().map_err(|_| Malformed)?;
    let number = u64::try_from(number).map_err(|_| Malformed)?;
    (number.to_string() == text)
        .then_some(number)
        .ok_or(Malformed)
}

fn day(text: &str) -> Result<NaiveDate, Malformed> {
    let day = NaiveDate::parse_from_str(text, "%Y%m%d").map_err(|_| Malformed)?;
    (day.format("%Y%m%d").to_string() == text)
        .then_some(day)
        .ok_or(Malformed)
}
