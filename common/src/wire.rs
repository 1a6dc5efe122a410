//! Names on the wire: streams, subjects and headers. The only place that spells them.

use std::fmt::Display;

use crate::broker::HeaderLines;
use crate::ids::ClientId;

/// The log of everything that may change the books.
pub const REQUESTS: &str = "REQUESTS";
/// The log of answers; message N answers message N of [`REQUESTS`].
pub const SETTLEMENTS: &str = "SETTLEMENTS";

/// `Bearer <token>`; case matters to NATS, so this spelling only.
pub const AUTHORIZATION: &str = "Authorization";
/// W3C trace context, copied from a request to its answer.
pub const TRACEPARENT: &str = "traceparent";
/// Version of CloudEvents, always `1.0`.
pub const CE_SPECVERSION: &str = "ce-specversion";
/// The event's id: the payment's for a request, the sequence for an answer.
pub const CE_ID: &str = "ce-id";
/// The event's type, such as `payment.settled.v1`.
pub const CE_TYPE: &str = "ce-type";
/// Who made the event.
pub const CE_SOURCE: &str = "ce-source";
/// What the event is about: the payment's or the account's id.
pub const CE_SUBJECT: &str = "ce-subject";
/// The published time of the request.
pub const CE_TIME: &str = "ce-time";
/// Head of the hash chain after this answer, 64 hex digits.
pub const CHAIN: &str = "Quittance-Chain";

/// The `ce-type` of a payment request.
pub const PAYMENT_REQUESTED: &str = "payment.requested.v1";
/// The `ce-type` of an account request.
pub const ACCOUNT_REQUESTED: &str = "account.requested.v1";
/// The `ce-type` of a key announcement.
pub const KEY_REQUESTED: &str = "key.requested.v1";

/// Adds what every request says of itself: its token, and its type, id and source as an event.
pub fn add_request_headers(
    headers: &mut HeaderLines,
    token: &str,
    ce_type: &str,
    ce_id: impl Display,
    ce_source: impl Display,
) {
    headers.add(AUTHORIZATION, format_args!("Bearer {token}"));
    headers.add(CE_SPECVERSION, "1.0");
    headers.add(CE_ID, ce_id);
    headers.add(CE_TYPE, ce_type);
    headers.add(CE_SOURCE, ce_source);
}

/// Where a client publishes its payment requests.
#[must_use]
pub fn payment_subject(client: &ClientId) -> String {
    format!("request.payment.v1.{client}")
}

/// Where a client's account requests are published.
#[must_use]
pub fn account_subject(client: &ClientId) -> String {
    format!("request.account.v1.{client}")
}

/// Where auth announces signing keys.
pub const KEYS_SUBJECT: &str = "request.auth.v1.keys";

/// Longest subject of ours, in characters: a prefix and a client id take under 100. NATS takes longer ones in than it can
/// give out again with three more characters.
const SUBJECT_CHARS_MAX: usize = 200;

/// The subject of the answer to a request: the same, with `settlement` in front instead of `request`.
///
/// To a subject that none of ours can be it is a fixed one.
#[must_use]
pub fn answer_subject(request_subject: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    match request_subject.strip_prefix("request.") {
        Some(rest) if rest.len() <= SUBJECT_CHARS_MAX && rest.bytes().all(is_plain) => {
            format!("settlement.{rest}")
        }
        _ => "settlement.unknown.v1".to_owned(),
    }
}

/// Version 00 of W3C trace context: `00-<32 hex>-<16 hex>-<2 hex>`, lower case, neither id all zeros.
/// It is copied from whoever sent it, so nothing else may pass.
#[must_use]
pub fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |part: &str, digits| is_hex(part, digits) && part.bytes().any(|b| b != b'0');
    let parts: Vec<_> = text.split('-').collect();
    matches!(parts.as_slice(), ["00", trace, parent, flags]
        if is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2))
}

/// What the subject of a stored request says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A payment of this client.
    Payment(ClientId),
    /// A change to an account, asked for by this client.
    Account(ClientId),
    /// A key announced by auth.
    Key,
    /// Nothing the ledger knows; it answers with a rejection.
    Unknown,
}

impl Kind {
    /// Reads a subject of [`REQUESTS`].
    #[must_use]
    pub fn of_subject(subject: &str) -> Self {
        let client = |prefix: &str| subject.strip_prefix(prefix).and_then(|id| id.parse().ok());
        if subject == KEYS_SUBJECT {
            return Self::Key;
        }
        if let Some(client) = client("request.payment.v1.") {
            return Self::Payment(client);
        }
        client("request.account.v1.").map_or(Self::Unknown, Self::Account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_traceparent_is_passed_on() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_traceparent(good));
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }

    #[test]
    fn a_subject_tells_the_kind_and_the_client() {
        let shop: ClientId = "shop".parse().unwrap();
        assert_eq!(
            Kind::of_subject("request.payment.v1.shop"),
            Kind::Payment(shop.clone())
        );
        assert_eq!(
            Kind::of_subject("request.account.v1.shop"),
            Kind::Account(shop)
        );
        assert_eq!(Kind::of_subject("request.auth.v1.keys"), Kind::Key);
        for other in [
            "request.payment.v1.a.b",
            "request.payment.v1.",
            "request.payment.v2.shop",
            "request.x",
            "x",
        ] {
            assert_eq!(Kind::of_subject(other), Kind::Unknown, "{other}");
        }
    }

    #[test]
    fn an_answer_stands_where_its_request_stood() {
        assert_eq!(
            answer_subject("request.payment.v1.shop"),
            "settlement.payment.v1.shop"
        );
        assert_eq!(answer_subject("request.x"), "settlement.x");
        for odd in [
            "request.payment.v1.\u{fffd}",
            "request.a b",
            "x",
            &format!("request.{}", "a".repeat(201)),
        ] {
            assert_eq!(answer_subject(odd), "settlement.unknown.v1");
        }
    }
}
