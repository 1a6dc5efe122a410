//! A checkpoint: the root of the tree, signed as C2SP's tlog-checkpoint and signed-note describe.
//!
//! ```text
//! bank.example/ledger                       the log's name
//! 1234                                      how many leaves
//! cG9zc2libHkgYSByb290IGhhc2ggaW4gYmFzZTY0  the root, base64
//!
//! — bank.example/ledger KeyIdAndSignature…  the key's name; base64 of its id (4 bytes) and the Ed25519 signature
//! ```
//!
//! The signature is over the lines above the empty one. The key's id is `SHA-256(name ‖ "\n" ‖ 1 ‖ public key)[..4]`; a
//! [`PublicKey`] is written as `name+id+base64(1 ‖ public key)`.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::core::chain::{Digest, sha256};

/// The kind of key in ids and texts: plain Ed25519.
const ED25519_KIND: u8 = 1;
/// An em dash and a blank begin a line with a signature.
const SIGNATURE_LINE: &str = "\u{2014} ";

/// Why a text is no key, or no note of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not the text of a public key.
    #[error("it is no public key in the form name+id+base64")]
    NotAKey,
    /// Not a checkpoint with signatures.
    #[error("the checkpoint can't be read")]
    NotACheckpoint,
    /// No signature of this key.
    #[error("the checkpoint has no signature of the key")]
    Unsigned,
    /// One, but not over this text.
    #[error("the signature of the checkpoint is not the key's over this text")]
    Forged,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many leaves the tree has.
    pub size: u64,
    /// Its root.
    pub root: Digest,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (origin, size, root) = (&self.origin, self.size, STANDARD.encode(self.root));
        writeln!(f, "{origin}\n{size}\n{root}")
    }
}

/// The key that signs.
pub struct SigningKey {
    name: String,
    pair: Ed25519KeyPair,
}

/// Never shows the private half.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

impl SigningKey {
    /// The key of a log with this name, from 32 secret bytes. `None` when the name can't stand in a note.
    #[must_use]
    pub fn new(name: &str, seed: &[u8; 32]) -> Option<Self> {
        let is_name = !name.is_empty()
            && !name.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        is_name.then(|| Self {
            name: name.to_owned(),
            pair,
        })
    }

    /// Its public half.
    ///
    /// # Panics
    /// Never: the public half of an Ed25519 key has 32 bytes.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let bytes = self.pair.public_key().as_ref().try_into();
        PublicKey {
            name: self.name.clone(),
            bytes: bytes.expect("an Ed25519 key has 32 bytes"),
        }
    }

    /// The signed note of a tree of this size, in the log of the key's name.
    #[must_use]
    pub fn sign(&self, size: u64, root: Digest) -> String {
        let origin = self.name.clone();
        let text = Checkpoint { origin, size, root }.to_string();
        let signature = self.pair.sign(text.as_bytes());
        let signed = [&self.public().id()[..], signature.as_ref()].concat();
        let (name, signed) = (&self.name, STANDARD.encode(signed));
        format!("{text}\n{SIGNATURE_LINE}{name} {signed}\n")
    }
}

/// The public half of a key, with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    bytes: [u8; 32],
}

impl PublicKey {
    /// The key's name, which is the log's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        let kind = [b'\n', ED25519_KIND];
        let hash = sha256(&[self.name.as_bytes(), &kind, &self.bytes].concat());
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// What people compare: the SHA-256 of the key, in hex, in groups of eight.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let hash = hex(&sha256(&self.bytes));
        let groups: Vec<_> = hash
            .as_bytes()
            .chunks(8)
            .map(String::from_utf8_lossy)
            .collect();
        groups.join(" ")
    }

    /// The checkpoint of a note, if this key has signed it.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn open(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let (text, signatures) = note.split_once("\n\n").ok_or(NoteError::NotACheckpoint)?;
        let text = format!("{text}\n");
        let ours = signatures.lines().filter_map(|line| {
            let (name, signed) = line.strip_prefix(SIGNATURE_LINE)?.split_once(' ')?;
            let signed = STANDARD.decode(signed).ok()?;
            let signature = signed.strip_prefix(&self.id()[..])?;
            (name == self.name).then(|| signature.to_vec())
        });
        let key = UnparsedPublicKey::new(&ED25519, self.bytes);
        let mut outcome = Err(NoteError::Unsigned);
        for signature in ours {
            outcome = match key.verify(text.as_bytes(), &signature) {
                Ok(()) => {
                    return read(&text)
                        .filter(|read| read.origin == self.name)
                        .ok_or(NoteError::NotACheckpoint);
                }
                Err(_) => Err(NoteError::Forged),
            };
        }
        outcome
    }
}

fn read(text: &str) -> Option<Checkpoint> {
    let mut lines = text.lines();
    let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
    let checkpoint = Checkpoint {
        origin: origin.to_owned(),
        size: size.parse().ok()?,
        root: STANDARD.decode(root).ok()?.try_into().ok()?,
    };
    // In one spelling only, and without the extensions that others may have.
    (checkpoint.to_string() == text).then_some(checkpoint)
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[ED25519_KIND], &self.bytes[..]].concat();
        let (name, id, key) = (&self.name, hex(&self.id()), STANDARD.encode(bytes));
        write!(f, "{name}+{id}+{key}")
    }
}

impl FromStr for PublicKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let read = || {
            let (name, rest) = text.trim().split_once('+')?;
            let (_, key) = rest.split_once('+')?;
            let bytes = STANDARD.decode(key).ok()?;
            let bytes = bytes.strip_prefix(&[ED25519_KIND])?.try_into().ok()?;
            let key = Self {
                name: name.to_owned(),
                bytes,
            };
            // The id must be right too.
            (key.to_string() == text.trim()).then_some(key)
        };
        read().ok_or(NoteError::NotAKey)
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of c2sp.org/signed-note names this key and this signature.
    #[test]
    fn keys_and_ids_are_written_as_others_write_them() {
        // The Go package golang.org/x/mod/sumdb/note: its documentation's example key.
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key: PublicKey = text.parse().unwrap();
        assert_eq!(key.name(), "PeterNeumann");
        assert_eq!(key.to_string(), text);
        for wrong in [
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+c74f20a3+Apc2QcU",
            "PeterNeumann",
            "",
        ] {
            assert_eq!(wrong.parse::<PublicKey>(), Err(NoteError::NotAKey));
        }
    }

    #[test]
    fn a_note_is_opened_by_its_key_and_as_it_was_signed_only() {
        let key = SigningKey::new("bank.example/ledger", &[1; 32]).unwrap();
        let note = key.sign(7, [2; 32]);
        let opened = key.public().open(&note).unwrap();
        assert_eq!((opened.size, opened.root), (7, [2; 32]));
        let other = SigningKey::new("bank.example/ledger", &[3; 32]).unwrap();
        assert_eq!(other.public().open(&note), Err(NoteError::Unsigned));
        let changed = note.replace("\n7\n", "\n8\n");
        assert_eq!(key.public().open(&changed), Err(NoteError::Forged));
        assert_eq!(key.public().open("x"), Err(NoteError::NotACheckpoint));
        // With another signature besides, and one that nobody can read.
        let both = format!("{note}\u{2014} other AAAA\nstrange\n");
        assert!(key.public().open(&both).is_ok());
        for byte in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[byte] ^= 1;
            if let Ok(text) = String::from_utf8(bytes) {
                let opened = key.public().open(&text);
                assert!(opened.is_err(), "{text}");
            }
        }
        for name in ["", "a b", "a+b", "a\nb"] {
            assert!(SigningKey::new(name, &[1; 32]).is_none());
        }
    }
}
