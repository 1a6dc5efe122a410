//! The ledger against a reference that is written for clarity: random requests to the real one on PostgreSQL and NATS, and
//! the same log through the reference; answers, balances and histories must be equal.
//!
//! It runs for some seconds. `QUITTANCE_MODEL_SECONDS=600 cargo test -p ledger --test model` runs it longer, and
//! `QUITTANCE_SEED`, which is printed, repeats a mix.

mod log;
mod mix;
mod random;
mod reference;
mod system;
mod tamper;

#[path = "../golden_log/key.rs"]
#[expect(dead_code, reason = "the golden log needs more of it")]
mod key;

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use common::message::Stored;
use common::service::now;
use serde_json::Value;

use crate::log::Request;
use crate::mix::Mix;
use crate::reference::{Expected, Item, Reference};
use crate::system::System;

/// So long it runs unless it is asked for more.
const SECONDS: u64 = 3;
/// Requests between two openings of new accounts.
const ROUND: usize = 2000;
/// Requests that are published before their answers are compared.
const PORTION: usize = 250;

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_what_the_reference_says() {
    let seed = seeded();
    let asked = env::var("QUITTANCE_MODEL_SECONDS").ok();
    let seconds = asked.map_or(SECONDS, |text| text.parse().expect("a number"));
    let mut system = System::start().await;
    let (begun, lasts) = (Instant::now(), Duration::from_secs(seconds));
    let mut model = Model::default();
    let mut mix = Mix::new(seed);
    while begun.elapsed() < lasts {
        let last = system.publish(mix.opening()).await;
        model.compare(system.answered(last).await);
        for _ in 0..ROUND / PORTION {
            let requests = (0..PORTION).map(|_| mix.next()).collect();
            let last = system.publish(requests).await;
            mix.hear(model.compare(system.answered(last).await).into_iter());
        }
    }
    // The ledger may go on to announce the ends of holds.
    while let Some(further) = system.compare_books(&model.reference, model.seen).await {
        if further > model.seen {
            model.compare(system.answered(further).await);
        }
    }
    system.audit().await;
    eprintln!("{} requests: {:#?}", model.seen, model.outcomes);
    model.every_outcome_was_met();
}

/// By `QUITTANCE_SEED`, or by the time.
#[expect(clippy::print_stderr, reason = "whoever sees it fail needs the seed")]
fn seeded() -> u64 {
    let asked = env::var("QUITTANCE_SEED").ok();
    let by_time = || u64::from(now().timestamp_subsec_nanos());
    let seed = asked.map_or_else(by_time, |seed| seed.parse().expect("a number"));
    eprintln!("QUITTANCE_SEED={seed} cargo test -p ledger --test model repeats this mix");
    seed
}

#[derive(Default)]
struct Model {
    reference: Reference,
    /// How far it is.
    seen: u64,
    /// How often each kind had each outcome.
    outcomes: BTreeMap<String, u64>,
}

impl Model {
    /// Compares answers with the reference. Returns the ids of what was granted.
    fn compare(&mut self, pairs: Vec<(Stored, Stored)>) -> Vec<String> {
        let mut granted = Vec::new();
        for (request, answer) in pairs {
            self.seen += 1;
            assert_eq!((request.sequence, answer.sequence), (self.seen, self.seen));
            let request = Request::of(&request);
            let expected = self.reference.answer(&request);
            let answer: Value = serde_json::from_slice(&answer.payload).expect("JSON");
            let seen = said(&answer, &expected);
            assert_eq!(
                seen, expected,
                "request {}, {} at {}: {}\nunder {:?}\nis answered {answer}",
                request.seq, request.subject, request.at, request.body, request.claims
            );
            let is_whole = expected.status == "reversed" && expected.amount.is_none();
            let detail = if is_whole { "whole" } else { "" };
            let reason = expected.reason.unwrap_or(detail);
            let outcome = format!("{} {} {reason}", request.kind, expected.status);
            *self.outcomes.entry(outcome).or_default() += 1;
            for item in &expected.items {
                let reason = item.reason.as_deref().unwrap_or_default();
                let outcome = format!("item {} {reason}", item.status);
                *self.outcomes.entry(outcome).or_default() += 1;
            }
            let payments = request.body["payments"].as_array().into_iter().flatten();
            let settled = payments.zip(&expected.items);
            let settled = settled.filter(|(_, item)| item.status == "settled");
            granted.extend(
                settled
                    .filter_map(|(payment, _)| payment["payment_id"].as_str().map(str::to_owned)),
            );
            if !matches!(expected.status, "rejected" | "duplicate") {
                granted.extend(request.body["payment_id"].as_str().map(str::to_owned));
            }
        }
        granted
    }

    /// A mix that meets little proves little.
    fn every_outcome_was_met(&self) {
        for outcome in [
            "payment settled ",
            "payment duplicate ",
            "payment rejected AM04",
            "payment rejected AM05",
            "payment rejected AG01",
            "payment rejected AC06",
            "hold authorised ",
            "capture captured ",
            "void voided ",
            "reversal reversed ",
            "reversal reversed whole",
            "transaction settled ",
            "payment-batch answered ",
            "item settled ",
            "item duplicate ",
            "item rejected AM04",
            "item rejected NARR",
            "expiry expired ",
            "account limited ",
            "account frozen ",
            "auth noted ",
        ] {
            assert!(
                self.outcomes.contains_key(outcome),
                "no request was {outcome}"
            );
        }
    }
}

/// What an answer says of that which is expected.
fn said(answer: &Value, expected: &Expected) -> Expected {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let postings = answer["postings"].as_array().into_iter().flatten();
    let postings = postings.map(|posting| {
        let word = |name: &str| text(&posting[name]).unwrap_or_default();
        let account = word("account").parse().expect("an id");
        (
            account,
            word("direction"),
            word("amount"),
            text(&posting["balance"]),
        )
    });
    let original = |value: &Value| {
        let original = &value["original"];
        original["request_seq"].as_u64().map(|seq| {
            let status = text(&original["status"]).unwrap_or_default();
            (seq, status, text(&original["reason"]))
        })
    };
    let items = answer["payments"].as_array().into_iter().flatten();
    let items = items.map(|item| Item {
        status: text(&item["status"]).unwrap_or_default(),
        reason: text(&item["reason"]["code"]),
        original: original(item),
        may_retry: item["may_retry"] == true,
    });
    let is_status = |status: &&str| answer["status"] == *status;
    let is_reason = |reason: &&str| answer["reason"]["code"] == *reason;
    let status = STATUSES.into_iter().find(is_status);
    Expected {
        status: status.expect("a known status"),
        reason: REASONS.into_iter().find(is_reason),
        // What was asked for is repeated where nothing came of it.
        amount: expected
            .amount
            .as_ref()
            .and_then(|_| text(&answer["amount"])),
        remaining: text(&answer["remaining"]),
        postings: postings.collect(),
        original: original(answer),
        may_retry: answer["may_retry"] == true,
        items: items.collect(),
    }
}

const STATUSES: [&str; 16] = [
    "answered",
    "settled",
    "rejected",
    "duplicate",
    "authorised",
    "captured",
    "voided",
    "reversed",
    "expired",
    "opened",
    "frozen",
    "unfrozen",
    "closed",
    "limited",
    "noted",
    "raised",
];
const REASONS: [&str; 15] = [
    "AC02", "AC03", "AC04", "AC06", "AG01", "AM02", "AM03", "AM04", "AM05", "AM12", "AM14", "DT01",
    "FF01", "NARR", "NOOR",
];
