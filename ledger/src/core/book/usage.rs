//! Payment ids that are used up.

use common::ids::{AccountId, ClientId, PaymentId};
use common::kinds::payment::PaymentStatus;
use common::money::Money;
use common::reason::Code;

use crate::core::chain::Digest;

/// Names a payment: its id is unique within one client.
pub type PaymentKey = (ClientId, PaymentId);

/// What became of the payment that used an id up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    pub moved: Option<Moved>,
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

/// A payment that may be reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original {
    /// The request that booked it.
    pub request_seq: u64,
    /// Which payment of it, from 0, if it was a batch.
    pub item: Option<u16>,
    /// What it booked.
    pub moved: Moved,
    /// What was reversed of it before.
    pub reversed: Money,
    /// The last request that reversed some of it; 0 when none did.
    pub changed_seq: u64,
}
