//! Room on the disks of a home.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::home;

/// A disk counts as full when less is free: PostgreSQL alone writes its log in pieces of 16 MB.
const ROOM_BYTES: u64 = 64 * 1024 * 1024;
/// Of a small disk, this share.
const ROOM_SHARE: u64 = 20;

/// How much room there is for a bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Where.
    pub place: PathBuf,
    /// Bytes that we may write.
    pub bytes: u64,
    /// Whether the disk counts as full.
    pub is_full: bool,
}

impl Room {
    /// On the disk that holds `place`.
    pub fn at(place: &Path) -> Result<Self> {
        let disk = rustix::fs::statvfs(place)
            .with_context(|| format!("can't look at the disk of {}", place.display()))?;
        let bytes = disk.f_bavail * disk.f_frsize;
        let size = disk.f_blocks * disk.f_frsize;
        Ok(Self {
            place: place.to_owned(),
            bytes,
            is_full: bytes < ROOM_BYTES.min(size / ROOM_SHARE),
        })
    }

    /// On the fuller one of the disks that hold a home and the broker's store in it: usually the same.
    pub fn of_home(home: &Path) -> Result<Self> {
        let (all, store) = (Self::at(home)?, Self::at(&home::broker_store(home))?);
        Ok(if store.bytes < all.bytes { store } else { all })
    }
}
