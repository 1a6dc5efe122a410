//! Traces of a batch, made once it has gone through: of each request whose trace is recorded, how it was processed, booked and
//! answered. While nothing is traced, a batch costs one look at a cell.
//!
//! The times are the batch's. An answer carries the `traceparent` of its request and nothing of these spans, so what is stored
//! and published is the same with and without traces.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use common::service::traces::{
    KeyValue, Parent, Past, SpanKind, is_tracing, messaging_in_batch, seq,
};
use common::wire::{REQUESTS, SETTLEMENTS};

use super::context::Engine;
use crate::core::batch::{Batch, Decided};

/// When the batch went through each step.
struct Times {
    read: DateTime<Utc>,
    decided: DateTime<Utc>,
    booked: DateTime<Utc>,
    published: DateTime<Utc>,
}

impl Engine {
    /// Records the spans of a batch that is published, in a task of its own: the next batch does not wait for it.
    pub(super) fn trace(&self, batch: &Arc<Batch>) {
        if !is_tracing() {
            return;
        }
        let Some(steps) = self.steps.of(batch.to.seq) else {
            return;
        };
        let (Some(booked), Some(published)) = (steps.booked_at, steps.published_at) else {
            return;
        };
        let times = Times {
            read: steps.read_at,
            decided: steps.decided_at,
            booked,
            published,
        };
        let batch = batch.clone();
        tokio::spawn(async move {
            for decided in &batch.decided {
                trace(decided, batch.decided.len(), &times);
            }
        });
    }
}

fn trace(decided: &Decided, batch_messages: usize, times: &Times) {
    let traceparent = decided.request.traceparent.as_deref();
    let Some(request) = traceparent.and_then(Parent::of) else {
        return;
    };
    let request_seq = decided.request.at.seq;
    let about =
        |stream, operation| messaging_in_batch(stream, operation, batch_messages, request_seq);
    let mut attributes = about(REQUESTS, "process");
    let answer = decided.answer.ce_type().to_owned();
    attributes.push(KeyValue::new("quittance.answer", answer));
    let process = Past {
        kind: SpanKind::Consumer,
        name: "process REQUESTS",
        began: times.read,
        ended: times.booked,
        attributes,
    };
    let process = process.under(&request);
    let book = Past {
        kind: SpanKind::Internal,
        name: "book",
        began: times.decided,
        ended: times.booked,
        attributes: vec![seq(request_seq)],
    };
    book.under(&process);
    let publish = Past {
        kind: SpanKind::Producer,
        name: "publish SETTLEMENTS",
        began: times.booked,
        ended: times.published,
        attributes: about(SETTLEMENTS, "send"),
    };
    publish.publication(&process, request_seq);
}
