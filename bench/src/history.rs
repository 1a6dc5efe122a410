//! How long it takes to look back: balances of a day and pages of a statement of an account with many postings, and the
//! trial balance of a moment.
//!
//! Everybody pays one account, one payment in a hundred with a value date before today. Questions are asked over HTTP, one at
//! a time, on a quiet bank.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use common::broker::BATCH_MESSAGES_MAX;
use common::kinds::client_request::ClientRequest as _;
use common::message::Outgoing;
use common::service::now;
use common::timestamp;
use common::token::Audience;
use indicatif::ProgressBar;
use local::{Part, Service};
use serde_json::Value;

use crate::bank::{BenchBank, STAFF};
use crate::costs::Peaks;
use crate::figure::Figure;
use crate::http::{self, Connection};
use crate::numbers::{float_len, grouped};
use crate::options::Size;
use crate::payments::Pattern;
use crate::report::{Check, Report};
use crate::saturate::end_to_end;

/// Accounts beside the one that everybody pays.
const ACCOUNTS: usize = 1_000;
/// Postings on that one.
const POSTINGS: usize = 1_000_000;
const POSTINGS_QUICK: usize = 20_000;
/// Payments that are made and sent at a time.
const BOOKED_AT_A_TIME: usize = 50_000;
/// One payment in so many has a value date.
const BACKDATED_EVERY: u32 = 100;
/// How often each question is asked in a run.
const ASKED: usize = 4;

/// How many steps the bar takes.
pub(crate) fn steps(size: Size) -> usize {
    let postings = postings(size);
    postings.div_ceil(step(postings)) + 1
}

/// At least two, so that there is a moment half-way.
fn step(postings: usize) -> usize {
    BOOKED_AT_A_TIME.min(postings / 2)
}

fn postings(size: Size) -> usize {
    if size.is_quick {
        POSTINGS_QUICK
    } else {
        POSTINGS
    }
}

/// On a bank of its own; returns the memory of its processes.
pub(crate) async fn history(
    program: &Path,
    size: Size,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<Peaks> {
    let mut bank = BenchBank::start(program, ACCOUNTS, bar).await?;
    bank.stop_part(Part::Payments);
    let postings = postings(size);
    let (mut booked, mut half) = (0, None);
    while booked < postings {
        bar.set_message(format!("history: {} booked", grouped(float_len(booked))));
        if booked >= postings / 2 {
            half.get_or_insert_with(now);
        }
        let count = step(postings).min(postings - booked);
        // A token lives a quarter of an hour, so each step takes its own.
        let tokens = bank.tokens(Audience::Log, 1).await?;
        let batches = batches(&mut bank, &tokens, count);
        end_to_end(&mut bank, batches).await?;
        booked += count;
        bar.inc(1);
    }
    bank.settle().await?;
    bar.set_message("history: looking back");
    let half = timestamp::text(&half.unwrap_or_else(now));
    let asking = Asking::new(&bank).await?;
    let figures = questions(asking, &half, postings, size).await?;
    report.figures.extend(figures);
    let summary = bank.check(bar).await?;
    report.checks.push(Check::of("history", summary));
    bar.inc(1);
    bank.stop().await
}

/// Payments to one account, some of them with a value date.
fn batches(bank: &mut BenchBank, tokens: &[String], count: usize) -> Vec<Vec<Outgoing>> {
    let today = now().date_naive();
    let mut maker = bank.maker(tokens, Pattern::OneCreditor);
    let places: Vec<u32> = (0..).take(count).collect();
    let mut message = |place: u32| {
        let mut body = maker.body(place);
        if place.is_multiple_of(BACKDATED_EVERY) {
            let back = u64::from(1 + place / BACKDATED_EVERY % 30);
            let day = today.checked_sub_days(chrono::Days::new(back));
            body.effective_date = day.map(|day| day.to_string());
        }
        body.message(maker.client, maker.token(place), None)
    };
    places
        .chunks(BATCH_MESSAGES_MAX)
        .map(|places| places.iter().map(|place| message(*place)).collect())
        .collect()
}

async fn questions(
    mut asking: Asking,
    half: &str,
    postings: usize,
    size: Size,
) -> Result<Vec<Figure>> {
    let account = asking.account.clone();
    let of = |what: &str| format!("/accounts/{account}/{what}");
    let page = asking.ask(&of("statement?limit=1")).await?;
    let (seq, to) = (&page["seq"], page["to"].as_str().context("a day")?);
    let number = page["count"]
        .as_u64()
        .context("a count")?
        .saturating_sub(25);
    let week_ago = now().date_naive() - chrono::TimeDelta::days(7);
    let first = |by: &str| of(&format!("statement?by={by}&limit=50"));
    let last = |by: &str, cursor: String| format!("{}&cursor={cursor}", first(by));
    let rows = [
        ("balance", "balance now", of("balance")),
        (
            "balance_of_day",
            "balance of a day a week ago",
            of(&format!("balance?effective={week_ago}")),
        ),
        (
            "balance_as_known",
            "balance of that day as known half-way",
            of(&format!("balance?effective={week_ago}&recorded={half}")),
        ),
        ("first_page", "statement, first page", first("booked")),
        (
            "last_page",
            "statement, last page",
            last("booked", format!("{seq}-{number}")),
        ),
        (
            "first_page_by_value_date",
            "statement by value date, first page",
            first("effective"),
        ),
        (
            "last_page_by_value_date",
            "statement by value date, last page",
            last(
                "effective",
                format!("{seq}-{number}-{}", to.replace('-', "")),
            ),
        ),
        (
            "trial_balance",
            "trial balance of 1 001 accounts as of half-way",
            format!("/trial-balance?as_of={half}"),
        ),
    ];
    let mut figures = Vec::new();
    for (key, title, path) in rows {
        asking.ask(&path).await?;
        let mut took = Vec::new();
        for _ in 0..ASKED * size.runs {
            let started = Instant::now();
            asking.ask(&path).await?;
            took.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        let title = format!("{title}; {} postings", grouped(float_len(postings)));
        figures.extend(Figure::new(
            &format!("history_{key}_ms"),
            &title,
            "ms",
            &took,
        ));
    }
    Ok(figures)
}

/// Asks the ledger.
struct Asking {
    connection: Connection,
    url: String,
    token: String,
    /// The account that everybody paid.
    account: String,
}

impl Asking {
    async fn new(bank: &BenchBank) -> Result<Self> {
        let url = bank.bank.url(Service::Ledger);
        let token = bank.tokens_of(STAFF, Audience::Http, 1).await?.concat();
        let account = bank.accounts.first().context("an account")?.to_string();
        Ok(Self {
            connection: Connection::open(&url).await?,
            url,
            token,
            account,
        })
    }

    async fn ask(&mut self, path: &str) -> Result<Value> {
        let request = http::get_as(&self.url, path, &self.token);
        self.connection.send_json(&request).await
    }
}
