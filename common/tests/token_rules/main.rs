//! Attacks on `token::verify`, a row each: what is done to a good token, and the one rule that stops it.

mod claims;
mod header;
mod keys;
mod paddings;
mod properties;

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use common::token::{CheckedTokens, Keys, Policy, TokenError, new_jti, thumbprint, verify};
use serde_json::{Value, json};

const ISSUER: &str = "https://auth.test";
const OTHER_ISSUER: &str = "https://other.test";

struct Signer {
    pair: RsaKeyPair,
    kid: String,
    n: String,
    e: String,
}

impl Signer {
    fn new() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("random enough");
        let public = pair.public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        let kid = thumbprint(&n, &e).expect("a strong key");
        Self { pair, kid, n, e }
    }

    fn sign_as(&self, padding: &'static dyn RsaEncoding, message: &str) -> String {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                padding,
                &SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            )
            .expect("a strong key signs");
        URL_SAFE_NO_PAD.encode(signature)
    }

    /// Any header and any claims, well signed.
    fn token(&self, header: &str, claims: &str) -> String {
        let signed = parts(header, claims);
        let signature = self.sign_as(&RSA_PKCS1_SHA256, &signed);
        format!("{signed}.{signature}")
    }
}

fn parts(header: &str, claims: &str) -> String {
    let (header, claims) = (
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims),
    );
    format!("{header}.{claims}")
}

/// Announced for [`ISSUER`].
static OURS: LazyLock<Signer> = LazyLock::new(Signer::new);
/// Announced for [`OTHER_ISSUER`].
static OTHER: LazyLock<Signer> = LazyLock::new(Signer::new);
static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::default();
    for (signer, issuer) in [(&*OURS, ISSUER), (&*OTHER, OTHER_ISSUER)] {
        keys.insert(&signer.kid, issuer, &signer.n, &signer.e)
            .expect("a strong key");
    }
    keys
});

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("in range")
}

fn header() -> Value {
    json!({"alg": "RS256", "typ": "at+jwt", "kid": OURS.kid})
}

/// Issued 60 s ago, valid since 30 s, for 840 s to come.
fn claims() -> Value {
    let now = now().timestamp();
    json!({
        "iss": ISSUER, "sub": "somebody", "aud": "quittance", "client_id": "shop", "scope": "payments:submit",
        "iat": now - 60, "nbf": now - 30, "exp": now + 840, "jti": new_jti(), "token_type": "access",
        "user_id": "somebody",
    })
}

/// The object with one member changed; `null` removes it.
fn with(mut object: Value, name: &str, value: Value) -> String {
    let members = object.as_object_mut().expect("an object");
    members.remove(name);
    if !value.is_null() {
        members.insert(name.to_owned(), value);
    }
    object.to_string()
}

/// The object with one more member in front, even if it is there already.
fn with_twice(object: &Value, name: &str, value: &Value) -> String {
    object
        .to_string()
        .replacen('{', &format!("{{\"{name}\":{value},"), 1)
}

fn with_header(name: &str, value: Value) -> String {
    OURS.token(&with(header(), name, value), &claims().to_string())
}

fn with_claim(name: &str, value: Value) -> String {
    with_claims(&with(claims(), name, value))
}

fn with_claims(claims: &str) -> String {
    OURS.token(&header().to_string(), claims)
}

fn good() -> String {
    with_claims(&claims().to_string())
}

/// An attack: its name, its token, the rule that stops it.
type Row = (String, String, TokenError);

fn row(case: &str, token: String, expected: TokenError) -> Row {
    (case.to_owned(), token, expected)
}

/// Every row twice: as it is, and with the good token and the earlier attacks remembered.
fn check(rows: impl IntoIterator<Item = Row>) {
    let mut checked = CheckedTokens::default();
    let good = good();
    let before = checked.verify(&good, now(), Policy::HTTP, &KEYS);
    assert!(before.is_ok(), "the token before the attack: {before:?}");
    for (case, token, expected) in rows {
        assert_eq!(
            verify(&token, now(), Policy::HTTP, &KEYS),
            Err(expected),
            "{case}"
        );
        for _ in 0..2 {
            assert_eq!(
                checked.verify(&token, now(), Policy::HTTP, &KEYS),
                Err(expected),
                "{case}, remembered"
            );
        }
    }
}
