//! Where a payment stands, and what moves it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a payment stands, as far as the logs were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Asked for, not answered.
    Pending,
    /// Answered, but nothing was decided about it: the same payment may be sent again.
    Retryable,
    /// Not booked; its id is used up.
    Rejected,
    /// Booked.
    Settled,
}

/// What a message of a log says about a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It is asked for.
    Requested,
    /// It was rejected without a decision.
    PassedOver,
    /// It was rejected.
    Rejected,
    /// It was settled.
    Settled,
}

/// The event changes nothing in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IllegalEvent;

/// The state after an event that comes later in its log than what led to `state`.
///
/// The two logs are not in step, so an answer may come before its request. A settled answer always counts. A rejection
/// counts while nothing is decided. As long as nothing is decided, the latest request counts. `store/payments.rs` says
/// it again in SQL.
pub(crate) fn next(state: Option<State>, heard: Heard) -> Result<State, IllegalEvent> {
    match (state, heard) {
        (_, Heard::Settled) => Ok(State::Settled),
        (None | Some(State::Pending | State::Retryable), Heard::Rejected) => Ok(State::Rejected),
        (None | Some(State::Pending | State::Retryable), Heard::PassedOver) => Ok(State::Retryable),
        (None | Some(State::Pending | State::Retryable), Heard::Requested) => Ok(State::Pending),
        (
            Some(State::Rejected | State::Settled),
            Heard::Requested | Heard::PassedOver | Heard::Rejected,
        ) => Err(IllegalEvent),
    }
}

impl State {
    /// What clients and the database see: a payment that may be sent again is rejected, with `may_retry`.
    pub(crate) fn status(self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Retryable | Self::Rejected => Status::Rejected,
            Self::Settled => Status::Settled,
        }
    }
}

/// The word for where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Not answered yet.
    Pending,
    /// Booked.
    Settled,
    /// Not booked.
    Rejected,
}

impl Status {
    /// The word on the wire and in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Settled => "settled",
            Self::Rejected => "rejected",
        }
    }

    /// The status of a word from the database.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Pending, Self::Settled, Self::Rejected]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}
