//! Names on the wire: the streams and the headers of their messages.

/// The log of everything that may change the books.
pub const REQUESTS: &str = "REQUESTS";
/// The log of answers; message N answers message N of [`REQUESTS`].
pub const SETTLEMENTS: &str = "SETTLEMENTS";

/// What services say of themselves, line by line: bounded, and no part of the books.
pub const LOGS: &str = "LOGS";

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

/// The trace that a whole `traceparent` names.
#[must_use]
pub fn trace_id(traceparent: &str) -> &str {
    traceparent.get(3..35).unwrap_or_default()
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
}
