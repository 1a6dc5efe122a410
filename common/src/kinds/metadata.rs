//! A producer's own notes.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Most keys in `metadata`, as `schemas/payment.requested.v1.json` promises.
pub const METADATA_KEYS_MAX: usize = 20;

/// Whether a body, read as a payment request, has a key twice in its metadata. The last one counts where this is allowed.
#[must_use]
pub fn has_repeated_key(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Notes {
        #[serde(default)]
        #[expect(dead_code, reason = "reading it is the point")]
        metadata: Unrepeated,
    }
    serde_json::from_slice::<Notes>(body).is_err()
}

/// A map of texts that can't be read with a key twice.
#[derive(Default)]
struct Unrepeated;

impl<'de> Deserialize<'de> for Unrepeated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Unrepeated;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of texts")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Unrepeated, M::Error> {
                let mut keys = BTreeSet::new();
                while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                    if !keys.insert(key) {
                        return Err(M::Error::custom("a key twice"));
                    }
                }
                Ok(Unrepeated)
            }
        }
        deserializer.deserialize_map(Reading)
    }
}
