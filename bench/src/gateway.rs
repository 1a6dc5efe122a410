//! What the gateway costs: the same requests to a service, straight and through nginx, in turns.
//!
//! `GET /health/live` is the least that a service can do, so all that is measured is the way to it. `POST /payments` is
//! what people wait for.

use std::path::Path;

use anyhow::{Context as _, Result};
use common::token::Audience;
use common::wire::REQUESTS;
use indicatif::ProgressBar;
use local::Service;

use crate::bank::BenchBank;
use crate::costs::Peaks;
use crate::figure::{Figure, Run};
use crate::http;
use crate::options::Size;
use crate::pace;
use crate::report::{Check, Report};

/// The requests of a run are so many of its payments. They must be under a thousand for each connection: nginx then closes it.
const PAYMENTS_SHARE: usize = 2;

/// How many steps the bar takes.
pub(crate) fn steps(size: Size) -> usize {
    4 * (size.runs + 1) + 1
}

/// On a bank of its own; returns the memory of its processes.
pub(crate) async fn gateway(
    program: &Path,
    size: Size,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<Peaks> {
    let mut bank = BenchBank::start_behind_gateway(program, size.accounts, bar).await?;
    let tokens = bank.tokens(Audience::Http, 100).await?;
    let direct = bank.bank.url(Service::Payments);
    let gateway = bank.bank.gateway_url().context("this bank has a gateway")?;
    let ways = [(&direct, ""), (&gateway, "/payment")];
    let (mut live, mut payments) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for round in 0..=size.runs {
        let count = size.payments / PAYMENTS_SHARE / if round == 0 { 5 } else { 1 };
        for (way, (url, prefix)) in ways.into_iter().enumerate() {
            bar.set_message(format!(
                "round {round} of {}: GET {prefix}/health/live",
                size.runs
            ));
            let request = http::get(url, &format!("{prefix}/health/live"));
            let run = pace::saturate_with(&mut bank, url, vec![request; count], 200).await?;
            bar.inc(1);
            bar.set_message(format!(
                "round {round} of {}: POST {prefix}/payments",
                size.runs
            ));
            let path = format!("{prefix}/payments");
            let requests = pace::requests(&mut bank, url, &path, &tokens, count);
            let paid = pace::saturate_with(&mut bank, url, requests, 202).await?;
            let last = common::broker::last_sequence(&bank.audit().await?, REQUESTS).await?;
            bank.answered(last).await?;
            bar.inc(1);
            if round > 0 {
                live[way].push(run);
                payments[way].push(paid);
            }
        }
    }
    for (key, what, runs) in [
        ("live", "GET /health/live", live),
        ("accepted", "POST /payments", payments),
    ] {
        let [straight, through] = runs;
        let pairs = through.iter().zip(&straight);
        let ratios: Vec<f64> = pairs
            .map(|(through, straight)| through.per_second / straight.per_second)
            .collect();
        report
            .figures
            .extend(figure(key, "straight", what, &straight));
        report
            .figures
            .extend(figure(key, "gateway", what, &through));
        report.figures.extend(Figure::new(
            &format!("gateway_over_straight_{key}"),
            &format!("{what}: through the gateway / straight"),
            "ratio",
            &ratios,
        ));
    }
    let summary = bank.check(bar).await?;
    report
        .checks
        .push(Check::of("through the gateway", summary));
    bar.inc(1);
    bank.stop().await
}

fn figure(key: &str, way: &str, what: &str, runs: &[Run]) -> Option<Figure> {
    let title = format!("{what}, {} connections, {way}", pace::CONNECTIONS);
    Figure::of_runs(&format!("{key}_{way}_per_s"), &title, runs)
}
