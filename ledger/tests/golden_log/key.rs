//! Keys and tokens of a golden log.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use common::token::thumbprint;
use serde_json::{Value, json};

/// When a golden log begins.
pub(crate) const NOW: DateTime<Utc> =
    DateTime::from_timestamp(1_795_000_000, 0).expect("a time of 2026");

/// A signing key that exists only while a golden log is made.
pub(crate) struct Key {
    pair: KeyPair,
    pub(crate) kid: String,
    n: String,
    e: String,
}

impl Key {
    pub(crate) fn new() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("random enough");
        let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let (n, e) = (
            URL_SAFE_NO_PAD.encode(public.n),
            URL_SAFE_NO_PAD.encode(public.e),
        );
        Self {
            pair,
            kid: thumbprint(&n, &e).expect("a strong key"),
            n,
            e,
        }
    }

    pub(crate) fn announcement(&self) -> String {
        json!({"kid": self.kid, "issuer": "https://issuer", "n": self.n, "e": self.e}).to_string()
    }

    pub(crate) fn token(&self, client: &str, scope: &str, shift_s: i64) -> String {
        self.token_since(client, scope, shift_s, 0)
    }

    /// A token that is valid so many seconds before it was issued.
    pub(crate) fn token_since(
        &self,
        client: &str,
        scope: &str,
        shift_s: i64,
        before_s: i64,
    ) -> String {
        let issued_at = NOW.timestamp() - 30 + shift_s;
        let times = json!({"iat": issued_at, "nbf": issued_at - before_s, "exp": issued_at + 900});
        self.with(client, scope, times)
    }

    /// A token with some claims of its own.
    pub(crate) fn with(&self, client: &str, scope: &str, changes: Value) -> String {
        let issued_at = NOW.timestamp() - 30;
        let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": self.kid});
        let mut claims = json!({
            "iss": "https://issuer", "sub": client, "aud": "quittance-log", "client_id": client, "scope": scope,
            "iat": issued_at, "nbf": issued_at, "exp": issued_at + 900, "jti": format!("token of {client}"),
            "token_type": "access", "user_id": client,
        });
        let Value::Object(changes) = changes else {
            panic!("changes are an object")
        };
        for (name, value) in changes {
            claims[name] = value;
        }
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .expect("a strong key signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
