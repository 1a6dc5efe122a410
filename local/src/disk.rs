//! Room on the disks of a home.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::home;

/// A disk counts as full when less is free: PostgreSQL alone writes its log in pieces of 16 MB.
const ROOM_BYTES: u64 = 64 * 1024 * 1024;
/// Of a small disk, this share.
const ROOM_SHARE: u64 = 20;

/// With less than this somebody should look: a busy bank writes some hundred megabytes in an hour.
const FILLING_BYTES: u64 = 1024 * 1024 * 1024;
/// Of a small disk, this share.
const FILLING_SHARE: u64 = 10;

/// How much room there is for a bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Where.
    pub place: PathBuf,
    /// Bytes that we may write.
    pub bytes: u64,
    /// Whether the disk counts as full.
    pub is_full: bool,
    /// Whether it is not full yet, and will be soon.
    pub is_filling: bool,
}

impl Room {
    /// On the disk that holds `place`.
    pub fn at(place: &Path) -> Result<Self> {
        let disk = rustix::fs::statvfs(place)
            .with_context(|| format!("can't look at the disk of {}", place.display()))?;
        let bytes = disk.f_bavail * disk.f_frsize;
        let size = disk.f_blocks * disk.f_frsize;
        let is_full = bytes < ROOM_BYTES.min(size / ROOM_SHARE);
        Ok(Self {
            place: place.to_owned(),
            bytes,
            is_full,
            is_filling: !is_full && bytes < FILLING_BYTES.min(size / FILLING_SHARE),
        })
    }

    /// On each disk that a bank at `home` stores on, with the name of who stores there.
    pub fn of_each(home: &Path) -> Vec<(&'static str, Result<Self>)> {
        let places = [
            ("home", home.to_owned()),
            ("NATS", home::broker_store(home)),
            ("PostgreSQL", home.join(home::POSTGRES_DATA)),
        ];
        places
            .into_iter()
            .map(|(name, place)| (name, Self::at(&place)))
            .collect()
    }

    /// On the fuller one of the disks that hold a home and the broker's store in it: usually the same.
    pub fn of_home(home: &Path) -> Result<Self> {
        let (all, store) = (Self::at(home)?, Self::at(&home::broker_store(home))?);
        Ok(if store.bytes < all.bytes { store } else { all })
    }
}
