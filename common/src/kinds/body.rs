//! What the bodies of all kinds have in common: how a request's is read, and what an answer's says.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::reason::Reason;

/// Largest body of a request about one thing, in bytes. The fields of one payment or account at their limits take under
/// 16 KiB.
pub const BYTES_MAX: usize = 32 * 1024;

/// The body of a kind of request.
pub trait RequestBody: DeserializeOwned {
    /// Largest body, in bytes. A longer one is answered FF01 as far as it can be stored.
    const BYTES_MAX: usize = BYTES_MAX;
}

/// Reads a body. Everybody who reads one does it here, so that all agree on what a readable request is.
///
/// # Errors
/// When it is not a JSON object with exactly the fields of `T`.
pub fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, serde_json::Error> {
    // serde would take the fields of a struct from an array as well.
    if body
        .trim_ascii_start()
        .first()
        .is_none_or(|first| *first == b'{')
    {
        return serde_json::from_slice(body);
    }
    serde_json::from_slice::<serde_json::Value>(body)?;
    Err(serde::de::Error::custom("expected a JSON object"))
}

/// What the answers of every kind say alike.
pub(crate) trait AnswerBody {
    /// Its `ce-type`.
    fn ce_type(&self) -> &'static str;
    /// What it is about, for `ce-subject`: the payment's, account's or key's id.
    fn about(&self) -> Option<String>;
    /// The status and the reason, if it is a rejection.
    fn outcome(&self) -> (&'static str, Option<&Reason>);
    /// The sequence that it answers.
    fn request_seq(&self) -> u64;
}
