//! How far the projection is.

use common::wire::{REQUESTS, SETTLEMENTS};

/// One of the two logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// What was asked.
    Requests,
    /// What was answered.
    Settlements,
}

impl Log {
    pub(crate) fn stream(self) -> &'static str {
        match self {
            Self::Requests => REQUESTS,
            Self::Settlements => SETTLEMENTS,
        }
    }
}

/// How far each log is projected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursors {
    /// As in the database.
    pub(super) requests: u64,
    /// As in the database.
    pub(super) settlements: u64,
    /// Every answer after this one, up to `settlements`, names its payment, and so has left a row. This one may not
    /// have.
    pub(super) named_after: u64,
}

impl Cursors {
    /// The last sequence that the database fully reflects.
    ///
    /// A request need not be read once its answer is projected and names its payment.
    pub(super) fn of(&self, log: Log) -> u64 {
        match log {
            Log::Requests if self.named_after <= self.requests => {
                self.requests.max(self.settlements)
            }
            Log::Requests => self.requests,
            Log::Settlements => self.settlements,
        }
    }

    /// Takes over what the database says.
    pub(super) fn set(&mut self, log: Log, sequence: u64) {
        match log {
            Log::Requests => self.requests = sequence,
            Log::Settlements => {
                self.settlements = sequence;
                self.named_after = sequence;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `requests settlements named_after` in, how far requests are projected out.
    fn check(cursors: [u64; 3], expected: u64) {
        let [requests, settlements, named_after] = cursors;
        let of = Cursors {
            requests,
            settlements,
            named_after,
        };
        assert_eq!(of.of(Log::Requests), expected, "{cursors:?}");
        assert_eq!(of.of(Log::Settlements), settlements, "{cursors:?}");
    }

    #[test]
    fn a_request_is_projected_once_its_answer_is_unless_it_names_no_payment() {
        check([0, 0, 0], 0);
        check([0, 9, 0], 9);
        check([5, 9, 0], 9);
        check([5, 9, 5], 9);
        check([9, 5, 0], 9);
        // Answer 6 says nothing of its payment, so request 6 has to be read, and with it those before.
        check([5, 9, 6], 5);
        check([6, 9, 6], 9);
    }
}
