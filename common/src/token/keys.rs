//! The public keys that have been announced.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};

/// RSA moduli that are accepted, in bits.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// 65537, the only public exponent that is accepted, base64url.
const EXPONENT: &str = "AQAB";

/// The keys that have been announced, by `kid`.
#[derive(Debug, Clone, Default)]
pub struct Keys(HashMap<String, Key>);

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) issuer: String,
    pub(super) public: DecodingKey,
}

/// Why a public key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not RSA, or weak.
    #[error("the key is not RSA with 2048 to 4096 bits and the exponent 65537")]
    Weak,
    /// Named otherwise than by its thumbprint.
    #[error("the kid is not the key's RFC 7638 thumbprint")]
    Thumbprint,
}

/// The `kid` of an RSA public key: its RFC 7638 SHA-256 thumbprint.
///
/// # Errors
/// [`KeyError::Weak`] when the parts are no acceptable RSA key.
pub fn thumbprint(n: &str, e: &str) -> Result<String, KeyError> {
    let modulus = URL_SAFE_NO_PAD.decode(n).map_err(|_| KeyError::Weak)?;
    let zeros = modulus
        .first()
        .map_or(0, |byte| usize::try_from(byte.leading_zeros()).unwrap_or(8));
    let bits = (modulus.len() * 8).saturating_sub(zeros);
    // A leading zero byte would give one key two thumbprints.
    if e != EXPONENT || zeros >= 8 || !MODULUS_BITS.contains(&bits) {
        return Err(KeyError::Weak);
    }
    let public = DecodingKey::from_rsa_components(n, e).map_err(|_| KeyError::Weak)?;
    Jwk::from_decoding_key(&public, Some(Algorithm::RS256))
        .and_then(|jwk| jwk.thumbprint(ThumbprintHash::SHA256))
        .map_err(|_| KeyError::Weak)
}

impl Keys {
    /// Whether this could be taken in.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn check(kid: &str, n: &str, e: &str) -> Result<(), KeyError> {
        if thumbprint(n, e)? == kid {
            Ok(())
        } else {
            Err(KeyError::Thumbprint)
        }
    }

    /// Takes a key in. The same key again changes nothing: it keeps the issuer that it came with.
    ///
    /// # Errors
    /// [`KeyError`]; then nothing has changed.
    pub fn insert(&mut self, kid: &str, issuer: &str, n: &str, e: &str) -> Result<(), KeyError> {
        Self::check(kid, n, e)?;
        let public = DecodingKey::from_rsa_components(n, e).map_err(|_| KeyError::Weak)?;
        self.0.entry(kid.to_owned()).or_insert_with(|| Key {
            issuer: issuer.to_owned(),
            public,
        });
        Ok(())
    }

    /// The key of this name.
    pub(super) fn get(&self, kid: &str) -> Option<&Key> {
        self.0.get(kid)
    }

    /// Whether this key is known.
    #[must_use]
    pub fn contains(&self, kid: &str) -> bool {
        self.0.contains_key(kid)
    }

    /// The keys and whose they are, for comparing. A `kid` is its key's thumbprint, so it stands for the key.
    #[must_use]
    pub fn issuers(&self) -> BTreeMap<&str, &str> {
        self.0
            .iter()
            .map(|(kid, key)| (&**kid, &*key.issuer))
            .collect()
    }

    /// Their names.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
