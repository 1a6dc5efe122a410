//! Sealing: private keys leave this process under AES-256-GCM only.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, anyhow, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

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
    pub(super) fn cipher(&self) -> anyhow::Result<RandomizedNonceKey> {
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
    pub(crate) fn seal(&self, kid: &str, private: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut text = private.to_vec();
        let nonce = self
            .cipher()?
            .seal_in_place_append_tag(Aad::from(kid.as_bytes()), &mut text)
            .map_err(|_| anyhow!("the signing key can't be sealed"))?;
        Ok([nonce.as_ref().as_slice(), &text].concat())
    }

    pub(crate) fn open(&self, kid: &str, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const KEK: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

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
}
