//! The scenarios in their order: which bank each needs, what it measures there, and the check before the bank goes.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use common::broker::BATCH_MESSAGES_MAX;
use common::token::Audience;
use indicatif::ProgressBar;
use local::Part;

use crate::bank::{self, BenchBank};
use crate::costs::Peaks;
use crate::figure::Figure;
use crate::latency::{Entrance, Latency};
use crate::machine;
use crate::numbers::float;
use crate::options::{Scenario, Size};
use crate::pace::{self, Offer};
use crate::payments::{Pattern, bytes};
use crate::report::{Check, Report};
use crate::rounds::{self, Rounds};
use crate::saturate::{end_to_end, sample_answer};
use crate::{bulk, door, gateway, grants, growth, history, logins, pgbench, replay, tokens};

/// Payments offered per second in the curves; the targets are about the first and the last rate.
const RATES: [u32; 6] = [100, 500, 1000, 2000, 3000, 5000];
const RATES_QUICK: [u32; 3] = [100, 1000, 5000];
/// Those whose percentiles are quoted, and so measured several times.
const QUOTED: [u32; 2] = [100, 5000];

/// Goes through the scenarios.
pub(crate) async fn run(
    program: &Path,
    only: &[Scenario],
    size: Size,
    bar: &ProgressBar,
) -> Result<Report> {
    let has = |scenario| only.contains(&scenario);
    let latency_steps = offers(size).len();
    let mut steps = rounds::steps(only, size);
    for (scenario, more) in [
        (Scenario::Nats, latency_steps),
        (Scenario::Http, latency_steps),
        (Scenario::Door, door::steps(size)),
        (Scenario::Bulk, bulk::steps(size)),
        (Scenario::Gateway, gateway::steps(size)),
        (Scenario::History, history::steps(size)),
        (Scenario::Grants, grants::steps(size)),
        (Scenario::Logins, logins::steps(size)),
    ] {
        steps += if has(scenario) { more } else { 0 };
    }
    bar.set_length(u64::try_from(steps + 2)?);

    let mut bank = BenchBank::start(program, size.accounts, bar).await?;
    // Its projection is not on the way from a request to its answer, but uses the same two cores.
    bank.stop_part(Part::Payments);
    bar.set_message("fetching tokens");
    let needed = if has(Scenario::Nats) { 10_000 } else { 100 };
    let tokens = bank.tokens(Audience::Log, needed).await?;
    let request = bank.maker(&tokens, Pattern::Uniform).message(0);
    let request_bytes = bytes(&request);
    let answer = sample_answer(&bank, request).await?;
    let producer = bank.connect(bank::SHOP).await?;
    let mut report = Report {
        quick: size.is_quick,
        took_s: 0.0,
        cpu_used_by_others: 0.0,
        machine: machine::machine(bank.bank.home().path())?,
        versions: machine::versions(&bank.bank, &producer).await?,
        settings: machine::settings(&bank.bank, request_bytes, bytes(&answer)).await?,
        figures: Vec::new(),
        latencies: Vec::new(),
        checks: Vec::new(),
        notes: notes(size),
    };

    let broker = if has(Scenario::Broker) {
        bar.set_message("starting a broker");
        Some(bank::bare_broker().await?)
    } else {
        None
    };
    let rounds = Rounds {
        bank: &mut bank,
        broker: broker.as_ref(),
        answer: &answer,
        tokens: &tokens,
        size,
    };
    let figures = rounds.run(only, bar).await?;
    report.figures.extend(figures);
    drop(broker);
    if has(Scenario::Nats) {
        // A token lives a quarter of an hour.
        let tokens = bank.tokens(Audience::Log, 100).await?;
        curve(&mut bank, Entrance::Direct, &tokens, size, &mut report, bar).await?;
    }
    let tokens = bank.tokens(Audience::Log, 1).await?;
    beside(&mut bank, only, &tokens, size, &mut report, bar).await?;
    let started = Instant::now();
    let summary = bank.check(bar).await?;
    let replayed = float(summary.requests) / started.elapsed().as_secs_f64();
    report.checks.push(Check::of("over NATS", summary));
    bar.inc(1);
    if has(Scenario::Replay) {
        let figures = replay::figures(&bank, replayed, bar).await?;
        report.figures.extend(figures);
    }
    let mut memory = bank.stop().await?;

    if has(Scenario::Http) {
        memory.merge(&http(program, size, &mut report, bar).await?);
    }
    if has(Scenario::Door) {
        memory.merge(&door::door(program, size, &mut report, bar).await?);
    }
    if has(Scenario::Bulk) {
        memory.merge(&bulk::bulk(program, size, &mut report, bar).await?);
    }
    if has(Scenario::Gateway) {
        memory.merge(&gateway::gateway(program, size, &mut report, bar).await?);
    }
    if has(Scenario::Growth) && !size.is_quick {
        memory.merge(&growth::full(program, size, &mut report, bar).await?);
    }
    if has(Scenario::History) {
        memory.merge(&history::history(program, size, &mut report, bar).await?);
    }
    if has(Scenario::Grants) {
        memory.merge(&grants::grants(program, size, &mut report, bar).await?);
    }
    if has(Scenario::Logins) {
        memory.merge(&logins::logins(program, size, &mut report, bar).await?);
    }
    report.figures.extend(memory.figures());
    Ok(report)
}

/// What else is measured on the first bank.
async fn beside(
    bank: &mut BenchBank,
    only: &[Scenario],
    tokens: &[String],
    size: Size,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<()> {
    let has = |scenario| only.contains(&scenario);
    if has(Scenario::Growth) && size.is_quick {
        report
            .figures
            .extend(growth::quick(bank, tokens, size, bar).await?);
    }
    if has(Scenario::Tokens) {
        report
            .figures
            .extend(tokens::tokens(bank, size, bar).await?);
    }
    if has(Scenario::Pgbench) {
        match pgbench::pgbench(bank, tokens, size, bar).await? {
            Some(figures) => report.figures.extend(figures),
            None => report
                .notes
                .push("pgbench is not there, so it was not measured".to_owned()),
        }
    }
    Ok(())
}

/// On a bank of its own; returns the memory of its processes.
async fn http(program: &Path, size: Size, report: &mut Report, bar: &ProgressBar) -> Result<Peaks> {
    let mut bank = BenchBank::start(program, size.accounts, bar).await?;
    let tokens = bank.tokens(Audience::Http, 100).await?;
    let count = size.payments / 2;
    let mut runs = Vec::new();
    for run in 0..=size.runs {
        bar.set_message(format!("POST /payments, run {run} of {}", size.runs));
        let done = pace::saturate_http(&mut bank, &tokens, count / if run == 0 { 5 } else { 1 });
        let done = done.await?;
        let streams = bank.audit().await?;
        let last = common::broker::last_sequence(&streams, common::wire::REQUESTS).await?;
        bank.answered(last).await?;
        if run > 0 {
            runs.push(done);
        }
    }
    let title = format!(
        "HTTP to durable acceptance, {} connections",
        pace::CONNECTIONS
    );
    let figure = Figure::of_runs("http_accepted_per_s", &title, &runs);
    report.figures.extend(figure);
    curve(&mut bank, Entrance::Http, &tokens, size, report, bar).await?;
    bar.set_message("end to end over NATS with the projection running");
    let for_messages = bank.tokens(Audience::Log, 1).await?;
    let batches = bank
        .maker(&for_messages, Pattern::Uniform)
        .batches(size.payments, BATCH_MESSAGES_MAX);
    let run = end_to_end(&mut bank, batches).await?;
    let title = "end to end over NATS, 1 token, with the payments projection";
    let figure = Figure::of_runs("end_to_end_with_projection_per_s", title, &[run]);
    report.figures.extend(figure);
    let summary = bank.check(bar).await?;
    report.checks.push(Check::of("over HTTP", summary));
    bar.inc(1);
    bank.stop().await
}

/// What is offered, in order; the quoted rates several times.
fn offers(size: Size) -> Vec<Offer> {
    let rates = if size.is_quick {
        RATES_QUICK.as_slice()
    } else {
        RATES.as_slice()
    };
    let times = |rate: &u32| {
        if QUOTED.contains(rate) && !size.is_quick {
            size.runs
        } else {
            1
        }
    };
    rates
        .iter()
        .flat_map(|rate| std::iter::repeat_n(*rate, times(rate)))
        .map(|per_second| Offer {
            per_second,
            warm_up: size.warm_up,
            measured: size.measured,
        })
        .collect()
}

async fn curve(
    bank: &mut BenchBank,
    entrance: Entrance,
    tokens: &[String],
    size: Size,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<()> {
    let mut latencies: Vec<Latency> = Vec::new();
    bank.settle().await?;
    for offer in offers(size) {
        bar.set_message(format!(
            "{} payments a second, {}",
            offer.per_second,
            entrance.name()
        ));
        latencies.push(pace::offer(bank, entrance, tokens, offer).await?);
        bar.inc(1);
    }
    for rate in QUOTED {
        for percentile in ["p50", "p99"] {
            let values: Vec<f64> = latencies
                .iter()
                .filter(|latency| latency.offered_per_s == rate)
                .map(|latency| match percentile {
                    "p50" => latency.end_to_end.p50_ms,
                    _ => latency.end_to_end.p99_ms,
                })
                .collect();
            let (key, way) = match entrance {
                Entrance::Direct | Entrance::Door => (
                    format!("nats_{percentile}_ms_at_{rate}_per_s"),
                    "NATS, one message each",
                ),
                // The target is about this way: single payments that the payments service groups.
                Entrance::Http => (format!("{percentile}_ms_at_{rate}_per_s"), "HTTP"),
            };
            let title = format!("end to end over {way}, {rate}/s offered, {percentile}");
            report
                .figures
                .extend(Figure::new(&key, &title, "ms", &values));
        }
    }
    report.latencies.extend(latencies);
    Ok(())
}

fn notes(size: Size) -> Vec<String> {
    let mut notes = vec![
        "the load generator shares the machine with what it measures (column load)".to_owned(),
        "over NATS the payments service is stopped: its projection is not on the way to the answer"
            .to_owned(),
        "producers are trusted ones, in the account DIRECT, unless they are at the door".to_owned(),
        "a latency counts from the intended moment of sending, at a constant rate".to_owned(),
    ];
    if size.is_quick {
        notes.push(format!(
            "quick: {} runs of {} payments; the full benchmark makes 5 of 50 000, and more rates",
            size.runs, size.payments
        ));
    }
    notes
}
