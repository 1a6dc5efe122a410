//! What the bank is doing now: payments by the second, how long they take, who is behind, and that the books sum to zero.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use client::{Activity, Checkpoint, TrialBalance};
use serde_json::json;

use super::services::{Part, parts};
use crate::app::App;
use crate::live;
use crate::operator::Operator;
use crate::page::{Frame, html, render};
use crate::show::{Id, Source, count, micros};

/// Seconds in the charts.
const CHART_SECONDS: i64 = 120;
/// Seconds that the figures are of.
const FIGURE_SECONDS: i64 = 10;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    now: Now,
}

/// The part that is live.
#[derive(Template)]
#[template(path = "overview_now.html")]
struct Now {
    flow: Source<Flow>,
    log: Source<Heads>,
    books: Source<TrialBalance>,
    parts: Vec<Part>,
}

impl askama::filters::HtmlSafe for Now {}

/// The last seconds, from payments.
struct Flow {
    settled_per_s: String,
    rejected_per_s: String,
    p50: String,
    p99: String,
    /// Answers that are published and not projected.
    projection_lag: u64,
    /// uPlot's columns: seconds, settled, rejected.
    rates: String,
    /// Seconds, milliseconds for half of the payments, and for 99 of 100.
    latencies: String,
    is_quiet: bool,
}

/// How far the log is, from the ledger.
struct Heads {
    cursor: Id,
    requests: String,
    undecided: u64,
    unpublished: u64,
    rules: String,
    chain: Id,
}

pub(super) async fn show(State(app): State<Arc<App>>, who: Operator) -> Response {
    let now = now(&app, &who).await;
    html(&OverviewPage {
        frame: who.frame("Overview", "Overview"),
        now,
    })
}

pub(super) async fn live(State(app): State<Arc<App>>, who: Operator) -> Response {
    live::stream(app, who, |app, who| async move {
        Some(render(&now(&app, &who).await))
    })
}

async fn now(app: &App, who: &Operator) -> Now {
    let (client, token) = (&app.client, &who.token);
    let (activity, checkpoint, books, parts) = tokio::join!(
        client.activity(token),
        client.checkpoint(token),
        client.trial_balance(token, None),
        parts(app),
    );
    Now {
        flow: activity.map(|activity| flow(&activity)).map_err(Into::into),
        log: checkpoint
            .map(|checkpoint| heads(checkpoint, who))
            .map_err(Into::into),
        books: books.map_err(Into::into),
        parts,
    }
}

fn heads(checkpoint: Checkpoint, who: &Operator) -> Heads {
    Heads {
        cursor: Id::seq(checkpoint.seq, &who.prefix),
        requests: count(checkpoint.requests),
        undecided: checkpoint.requests.saturating_sub(checkpoint.seq),
        unpublished: checkpoint.seq.saturating_sub(checkpoint.settlements),
        rules: checkpoint.rules.map_or_else(
            || "newer than this program".to_owned(),
            |rules| rules.to_string(),
        ),
        chain: Id::plain(checkpoint.chain),
    }
}

fn flow(activity: &Activity) -> Flow {
    let now = activity.now.timestamp();
    // The second that runs is not over.
    let seconds: Vec<i64> = (now - CHART_SECONDS..now).collect();
    let at = |second: i64| activity.seconds.iter().find(|one| one.at == second);
    let rates = json!([
        seconds,
        seconds
            .iter()
            .map(|s| at(*s).map_or(0, |one| one.settled))
            .collect::<Vec<_>>(),
        seconds
            .iter()
            .map(|s| at(*s).map_or(0, |one| one.rejected))
            .collect::<Vec<_>>(),
    ]);
    let ms = |us: u64| us.div_ceil(1000);
    let latencies = json!([
        seconds,
        seconds
            .iter()
            .map(|s| at(*s).map(|one| ms(one.p50_us)))
            .collect::<Vec<_>>(),
        seconds
            .iter()
            .map(|s| at(*s).map(|one| ms(one.p99_us)))
            .collect::<Vec<_>>(),
    ]);
    let last: Vec<_> = activity
        .seconds
        .iter()
        .filter(|one| one.at >= now - FIGURE_SECONDS && one.at < now)
        .collect();
    let per_s = |counts: u64| {
        let tenths = counts * 10 / FIGURE_SECONDS.unsigned_abs();
        if tenths < 100 {
            format!("{}.{}", tenths / 10, tenths % 10)
        } else {
            count(tenths / 10)
        }
    };
    // The middle of the seconds' medians, and the worst of their tails.
    let mut medians: Vec<_> = last.iter().map(|one| one.p50_us).collect();
    medians.sort_unstable();
    let p50 = medians.get(medians.len() / 2);
    let p99 = last.iter().map(|one| one.p99_us).max();
    let or_dash = |us: Option<u64>| us.map_or_else(|| "–".to_owned(), micros);
    Flow {
        settled_per_s: per_s(last.iter().map(|one| one.settled).sum()),
        rejected_per_s: per_s(last.iter().map(|one| one.rejected).sum()),
        p50: or_dash(p50.copied()),
        p99: or_dash(p99),
        projection_lag: activity.settlements.saturating_sub(activity.projected),
        rates: rates.to_string(),
        latencies: latencies.to_string(),
        is_quiet: activity.seconds.is_empty(),
    }
}
