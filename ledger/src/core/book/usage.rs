//! Payment ids that are used up.

use std::sync::Arc;

use common::ids::{AccountId, ClientId, PaymentId};
use common::kinds::payment::PaymentStatus;
use common::kinds::transaction::Leg;
use common::money::Money;
use common::reason::Code;

use crate::core::chain::Digest;

/// Names a payment: its id is unique within one client.
pub type PaymentKey = (ClientId, PaymentId);

/// What became of the payment that used an id up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedPaymentId {
    /// The request that did.
    pub request_seq: u64,
    /// Which payment of it, from 0, if it was a batch.
    pub item: Option<u16>,
    /// SHA-256 of what it asked for, in one spelling.
    pub content: Digest,
    /// Its outcome.
    pub status: PaymentStatus,
    /// Why, if rejected.
    pub reason: Option<Code>,
    /// What it booked, as far as that is known here and can be reversed.
    pub booked: Option<Postings>,
}

/// What a request booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Postings {
    /// Those of a payment or capture.
    Pair(Moved),
    /// Those of a transaction, in order.
    Legs(Arc<[Leg]>),
}

/// What a request booked, and how far that was reversed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Booking {
    /// A payment or capture, which may be reversed in parts.
    Payment {
        /// What it booked.
        moved: Moved,
        /// What was reversed of it before.
        reversed: Money,
    },
    /// A transaction, which is reversed whole.
    Transaction {
        /// Its postings, in order.
        legs: Arc<[Leg]>,
        /// Whether it was reversed before.
        is_reversed: bool,
    },
}

impl Booking {
    /// What is just booked, and not reversed yet.
    #[must_use]
    pub fn fresh(booked: &Postings) -> Self {
        match booked {
            Postings::Pair(moved) => Self::Payment {
                moved: *moved,
                reversed: Money::zero(moved.money.currency()),
            },
            Postings::Legs(legs) => Self::Transaction {
                legs: legs.clone(),
                is_reversed: false,
            },
        }
    }

    /// The accounts that it is booked on; one may come twice.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountId> {
        match self {
            Self::Payment { moved, .. } => vec![moved.debtor, moved.creditor],
            Self::Transaction { legs, .. } => legs.iter().map(|leg| leg.account).collect(),
        }
    }
}

/// What a payment or a capture booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The account that paid.
    pub debtor: AccountId,
    /// The account that was paid.
    pub creditor: AccountId,
    /// How much.
    pub money: Money,
}

/// A payment, capture or transaction that may be reversed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// The request that booked it.
    pub request_seq: u64,
    /// Which payment of it, from 0, if it was a batch.
    pub item: Option<u16>,
    /// What it booked, and how far that was reversed.
    pub booking: Booking,
    /// The last request that reversed some of it; 0 when none did.
    pub changed_seq: u64,
}
