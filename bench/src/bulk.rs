//! Many payments in one request, beside the same payments one by one.
//!
//! Each publish carries a thousand payments: a thousand messages as one atomic batch, a hundred requests of ten, or one of a
//! thousand. So what differs is what a payment costs when it shares its token, its message and its answer. Every payment has
//! two accounts of its own and a reference, as the plain ones do.

use std::path::Path;

use anyhow::Result;
use common::broker::BATCH_MESSAGES_MAX;
use common::message::Outgoing;
use common::token::Audience;
use indicatif::ProgressBar;
use local::{Part, Service};

use crate::bank::BenchBank;
use crate::costs::Peaks;
use crate::figure::{Figure, Run};
use crate::http;
use crate::options::Size;
use crate::pace;
use crate::payments::Pattern;
use crate::report::{Check, Report};
use crate::saturate::{end_to_end, end_to_end_of};

/// Payments in a request.
const SIZES: [usize; 3] = [1000, 100, 10];
/// Payments of a bulk run for one of a plain run, over NATS: so both last about as long, and what a run loses until all
/// steps work, and when the first have ended, weighs about the same.
const LONGER: usize = 4;
/// Payments in a publish.
const PUBLISHED: usize = BATCH_MESSAGES_MAX;

/// How many steps the bar takes.
pub(crate) fn steps(size: Size) -> usize {
    (size.runs + 1) * (2 * SIZES.len() + 2) + 1
}

/// On a bank of its own; returns the memory of its processes.
pub(crate) async fn bulk(
    program: &Path,
    size: Size,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<Peaks> {
    let mut bank = BenchBank::start(program, size.accounts, bar).await?;
    // As in the scenario of plain payments over NATS.
    bank.stop_part(Part::Payments);
    over_nats(&mut bank, size, report, bar).await?;
    bank.bank.start_part(Part::Payments).await?;
    over_http(&mut bank, size, report, bar).await?;
    let summary = bank.check(bar).await?;
    report.checks.push(Check::of("in bulk", summary));
    bar.inc(1);
    bank.stop().await
}

async fn over_nats(
    bank: &mut BenchBank,
    size: Size,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<()> {
    let tokens = bank.tokens(Audience::Log, 1).await?;
    let mut rounds = Rounds::default();
    for round in 0..=size.runs {
        let count = size.payments / if round == 0 { 5 } else { 1 };
        bar.set_message(format!("round {round} of {}: one by one", size.runs));
        let load = bank
            .maker(&tokens, Pattern::Uniform)
            .batches(count, PUBLISHED);
        let plain = end_to_end(bank, load).await?;
        bar.inc(1);
        let mut bulk = Vec::new();
        for in_one in SIZES {
            bar.set_message(format!("round {round} of {}: {in_one} in one", size.runs));
            let count = count * LONGER;
            let mut maker = bank.maker(&tokens, Pattern::Uniform);
            let requests = maker.bulk(count, in_one);
            let messages = requests
                .iter()
                .map(|request| request.message(maker.client, &tokens[0], None));
            let messages: Vec<Outgoing> = messages.collect();
            let load = messages.chunks(PUBLISHED / in_one).map(<[_]>::to_vec);
            bulk.push(end_to_end_of(bank, count, load.collect()).await?);
            bar.inc(1);
        }
        if round > 0 {
            rounds.note(plain, bulk);
        }
    }
    rounds.figures("", "end to end over NATS", report);
    Ok(())
}

/// Until each is stored: the projection, which gets a row for each payment, follows.
async fn over_http(
    bank: &mut BenchBank,
    size: Size,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<()> {
    let tokens = bank.tokens(Audience::Http, 1).await?;
    let url = bank.bank.url(Service::Payments);
    let headers = format!(
        "authorization: Bearer {}\r\ncontent-type: application/json\r\nprefer: wait=30\r\n",
        tokens[0]
    );
    let mut rounds = Rounds::default();
    for round in 0..=size.runs {
        let count = size.payments / if round == 0 { 5 } else { 1 };
        bar.set_message(format!("round {round} of {}: POST /payments", size.runs));
        let mut maker = bank.maker(&tokens, Pattern::Uniform);
        let bodies = (0..).take(count / 5).map(|place| {
            let body = serde_json::to_vec(&maker.body(place)).expect("texts are JSON");
            http::post(&url, "/payments", &headers, &body)
        });
        let requests = bodies.collect();
        let plain = pace::saturate_with(bank, &url, requests, 202).await?;
        bar.inc(1);
        let mut bulk = Vec::new();
        for in_one in SIZES {
            let path = "/payment-batches";
            bar.set_message(format!(
                "round {round} of {}: {in_one} in a POST",
                size.runs
            ));
            let requests = bank.maker(&tokens, Pattern::Uniform).bulk(count, in_one);
            let requests = requests.iter().map(|request| {
                let body = serde_json::to_vec(request).expect("texts are JSON");
                http::post(&url, path, &headers, &body)
            });
            let requests = requests.collect();
            let run = pace::saturate_with(bank, &url, requests, 202).await?;
            bulk.push(run.of_batches(in_one));
            bar.inc(1);
        }
        if round > 0 {
            rounds.note(plain, bulk);
        }
    }
    rounds.figures("http_", "answered over HTTP", report);
    Ok(())
}

/// The runs of each round: one by one, and by [`SIZES`].
#[derive(Default)]
struct Rounds {
    plain: Vec<Run>,
    bulk: [Vec<Run>; SIZES.len()],
}

impl Rounds {
    fn note(&mut self, plain: Run, bulk: Vec<Run>) {
        self.plain.push(plain);
        for (runs, run) in self.bulk.iter_mut().zip(bulk) {
            runs.push(run);
        }
    }

    fn figures(&self, prefix: &str, what: &str, report: &mut Report) {
        let key = format!("{prefix}bulk_1_per_s");
        let title = format!("{what}, one payment in a request");
        let figures = &mut report.figures;
        figures.extend(Figure::of_runs(&key, &title, &self.plain));
        for (in_one, runs) in SIZES.iter().zip(&self.bulk) {
            let key = format!("{prefix}bulk_{in_one}_per_s");
            let title = format!("{what}, {in_one} payments in a request");
            figures.extend(Figure::of_runs(&key, &title, runs));
            let ratios = runs.iter().zip(&self.plain);
            let ratios: Vec<f64> = ratios
                .map(|(bulk, plain)| bulk.per_second / plain.per_second)
                .collect();
            let key = format!("{prefix}bulk_{in_one}_over_single");
            let title = format!("{what}, {in_one} in a request / one");
            figures.extend(Figure::new(&key, &title, "ratio", &ratios));
        }
    }
}
