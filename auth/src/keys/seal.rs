//! Sealing: private halves of keys leave this process under AES-256-GCM only.
//!
//! There may be several keys to seal with, so that one can follow another: the first seals, and all of them open. The name
//! of what is sealed is authenticated with it, so that a row can't be given another row's secret.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, anyhow, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

/// What private keys are sealed with: 32 bytes as 64 hex digits, or several of them with commas, of which the first seals
/// and the others only open.
///
/// The text is read when the service starts and not with the command line, whose errors quote what they refuse.
#[derive(Clone)]
pub struct KeyEncryptionKeys(String);

impl fmt::Debug for KeyEncryptionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKeys(…)")
    }
}

impl FromStr for KeyEncryptionKeys {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl KeyEncryptionKeys {
    /// Reads the text.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn read(&self) -> anyhow::Result<Seal> {
        let ciphers = self.0.split(',').map(|text| cipher(text.trim()));
        Ok(Seal(ciphers.collect::<anyhow::Result<_>>()?))
    }
}

fn cipher(text: &str) -> anyhow::Result<RandomizedNonceKey> {
    let wrong = || {
        anyhow!("QUITTANCE_KEY_ENCRYPTION_KEY must be 64 hex digits, or several such with commas")
    };
    ensure!(text.len() == 64 && text.is_ascii(), wrong());
    let mut bytes = [0; 32];
    for (byte, place) in bytes.iter_mut().zip((0..64).step_by(2)) {
        let digits = &text[place..place + 2];
        ensure!(
            digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
            wrong()
        );
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| wrong())
}

/// Seals and opens. There is at least one cipher; the first seals.
pub(crate) struct Seal(Vec<RandomizedNonceKey>);

impl Seal {
    /// Nonce, ciphertext, tag.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub(crate) fn seal(&self, name: &str, secret: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut text = secret.to_vec();
        let nonce = self.0[0]
            .seal_in_place_append_tag(Aad::from(name.as_bytes()), &mut text)
            .map_err(|_| anyhow!("{name} can't be sealed"))?;
        Ok([nonce.as_ref().as_slice(), &text].concat())
    }

    /// What was sealed under this name.
    ///
    /// # Errors
    /// When none of the keys opens it.
    pub(crate) fn open(&self, name: &str, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
        let opened = self.0.iter().find_map(|key| open(key, name, sealed));
        opened.with_context(|| {
            format!(
                "{name} does not open: QUITTANCE_KEY_ENCRYPTION_KEY is not the one it was sealed with, or its row was \
                 changed; start with the key encryption key of this database"
            )
        })
    }

    /// Sealed anew by the first key; `None` when it is already.
    ///
    /// # Errors
    /// When none of the keys opens it.
    pub(crate) fn reseal(&self, name: &str, sealed: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
        if open(&self.0[0], name, sealed).is_some() {
            return Ok(None);
        }
        let secret = self.open(name, sealed)?;
        self.seal(name, &secret).map(Some)
    }
}

fn open(key: &RandomizedNonceKey, name: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut text = text.to_vec();
    let opened = key
        .open_in_place(Nonce::from(nonce), Aad::from(name.as_bytes()), &mut text)
        .ok()?;
    let length = opened.len();
    text.truncate(length);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEK: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn seal(text: &str) -> Seal {
        let keys: KeyEncryptionKeys = text.parse().unwrap();
        keys.read().unwrap()
    }

    #[test]
    fn a_sealed_key_opens_in_its_own_row_with_its_own_key_only() {
        let seal = seal(KEK);
        let sealed = seal.seal("kid-a", b"private").unwrap();
        assert_eq!(seal.open("kid-a", &sealed).unwrap(), b"private");
        assert!(seal.open("kid-b", &sealed).is_err(), "another row");
        let other = self::seal(&KEK.replace("00", "01"));
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
    fn one_key_follows_another() {
        let new = KEK.replace("00", "01");
        let (old, both, after) = (seal(KEK), seal(&format!("{new}, {KEK}")), seal(&new));
        let sealed = old.seal("kid", b"private").unwrap();
        assert_eq!(both.open("kid", &sealed).unwrap(), b"private");
        let again = both
            .reseal("kid", &sealed)
            .unwrap()
            .expect("by the old one");
        assert_eq!(after.open("kid", &again).unwrap(), b"private");
        assert!(old.open("kid", &again).is_err());
        assert!(both.reseal("kid", &again).unwrap().is_none());
        assert!(after.reseal("kid", &sealed).is_err());
    }

    #[test]
    fn a_bad_key_encryption_key_is_told_and_not_shown() {
        for bad in [
            "",
            "12",
            &format!("{KEK},"),
            &format!("{KEK},12"),
            &"g".repeat(64),
            &format!("+1{}", "0".repeat(62)),
            &"ä".repeat(32),
        ] {
            let keys: KeyEncryptionKeys = bad.parse().unwrap();
            let error = keys.read().map(drop).unwrap_err().to_string();
            assert!(
                error.starts_with("QUITTANCE_KEY_ENCRYPTION_KEY must be 64 hex digits"),
                "{error}"
            );
        }
        assert!(!format!("{:?}", KEK.parse::<KeyEncryptionKeys>()).contains("0011"));
    }
}
