//! The holds that the book knows, and which of an account ends first.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use common::ids::AccountId;

use crate::core::book::Map;
use crate::core::book::hold::{Hold, HoldStatus};
use crate::core::book::usage::PaymentKey;

/// Holds by their client and `payment_id`.
#[derive(Debug, Clone, Default)]
pub struct Holds {
    by_key: Map<PaymentKey, Hold>,
    /// Those that can be captured and will end by themselves, by account and end.
    ending: BTreeMap<(AccountId, DateTime<Utc>, u64), PaymentKey>,
}

impl Holds {
    /// A hold.
    #[must_use]
    pub fn get(&self, key: &PaymentKey) -> Option<&Hold> {
        self.by_key.get(key)
    }

    /// Every hold.
    pub fn all(&self) -> impl Iterator<Item = &Hold> {
        self.by_key.values()
    }

    /// Takes a hold in as it is now.
    pub fn insert(&mut self, hold: Hold) {
        self.remove(&hold.key);
        if let (HoldStatus::Authorised, Some(end)) = (hold.status, hold.expires_at) {
            let place = (hold.debtor.account, end, hold.seq);
            self.ending.insert(place, hold.key.clone());
        }
        self.by_key.insert(hold.key.clone(), hold);
    }

    /// Forgets a hold.
    pub fn remove(&mut self, key: &PaymentKey) {
        let Some(hold) = self.by_key.remove(key) else {
            return;
        };
        if let Some(end) = hold.expires_at {
            self.ending.remove(&(hold.debtor.account, end, hold.seq));
        }
    }

    /// Forgets a hold, unless a request behind `written` has changed it.
    pub fn forget(&mut self, key: &PaymentKey, written: u64) {
        if self
            .get(key)
            .is_some_and(|hold| hold.changed_seq <= written)
        {
            self.remove(key);
        }
    }

    /// Of the holds of an account that have ended by this time, though nothing says so yet, the first.
    #[must_use]
    pub fn first_due(&self, account: AccountId, published_at: DateTime<Utc>) -> Option<&Hold> {
        let first = (account, DateTime::<Utc>::MIN_UTC, 0);
        let mut due = self.ending.range(first..=(account, published_at, u64::MAX));
        due.next().map(|(_, key)| &self.by_key[key])
    }
}
