//! What a log says of rules, revocations and batches, as a replay meets it.

use common::token::Target;

use crate::core::batch::Decided;
use crate::core::change::Change;
use crate::core::rules::Rules;

/// What a replay meets on its way and compares at the end.
#[derive(Debug)]
pub(super) struct Trusted {
    /// Every raise of the rules: the version, and the request that raised it.
    pub(super) raised: Vec<(u32, u64)>,
    /// Every revocation: the request and what it revoked.
    pub(super) revoked: Vec<(u64, Target)>,
    /// How many payment ids batches have used up.
    pub(super) batch_payments: u64,
}

impl Trusted {
    pub(super) fn at_the_beginning() -> Self {
        Self {
            raised: vec![(Rules::One.number(), 0)],
            revoked: Vec::new(),
            batch_payments: 0,
        }
    }

    /// Takes over what a batch changes.
    pub(super) fn note(&mut self, decided: &[Decided]) {
        for item in decided {
            let seq = item.request.at.seq;
            for change in &item.changes {
                match change {
                    Change::RulesRaised(rules) => self.raised.push((rules.number(), seq)),
                    Change::Revoked(target, _) => self.revoked.push((seq, (**target).clone())),
                    Change::PaymentIdUsed(_, used) => {
                        self.batch_payments += u64::from(used.item.is_some());
                    }
                    Change::Posted(_)
                    | Change::AccountOpened(_)
                    | Change::AccountStands(..)
                    | Change::HoldStands(_)
                    | Change::Reversed(_)
                    | Change::KeyNoted(_) => {}
                }
            }
        }
    }
}
