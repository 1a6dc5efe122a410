//! The public half of an RSA key, read from what people have: PEM or a JWK.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::token::thumbprint;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, DecodeRsaPublicKey as _};
use rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};

/// The public half of a key that is strong enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicHalf {
    /// RFC 7638 thumbprint.
    pub(crate) kid: String,
    /// Modulus, base64url.
    pub(crate) n: String,
    /// Exponent, base64url.
    pub(crate) e: String,
}

impl PublicHalf {
    /// Reads a JWK (an object), or PEM (a text).
    ///
    /// # Errors
    /// What is wrong with it: neither, or weak, or a private key.
    pub(crate) fn read(key: &Value) -> Result<Self, String> {
        let (n, e) = match key {
            Value::String(pem) => from_pem(pem)
                .ok_or("no RSA key in PEM (BEGIN PUBLIC KEY or BEGIN RSA PUBLIC KEY)")?,
            Value::Object(jwk) => {
                let text = |name: &str| jwk.get(name).and_then(Value::as_str);
                if ["d", "p", "q", "dp", "dq", "qi"]
                    .iter()
                    .any(|name| jwk.contains_key(*name))
                {
                    return Err(
                        "this is the private half; it was not kept, but treat it as known and make another"
                            .to_owned(),
                    );
                }
                let is_signing = jwk.get("use").is_none_or(|used| used == "sig")
                    && jwk.get("alg").is_none_or(|alg| alg == "RS256");
                match (text("kty"), text("n"), text("e")) {
                    (Some("RSA"), Some(n), Some(e)) if is_signing => (n.to_owned(), e.to_owned()),
                    _ => {
                        return Err(
                            "a JWK needs kty RSA, n and e, and is for RS256 signatures".to_owned()
                        );
                    }
                }
            }
            _ => return Err("a JWK or a PEM text".to_owned()),
        };
        let kid = thumbprint(&n, &e).map_err(|error| error.to_string())?;
        Ok(Self { kid, n, e })
    }
}

/// The public half, as a JWK, of a key in PEM: a public one, or a private one that is not encrypted. The private half stays
/// with the caller.
///
/// # Errors
/// What to do when it can't be read.
pub fn public_jwk(pem: &str) -> Result<Value, String> {
    if pem.contains("ENCRYPTED") {
        return Err(
            "the key is encrypted; `openssl rsa -in FILE -pubout` asks for its passphrase and writes the public half, \
             which is all that is needed"
                .to_owned(),
        );
    }
    let private = rsa::PrivateKey::from_pkcs8_pem(pem)
        .ok()
        .or_else(|| rsa::PrivateKey::from_pkcs1_pem(pem).ok());
    let parts = match private {
        Some(key) => Some(parts(key.as_public_key())),
        None => from_pem(pem),
    };
    let (n, e) = parts.ok_or("no RSA key in PEM")?;
    Ok(json!({"kty": "RSA", "n": n, "e": e}))
}

fn from_pem(pem: &str) -> Option<(String, String)> {
    let key = rsa::PublicKey::from_public_key_pem(pem)
        .ok()
        .or_else(|| rsa::PublicKey::from_pkcs1_pem(pem).ok())?;
    Some(parts(&key))
}

/// Modulus and exponent, base64url.
fn parts(key: &impl PublicKeyParts) -> (String, String) {
    let text = |bytes: Box<[u8]>| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        URL_SAFE_NO_PAD.encode(&bytes[zeros..])
    };
    (text(key.n_bytes()), text(key.e_bytes()))
}
