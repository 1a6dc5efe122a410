//! The signing key: made at the first start, sealed in the database, parsed once.
//!
//! The private half is PKCS#8 under AES-256-GCM with a key that is in no database; the kid is authenticated with it.
//! `rsa` makes the key and never touches it again: signing is aws-lc's, in constant time, on one parsed pair, because
//! parsing costs more than signing (890 µs against 340 µs).

mod ring;
mod seal;

use std::fmt;

use anyhow::{Context as _, anyhow, ensure};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use common::token;
use rsa::PrivateKey;
use rsa::pkcs8::EncodePrivateKey as _;
use sqlx::PgPool;

pub(crate) use ring::Ring;
pub use seal::KeyEncryptionKey;

use crate::store;
use crate::store::keys::StoredKey;

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

    /// Whether this key has signed `message`.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key())
            .verify(message, signature)
            .is_ok()
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

/// The active key; the first start makes it.
///
/// # Errors
/// When the database does not answer, the key does not open, or the issuer is not the one it was made for.
pub(crate) async fn load_or_create(
    pool: &PgPool,
    seal: &KeyEncryptionKey,
    issuer: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<SigningKey> {
    // A bad one is an error before the first key is made.
    seal.cipher()?;
    if store::keys::active_key(pool).await?.is_none() {
        let (key, private) = generate(issuer.to_owned()).await?;
        let stored = StoredKey {
            private_sealed: seal.seal(&key.kid, private.as_bytes())?,
            kid: key.kid,
            issuer: key.issuer,
            n: key.n,
            e: key.e,
        };
        store::keys::insert_active_key(pool, &stored, now).await?;
    }
    // Read again: another instance may have been faster, and its key counts.
    let stored = store::keys::active_key(pool)
        .await?
        .context("the active signing key has gone while this was starting")?;
    ensure!(
        stored.issuer == issuer,
        "signing key {} is announced for the issuer {}; set QUITTANCE_ISSUER to it",
        stored.kid,
        stored.issuer,
    );
    let private = seal.open(&stored.kid, &stored.private_sealed)?;
    let key = SigningKey::from_pkcs8(&private, issuer)?;
    ensure!(
        (&key.kid, &key.n, &key.e) == (&stored.kid, &stored.n, &stored.e),
        "the row of signing key {} holds another public key than its private half has; restore it from a backup",
        stored.kid,
    );
    tracing::info!(kid = key.kid, "signing key loaded");
    Ok(key)
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
pub(crate) mod tests {
    use std::sync::{Arc, LazyLock};

    use super::*;

    /// The key of [`ring`].
    pub(crate) fn signing_key() -> &'static SigningKey {
        static KEY: LazyLock<Arc<SigningKey>> = LazyLock::new(|| ring().signing());
        &KEY
    }

    /// Keys for other modules' tests; making one takes long.
    pub(crate) fn ring() -> &'static Ring {
        static RING: LazyLock<Ring> = LazyLock::new(|| Ring::new(copy_of_the_key()));
        &RING
    }

    /// The same key once more.
    pub(crate) fn copy_of_the_key() -> SigningKey {
        static PRIVATE: LazyLock<rsa::pkcs8::SecretDocument> = LazyLock::new(|| {
            let private = PrivateKey::new(&mut SystemRng, MODULUS_BITS).expect("random enough");
            private.to_pkcs8_der().expect("a fresh key is encodable")
        });
        SigningKey::from_pkcs8(PRIVATE.as_bytes(), "https://auth.test").expect("just made")
    }

    #[test]
    fn a_key_knows_its_own_signature_only() {
        let key = signing_key();
        let signature = key.sign(b"message");
        assert!(key.has_signed(b"message", &signature));
        assert!(!key.has_signed(b"massage", &signature));
        assert!(!key.has_signed(b"message", &signature[1..]));
        assert_eq!(
            format!("{key:?}"),
            format!("SigningKey {{ kid: {:?}, .. }}", key.kid)
        );
    }
}
