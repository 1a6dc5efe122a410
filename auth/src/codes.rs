//! Codes that a person reads, types and uses once, and the alphabet of such texts.
//!
//! A code is random bits, so its SHA-256 is all that is kept: nobody finds out by trying what a digest is of.

use anyhow::Context as _;
use aws_lc_rs::digest::{SHA256, digest};

/// Base32 (RFC 4648): no letter of it looks like a digit of it.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Characters between two hyphens.
const GROUP: usize = 4;

/// A new code of so many random bytes, as in `MFRG-GZDF-MZTW-Q2LK`.
pub(crate) fn random<const BYTES: usize>() -> anyhow::Result<String> {
    let text = base32(&bytes::<BYTES>()?);
    let groups: Vec<&str> = text
        .as_bytes()
        .chunks(GROUP)
        .map(|group| str::from_utf8(group).expect("base32 is ASCII"))
        .collect();
    Ok(groups.join("-"))
}

/// Random bytes.
pub(crate) fn bytes<const BYTES: usize>() -> anyhow::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    aws_lc_rs::rand::fill(&mut bytes).context("no randomness")?;
    Ok(bytes)
}

/// What is kept of a code, in whatever case and groups it is typed.
pub(crate) fn sha256(typed: &str) -> Vec<u8> {
    let plain: String = typed
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    digest(&SHA256, plain.as_bytes()).as_ref().to_vec()
}

/// RFC 4648 §6, without padding.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut bits, mut held) = (0_u16, 0_u32);
    for byte in bytes {
        bits = (bits << 8) | u16::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(letter(bits >> held));
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        text.push(letter(bits << (5 - held)));
    }
    text
}

fn letter(bits: u16) -> char {
    ALPHABET[usize::from(bits & 31)].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: RFC 4648 §10.
    #[test]
    fn base32_is_that_of_the_rfc() {
        for (bytes, expected) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), expected);
        }
    }

    #[test]
    fn a_code_is_the_same_however_it_is_typed() {
        let code = random::<10>().unwrap();
        assert_eq!(code.len(), 19, "{code}");
        let plain = code.replace('-', "");
        for typed in [&plain, &code.to_lowercase(), &format!(" {code}\n")] {
            assert_eq!(sha256(typed), sha256(&code), "{typed:?}");
        }
        assert_ne!(sha256(&random::<10>().unwrap()), sha256(&code));
    }
}
