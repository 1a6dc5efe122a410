//! A part of the log as lines of JSON, as it is read: for a file.

use std::collections::VecDeque;

use axum::body::Bytes;
use common::broker::{self, BATCH_MESSAGES_MAX, ReadError, Reader};
use common::message::Stored;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use super::{Message, Pair};

/// These requests with their answers, which are all there: a line of JSON for each.
pub(in crate::http) fn lines(
    broker: &broker::Config,
    from: u64,
    to: u64,
) -> BoxStream<'static, Result<Bytes, ReadError>> {
    let reading = Reading {
        requests: Reader::of_requests(broker, from),
        answers: Reader::of_settlements_only_reading(broker, from),
        waiting: VecDeque::new(),
        next: from,
        to,
    };
    stream::try_unfold(reading, Reading::next).boxed()
}

/// A part of the log on its way out.
struct Reading {
    requests: Reader,
    answers: Reader,
    /// Answers that were read before their requests.
    waiting: VecDeque<Stored>,
    next: u64,
    to: u64,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, ReadError> {
        if self.next > self.to {
            return Ok(None);
        }
        let mut lines = Vec::new();
        for request in self.requests.batch(BATCH_MESSAGES_MAX).await? {
            if self.next > self.to {
                break;
            }
            if self.waiting.is_empty() {
                self.waiting = self.answers.batch(BATCH_MESSAGES_MAX).await?.into();
            }
            let pair = Pair {
                seq: self.next,
                request: Message::of_request(request),
                answer: self.waiting.pop_front().map(Message::of_answer),
                steps: None,
            };
            serde_json::to_writer(&mut lines, &pair).expect("texts and numbers are JSON");
            lines.push(b'\n');
            self.next += 1;
        }
        Ok(Some((lines.into(), self)))
    }
}
