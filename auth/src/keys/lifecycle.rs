//! When a key goes from one state to the next. Pure; time is an argument.
//!
//! ```text
//! pending ──► active ──► retiring ──► retired
//!    └──────────┴───────────┴───────────┴──► revoked
//! ```
//! A key signs only when the ledger has noted it, and when whoever fetches the keys over HTTP has had the time to. Its
//! successor is there before its time is over, so that nobody notices the change. A key that was revoked signs no token from
//! that moment on. Only it can vouch for its successor, though, if there is none yet; so it keeps its private half until the
//! ledger has noted the successor, and its revocation follows then.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::token::{LEEWAY_SECONDS, LIFETIME_SECONDS_MAX};

/// How long verifiers may keep the keys that they fetched.
pub(crate) const KEY_SET_MAX_AGE: Duration = Duration::from_secs(600);
/// How long a key is shown before it signs: twice as long as a verifier may keep the keys.
const PENDING: TimeDelta = TimeDelta::seconds(1200);
/// How long a key that has stopped signing is shown: until its last access token is over, by a clock that is a minute slow.
const RETIRING: TimeDelta = TimeDelta::seconds(LIFETIME_SECONDS_MAX + LEEWAY_SECONDS + 60);
/// How long auth takes refresh tokens that a key has signed which has stopped signing: a day, and a minute for clocks.
pub(super) const REFRESHABLE: TimeDelta = TimeDelta::seconds(86_400 + 60);
/// How long another system's tokens are taken: the life of its refresh tokens.
pub(super) const IMPORTED: TimeDelta = REFRESHABLE;

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Active,
    Retiring,
    Retired,
    Revoked,
}

impl State {
    /// The word that is stored and shown.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }

    /// The state of this word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Active,
            Self::Retiring,
            Self::Retired,
            Self::Revoked,
        ]
        .into_iter()
        .find(|state| state.as_str() == word)
    }

    /// Whether verifiers are shown it.
    pub(crate) fn is_shown(self) -> bool {
        match self {
            Self::Pending | Self::Active | Self::Retiring => true,
            Self::Retired | Self::Revoked => false,
        }
    }
}

/// What the next step of a key depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) kid: String,
    pub(crate) state: State,
    /// The ledger has noted it.
    pub(crate) is_announced: bool,
    pub(crate) has_private_half: bool,
    /// From then on a pending key may sign.
    pub(crate) activates_at: Option<DateTime<Utc>>,
    pub(crate) activated_at: Option<DateTime<Utc>>,
    /// When the last tokens of a retiring one are over.
    pub(crate) retires_at: Option<DateTime<Utc>>,
}

/// A step that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A new key is made, which may sign from then on.
    Create { activates_at: DateTime<Utc> },
    /// This pending key signs, and the one before it, if there is one, retires at that time.
    Activate {
        kid: String,
        predecessor_retires_at: DateTime<Utc>,
    },
    /// The private half of this retiring key is deleted.
    Retire { kid: String },
    /// A revoked key has vouched for its successor: its private half is deleted, and the ledger hears of its revocation.
    Disown { kid: String },
}

/// The first step that is due; each leads to keys for which this is asked again. A key signs for `rotation`.
pub(crate) fn next(keys: &[Life], rotation: TimeDelta, now: DateTime<Utc>) -> Option<Step> {
    let of = |state| keys.iter().find(|key| key.state == state);
    let (active, pending) = (of(State::Active), of(State::Pending));
    match (active, pending) {
        (None, None) => return Some(Step::Create { activates_at: now }),
        (_, Some(pending)) => {
            let is_time = active.is_none() || pending.activates_at.is_none_or(|at| now >= at);
            if pending.is_announced && is_time {
                return Some(Step::Activate {
                    kid: pending.kid.clone(),
                    predecessor_retires_at: now + RETIRING,
                });
            }
        }
        (Some(active), None) => {
            let until = active.activated_at.unwrap_or(now) + rotation;
            if now >= until - PENDING {
                return Some(Step::Create {
                    activates_at: until.max(now + PENDING),
                });
            }
        }
    }
    if active.is_some() {
        let vouched = |key: &&Life| key.state == State::Revoked && key.has_private_half;
        if let Some(revoked) = keys.iter().find(vouched) {
            return Some(Step::Disown {
                kid: revoked.kid.clone(),
            });
        }
    }
    let is_over =
        |key: &&Life| key.state == State::Retiring && key.retires_at.is_none_or(|at| now >= at);
    let over = keys.iter().find(is_over)?;
    Some(Step::Retire {
        kid: over.kid.clone(),
    })
}

/// When a key that is asked for now signs, so that every verifier knows it by then.
pub(crate) fn activation(now: DateTime<Utc>) -> DateTime<Utc> {
    now + PENDING
}

/// Which of these signs, or vouches for the next: the active one; or the one that was revoked and is not disowned; or the
/// first of all, which vouches for itself.
pub(crate) fn voucher(keys: &[Life]) -> Option<&Life> {
    let find = |state| {
        keys.iter()
            .find(|key| key.state == state && key.has_private_half)
    };
    find(State::Active)
        .or_else(|| find(State::Revoked))
        .or_else(|| find(State::Pending))
}

#[cfg(test)]
mod tests;
