//! One-time codes from a shared secret and the time (RFC 6238): SHA-1, six digits, 30 s, as every authenticator does. Pure.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};

/// Bytes of a secret. Source: RFC 4226 §4 recommends 160 bits.
pub(crate) const SECRET_BYTES: usize = 20;
const STEP_SECONDS: i64 = 30;
const DIGITS: usize = 6;
const CODES: u32 = 1_000_000;
/// Steps before and after this one whose codes pass too: clocks differ, and typing takes a while. Source: RFC 6238 §5.2.
const DRIFT: i64 = 1;

/// The step whose code this is, if it is good at this time. A step at or before `last_used` is used up.
pub(crate) fn step_of(
    secret: &[u8],
    typed: &str,
    now: DateTime<Utc>,
    last_used: Option<i64>,
) -> Option<i64> {
    let step = now.timestamp().div_euclid(STEP_SECONDS);
    let is_right = |step: i64| {
        verify_slices_are_equal(code(secret, step).as_bytes(), typed.as_bytes()).is_ok()
    };
    (step - DRIFT..=step + DRIFT)
        .filter(|step| last_used.is_none_or(|last| *step > last))
        .find(|step| is_right(*step))
}

/// HOTP (RFC 4226 §5.3) of the step.
fn code(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[tag.len() - 1] & 15);
    let word = tag[offset..]
        .first_chunk::<4>()
        .expect("20 bytes, 15 + 4 at most");
    let number = (u32::from_be_bytes(*word) & 0x7fff_ffff) % CODES;
    format!("{number:0DIGITS$}")
}

/// What an authenticator is told, as text or in a QR code. Source: the Key URI Format of Google Authenticator, which all read.
pub(crate) fn uri(secret_base32: &str, issuer: &str, email: &str) -> String {
    let (issuer, email) = (percent_encoded(issuer), percent_encoded(email));
    format!(
        "otpauth://totp/{issuer}:{email}?secret={secret_base32}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
    )
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    /// Source: RFC 6238, appendix B, the last six digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        for (second, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(SECRET, second / STEP_SECONDS), expected);
            let step = step_of(SECRET, expected, at(second), None);
            assert_eq!(step, Some(second / STEP_SECONDS));
        }
    }

    #[test]
    fn a_code_passes_in_its_step_and_beside_it_and_once() {
        // The code of step 37 037 036, which begins at 1 111 111 080.
        for (second, last_used, passes) in [
            (1_111_111_049, None, false),
            (1_111_111_050, None, true),
            (1_111_111_080, None, true),
            (1_111_111_139, None, true),
            (1_111_111_140, None, false),
            (1_111_111_080, Some(37_037_035), true),
            (1_111_111_080, Some(37_037_036), false),
            (1_111_111_080, Some(37_037_037), false),
        ] {
            let step = step_of(SECRET, "081804", at(second), last_used);
            assert_eq!(step.is_some(), passes, "{second} after {last_used:?}");
        }
        for typed in ["", "81804", "0818040", "081805", "０８１８０４"] {
            assert_eq!(step_of(SECRET, typed, at(1_111_111_109), None), None);
        }
    }

    #[test]
    fn an_address_in_a_uri_says_nothing_else() {
        let uri = uri("MZXW6", "A & B", "a?b#c@d.rw");
        assert_eq!(
            uri,
            "otpauth://totp/A%20%26%20B:a%3Fb%23c@d.rw?secret=MZXW6&issuer=A%20%26%20B&algorithm=SHA1&digits=6&period=30"
        );
    }
}
