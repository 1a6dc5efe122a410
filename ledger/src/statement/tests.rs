//! Statements, balances and trial balances of random histories in a real PostgreSQL, against a scan of the same postings.
//!
//! The history has payments that are backdated, many on one account in one request, several at one microsecond, and some of
//! the very first and last moments of a day. `QUITTANCE_SEED=N cargo test -p ledger statement` repeats a failure.

mod history;

use chrono::NaiveDate;
use common::kinds::posting::Direction;
use common::money::Money;
use rust_decimal::Decimal;

use self::history::{Fact, History, Random};
use super::{By, Days, Numbers, Statement, balance_at, just_behind};
use crate::core::book::account::{Account, normal_side};
use crate::store::{self, Place};

/// Random questions of each kind.
const QUESTIONS: u64 = 150;

#[tokio::test]
async fn history_is_what_a_scan_of_all_postings_says() {
    let mut random = Random::seeded();
    let seed = random.seed;
    let servers = local::testing::servers().await;
    let history = History::make(&servers, &mut random).await;
    moments(&history, &mut random, seed).await;
    balances(&history, &mut random, seed).await;
    statements(&history, &mut random, seed).await;
    trial_balances(&history, &mut random, seed).await;
    cursors(&history).await;
}

async fn moments(history: &History, random: &mut Random, seed: u64) {
    for _ in 0..QUESTIONS {
        let at = history.moment(random);
        let found = store::seq_before(&history.pool, at).await.expect("a seq");
        let before = history.times.iter().filter(|time| **time < at).count();
        assert_eq!(
            found,
            u64::try_from(before).expect("small"),
            "seed {seed}: {at}"
        );
    }
}

async fn balances(history: &History, random: &mut Random, seed: u64) {
    for _ in 0..QUESTIONS {
        let account = history.account(random);
        let (day, recorded) = (history.day(random), history.moment(random));
        let seq = history.newest();
        let standing = store::standing(
            &history.pool,
            account.opened_seq,
            Place::end_of(day),
            seq,
            Some(just_behind(recorded)),
        );
        let standing = standing.await.expect("a standing");
        let found = balance_at(account, &standing).expect("a sum");
        let known = history
            .facts_of(account)
            .filter(|fact| history.time_of(fact) <= recorded && history.day_of(fact) <= day);
        let expected = sum(account, known);
        assert_eq!(
            found, expected,
            "seed {seed}: {} on {day} as known at {recorded}",
            account.opened_seq
        );
    }
}

async fn statements(history: &History, random: &mut Random, seed: u64) {
    for question in 0..QUESTIONS {
        let account = history.account(random);
        let (one, other) = (history.day(random), history.day(random));
        let days = Days {
            from: one.min(other),
            to: one.max(other),
        };
        let by = if random.below(2) == 0 {
            By::Booked
        } else {
            By::Effective
        };
        let seq = random.below(history.newest() + 1);
        let lines_max = u32::try_from(1 + random.below(12)).expect("small");
        let what = format!("seed {seed}, {question}: {days:?} {by:?} as of {seq}");
        let day_of = |fact: &Fact| match by {
            By::Booked => history.time_of(fact).date_naive(),
            By::Effective => history.day_of(fact),
        };
        let known = || history.facts_of(account).filter(|fact| fact.seq <= seq);
        let opening = sum(account, known().filter(|fact| day_of(fact) < days.from));
        let range = days.from..=days.to;
        let mut expected: Vec<&Fact> = known()
            .filter(|fact| range.contains(&day_of(fact)))
            .collect();
        expected.sort_by_key(|fact| (day_of(fact), fact.number));

        let asked = Statement::of(&history.pool, account.clone(), days, by, seq);
        let statement = asked.await.expect("a statement");
        assert_eq!(statement.opening, opening, "{what}");
        assert_eq!(
            statement.count,
            u64::try_from(expected.len()).expect("small"),
            "{what}"
        );
        let lines = paged(history, &statement, lines_max).await;
        let mut running = opening;
        assert_eq!(lines.len(), expected.len(), "{what}");
        for (line, fact) in lines.iter().zip(&expected) {
            running = running
                .checked_add(on_normal_side(account, fact.amount))
                .expect("small");
            let direction = if fact.amount.is_sign_negative() {
                Direction::Credit
            } else {
                Direction::Debit
            };
            assert_eq!(
                (line.number, line.request_seq, line.effective_date),
                (fact.number, fact.seq, history.day_of(fact)),
                "{what}"
            );
            assert_eq!(line.direction, direction, "{what}");
            assert_eq!(line.balance, running.to_string(), "{what}");
        }
        assert_eq!(statement.closing, running, "{what}: opening + postings");
    }
}

/// All lines, page by page, each found again by its cursor.
async fn paged(
    history: &History,
    statement: &Statement,
    lines_max: u32,
) -> Vec<super::AccountPosting> {
    let (mut all, mut numbers) = (Vec::new(), Numbers::default());
    let mut at = statement.start();
    loop {
        let read = statement
            .lines(&history.pool, at, lines_max, &mut numbers)
            .await;
        let (lines, next) = read.expect("a page");
        all.extend(lines);
        let Some(next) = next else {
            return all;
        };
        let cursor = statement.cursor(next);
        let resumed = statement.resume(&history.pool, &cursor).await;
        let resumed = resumed.expect("no fault").expect("a cursor of its own");
        assert_eq!(resumed.balance, next.balance, "{cursor}");
        at = resumed;
    }
}

async fn trial_balances(history: &History, random: &mut Random, seed: u64) {
    for _ in 0..QUESTIONS {
        let seq = random.below(history.newest() + 1);
        let sums = store::category_sums_at(&history.pool, seq).await;
        for row in sums.expect("sums") {
            let accounts = history.accounts.iter().filter(|account| {
                account.opened_seq <= seq
                    && account.category.as_str() == row.category
                    && account.posted.currency().code() == row.currency
            });
            let expected = accounts.fold(Decimal::ZERO, |total, account| {
                let known = history.facts_of(account).filter(|fact| fact.seq <= seq);
                total + sum(account, known).amount()
            });
            assert_eq!(row.sum, expected, "seed {seed}: {} at {seq}", row.category);
        }
        let sums = store::category_sums_at(&history.pool, seq).await;
        let difference = sums
            .expect("sums")
            .iter()
            .fold(Decimal::ZERO, |total, row| match row.category.as_str() {
                "asset" | "expense" => total + row.sum,
                _ => total - row.sum,
            });
        assert_eq!(
            difference,
            Decimal::ZERO,
            "seed {seed}: all accounts at {seq}"
        );
    }
}

async fn cursors(history: &History) {
    let account = &history.accounts[0];
    let days = Days {
        from: NaiveDate::from_ymd_opt(1000, 1, 1).expect("a day"),
        to: history.days.1,
    };
    let seq = history.newest();
    for (by, good) in [
        (By::Booked, format!("{seq}-1")),
        (By::Effective, String::new()),
    ] {
        let asked = Statement::of(&history.pool, account.clone(), days, by, seq);
        let statement = asked.await.expect("a statement");
        let end = Money::zero(account.posted.currency());
        assert_eq!(statement.opening, end);
        for cursor in [
            "",
            "-",
            "x",
            "1",
            "0-0",
            &format!("{seq}-"),
            &format!("{seq}-0"),
            &format!("{seq}-01"),
            &format!("{seq}-+1"),
            &format!("{seq}--1"),
            &format!("{seq}-1-"),
            &format!("{seq}-1-2026"),
            &format!("{seq}-1-20260231"),
            &format!("{seq}-1-20260101-"),
            &format!("{seq}-99999"),
            &format!("{seq}-99999-20260101"),
            &format!("{seq}-9223372036854775807"),
            &format!("{seq}-9223372036854775808-20260101"),
            &format!("{}-1", seq - 1),
            &format!("{seq}-1-20990101"),
        ] {
            let resumed = statement.resume(&history.pool, cursor).await;
            assert!(resumed.expect("no fault").is_err(), "{by:?} {cursor:?}");
        }
        if !good.is_empty() {
            let resumed = statement.resume(&history.pool, &good).await;
            assert!(resumed.expect("no fault").is_ok(), "{good}");
        }
    }
}

fn sum<'f>(account: &Account, facts: impl Iterator<Item = &'f Fact>) -> Money {
    let zero = Money::zero(account.posted.currency());
    facts.fold(zero, |total, fact| {
        let amount = on_normal_side(account, fact.amount);
        total.checked_add(amount).expect("small")
    })
}

fn on_normal_side(account: &Account, amount: Decimal) -> Money {
    let amount = Money::stored(amount, account.posted.currency());
    match normal_side(account.category) {
        Direction::Debit => amount,
        Direction::Credit => amount.negated(),
    }
}
