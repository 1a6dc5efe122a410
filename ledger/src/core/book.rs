//! The pure state that `decide` works on: accounts, holds, used payment ids, keys, rules. It knows nothing of where they
//! came from.
//!
//! The engine fills it with what one batch touches; a replay starts with an empty one and keeps everything.

pub mod account;
pub mod hold;
pub mod holds;
pub mod limits;
pub mod usage;

use std::collections::HashMap;

use common::ids::AccountId;
use common::token::{Keys, Revocations};

use crate::core::change::Change;
use crate::core::rules::Rules;
use account::Account;
use holds::Holds;
use usage::{Booking, Original, PaymentKey, UsedPaymentId};

/// A map with a cheap hash: a cryptographic one was a twentieth of what a request costs. Strangers choose the keys, so
/// the hash has a random seed. Keys that collide all the same do little harm: the map holds some thousand payment ids
/// at most, and only accounts that somebody was allowed to open.
pub type Map<K, V> = HashMap<K, V, foldhash::quality::RandomState>;

/// Everything a decision may look at, besides the request itself.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// Accounts by id.
    pub accounts: Map<AccountId, Account>,
    /// Payment ids that have been used up, and what became of them.
    pub payments: Map<PaymentKey, UsedPaymentId>,
    /// Holds.
    pub holds: Holds,
    /// Payments and transactions of which something was reversed, or may be.
    pub originals: Map<PaymentKey, Original>,
    /// Keys that tokens may be signed with.
    pub keys: Keys,
    /// Tokens that count no more.
    pub revocations: Revocations,
    /// The rules that the next request is decided by.
    pub rules: Rules,
}

impl Book {
    /// Whether there is a key that was announced and not revoked.
    #[must_use]
    pub fn believes_a_key(&self) -> bool {
        self.keys
            .kids()
            .any(|kid| !self.revocations.has_revoked_key(kid))
    }

    /// Takes a change over.
    ///
    /// # Panics
    /// When the change was decided on another book.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::PaymentIdUsed(key, used) => {
                self.payments.insert(key.clone(), used.clone());
            }
            Change::Posted(entry) => {
                let account = self.accounts.get_mut(&entry.account);
                let account = account.expect("a posting was decided on an account of this book");
                account.posted = entry.balance;
                account.postings = entry.number;
            }
            Change::AccountOpened(account) => {
                self.accounts.insert(account.id, (**account).clone());
            }
            Change::AccountStands(id, standing) => {
                let account = self.accounts.get_mut(id);
                let account = account.expect("a standing was decided for an account of this book");
                account.stand((**standing).clone());
            }
            Change::HoldStands(hold) => self.holds.insert((**hold).clone()),
            Change::Reversed(reversal) => {
                self.originals
                    .insert(reversal.of.clone(), reversal.original.clone());
            }
            Change::KeyNoted(key) => {
                let noted = self.keys.insert(&key.kid, &key.issuer, &key.n, &key.e);
                noted.expect("the key was checked when it was decided");
            }
            Change::Revoked(target, published_at) => {
                self.revocations.insert(target, *published_at);
            }
            Change::RulesRaised(rules) => self.rules = *rules,
        }
    }

    /// A copy without the payment ids: there is one for every payment.
    #[must_use]
    pub fn without_payment_ids(&self) -> Self {
        Self {
            accounts: self.accounts.clone(),
            payments: Map::default(),
            holds: self.holds.clone(),
            originals: self.originals.clone(),
            keys: self.keys.clone(),
            revocations: self.revocations.clone(),
            rules: self.rules,
        }
    }

    /// What was booked under this id, with what was reversed of it.
    #[must_use]
    pub fn original(&self, key: &PaymentKey) -> Option<Original> {
        let fresh = || {
            let used = self.payments.get(key)?;
            Some(Original {
                request_seq: used.request_seq,
                item: used.item,
                booking: Booking::fresh(used.booked.as_ref()?),
                changed_seq: 0,
            })
        };
        self.originals.get(key).cloned().or_else(fresh)
    }

    /// Forgets what was reversed of a payment or transaction, unless a request behind `written` has reversed more.
    pub fn forget_original(&mut self, key: &PaymentKey, written: u64) {
        let known = self.originals.get(key);
        if known.is_some_and(|original| original.changed_seq <= written) {
            self.originals.remove(key);
        }
    }

    /// Forgets what a change up to request `written` left here and the database knows by now.
    ///
    /// Payment ids go at once: there is one for every payment. Accounts stay, because most are needed again soon. What
    /// a later request has changed again stays too.
    pub fn forget(&mut self, change: &Change, written: u64) {
        match change {
            Change::PaymentIdUsed(key, _) => {
                self.payments.remove(key);
            }
            Change::HoldStands(hold) => self.holds.forget(&hold.key, written),
            Change::Reversed(reversal) => self.forget_original(&reversal.of, written),
            Change::Posted(_)
            | Change::AccountOpened(_)
            | Change::AccountStands(..)
            | Change::KeyNoted(_)
            | Change::Revoked(..)
            | Change::RulesRaised(_) => {}
        }
    }
}
