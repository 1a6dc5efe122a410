//! Payment ids that are used up.

use common::ids::{ClientId, PaymentId};
use common::kinds::payment::PaymentStatus;
use common::reason::Code;

use crate::core::chain::Digest;

/// Names a payment: its id is unique within one client.
pub type PaymentKey = (ClientId, PaymentId);

/// What became of the payment that used an id up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedPaymentId {
    /// The request that did.
    pub request_seq: u64,
    /// SHA-256 of what it asked for, in one spelling.
    pub content: Digest,
    /// Settled or rejected.
    pub status: PaymentStatus,
    /// Why, if rejected.
    pub reason: Option<Code>,
}
