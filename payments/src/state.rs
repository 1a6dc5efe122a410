//! Where a payment stands, and what moves it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a payment stands, as far as the logs were read. Holds, captures, voids and reversals stand somewhere too.
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
    /// Held, not booked, or not all of it.
    Authorised,
    /// Of a hold: booked, and nothing is held any more. Of a capture: booked.
    Captured,
    /// Of a hold: free again. Of a void: done.
    Voided,
    /// Of a hold: ended by time.
    Expired,
    /// Of a payment: all of it was booked back. Of a reversal: booked.
    Reversed,
}

/// What a message of a log says about a payment, in its own answer or in the answer to what was asked about it later.
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
    /// It is held.
    Authorised,
    /// It was captured, and nothing is left to capture.
    Captured,
    /// It was voided.
    Voided,
    /// It ended by time.
    Expired,
    /// It was booked back, all of it.
    Reversed,
}

/// The event changes nothing in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IllegalEvent;

/// The state after an event that comes later in its log than what led to `state`.
///
/// The two logs are not in step, so an answer may come before its request. What was granted counts over a rejection. A
/// rejection counts while nothing is decided. As long as nothing is decided, the latest request counts.
/// `store/payments.rs` says it again in SQL.
pub(crate) fn next(state: Option<State>, heard: Heard) -> Result<State, IllegalEvent> {
    let state = match state {
        None | Some(State::Pending | State::Retryable) => return Ok(first(heard)),
        Some(state) => state,
    };
    match (state, heard) {
        (State::Rejected | State::Settled, Heard::Settled)
        | (State::Rejected | State::Authorised, Heard::Authorised)
        | (State::Rejected | State::Authorised | State::Captured, Heard::Captured)
        | (State::Rejected | State::Authorised | State::Voided, Heard::Voided)
        | (State::Authorised | State::Expired, Heard::Expired)
        | (State::Rejected | State::Settled | State::Captured | State::Reversed, Heard::Reversed) => {
            Ok(first(heard))
        }
        (
            State::Pending
            | State::Retryable
            | State::Rejected
            | State::Settled
            | State::Authorised
            | State::Captured
            | State::Voided
            | State::Expired
            | State::Reversed,
            Heard::Requested
            | Heard::PassedOver
            | Heard::Rejected
            | Heard::Settled
            | Heard::Authorised
            | Heard::Captured
            | Heard::Voided
            | Heard::Expired
            | Heard::Reversed,
        ) => Err(IllegalEvent),
    }
}

/// The state after an event when nothing was decided before it.
fn first(heard: Heard) -> State {
    match heard {
        Heard::Requested => State::Pending,
        Heard::PassedOver => State::Retryable,
        Heard::Rejected => State::Rejected,
        Heard::Settled => State::Settled,
        Heard::Authorised => State::Authorised,
        Heard::Captured => State::Captured,
        Heard::Voided => State::Voided,
        Heard::Expired => State::Expired,
        Heard::Reversed => State::Reversed,
    }
}

impl State {
    /// What clients and the database see: a payment that may be sent again is rejected, with `may_retry`.
    pub(crate) fn status(self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Retryable | Self::Rejected => Status::Rejected,
            Self::Settled => Status::Settled,
            Self::Authorised => Status::Authorised,
            Self::Captured => Status::Captured,
            Self::Voided => Status::Voided,
            Self::Expired => Status::Expired,
            Self::Reversed => Status::Reversed,
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
    /// Held, not booked, or not all of it.
    Authorised,
    /// A hold is booked.
    Captured,
    /// A hold is free again.
    Voided,
    /// Booked back.
    Reversed,
    /// A hold has ended by time.
    Expired,
}

impl Status {
    const ALL: [Self; 8] = [
        Self::Pending,
        Self::Settled,
        Self::Rejected,
        Self::Authorised,
        Self::Captured,
        Self::Voided,
        Self::Reversed,
        Self::Expired,
    ];

    /// The word on the wire and in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Settled => "settled",
            Self::Rejected => "rejected",
            Self::Authorised => "authorised",
            Self::Captured => "captured",
            Self::Voided => "voided",
            Self::Reversed => "reversed",
            Self::Expired => "expired",
        }
    }

    /// The status of a word from the database.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARD: [(Heard, &str); 9] = [
        (Heard::Requested, "requested"),
        (Heard::PassedOver, "passed over"),
        (Heard::Rejected, "rejected"),
        (Heard::Settled, "settled"),
        (Heard::Authorised, "authorised"),
        (Heard::Captured, "captured"),
        (Heard::Voided, "voided"),
        (Heard::Expired, "expired"),
        (Heard::Reversed, "reversed"),
    ];

    /// All that moves a payment out of a state, or is heard again in it; everything else is illegal.
    fn check(state: Option<State>, moved: &[(&str, State)]) {
        for (heard, name) in HEARD {
            let expected = moved.iter().find(|(word, _)| *word == name);
            let expected = expected.map(|(_, state)| *state).ok_or(IllegalEvent);
            assert_eq!(next(state, heard), expected, "{state:?}, {name}");
        }
    }

    #[test]
    fn every_state_knows_what_moves_it() {
        for undecided in [None, Some(State::Pending), Some(State::Retryable)] {
            let anything = HEARD.map(|(heard, name)| (name, first(heard)));
            check(undecided, &anything);
        }
        let granted = [
            ("settled", State::Settled),
            ("authorised", State::Authorised),
            ("captured", State::Captured),
            ("voided", State::Voided),
            ("reversed", State::Reversed),
        ];
        check(Some(State::Rejected), &granted);
        check(
            Some(State::Settled),
            &[("settled", State::Settled), ("reversed", State::Reversed)],
        );
        check(
            Some(State::Authorised),
            &[
                ("authorised", State::Authorised),
                ("captured", State::Captured),
                ("voided", State::Voided),
                ("expired", State::Expired),
            ],
        );
        check(
            Some(State::Captured),
            &[("captured", State::Captured), ("reversed", State::Reversed)],
        );
        check(Some(State::Voided), &[("voided", State::Voided)]);
        check(Some(State::Expired), &[("expired", State::Expired)]);
        check(Some(State::Reversed), &[("reversed", State::Reversed)]);
    }

    #[test]
    fn every_state_has_a_word_that_leads_back() {
        for (heard, _) in HEARD {
            let status = first(heard).status();
            assert_eq!(Status::from_word(status.as_str()), Some(status));
        }
    }
}
