//! A random history, in the tables and in memory.

use std::collections::HashMap;
use std::env;
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use common::kinds::account::Category;
use common::kinds::posting::Direction;
use common::money::{Currency, Money};
use local::Servers;
use rust_decimal::Decimal;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use crate::core::book::account::{Account, Status, normal_side};
use crate::store;

const REQUESTS: u64 = 600;
const CATEGORIES: [Category; 5] = [
    Category::Asset,
    Category::Liability,
    Category::Income,
    Category::Expense,
    Category::Liability,
];
const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);

/// A posting.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) account_seq: u64,
    pub(super) number: u64,
    pub(super) seq: u64,
    /// On the debit side.
    pub(super) amount: Decimal,
    pub(super) effective_date: Option<NaiveDate>,
}

/// What was booked, and when.
pub(super) struct History {
    pub(super) pool: PgPool,
    pub(super) accounts: Vec<Account>,
    /// Of requests 1, 2, ….
    pub(super) times: Vec<DateTime<Utc>>,
    facts: Vec<Fact>,
    /// A day before the first one, and one behind the last.
    pub(super) days: (NaiveDate, NaiveDate),
}

impl History {
    /// Books as many random requests as there is room for in a test.
    pub(super) async fn make(servers: &Servers, random: &mut Random) -> Self {
        let pool = store::testing::tables(servers).await;
        let accounts: Vec<_> = (1..).zip(CATEGORIES).map(account).collect();
        let first: DateTime<Utc> = "2026-01-01T23:59:59.999999Z".parse().expect("a time");
        let mut at = first;
        let mut times = Vec::new();
        let mut facts = Vec::new();
        let mut sums: HashMap<u64, (u64, Decimal)> = HashMap::new();
        for seq in 1..=REQUESTS {
            times.push(at);
            // The first requests opened the accounts.
            if seq > CATEGORIES.len().try_into().expect("small") {
                let day = at.date_naive();
                let booked = transaction(random, day);
                for (account_seq, amount, effective_date) in booked {
                    let (number, sum) = sums.entry(account_seq).or_default();
                    (*number, *sum) = (*number + 1, *sum + amount);
                    let number = *number;
                    facts.push(Fact {
                        account_seq,
                        number,
                        seq,
                        amount,
                        effective_date,
                    });
                }
            }
            at = later(random, at);
        }
        let days = (
            first.date_naive() - TimeDelta::days(40),
            at.date_naive() + TimeDelta::days(1),
        );
        let this = Self {
            pool,
            accounts,
            times,
            facts,
            days,
        };
        this.store().await;
        this
    }

    async fn store(&self) {
        let mut statements = vec![String::new(); 3];
        for account in &self.accounts {
            write!(
                statements[0],
                ", ('{}', 'x', null, 'EUR', '{}', 'open', 1000000, 0, {})",
                account.id,
                account.category.as_str(),
                account.opened_seq
            )
            .expect("into memory");
        }
        for (seq, at) in (1_u64..).zip(&self.times) {
            let at = at.to_rfc3339();
            write!(
                statements[1],
                ", ({seq}, 'settlement.x', 'new.kind.v1', '{at}', sha256('r'), '{{}}', sha256('c'))"
            )
            .expect("into memory");
        }
        let mut balances: HashMap<u64, Decimal> = HashMap::new();
        for fact in &self.facts {
            let account = self.by_seq(fact.account_seq);
            let balance = balances.entry(fact.account_seq).or_default();
            *balance += match normal_side(account.category) {
                Direction::Debit => fact.amount,
                Direction::Credit => -fact.amount,
            };
            let effective = fact.effective_date.map(|day| format!("'{day}'::date"));
            write!(
                statements[2],
                ", ({}, {}, {}, {}, {balance}, {})",
                fact.account_seq,
                fact.number,
                fact.seq,
                fact.amount,
                effective.as_deref().unwrap_or("null")
            )
            .expect("into memory");
        }
        let tables = [
            "account",
            "answer (request_seq, subject, event_type, published_at, request_digest, body, chain)",
            "posting (account_seq, number, request_seq, amount, balance, effective_date)",
        ];
        for (table, rows) in tables.iter().zip(&statements) {
            let rows = rows.trim_start_matches(", ");
            let insert = format!("insert into {table} values {rows}");
            self.run(insert).await;
        }
        self.run(format!("update cursor set seq = {REQUESTS}"))
            .await;
    }

    async fn run(&self, statement: String) {
        let done = sqlx::query(AssertSqlSafe(statement)).execute(&self.pool);
        done.await.expect("a history that the walls let in");
    }

    pub(super) fn newest(&self) -> u64 {
        REQUESTS
    }

    pub(super) fn facts_of(&self, account: &Account) -> impl Iterator<Item = &Fact> {
        let of = account.opened_seq;
        self.facts.iter().filter(move |fact| fact.account_seq == of)
    }

    pub(super) fn time_of(&self, fact: &Fact) -> DateTime<Utc> {
        let index = usize::try_from(fact.seq - 1).expect("small");
        self.times[index]
    }

    /// Its value date.
    pub(super) fn day_of(&self, fact: &Fact) -> NaiveDate {
        let booked = || self.time_of(fact).date_naive();
        fact.effective_date.unwrap_or_else(booked)
    }

    fn by_seq(&self, opened_seq: u64) -> &Account {
        let mut accounts = self.accounts.iter();
        let found = accounts.find(|account| account.opened_seq == opened_seq);
        found.expect("an account of the history")
    }

    /// One of the accounts.
    pub(super) fn account(&self, random: &mut Random) -> &Account {
        random.one_of(&self.accounts)
    }

    /// A day of the history, or around it.
    pub(super) fn day(&self, random: &mut Random) -> NaiveDate {
        let (first, last) = self.days;
        let days = u64::try_from((last - first).num_days()).expect("forwards");
        first + TimeDelta::days(i64::try_from(random.below(days + 1)).expect("small"))
    }

    /// The time of a request, the moment before or behind it, or any midnight.
    pub(super) fn moment(&self, random: &mut Random) -> DateTime<Utc> {
        let at = *random.one_of(&self.times);
        match random.below(4) {
            0 => at - MICROSECOND,
            1 => at + MICROSECOND,
            2 => self
                .day(random)
                .and_hms_opt(0, 0, 0)
                .expect("midnight")
                .and_utc(),
            _ => at,
        }
    }
}

fn account((opened_seq, category): (u64, Category)) -> Account {
    let zero = Money::zero(Currency::from_code("EUR").expect("a currency"));
    Account {
        id: common::ids::AccountId(Uuid::from_u128(opened_seq.into())),
        owner: "x".to_owned(),
        name: None,
        metadata: std::collections::BTreeMap::new(),
        category,
        status: Status::Open,
        overdraft_limit: zero,
        posted: zero,
        postings: 0,
        held: zero,
        controls: None,
        opened_seq,
    }
}

/// What one request books: nothing, one payment, or many, perhaps all on the same two accounts.
fn transaction(random: &mut Random, booked: NaiveDate) -> Vec<(u64, Decimal, Option<NaiveDate>)> {
    let payments = match random.below(10) {
        0 => 0,
        1 => 2 + random.below(8),
        _ => 1,
    };
    let accounts = u64::try_from(CATEGORIES.len()).expect("small");
    let mut postings = Vec::new();
    for _ in 0..payments {
        let debtor = 1 + random.below(accounts);
        let creditor = 1 + (debtor + random.below(accounts - 1)) % accounts;
        let minor = 1 + i64::try_from(random.below(10_000)).expect("small");
        let amount = Decimal::new(minor, 2);
        // Most count from the day they are booked on; a few from a later day, which a request can't ask for today.
        let effective_date = match random.below(10) {
            0..3 => booked.checked_sub_days(chrono::Days::new(1 + random.below(40))),
            3 => booked.checked_add_days(chrono::Days::new(1 + random.below(5))),
            _ => None,
        };
        postings.push((debtor, amount, effective_date));
        postings.push((creditor, -amount, effective_date));
    }
    postings
}

/// The time of the next request: the same, a moment or days later, or just before or at midnight.
fn later(random: &mut Random, at: DateTime<Utc>) -> DateTime<Utc> {
    let midnight = (at.date_naive() + TimeDelta::days(1)).and_hms_opt(0, 0, 0);
    let midnight = midnight.expect("midnight").and_utc();
    match random.below(12) {
        0 => at,
        1 => at + MICROSECOND,
        2 => midnight,
        3 => (midnight - MICROSECOND).max(at),
        4 => at + TimeDelta::days(i64::try_from(random.below(4)).expect("small")),
        _ => at + TimeDelta::seconds(i64::try_from(random.below(9000)).expect("small")),
    }
}

/// Pseudo-random numbers (splitmix64).
pub(super) struct Random {
    pub(super) seed: u64,
    state: u64,
}

impl Random {
    /// By `QUITTANCE_SEED`, or by the time.
    pub(super) fn seeded() -> Self {
        let asked = env::var("QUITTANCE_SEED").ok();
        let by_time = || common::service::now().timestamp_subsec_nanos().into();
        let seed = asked.map_or_else(by_time, |seed| seed.parse().expect("a number"));
        Self { seed, state: seed }
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn one_of<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        let index = self.below(u64::try_from(list.len()).expect("small"));
        &list[usize::try_from(index).expect("small")]
    }
}
