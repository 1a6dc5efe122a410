//! Producers at the door against the other ways in: singles beside direct batches, and beside HTTP at the same rates.
//!
//! The payments service runs, and projects, in all of them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Result;
use common::broker::{BATCH_MESSAGES_MAX, Publisher};
use common::message::Outgoing;
use common::token::Audience;
use common::wire::REQUESTS;
use futures::future::try_join_all;
use indicatif::ProgressBar;
use tokio::task::JoinSet;

use crate::answers::Answers;
use crate::bank::{BenchBank, KIOSK, READER};
use crate::costs::Peaks;
use crate::figure::{Figure, Run};
use crate::latency::Entrance;
use crate::numbers::per_second;
use crate::options::Size;
use crate::pace::{self, Offer};
use crate::payments::Pattern;
use crate::report::{Check, Report};
use crate::saturate::end_to_end;

/// Payments offered per second.
const RATES: [u32; 3] = [1000, 3000, 5000];
/// Tasks that publish side by side, each this many payments one by one before it waits for the acknowledgements.
const PUBLISHERS: usize = 4;
const PIPELINED: usize = BATCH_MESSAGES_MAX;

/// How many steps the bar takes.
pub(crate) fn steps(size: Size) -> usize {
    2 * (size.runs + 1) + 2 * RATES.len() + 1
}

/// On a bank of its own; returns the memory of its processes.
pub(crate) async fn door(
    program: &Path,
    size: Size,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<Peaks> {
    let mut bank = BenchBank::start(program, size.accounts, bar).await?;
    saturated(&mut bank, size, report, bar).await?;
    let for_http = bank.tokens_of(KIOSK, Audience::Http, 100).await?;
    let for_messages = bank.tokens_of(KIOSK, Audience::Log, 100).await?;
    for per_second in RATES {
        for (entrance, tokens) in [(Entrance::Http, &for_http), (Entrance::Door, &for_messages)] {
            bank.settle().await?;
            bar.set_message(format!(
                "{per_second} payments a second, {}",
                entrance.name()
            ));
            let offer = Offer {
                per_second,
                warm_up: size.warm_up,
                measured: size.measured,
            };
            let latency = pace::offer(&mut bank, entrance, tokens, offer).await?;
            report.latencies.push(latency);
            bar.inc(1);
        }
    }
    let summary = bank.check(bar).await?;
    report.checks.push(Check::of("at the door", summary));
    bar.inc(1);
    bank.stop().await
}

async fn saturated(
    bank: &mut BenchBank,
    size: Size,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<()> {
    let (by_shop, by_kiosk) = (
        bank.tokens(Audience::Log, 1).await?,
        bank.tokens_of(KIOSK, Audience::Log, 1).await?,
    );
    let (mut batches, mut singles) = (Vec::new(), Vec::new());
    for round in 0..=size.runs {
        let count = size.payments / if round == 0 { 10 } else { 1 };
        bar.set_message(format!("round {round} of {}: direct batches", size.runs));
        let load = bank
            .maker(&by_shop, Pattern::Uniform)
            .batches(count, BATCH_MESSAGES_MAX);
        let directly = end_to_end(bank, load).await?;
        bar.inc(1);
        bar.set_message(format!(
            "round {round} of {}: singles at the door",
            size.runs
        ));
        let load = bank
            .maker_of(KIOSK, &by_kiosk, Pattern::Uniform)
            .batches(count, PIPELINED);
        let at_the_door = pipelined(bank, load).await?;
        bar.inc(1);
        if round > 0 {
            batches.push(directly);
            singles.push(at_the_door);
        }
    }
    let ratios: Vec<f64> = singles
        .iter()
        .zip(&batches)
        .map(|(single, batch)| single.per_second / batch.per_second)
        .collect();
    report.figures.extend(Figure::of_runs(
        "direct_batches_with_projection_per_s",
        "end to end, direct batches, with the projection",
        &batches,
    ));
    report.figures.extend(Figure::of_runs(
        "door_singles_per_s",
        "end to end, pipelined singles at the door",
        &singles,
    ));
    report.figures.extend(Figure::new(
        "door_singles_over_direct_batches",
        "pipelined singles at the door / direct batches",
        "ratio",
        &ratios,
    ));
    Ok(())
}

/// Publishes payments one by one as a producer at the door, thousands of them unacknowledged, and reads as many answers.
async fn pipelined(bank: &mut BenchBank, load: Vec<Vec<Outgoing>>) -> Result<Run> {
    let count: usize = load.iter().map(Vec::len).sum();
    let producer = Publisher::new(&bank.config(KIOSK));
    let mut answers = Answers::after_the_last(&bank.config(READER)).await?;
    let processes = bank.processes();
    let before = processes.cpu_times();
    let started = Instant::now();
    let (load, next) = (Arc::new(load), Arc::new(AtomicUsize::new(0)));
    let mut publishers = JoinSet::new();
    for _ in 0..PUBLISHERS {
        let (producer, load, next) = (producer.clone(), load.clone(), next.clone());
        publishers.spawn(async move {
            while let Some(messages) = load.get(next.fetch_add(1, Ordering::Relaxed)) {
                let stored = producer.publish_each(REQUESTS, messages, None).await?;
                try_join_all(stored).await?;
            }
            anyhow::Ok(())
        });
    }
    answers.read_until(count).await?;
    let took = started.elapsed();
    let costs = processes.costs_since(&before, count);
    while let Some(publisher) = publishers.join_next().await {
        publisher??;
    }
    bank.note_memory();
    Ok(Run {
        per_second: per_second(count, took),
        costs,
    })
}
