//! Signing keys: made here, sealed in the database, parsed once, and followed by others.
//!
//! The private half is PKCS#8 under AES-256-GCM with a key that is in no database; the kid is authenticated with it.
//! `rsa` makes the key and never touches it again: signing is aws-lc's, in constant time, on one parsed pair, because
//! parsing costs more than signing (890 µs against 340 µs).

pub(crate) mod administration;
pub(crate) mod keeper;
pub(crate) mod lifecycle;
pub(crate) mod public;
pub(crate) mod ring;
pub(crate) mod seal;

use std::fmt;

use anyhow::{Context as _, anyhow};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::token;
use rsa::PrivateKey;
use rsa::pkcs8::EncodePrivateKey as _;

pub use public::public_jwk;
pub use seal::KeyEncryptionKeys;

/// RSA-2048: what every verifier of the old system can do, 112 bits of strength, 23 µs to verify.
const MODULUS_BITS: usize = 2048;

/// The key that signs, with the names and the public half that the world knows it by.
pub struct SigningKey {
    pub(crate) kid: String,
    /// The `iss` of what it signs: it was announced with it.
    pub(crate) issuer: String,
    /// Modulus, base64url.
    pub(crate) n: String,
    /// Exponent, base64url.
    pub(crate) e: String,
    pair: RsaKeyPair,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key that is kept and announced nowhere, so that nobody trusts what it signs: the benchmark times it.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub async fn generate(issuer: &str) -> anyhow::Result<Self> {
        let (key, _private) = generate(issuer.to_owned()).await?;
        Ok(key)
    }

    /// RS256. Takes 340 µs, so it is done in place, and never while a lock is held.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .expect("a parsed RSA-2048 key signs any message into a buffer of its own length");
        signature
    }

    fn from_pkcs8(private: &[u8], issuer: &str) -> anyhow::Result<Self> {
        let pair = RsaKeyPair::from_pkcs8(private)
            .map_err(|error| anyhow!("the signing key can't be read: {error}"))?;
        let public = pair.public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        Ok(Self {
            kid: token::thumbprint(&n, &e)?,
            issuer: issuer.to_owned(),
            n,
            e,
            pair,
        })
    }
}

/// Takes 35 to 170 ms of one core (eight measured).
async fn generate(issuer: String) -> anyhow::Result<(SigningKey, rsa::pkcs8::SecretDocument)> {
    tokio::task::spawn_blocking(move || {
        let private = PrivateKey::new(&mut SystemRng, MODULUS_BITS)?.to_pkcs8_der()?;
        let key = SigningKey::from_pkcs8(private.as_bytes(), &issuer)?;
        anyhow::Ok((key, private))
    })
    .await?
    .context("no signing key can be made")
}

/// The operating system's randomness, through aws-lc.
struct SystemRng;

impl rsa::rand_core::TryRng for SystemRng {
    type Error = aws_lc_rs::error::Unspecified;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        aws_lc_rs::rand::fill(bytes)
    }
}

impl rsa::rand_core::TryCryptoRng for SystemRng {}

#[cfg(test)]
pub(crate) mod tests;
