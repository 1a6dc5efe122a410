//! Tokens of the SimpleJWT system before this one, whose key was imported.
//!
//! They name neither a login nor a generation. Each refresh token is taken for the first of a family that is named after it,
//! so it is good once, and a thief's second use ends the family, as with tokens of ours.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value};
use uuid::{Builder, Uuid};

use super::REFRESH;
use crate::people::import::Key;

/// Says of a claims set which imported key signed it. No token of ours says so.
pub(crate) const IMPORTED_FROM: &str = "imported_from";

/// What a token of another system says, in the words of ours; `None` when it names nobody who could be here.
pub(super) fn translated(mut claims: Map<String, Value>, kid: &str) -> Option<Map<String, Value>> {
    let user = match claims.get("user_id")? {
        // SimpleJWT writes a number as it is, or as a text.
        Value::String(text) => match text.parse() {
            Ok(number) => Key::Number(number),
            Err(_) => Key::Text(text.clone()),
        },
        number => Key::Number(number.as_i64()?),
    };
    let user = user.id()?;
    claims.insert("user_id".to_owned(), user.to_string().into());
    claims.insert("iss".to_owned(), Value::from(""));
    claims.insert(IMPORTED_FROM.to_owned(), kid.into());
    // These are no claims of SimpleJWT's.
    for name in ["sid", "family", "generation", "aud", "client_id"] {
        claims.remove(name);
    }
    if claims.get("token_type").is_some_and(|of| of == REFRESH) {
        let jti = claims.get("jti")?.as_str()?;
        let family = family_of(kid, jti);
        claims.insert("family".to_owned(), family.to_string().into());
        claims.insert("generation".to_owned(), 0.into());
    }
    Some(claims)
}

/// The family that a refresh token of another system is the first of.
fn family_of(kid: &str, jti: &str) -> Uuid {
    let digest = digest(&SHA256, format!("imported {kid} {jti}").as_bytes());
    let bytes = digest.as_ref().first_chunk().expect("32 bytes");
    Builder::from_random_bytes(*bytes).into_uuid()
}
