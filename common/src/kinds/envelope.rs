//! The headers of a request: whether they agree with its body.

use uuid::Uuid;

use crate::headers::Headers;
use crate::reason::{Code, Reason};
use crate::wire;

/// The headers that mean something; each may appear once.
const HEADERS: [&str; 6] = [
    wire::AUTHORIZATION,
    wire::CE_SPECVERSION,
    wire::CE_ID,
    wire::CE_TYPE,
    wire::CE_SOURCE,
    wire::TRACEPARENT,
];

/// What a request's headers must say, if they say it.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'e> {
    /// Its `ce-type`.
    pub ce_type: &'e str,
    /// The id in its body, with hyphens and in lower case.
    pub ce_id: &'e str,
    /// Whether an id may be spelt in another way.
    pub ids_as_ids: bool,
}

impl Expected<'_> {
    /// No header appears twice. CloudEvents headers may be missing, but must not contradict the body.
    ///
    /// # Errors
    /// FF01. The words are part of answers, which never change.
    pub fn check(self, headers: &Headers) -> Result<(), Reason> {
        if let Some(name) = HEADERS
            .iter()
            .find(|name| headers.get_all(name).count() > 1)
        {
            return Err(Reason::new(
                Code::FF01,
                format!("the header {name} appears twice"),
            ));
        }
        for (name, expected) in [
            (wire::CE_SPECVERSION, "1.0"),
            (wire::CE_TYPE, self.ce_type),
            (wire::CE_ID, self.ce_id),
        ] {
            let is_expected = |value: &str| {
                let as_ids = name == wire::CE_ID && self.ids_as_ids;
                value.eq_ignore_ascii_case(expected) || as_ids && is_same_id(value, expected)
            };
            if headers.get(name).is_some_and(|value| !is_expected(value)) {
                return Err(Reason::new(
                    Code::FF01,
                    format!("the header {name} is not {expected}, as the body has it"),
                ));
            }
        }
        Ok(())
    }
}

/// Whether two texts spell the same UUID.
fn is_same_id(one: &str, other: &str) -> bool {
    let id = |text: &str| text.parse::<Uuid>().ok();
    id(one).is_some_and(|one| id(other) == Some(one))
}
