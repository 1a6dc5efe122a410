//! The keys: strong, named by their thumbprint, and each its first issuer's.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use common::token::{KeyError, Keys, Policy, thumbprint, verify};

use crate::{ISSUER, KEYS, OTHER, OTHER_ISSUER, OURS, good, now};

#[test]
fn a_weak_or_misnamed_key_is_not_taken_in() {
    let modulus = |bytes: usize| vec![0x81; bytes];
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let with_zero = [vec![0], modulus(256)].concat();
    let mut short_by_a_bit = modulus(256);
    short_by_a_bit[0] = 0x7f;
    for (case, n, e) in [
        ("1024 bits", part(&modulus(128)), "AQAB"),
        ("2040 bits", part(&modulus(255)), "AQAB"),
        ("2047 bits", part(&short_by_a_bit), "AQAB"),
        ("4104 bits", part(&modulus(513)), "AQAB"),
        ("none", String::new(), "AQAB"),
        ("zero", part(&[0; 256]), "AQAB"),
        ("a leading zero", part(&with_zero), "AQAB"),
        ("no base64url", "+/".repeat(171), "AQAB"),
        ("padded", URL_SAFE.encode(modulus(256)), "AQAB"),
        ("e = 1", part(&modulus(256)), "AQ"),
        ("e = 3", part(&modulus(256)), "Aw"),
        ("e with a zero", part(&modulus(256)), "AAEAAQ"),
        ("no e", part(&modulus(256)), ""),
    ] {
        assert_eq!(thumbprint(&n, e), Err(KeyError::Weak), "{case}");
        let mut keys = Keys::default();
        assert_eq!(
            keys.insert("x", ISSUER, &n, e),
            Err(KeyError::Weak),
            "{case}"
        );
        assert!(keys.kids().next().is_none(), "{case}");
    }
    let mut keys = Keys::default();
    for kid in ["", "x", &OTHER.kid, &format!("{}=", OURS.kid)] {
        let taken = keys.insert(kid, ISSUER, &OURS.n, &OURS.e);
        assert_eq!(taken, Err(KeyError::Thumbprint), "{kid}");
    }
    assert!(keys.kids().next().is_none());
}

#[test]
fn a_key_keeps_the_issuer_that_it_came_with() {
    let mut keys = KEYS.clone();
    keys.insert(&OURS.kid, OTHER_ISSUER, &OURS.n, &OURS.e)
        .unwrap();
    assert!(verify(&good(), now(), Policy::HTTP, &keys).is_ok());
}

#[test]
fn a_thumbprint_is_the_one_of_rfc_7638() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    assert_eq!(
        thumbprint(n, "AQAB").unwrap(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
}
