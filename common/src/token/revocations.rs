//! Which tokens count no more: keys, people, programs, logins and single tokens that were revoked.
//!
//! The set stays small. A token lives for minutes, so whatever does not name a key can be forgotten soon after.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::claims::{LEEWAY_SECONDS, LIFETIME_SECONDS_MAX};
use super::verify::Verified;
use crate::ids::ClientId;

/// What is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// Every token that this key signed or signs.
    Key {
        /// The key.
        kid: String,
    },
    /// The tokens of a person or a program.
    Subject {
        /// The `sub` of the tokens.
        sub: String,
        /// Those issued up to this second since 1970, itself included.
        issued_until: i64,
    },
    /// The tokens of a producer, on whose behalf it may act too.
    Client {
        /// The `client_id` of the tokens.
        client_id: ClientId,
        /// Those issued up to this second since 1970, itself included.
        issued_until: i64,
    },
    /// The tokens of a login.
    Session {
        /// The `sid` of the tokens.
        sid: String,
    },
    /// One token.
    Token {
        /// Its `jti`.
        jti: String,
    },
}

/// How long after its revocation a token could still be alive, in seconds: it may have been issued a little later than
/// the broker's clock says, and both ends of its life have some leeway.
const RELEVANT_SECONDS: i64 = LIFETIME_SECONDS_MAX + 2 * LEEWAY_SECONDS;

/// What has been revoked, as far as it still matters.
#[derive(Debug, Clone, Default)]
pub struct Revocations {
    keys: HashSet<String>,
    subjects: HashMap<String, Until>,
    clients: HashMap<String, Until>,
    sessions: HashMap<String, i64>,
    tokens: HashMap<String, i64>,
}

/// A watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Until {
    issued: i64,
    forgotten: i64,
}

impl Revocations {
    /// Whether this token was revoked.
    #[must_use]
    pub fn has_revoked(&self, token: &Verified) -> bool {
        let claims = &token.claims;
        let is_before = |until: &Until| claims.iat <= until.issued;
        let session = claims.sid.as_ref();
        self.keys.contains(&token.kid)
            || self.subjects.get(&claims.sub).is_some_and(is_before)
            || self
                .clients
                .get(claims.client_id.as_str())
                .is_some_and(is_before)
            || session.is_some_and(|sid| self.sessions.contains_key(sid))
            || self.tokens.contains_key(&claims.jti)
    }

    /// Whether everything that this revokes was revoked before.
    #[must_use]
    pub fn covers(&self, target: &Target) -> bool {
        let covers =
            |until: Option<&Until>, issued: i64| until.is_some_and(|until| until.issued >= issued);
        match target {
            Target::Key { kid } => self.keys.contains(kid),
            Target::Subject { sub, issued_until } => covers(self.subjects.get(sub), *issued_until),
            Target::Client {
                client_id,
                issued_until,
            } => covers(self.clients.get(client_id.as_str()), *issued_until),
            Target::Session { sid } => self.sessions.contains_key(sid),
            Target::Token { jti } => self.tokens.contains_key(jti),
        }
    }

    /// Takes a revocation in, which was published at this time.
    pub fn insert(&mut self, target: &Target, published_at: DateTime<Utc>) {
        let forgotten = published_at.timestamp() + RELEVANT_SECONDS;
        match target {
            Target::Key { kid } => {
                self.keys.insert(kid.clone());
            }
            Target::Subject { sub, issued_until } => {
                raise(&mut self.subjects, sub, *issued_until, forgotten);
            }
            Target::Client {
                client_id,
                issued_until,
            } => raise(
                &mut self.clients,
                client_id.as_str(),
                *issued_until,
                forgotten,
            ),
            Target::Session { sid } => {
                self.sessions.insert(sid.clone(), forgotten);
            }
            Target::Token { jti } => {
                self.tokens.insert(jti.clone(), forgotten);
            }
        }
    }

    /// Forgets what can't concern a token that is judged at `now` or later.
    pub fn forget(&mut self, now: DateTime<Utc>) {
        let now = now.timestamp();
        keep(&mut self.subjects, |until| until.forgotten > now);
        keep(&mut self.clients, |until| until.forgotten > now);
        keep(&mut self.sessions, |forgotten| *forgotten > now);
        keep(&mut self.tokens, |forgotten| *forgotten > now);
    }
}

/// The later watermark counts.
fn raise(all: &mut HashMap<String, Until>, name: &str, issued: i64, forgotten: i64) {
    let until = all
        .entry(name.to_owned())
        .or_insert(Until { issued, forgotten });
    until.issued = until.issued.max(issued);
    until.forgotten = until.forgotten.max(forgotten);
}

fn keep<K: Hash + Eq, V>(all: &mut HashMap<K, V>, is_kept: impl Fn(&V) -> bool) {
    all.retain(|_, value| is_kept(value));
}
