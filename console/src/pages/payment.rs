//! One payment as a timeline: when it was received, read, decided, booked, published and projected, and how much of that was
//! waiting; with its request, its answer and its postings.

mod act;
mod standing;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use client::{Pair, Subscriber};
use common::ids::PaymentId;
use serde::Deserialize;
use serde_json::Value;

use super::log::Side;
use super::people::Outcome;
use crate::app::App;
use crate::failure::Failure;
use crate::live;
use crate::operator::Operator;
use crate::page::{Frame, html, render};
use crate::prefix::Prefix;
use crate::show::{Id, Source, State as Shown, Time, duration};
use standing::Standing;

pub(super) use act::act;

/// Width of the waterfall, in its own units.
const WIDTH: i64 = 1000;
/// A step that took no time can still be seen.
const WIDTH_MIN: i64 = 4;

#[derive(Deserialize)]
pub(super) struct Whose {
    client_id: Option<String>,
}

#[derive(Template)]
#[template(path = "payment.html")]
struct PaymentPage {
    frame: Frame,
    id: Id,
    seq: Id,
    client: String,
    /// Where its receipt is.
    receipt: String,
    /// What came of the last action.
    outcomes: Vec<Outcome>,
    standing: Standing,
    /// Where its story comes from again while it goes on.
    live: Option<String>,
    story: Story,
}

/// What became of a payment, from the log.
#[derive(Template)]
#[template(path = "payment_story.html")]
struct Story {
    state: Shown,
    /// Why it was rejected.
    reason: Option<String>,
    facts: Vec<(&'static str, String)>,
    debtor: Option<Id>,
    creditor: Option<Id>,
    steps: Vec<Step>,
    /// The waterfall says what each step waited for.
    batch: Option<String>,
    postings: Vec<Line>,
    trace: Option<Id>,
    request: Side,
    answer: Option<Side>,
}

impl askama::filters::HtmlSafe for Story {}

/// One step of the timeline.
struct Step {
    name: &'static str,
    at: Time,
    took: String,
    /// Waiting, not working.
    waits: bool,
    /// Of the waterfall, in its units; nothing where a step's time is not known.
    x: i64,
    width: i64,
}

/// Whether the client's subscriber has the answer.
struct Delivery {
    told: &'static str,
    /// Known of the answer that was acknowledged last.
    at: Option<DateTime<Utc>>,
}

impl Delivery {
    fn told(told: &'static str) -> Self {
        Self { told, at: None }
    }

    fn of(subscriber: &Subscriber, seq: u64) -> Self {
        let last = (subscriber.acknowledged_seq == seq).then_some(subscriber.acknowledged_at);
        Self {
            at: last.flatten(),
            ..Self::told(if subscriber.acknowledged_seq >= seq {
                "acknowledged by its subscriber"
            } else {
                "waits for its subscriber"
            })
        }
    }
}

/// One posting.
struct Line {
    account: Id,
    debit: String,
    credit: String,
    balance: String,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    who: Operator,
    Path(id): Path<String>,
    Query(whose): Query<Whose>,
) -> Result<Response, Failure> {
    let payment_id: PaymentId = id.parse().map_err(|_| missing(&id, &who.prefix))?;
    page(
        &app,
        &who,
        payment_id,
        whose.client_id.as_deref(),
        Vec::new(),
    )
    .await
}

fn missing(id: &str, prefix: &Prefix) -> Failure {
    Failure::not_found(format!("Nobody has a payment {id}."), prefix)
}

/// A payment's page, with what came of the last action.
async fn page(
    app: &App,
    who: &Operator,
    payment_id: PaymentId,
    client_id: Option<&str>,
    outcomes: Vec<Outcome>,
) -> Result<Response, Failure> {
    let missing = || missing(&payment_id.to_string(), &who.prefix);
    let found = app.client.payment(&who.token, payment_id, client_id).await;
    let found = found.map_err(|error| Failure::of(error, &who.prefix))?;
    let payment = found.ok_or_else(missing)?;
    let seq = payment["request_seq"].as_u64().ok_or_else(missing)?;
    let (story, standing) = tokio::join!(
        story(app, who, seq),
        Standing::of(app, who, payment_id, &payment),
    );
    let story = story?;
    let live = who.prefix.at(&format!("/live/payments/{seq}"));
    Ok(html(&PaymentPage {
        frame: who.frame(standing::title(&payment), "Payments"),
        id: Id::plain(payment_id),
        outcomes,
        standing,
        seq: Id::seq(seq, &who.prefix),
        client: payment["client_id"].as_str().unwrap_or_default().to_owned(),
        receipt: who.prefix.at(&format!("/receipts/{seq}")),
        live: (!story.is_over()).then_some(live),
        story,
    }))
}

pub(super) async fn live(
    State(app): State<Arc<App>>,
    who: Operator,
    Path(seq): Path<u64>,
) -> Response {
    live::stream(app, who, move |app, who| async move {
        let story = story(&app, &who, seq).await.ok()?;
        Some(render(&story))
    })
}

async fn story(app: &App, who: &Operator, seq: u64) -> Result<Story, Failure> {
    let (client, token) = (&app.client, &who.token);
    let (pair, projected, subscribers) = tokio::join!(
        client.log_entry(token, seq),
        client.projected(token, seq),
        client.subscribers(token),
    );
    let pair = pair.map_err(|error| Failure::of(error, &who.prefix))?;
    let pair = pair
        .ok_or_else(|| Failure::not_found(format!("The log has no message {seq}."), &who.prefix))?;
    // Payments may be away; its step is then not shown.
    let projected_at = projected.ok().and_then(|projected| projected.projected_at);
    let body = pair.answer.as_ref().and_then(|answer| answer.json.clone());
    let body = body
        .or_else(|| pair.request.json.clone())
        .unwrap_or_default();
    let delivered = subscribers.map_err(Into::into).map(|found| {
        let own = found.subscribers.into_iter();
        let mut own = own.filter(|one| body["client_id"] == one.name.as_str());
        own.next().map(|one| Delivery::of(&one, seq))
    });
    Ok(told(pair, &body, projected_at, delivered, &who.prefix))
}

fn told(
    pair: Pair,
    body: &Value,
    projected_at: Option<DateTime<Utc>>,
    delivered: Source<Option<Delivery>>,
    prefix: &Prefix,
) -> Story {
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let account = |name: &str| text(name).map(|id| Id::account(id, prefix));
    let reason = body["reason"]["code"].as_str();
    let status = pair.answer.as_ref().and_then(|_| text("status"));
    let status = status.unwrap_or_else(|| "pending".to_owned());
    let mut facts = Vec::new();
    if let (Some(amount), Some(currency)) = (text("amount"), text("currency")) {
        facts.push(("Amount", format!("{amount} {currency}")));
    }
    for (name, field) in [
        ("Reference", "reference"),
        ("Value date", "effective_date"),
        ("Ends", "expires_at"),
    ] {
        facts.extend(text(field).map(|value| (name, value)));
    }
    let delivered = match delivered {
        Ok(Some(delivery)) => delivery,
        Ok(None) => Delivery::told("the client has no subscriber"),
        Err(_) => Delivery::told("the ledger does not say"),
    };
    let trace = pair
        .request
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("traceparent"));
    let trace = trace
        .and_then(|(_, value)| value.split('-').nth(1))
        .map(|trace| Id::link(trace, prefix, &format!("/log?trace_id={trace}")));
    Story {
        state: Shown::new(&status).with(reason),
        reason: body["reason"]["message"].as_str().map(str::to_owned),
        facts,
        debtor: account("debtor_account"),
        creditor: account("creditor_account"),
        batch: pair
            .steps
            .as_ref()
            .map(|steps| match steps.batch_last - steps.batch_first {
                0 => "alone".to_owned(),
                others => format!("in a batch of {}", others + 1),
            }),
        steps: steps(&pair, projected_at, delivered),
        postings: postings(body, prefix),
        trace,
        request: Side::of("Request", pair.request),
        answer: pair.answer.map(|answer| Side::of("Answer", answer)),
    }
}

impl Story {
    /// Nothing more will happen.
    fn is_over(&self) -> bool {
        self.answer.is_some() && self.steps.iter().any(|step| step.name == "Projected")
    }
}

/// The steps that are known, in order. A time before the step in front of it is another machine's clock, and took nothing.
fn steps(pair: &Pair, projected_at: Option<DateTime<Utc>>, delivery: Delivery) -> Vec<Step> {
    let mut known = vec![("Received", pair.request.published_at, false)];
    if let Some(steps) = &pair.steps {
        known.push(("Read", steps.read_at, true));
        known.push(("Decided", steps.decided_at, false));
        known.extend(steps.booked_at.map(|at| ("Booked", at, false)));
        known.extend(steps.published_at.map(|at| ("Published", at, false)));
    } else {
        let published = pair.answer.as_ref().map(|answer| answer.published_at);
        known.extend(published.map(|at| ("Published", at, false)));
    }
    known.extend(projected_at.map(|at| ("Projected", at, true)));
    let start = known[0].1;
    let end = known.iter().map(|(_, at, _)| *at).max().unwrap_or(start);
    let whole = (end - start).max(TimeDelta::microseconds(1));
    let units = |length: TimeDelta| {
        let [length, whole] = [length, whole].map(|one| one.num_microseconds().unwrap_or(i64::MAX));
        length.saturating_mul(WIDTH) / whole
    };
    let mut before = start;
    let mut shown = Vec::new();
    for (name, at, waits) in known {
        let took = (at - before).max(TimeDelta::zero());
        let x = units((before - start).max(TimeDelta::zero())).clamp(0, WIDTH - WIDTH_MIN);
        shown.push(Step {
            name,
            at: Time::at(at),
            took: if name == "Received" {
                String::new()
            } else {
                duration(took)
            },
            waits,
            x,
            width: units(took).clamp(WIDTH_MIN, WIDTH - x),
        });
        before = before.max(at);
    }
    if pair.answer.is_some() {
        shown.push(Step {
            name: "Delivered",
            at: Time::maybe(delivery.at),
            took: delivery.told.to_owned(),
            waits: false,
            x: 0,
            width: 0,
        });
    }
    shown
}

fn postings(body: &Value, prefix: &Prefix) -> Vec<Line> {
    let postings = body["postings"].as_array().into_iter().flatten();
    let lines = postings.map(|posting| {
        let text = |name: &str| posting[name].as_str().unwrap_or_default().to_owned();
        // Of a transaction each has its own.
        let amount = match posting["currency"].as_str() {
            Some(currency) => format!("{} {currency}", text("amount")),
            None => text("amount"),
        };
        let (debit, credit) = match posting["direction"].as_str() {
            Some("debit") => (amount, String::new()),
            _ => (String::new(), amount),
        };
        Line {
            account: Id::account(text("account"), prefix),
            debit,
            credit,
            balance: posting["balance"].as_str().unwrap_or("–").to_owned(),
        }
    });
    lines.collect()
}
