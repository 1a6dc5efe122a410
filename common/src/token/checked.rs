//! Tokens that need no signature check any more.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::TokenError;
use super::keys::Keys;
use super::verify::{Policy, Verified, timely, untimed};

/// Tokens that have passed every rule except those of time. A token that comes with a thousand payments then costs one
/// signature check (23 µs), not a thousand. The time is judged anew for each.
///
/// It belongs to one set of [`Keys`] that only grows: a new key changes nothing for a token that passed.
#[derive(Debug, Default)]
pub struct CheckedTokens(HashMap<String, Arc<Verified>, foldhash::quality::RandomState>);

/// Most tokens remembered: at about 2 kB each, 32 MB. When it is full it starts anew.
const CHECKED_TOKENS_MAX: usize = 16_384;

impl CheckedTokens {
    /// As [`verify`].
    ///
    /// # Errors
    /// The first rule that the token breaks.
    pub fn verify(
        &mut self,
        token: &str,
        at: DateTime<Utc>,
        policy: Policy,
        keys: &Keys,
    ) -> Result<Arc<Verified>, TokenError> {
        if let Some(verified) = self.0.get(token) {
            // It passed for some audience, perhaps for another.
            if verified.claims.aud != policy.audience.as_str() {
                return Err(TokenError::Audience(policy.audience));
            }
            return timely(verified, at, policy.times).map(|()| verified.clone());
        }
        let verified = Arc::new(untimed(token, policy.audience, keys)?);
        timely(&verified, at, policy.times)?;
        if self.0.len() >= CHECKED_TOKENS_MAX {
            self.0.clear();
        }
        self.0.insert(token.to_owned(), verified.clone());
        Ok(verified)
    }
}
