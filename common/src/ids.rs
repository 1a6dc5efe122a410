//! The names of things. Each is a type of its own, so that a payment can't be looked up by an account's id.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

/// Longest `sub`, `jti` or `sid` of a token, in characters. The ledger keeps them; a UUID has 36, an e-mail address fits.
pub const NAME_CHARS_MAX: usize = 128;

/// Whether a name can be kept as text: PostgreSQL's holds no NUL, and people read it on terminals.
#[must_use]
pub fn is_storable(name: &str) -> bool {
    name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control)
}

macro_rules! uuid_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(
            /// The id as it stands on the wire.
            pub Uuid,
        );

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_newtype! {
    /// Names an account. Chosen by whoever opens it, so that opening it again is recognised.
    AccountId
}
uuid_newtype! {
    /// Names a payment within one client. The producer chooses it; version 7 is recommended, because it sorts by time.
    PaymentId
}

uuid_newtype! {
    /// Names a batch of payments. The producer chooses it, to find the batch by.
    BatchId
}

/// Names a producer: a service account's id, or `user-<uuid>` for somebody who logged in.
///
/// 1 to 64 of `a-z A-Z 0-9 - _`: it is a token of NATS subjects and the name of a consumer, so it holds no dot, space or wildcard.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^[A-Za-z0-9_-]{1,64}$"))]
pub struct ClientId(Arc<str>);

/// The text is no client id.
#[derive(Debug, thiserror::Error)]
#[error("a client id is 1 to 64 letters, digits, hyphens or underscores")]
pub struct InvalidClientId;

impl ClientId {
    /// The client that a person is once logged in.
    #[must_use]
    pub fn of_user(user: Uuid) -> Self {
        Self(format!("user-{user}").into())
    }

    /// The ledger itself, where it asks for something.
    #[must_use]
    pub fn ledger() -> Self {
        Self("ledger".into())
    }

    /// The id as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ClientId {
    type Error = InvalidClientId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for ClientId {
    type Err = InvalidClientId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidClientId)
        }
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The owner of the bank's own accounts.
pub const OWNER_BANK: &str = "bank";

/// The owner of an account, in one spelling: a UUID in lower case with hyphens, anything else as it is.
///
/// An owner is the `sub` of tokens: a person's UUID or the id of a service account.
#[must_use]
pub fn owner_spelling(text: &str) -> Cow<'_, str> {
    match text.trim().parse::<Uuid>() {
        Ok(id) => id.to_string().into(),
        Err(_) => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_holds_nothing_that_means_something_in_a_subject() {
        for good in ["demo-shop", "user-0197", "A_1"] {
            assert!(good.parse::<ClientId>().is_ok(), "{good}");
        }
        for bad in ["", "a.b", "*", ">", "a b", "ä", &"x".repeat(65)] {
            assert!(bad.parse::<ClientId>().is_err(), "{bad}");
        }
    }
}
