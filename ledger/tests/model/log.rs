//! A request as the broker stored it, read without the ledger's help.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use common::message::Stored;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

/// A request of the log.
pub(crate) struct Request {
    pub(crate) seq: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) subject: String,
    /// The second word of its subject.
    pub(crate) kind: String,
    pub(crate) body: Value,
    /// What its token says; the mix signs all of them well.
    pub(crate) claims: Option<Claims>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) client_id: String,
    scope: String,
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    pub(crate) jti: String,
    pub(crate) sid: Option<String>,
    pub(crate) payment_max: Option<BTreeMap<String, String>>,
    pub(crate) accounts: Option<Vec<Uuid>>,
}

impl Claims {
    pub(crate) fn has(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|word| word == scope)
    }
}

impl Request {
    pub(crate) fn of(stored: &Stored) -> Self {
        let token = stored.header("Authorization");
        let payload = token.and_then(|token| token.split('.').nth(1));
        let claims = payload.map(|payload| {
            let json = URL_SAFE_NO_PAD.decode(payload).expect("the mix signs JSON");
            serde_json::from_slice(&json).expect("the mix fills in all claims")
        });
        Self {
            seq: stored.sequence,
            at: stored.published_at,
            subject: stored.subject.clone(),
            kind: stored
                .subject
                .split('.')
                .nth(1)
                .unwrap_or_default()
                .to_owned(),
            body: serde_json::from_slice(&stored.payload).expect("the mix sends JSON"),
            claims,
        }
    }
}
