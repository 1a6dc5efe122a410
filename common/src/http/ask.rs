//! Asking the ledger: a request is published under the caller's token, and its answer waited for.

use std::time::Duration;

use super::problem::Problem;
use crate::broker::{Answers, Publisher, ReadError};
use crate::kinds::Answer;
use crate::message::Outgoing;
use crate::wire::REQUESTS;

/// The way to the ledger and back.
#[derive(Clone)]
pub struct Asking {
    publisher: Publisher,
    answers: Answers,
}

/// A request in the log, and what became of it.
#[derive(Debug)]
pub struct Asked {
    /// Its place in the log.
    pub request_seq: u64,
    /// `None` while there is no answer. The request will be decided all the same.
    pub answer: Option<Answer>,
}

impl Asking {
    /// Publishes with one, waits with the other.
    #[must_use]
    pub fn new(publisher: Publisher, answers: Answers) -> Self {
        Self { publisher, answers }
    }

    /// Publishes a request and waits for its answer.
    ///
    /// # Errors
    /// 503 when the broker does not answer: as far as we know, the request may be stored or not.
    pub async fn ask(&self, request: Outgoing, timeout: Duration) -> Result<Asked, Problem> {
        let unavailable = |error: &dyn std::fmt::Display| Problem::unavailable("the broker", error);
        let ack = self.publisher.publish_one(REQUESTS, request).await;
        let request_seq = ack.map_err(|error| unavailable(&error))?.sequence;
        let answer = answer(&self.answers, request_seq, timeout).await;
        Ok(Asked {
            request_seq,
            answer: answer.map_err(|error| unavailable(&error))?,
        })
    }
}

/// The answer to a request, or `None` when it has not come after `timeout`.
///
/// # Errors
/// When the broker does not answer, or with something that is no answer.
pub async fn answer(
    answers: &Answers,
    request_seq: u64,
    timeout: Duration,
) -> Result<Option<Answer>, ReadError> {
    let Some(stored) = answers.wait(request_seq, timeout).await? else {
        return Ok(None);
    };
    match Answer::of_message(&stored) {
        Ok(answer) => Ok(Some(answer)),
        Err(error) => Err(ReadError::unreadable(request_seq, &error)),
    }
}
