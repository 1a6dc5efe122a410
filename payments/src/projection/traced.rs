//! Traces of projected answers, made once their batch is committed. While nothing is traced, a batch costs one look at a cell.

use chrono::{DateTime, Utc};
use common::message::Stored;
use common::service::now;
use common::service::traces::{Parent, Past, SpanKind, is_tracing, messaging_in_batch};
use common::wire::{SETTLEMENTS, TRACEPARENT};

/// When work on a batch begins that may be traced.
pub(super) fn began() -> Option<DateTime<Utc>> {
    is_tracing().then(now)
}

/// Records how answers were projected: of each one whose trace is recorded, behind its publication by the ledger.
pub(super) fn projected(answers: &[Stored], began: DateTime<Utc>) {
    let ended = now();
    for answer in answers {
        let traceparent = answer.header(TRACEPARENT);
        let publication = traceparent.and_then(|text| Parent::of_settlement(text, answer.sequence));
        let Some(publication) = publication else {
            continue;
        };
        let seq = answer.sequence;
        let project = Past {
            kind: SpanKind::Consumer,
            name: "process SETTLEMENTS",
            began,
            ended,
            attributes: messaging_in_batch(SETTLEMENTS, "process", answers.len(), seq),
        };
        project.under(&publication);
    }
}
