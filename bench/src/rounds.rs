//! Saturated cases in rounds: each round runs every case once, so that a ratio compares neighbours in time and a slow
//! minute of the machine affects all of them.

use std::time::Duration;

use anyhow::Result;
use common::broker::BATCH_MESSAGES_MAX;
use common::message::Outgoing;
use indicatif::ProgressBar;
use local::Servers;

use crate::bank::BenchBank;
use crate::figure::{Figure, Run};
use crate::options::{Scenario, Size};
use crate::payments::Pattern;
use crate::saturate::{broker_limit, end_to_end, ledger_limit};

/// What answers the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Echo,
    Ledger,
    LedgerWithBacklog,
}

/// One kind of saturated run.
struct Case {
    scenario: Scenario,
    key: &'static str,
    title: &'static str,
    /// The ratio to another case that the figure is about: its key, its title, the other's key.
    ratio: Option<(&'static str, &'static str, &'static str)>,
    how: How,
    tokens: usize,
    pattern: Pattern,
}

const BROKER_LIMIT: &str = "broker_limit_per_s";
const END_TO_END: &str = "end_to_end_per_s";

const CASES: [Case; 8] = [
    Case {
        scenario: Scenario::Broker,
        key: BROKER_LIMIT,
        title: "broker limit: publish, read, publish, read",
        ratio: None,
        how: How::Echo,
        tokens: 1,
        pattern: Pattern::Uniform,
    },
    Case {
        scenario: Scenario::Nats,
        key: END_TO_END,
        title: "end to end over NATS, 1 token",
        ratio: Some((
            "end_to_end_over_broker_limit",
            "end to end, 1 token / broker limit",
            BROKER_LIMIT,
        )),
        how: How::Ledger,
        tokens: 1,
        pattern: Pattern::Uniform,
    },
    Case {
        scenario: Scenario::Nats,
        key: "end_to_end_100_tokens_per_s",
        title: "end to end over NATS, 100 tokens",
        ratio: Some((
            "end_to_end_100_tokens_over_broker_limit",
            "end to end, 100 tokens / broker limit",
            BROKER_LIMIT,
        )),
        how: How::Ledger,
        tokens: 100,
        pattern: Pattern::Uniform,
    },
    Case {
        scenario: Scenario::Nats,
        key: "end_to_end_10000_tokens_per_s",
        title: "end to end over NATS, 10 000 tokens",
        ratio: Some((
            "end_to_end_10000_tokens_over_broker_limit",
            "end to end, 10 000 tokens / broker limit",
            BROKER_LIMIT,
        )),
        how: How::Ledger,
        tokens: 10_000,
        pattern: Pattern::Uniform,
    },
    Case {
        scenario: Scenario::Ledger,
        key: "ledger_limit_per_s",
        title: "ledger limit: requests already in the stream",
        ratio: None,
        how: How::LedgerWithBacklog,
        tokens: 1,
        pattern: Pattern::Uniform,
    },
    Case {
        scenario: Scenario::Hot,
        key: "hot_10_accounts_per_s",
        title: "end to end, all payments on 10 accounts",
        ratio: Some((
            "hot_10_accounts_over_uniform",
            "10 accounts / uniform",
            END_TO_END,
        )),
        how: How::Ledger,
        tokens: 1,
        pattern: Pattern::TenAccounts,
    },
    Case {
        scenario: Scenario::Hot,
        key: "zipfian_accounts_per_s",
        title: "end to end, zipfian accounts",
        ratio: Some((
            "zipfian_accounts_over_uniform",
            "zipfian accounts / uniform",
            END_TO_END,
        )),
        how: How::Ledger,
        tokens: 1,
        pattern: Pattern::Zipfian,
    },
    Case {
        scenario: Scenario::Hot,
        key: "hot_1_account_per_s",
        title: "end to end, one creditor for all payments",
        ratio: Some((
            "hot_1_account_over_uniform",
            "one creditor / uniform",
            END_TO_END,
        )),
        how: How::Ledger,
        tokens: 1,
        pattern: Pattern::OneCreditor,
    },
];

/// What is measured, and with what.
pub(crate) struct Rounds<'a> {
    pub(crate) bank: &'a mut BenchBank,
    /// The broker alone, when its limit is wanted.
    pub(crate) broker: Option<&'a Servers>,
    /// A real answer of the bank, for the echo.
    pub(crate) answer: &'a Outgoing,
    /// 10 000, or fewer when no case needs so many.
    pub(crate) tokens: &'a [String],
    pub(crate) size: Size,
}

/// How many rounds there are and how many cases in each, for the bar.
pub(crate) fn steps(only: &[Scenario], size: Size) -> usize {
    cases(only).count() * (size.runs + 1)
}

fn cases(only: &[Scenario]) -> impl Iterator<Item = &'static Case> {
    let has = |scenario| only.contains(&scenario);
    let uniform_is_wanted = has(Scenario::Hot);
    CASES.iter().filter(move |case| {
        only.contains(&case.scenario) || (uniform_is_wanted && case.key == END_TO_END)
    })
}

impl Rounds<'_> {
    /// One round to warm up, then the rounds that count. The figures, those of single cases first.
    pub(crate) async fn run(mut self, only: &[Scenario], bar: &ProgressBar) -> Result<Vec<Figure>> {
        let cases: Vec<&Case> = cases(only).collect();
        let mut runs: Vec<Vec<Run>> = vec![Vec::new(); cases.len()];
        for round in 0..=self.size.runs {
            for (case, runs) in cases.iter().zip(&mut runs) {
                let what = if round == 0 {
                    "warm-up".to_owned()
                } else {
                    format!("round {round} of {}", self.size.runs)
                };
                bar.set_message(format!("{what}: {}", case.title));
                if round == 0 && self.size.is_quick && case.scenario == Scenario::Hot {
                    // The same path as the uniform case, which has warmed it up.
                    continue;
                }
                let count = if round == 0 {
                    self.size.payments / 10
                } else {
                    self.size.payments
                };
                let run = self.one(case, count).await?;
                if round > 0 {
                    runs.push(run);
                }
                bar.inc(1);
            }
        }
        let mut figures = Vec::new();
        for (case, runs) in cases.iter().zip(&runs) {
            figures.extend(Figure::of_runs(case.key, case.title, runs));
        }
        for (case, runs_of_case) in cases.iter().zip(&runs) {
            let Some((key, title, other)) = case.ratio else {
                continue;
            };
            let Some(other) = cases.iter().position(|case| case.key == other) else {
                continue;
            };
            let ratios: Vec<f64> = runs_of_case
                .iter()
                .zip(&runs[other])
                .map(|(run, other)| run.per_second / other.per_second)
                .collect();
            figures.extend(Figure::new(key, title, "ratio", &ratios));
        }
        Ok(figures)
    }

    async fn one(&mut self, case: &Case, count: usize) -> Result<Run> {
        let tokens = &self.tokens[..case.tokens.min(self.tokens.len())];
        let mut maker = self.bank.maker(tokens, case.pattern);
        // Made before the clock starts: the producer's own work is not measured.
        let batches = maker.batches(count, BATCH_MESSAGES_MAX);
        // Let the run before finish its background work on its own time.
        tokio::time::sleep(Duration::from_millis(50)).await;
        match case.how {
            How::Echo => {
                let broker = self.broker.expect("started for this scenario");
                broker_limit(broker, self.answer, batches).await
            }
            How::Ledger => end_to_end(self.bank, batches).await,
            How::LedgerWithBacklog => ledger_limit(self.bank, batches).await,
        }
    }
}
