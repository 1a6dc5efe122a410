//! The end of a hold, announced by the ledger so that subscribers hear of it. The hold counts as ended from its
//! `expires_at` on, announced or not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{ClientId, PaymentId};
use crate::kinds::body::RequestBody;

/// The `ce-type` of an announcement.
pub const REQUESTED: &str = "expiry.requested.v1";
/// Where the ledger announces.
pub const SUBJECT: &str = "request.expiry.v1.ledger";

/// Where the answer to an announcement is published: beside the answers to the client's own requests.
#[must_use]
pub fn answer_subject(client: &ClientId) -> String {
    format!("settlement.expiry.v1.{client}")
}

/// Announces that a hold has ended by time. Subject `request.expiry.v1.ledger`; only the ledger may publish there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "expiry.requested.v1")]
pub struct AnnounceExpiry {
    /// Whose hold it is.
    pub client_id: ClientId,
    /// The `payment_id` of the hold.
    pub hold_id: PaymentId,
}

impl RequestBody for AnnounceExpiry {}
