//! Verifies a raise of the rules. It needs no token: the broker lets only the ledger publish it.

use common::kinds::Answer;
use common::kinds::rules::{REQUESTED, RaiseRules};
use common::message::Stored;
use common::reason::{Code, Reason};

use super::envelope::{body, envelope};
use crate::core::at::At;
use crate::core::rejection;
use crate::core::rules::{NewerRules, Rules};

/// The rules that are asked for, or the rejection.
///
/// # Errors
/// When this program does not know them.
pub(super) fn verify(message: &Stored, at: At) -> Result<Result<Rules, Box<Answer>>, NewerRules> {
    let rejected = |reason| Ok(Err(Box::new(Answer::Rules(rejection::rules(at, reason)))));
    let number = match body::<RaiseRules>(message) {
        Ok(request) => request.rules,
        Err(reason) => return rejected(reason),
    };
    if number > Rules::NEWEST.number() {
        return Err(NewerRules {
            seq: at.seq,
            rules: number,
        });
    }
    let Some(rules) = Rules::from_number(number) else {
        return rejected(Reason::new(Code::FF01, "rules are numbered from 1"));
    };
    match envelope(message, at.rules, REQUESTED, &number.to_string()) {
        Ok(()) => Ok(Ok(rules)),
        Err(reason) => rejected(reason),
    }
}
