//! Decides about rules: they are only ever raised.

use common::kinds::Answer;
use common::kinds::rules::{RulesAnswer, RulesStatus};

use super::Decision;
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::change::Change;
use crate::core::rules::Rules;

/// Answers a raise.
pub(super) fn decide(book: &Book, at: At, asked: Rules) -> Decision {
    let is_raise = asked > book.rules;
    let (status, rules, changes) = if is_raise {
        (RulesStatus::Raised, asked, vec![Change::RulesRaised(asked)])
    } else {
        (RulesStatus::Duplicate, book.rules, Vec::new())
    };
    let answer = Answer::Rules(RulesAnswer {
        request_seq: at.seq,
        rules: rules.number(),
        status,
        reason: None,
        published_at: at.published_at,
    });
    Decision { answer, changes }
}
