//! What tries are counted by, and what a full line says.

use aws_lc_rs::digest::{SHA256, digest};

/// A line or a gate is full.
#[derive(Debug)]
pub(crate) struct Busy;

/// A hash of an account, an address, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Key(pub(super) [u8; 32]);

impl Key {
    pub(super) fn of(kind: &str, name: &[u8]) -> Self {
        let hash = digest(&SHA256, &[kind.as_bytes(), b":", name].concat());
        Self(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}
