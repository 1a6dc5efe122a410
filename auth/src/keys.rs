//! The signing key: made at the first start, sealed in the database, parsed once.
//!
//! The private half is PKCS#8 under AES-256-GCM with a key that is in no database; the kid is authenticated with it.
//! `rsa` makes the key and never touches it again: signing is aws-lc's, in constant time, on one parsed pair, because
//! parsing costs more than signing (890 µs against 340 µs).

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, anyhow, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use common::token;
use rsa::PrivateKey;
use rsa::pkcs8::EncodePrivateKey as _;
use sqlx::PgPool;

use crate::store::{self, StoredKey};

/// RSA-2048: what every verifier of the old system can do, 112 bits of strength, 23 µs to verify.
const MODULUS_BITS: usize = 2048;

/// What private keys are sealed with: 32 bytes as 64 hex digits.
///
/// The text is read when the service starts and not with the command line, whose errors quote what they refuse.
#[derive(Clone)]
pub struct KeyEncryptionKey(String);

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKey(…)")
    }
}

impl FromStr for KeyEncryptionKey {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl KeyEncryptionKey {
    fn cipher(&self) -> anyhow::Result<RandomizedNonceKey> {
        let wrong = || anyhow!("QUITTANCE_KEY_ENCRYPTION_KEY must be 64 hex digits");
        ensure!(self.0.len() == 64 && self.0.is_ascii(), wrong());
        let mut bytes = [0; 32];
        for (byte, place) in bytes.iter_mut().zip((0..64).step_by(2)) {
            let digits = &self.0[place..place + 2];
            ensure!(
                digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
                wrong()
            );
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| wrong())
    }

    /// Nonce, ciphertext, tag.
    fn seal(&self, kid: &str, private: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut text = private.to_vec();
        let nonce = self
            .cipher()?
            .seal_in_place_append_tag(Aad::from(kid.as_bytes()), &mut text)
            .map_err(|_| anyhow!("the signing key can't be sealed"))?;
        Ok([nonce.as_ref().as_slice(), &text].concat())
    }

    fn open(&self, kid: &str, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (nonce, text) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .context("the sealed signing key is cut off")?;
        let mut text = text.to_vec();
        let length = self
            .cipher()?
            .open_in_place(Nonce::from(nonce), Aad::from(kid.as_bytes()), &mut text)
            .map_err(|_| {
                anyhow!(
                    "signing key {kid} does not open: QUITTANCE_KEY_ENCRYPTION_KEY is not the one it was sealed \
                     with, or its row was changed; start with the key encryption key of this database"
                )
            })?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

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
    if store::active_key(pool).await?.is_none() {
        let (key, private) = generate(issuer.to_owned()).await?;
        let stored = StoredKey {
            private_sealed: seal.seal(&key.kid, private.as_bytes())?,
            kid: key.kid,
            issuer: key.issuer,
            n: key.n,
            e: key.e,
        };
        store::insert_active_key(pool, &stored, now).await?;
    }
    // Read again: another instance may have been faster, and its key counts.
    let stored = store::active_key(pool)
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
    use super::*;

    const KEK: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    /// Keys for other modules' tests; making one takes long.
    pub(crate) fn signing_key() -> &'static SigningKey {
        static KEY: std::sync::LazyLock<SigningKey> = std::sync::LazyLock::new(|| {
            let private = PrivateKey::new(&mut SystemRng, MODULUS_BITS).expect("random enough");
            let private = private.to_pkcs8_der().expect("a fresh key is encodable");
            SigningKey::from_pkcs8(private.as_bytes(), "https://auth.test").expect("just made")
        });
        &KEY
    }

    #[test]
    fn a_sealed_key_opens_in_its_own_row_with_its_own_key_only() {
        let seal: KeyEncryptionKey = KEK.parse().unwrap();
        let sealed = seal.seal("kid-a", b"private").unwrap();
        assert_eq!(seal.open("kid-a", &sealed).unwrap(), b"private");
        assert!(seal.open("kid-b", &sealed).is_err(), "another row");
        let other: KeyEncryptionKey = KEK.replace("00", "01").parse().unwrap();
        let error = other.open("kid-a", &sealed).unwrap_err().to_string();
        assert!(
            error.contains("QUITTANCE_KEY_ENCRYPTION_KEY is not the one"),
            "{error}"
        );
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(seal.open("kid-a", &changed).is_err(), "byte {place}");
        }
        assert!(seal.open("kid-a", &sealed[..5]).is_err());
        assert_ne!(
            seal.seal("kid-a", b"private").unwrap(),
            sealed,
            "a nonce is used once"
        );
    }

    #[test]
    fn a_bad_key_encryption_key_is_told_and_not_shown() {
        for bad in [
            "",
            "12",
            &"g".repeat(64),
            &format!("+1{}", "0".repeat(62)),
            &"ä".repeat(32),
        ] {
            let seal: KeyEncryptionKey = bad.parse().unwrap();
            let error = seal.cipher().map(drop).unwrap_err().to_string();
            assert_eq!(error, "QUITTANCE_KEY_ENCRYPTION_KEY must be 64 hex digits");
        }
        assert!(!format!("{:?}", KEK.parse::<KeyEncryptionKey>()).contains("0011"));
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
