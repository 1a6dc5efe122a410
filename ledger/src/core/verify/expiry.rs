//! Verifies the announcement that a hold has ended. It comes under no token: only the ledger may publish there.

use common::kinds::Answer;
use common::kinds::expiry::{AnnounceExpiry, REQUESTED};
use common::message::Stored;

use super::envelope::{body, envelope};
use crate::core::at::At;
use crate::core::rejection;

/// The announcement, or the rejection.
pub(super) fn verify(message: &Stored, at: At) -> Result<AnnounceExpiry, Box<Answer>> {
    let rejected = |request: Option<&AnnounceExpiry>, reason| {
        Box::new(Answer::Payment(rejection::expiry(at, request, reason)))
    };
    let request: AnnounceExpiry = body(message).map_err(|reason| rejected(None, reason))?;
    let id = request.hold_id.to_string();
    match envelope(message, at.rules, REQUESTED, &id) {
        Ok(()) => Ok(request),
        Err(reason) => Err(rejected(Some(&request), reason)),
    }
}
