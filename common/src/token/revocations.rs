//! Which tokens count no more: keys, people, programs, logins and single tokens that were revoked.
//!
//! The set stays small. A token lives for minutes, so whatever does not name a key can be forgotten soon after.

use std::collections::{HashMap, HashSet};

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
    /// The tokens of a login, of a program's credential, or under a mandate.
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
/// What concerns no token any more is remembered so much longer, in seconds: the broker's clock may step back when
/// another server leads. It takes memory and changes no judgement.
const REMEMBERED_SECONDS: i64 = 86_400;
/// Fewest entries at which it is worth looking for what can be forgotten.
const SWEPT_MIN: usize = 1024;

/// What has been revoked, as far as it still matters.
///
/// Whether a token is revoked depends on what was taken in and on the moment alone, never on what was forgotten.
#[derive(Debug, Clone, Default)]
pub struct Revocations {
    keys: HashSet<String>,
    subjects: HashMap<String, Until>,
    clients: HashMap<String, Until>,
    sessions: HashMap<String, Until>,
    tokens: HashMap<String, Until>,
    /// At so many entries it looks for what can be forgotten.
    swept_at: usize,
}

/// Which tokens, and how long they could be alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Until {
    /// Those issued up to this second.
    issued: i64,
    /// Until this second.
    relevant: i64,
}

impl Revocations {
    /// Whether a token that is judged at `at` was revoked.
    #[must_use]
    pub fn has_revoked(&self, token: &Verified, at: DateTime<Utc>) -> bool {
        let (claims, at) = (&token.claims, at.timestamp());
        let holds = |until: Option<&Until>| {
            until.is_some_and(|until| claims.iat <= until.issued && at < until.relevant)
        };
        let session = claims.sid.as_ref();
        self.has_revoked_key(&token.kid)
            || holds(self.subjects.get(&claims.sub))
            || holds(self.clients.get(claims.client_id.as_str()))
            || session.is_some_and(|sid| holds(self.sessions.get(sid)))
            || holds(self.tokens.get(&claims.jti))
    }

    /// Whether a key was revoked. That holds for ever.
    #[must_use]
    pub fn has_revoked_key(&self, kid: &str) -> bool {
        self.keys.contains(kid)
    }

    /// Whether everything that this revokes, published at `at`, was revoked before and still is.
    #[must_use]
    pub fn covers(&self, target: &Target, at: DateTime<Utc>) -> bool {
        let (all, name, until) = match Entry::of(target, at) {
            Entry::Key(kid) => return self.has_revoked_key(kid),
            Entry::Subject(name, until) => (&self.subjects, name, until),
            Entry::Client(name, until) => (&self.clients, name, until),
            Entry::Session(name, until) => (&self.sessions, name, until),
            Entry::Token(name, until) => (&self.tokens, name, until),
        };
        all.get(name)
            .is_some_and(|known| known.issued >= until.issued && at.timestamp() < known.relevant)
    }

    /// Takes in a revocation that was published at `at`.
    pub fn insert(&mut self, target: &Target, at: DateTime<Utc>) {
        let (all, name, until) = match Entry::of(target, at) {
            Entry::Key(kid) => {
                self.keys.insert(kid.to_owned());
                return;
            }
            Entry::Subject(name, until) => (&mut self.subjects, name, until),
            Entry::Client(name, until) => (&mut self.clients, name, until),
            Entry::Session(name, until) => (&mut self.sessions, name, until),
            Entry::Token(name, until) => (&mut self.tokens, name, until),
        };
        let known = all.entry(name.to_owned()).or_insert(until);
        known.issued = known.issued.max(until.issued);
        known.relevant = known.relevant.max(until.relevant);
        self.sweep(at);
    }

    /// Forgets what concerns no token any more, when there is much.
    fn sweep(&mut self, now: DateTime<Utc>) {
        let count = |of: &Self| {
            [&of.subjects, &of.clients, &of.sessions, &of.tokens]
                .map(HashMap::len)
                .iter()
                .sum()
        };
        let entries: usize = count(self);
        if entries < self.swept_at.max(SWEPT_MIN) {
            return;
        }
        let oldest = now.timestamp() - REMEMBERED_SECONDS;
        for all in [
            &mut self.subjects,
            &mut self.clients,
            &mut self.sessions,
            &mut self.tokens,
        ] {
            all.retain(|_, until| until.relevant > oldest);
        }
        let entries: usize = count(self);
        self.swept_at = entries * 2;
    }
}

/// Where a target stands among the revocations.
enum Entry<'t> {
    Key(&'t str),
    Subject(&'t str, Until),
    Client(&'t str, Until),
    Session(&'t str, Until),
    Token(&'t str, Until),
}

impl<'t> Entry<'t> {
    fn of(target: &'t Target, at: DateTime<Utc>) -> Self {
        let until = |issued| Until {
            issued,
            relevant: at.timestamp() + RELEVANT_SECONDS,
        };
        match target {
            Target::Key { kid } => Self::Key(kid),
            Target::Subject { sub, issued_until } => Self::Subject(sub, until(*issued_until)),
            Target::Client {
                client_id,
                issued_until,
            } => Self::Client(client_id.as_str(), until(*issued_until)),
            Target::Session { sid } => Self::Session(sid, until(i64::MAX)),
            Target::Token { jti } => Self::Token(jti, until(i64::MAX)),
        }
    }
}
