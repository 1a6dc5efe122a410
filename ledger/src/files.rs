//! Files that people ask for: statements, parts of the log. Each is made in the background and kept for a while.
//!
//! All that there is about a file stands in one directory: `<id>.json` says what it is, `<id>.file` is what it holds,
//! `<id>.part` what is written of it so far. A file may be handed out once its `.json` says that it is ready, which is
//! written last: whenever the process dies, half a file has no name that anybody is given. What has had its time is removed,
//! by whichever process looks next.

use std::collections::HashSet;
use std::convert::Infallible;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use common::service::now;
use futures::{Stream, StreamExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::engine::crash::{CrashAt, CrashPoint};

/// Files that one caller may have at a time.
const OF_ONE_MAX: usize = 20;
/// Files of everybody. Their descriptions are read for each list, in milliseconds.
const OF_ALL_MAX: usize = 1_000;
/// Files that are made at a time; the others wait. Each has a connection to the database, of which there are ten.
const MAKING_MAX: usize = 2;
/// The largest takes some minutes. A log that can't be read would hold its place for ever.
const MAKING_TIME_MAX: Duration = Duration::from_secs(3600);
/// A statement of five million postings has about as many bytes.
const BYTES_MAX: u64 = 1 << 30;
/// From one look for what has had its time to the next.
const SWEEP_PAUSE: Duration = Duration::from_secs(60);
/// The gateway's user belongs to the directory's group.
const FILE_MODE: u32 = 0o640;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileKind {
    /// An account's statement.
    Statement,
    /// A part of the log, without tokens.
    Log,
}

/// How a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileState {
    /// It is written, or waits until others are.
    Making,
    /// It is whole.
    Ready,
    /// It could not be made.
    Failed,
}

/// A file that somebody asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct KeptFile {
    pub(crate) id: Uuid,
    pub(crate) kind: FileKind,
    /// What is in it, in words.
    pub(crate) about: String,
    /// The `sub` of whoever asked for it.
    pub(crate) owner: String,
    /// As which file it may be saved.
    pub(crate) file_name: String,
    pub(crate) media_type: String,
    pub(crate) state: FileState,
    /// How long it is, once it is ready.
    pub(crate) bytes: Option<u64>,
    pub(crate) asked_at: DateTime<Utc>,
    /// When it is removed.
    pub(crate) gone_at: DateTime<Utc>,
    /// Why it could not be made.
    pub(crate) detail: Option<String>,
}

/// A file that is to be made.
#[derive(Debug)]
pub(crate) struct NewFile {
    pub(crate) kind: FileKind,
    pub(crate) about: String,
    pub(crate) owner: String,
    pub(crate) file_name: String,
    pub(crate) media_type: String,
}

/// Why a file is not even begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("this ledger keeps no files: it was started without a directory for them")]
    NoDirectory,
    #[error("you have {OF_ONE_MAX} files; delete one, or wait until one is gone")]
    TooMany,
    #[error("{OF_ALL_MAX} files are kept; come again when some are gone")]
    Full,
    #[error("the directory for files can't be used")]
    Disk(#[from] io::Error),
}

/// Why a file could not be made.
#[derive(Debug, thiserror::Error)]
enum Broken<E: std::error::Error> {
    #[error("it would have more than {BYTES_MAX} bytes; ask for less")]
    TooLarge,
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error("what it is made of ended early: {0}")]
    Source(E),
    #[error("it was not made within {} minutes", MAKING_TIME_MAX.as_secs() / 60)]
    TooSlow,
}

/// The files of this ledger.
pub(crate) struct Files {
    directory: Option<PathBuf>,
    kept: TimeDelta,
    /// Those that this process makes; held while descriptions change.
    making: Mutex<HashSet<Uuid>>,
    places: Semaphore,
    crash: CrashAt,
}

impl Files {
    /// Files in this directory, which is made if it is missing.
    ///
    /// # Errors
    /// When it can't be made.
    pub(crate) fn open(
        directory: Option<PathBuf>,
        kept_seconds: u32,
        crash: CrashAt,
    ) -> io::Result<Arc<Self>> {
        if let Some(directory) = &directory {
            let mut private = fs::DirBuilder::new();
            private.recursive(true).mode(0o700).create(directory)?;
        }
        Ok(Arc::new(Self {
            directory,
            kept: TimeDelta::seconds(i64::from(kept_seconds)),
            making: Mutex::default(),
            places: Semaphore::new(MAKING_MAX),
            crash,
        }))
    }

    /// Notes that a file is to be made. Whoever asks calls [`Files::make`] then.
    ///
    /// # Errors
    /// When there are too many, or the disk does not take it.
    pub(crate) fn ask(&self, new: NewFile) -> Result<KeptFile, Refused> {
        let directory = self.directory.as_ref().ok_or(Refused::NoDirectory)?;
        let mut making = self.lock();
        let all = self.read_all(&making)?;
        if all.iter().filter(|one| one.owner == new.owner).count() >= OF_ONE_MAX {
            return Err(Refused::TooMany);
        }
        if all.len() >= OF_ALL_MAX {
            return Err(Refused::Full);
        }
        let asked_at = now();
        let file = KeptFile {
            id: Uuid::now_v7(),
            kind: new.kind,
            about: new.about,
            owner: new.owner,
            file_name: new.file_name,
            media_type: new.media_type,
            state: FileState::Making,
            bytes: None,
            asked_at,
            gone_at: asked_at + self.kept,
            detail: None,
        };
        describe(directory, &file)?;
        making.insert(file.id);
        Ok(file)
    }

    /// Makes a file of these pieces, when its turn has come.
    pub(crate) async fn make<E: std::error::Error>(
        &self,
        file: KeptFile,
        pieces: impl Stream<Item = Result<Bytes, E>>,
    ) {
        let Some(directory) = &self.directory else {
            return;
        };
        let place = self.places.acquire().await;
        let part = path(directory, file.id, "part");
        let whole = path(directory, file.id, "file");
        let written = tokio::time::timeout(MAKING_TIME_MAX, write(&part, &whole, pieces)).await;
        let written = written.unwrap_or(Err(Broken::TooSlow));
        drop(place);
        self.crash.here(CrashPoint::BeforeFiling);
        let made = match written {
            Ok(bytes) => KeptFile {
                state: FileState::Ready,
                bytes: Some(bytes),
                ..file
            },
            Err(error) => {
                tracing::error!(%error, id = %file.id, "a file can't be made");
                drop(fs::remove_file(&part));
                let detail = match error {
                    Broken::TooLarge | Broken::TooSlow => error.to_string(),
                    Broken::Disk(_) => "it can't be written here".to_owned(),
                    Broken::Source(_) => "what it is made of ended early".to_owned(),
                };
                KeptFile {
                    state: FileState::Failed,
                    detail: Some(detail),
                    ..file
                }
            }
        };
        let mut making = self.lock();
        making.remove(&made.id);
        // Somebody may not want it any more.
        let is_wanted = path(directory, made.id, "json").exists();
        let described = is_wanted && describe(directory, &made).is_ok();
        if !described {
            remove(directory, made.id);
        }
    }

    /// A file, if it is there and has not had its time.
    pub(crate) fn find(&self, id: Uuid) -> Option<KeptFile> {
        let directory = self.directory.as_ref()?;
        let making = self.lock();
        let file = read(&path(directory, id, "json"))?;
        (file.gone_at > now()).then(|| told(file, &making))
    }

    /// Somebody's files, the newest first.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub(crate) fn of(&self, owner: &str) -> io::Result<Vec<KeptFile>> {
        let mut files = self.read_all(&self.lock())?;
        files.retain(|file| file.owner == owner);
        files.sort_unstable_by_key(|file| std::cmp::Reverse(file.id));
        Ok(files)
    }

    /// Where what a file holds stands.
    pub(crate) fn content(&self, id: Uuid) -> Option<PathBuf> {
        Some(path(self.directory.as_ref()?, id, "file"))
    }

    /// Takes back a file that was asked for a moment ago, before anything made it.
    pub(crate) fn take_back(&self, id: Uuid) {
        self.lock().remove(&id);
        self.delete(id);
    }

    /// Removes a file. One that is being made ends by itself.
    pub(crate) fn delete(&self, id: Uuid) {
        if let Some(directory) = &self.directory {
            let _making = self.lock();
            remove(directory, id);
        }
    }

    /// Removes what has had its time, for ever.
    pub(crate) async fn sweep(self: Arc<Self>) -> Infallible {
        let kept = self.kept.to_std().unwrap_or_default();
        loop {
            let this = self.clone();
            let swept = tokio::task::spawn_blocking(move || this.sweep_once()).await;
            if let Ok(Err(error)) = swept {
                tracing::warn!(%error, "files can't be looked through");
            }
            tokio::time::sleep(SWEEP_PAUSE.min(kept)).await;
        }
    }

    fn sweep_once(&self) -> io::Result<()> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let _making = self.lock();
        let oldest = now() - self.kept;
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            match read(&path.with_extension("json")) {
                Some(file) if file.gone_at <= now() => remove(directory, file.id),
                Some(_) => {}
                // Nobody can ask for it: a crash has left it. Another process may be quicker.
                None => {
                    let written = path.metadata().and_then(|about| about.modified());
                    if written.is_ok_and(|at| DateTime::<Utc>::from(at) <= oldest) {
                        drop(fs::remove_file(&path));
                    }
                }
            }
        }
        Ok(())
    }

    fn read_all(&self, making: &HashSet<Uuid>) -> io::Result<Vec<KeptFile>> {
        let mut files = Vec::new();
        let Some(directory) = &self.directory else {
            return Ok(files);
        };
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                files.extend(read(&path).filter(|file| file.gone_at > now()));
            }
        }
        Ok(files.into_iter().map(|file| told(file, making)).collect())
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file as it stands: nobody makes one whose process has died.
fn told(file: KeptFile, making: &HashSet<Uuid>) -> KeptFile {
    if file.state != FileState::Making || making.contains(&file.id) {
        return file;
    }
    KeptFile {
        state: FileState::Failed,
        detail: Some("the ledger ended while it was made; ask for it again".to_owned()),
        ..file
    }
}

fn path(directory: &Path, id: Uuid, ending: &str) -> PathBuf {
    directory.join(format!("{id}.{ending}"))
}

fn read(path: &Path) -> Option<KeptFile> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Writes a file's description, at once or not at all.
fn describe(directory: &Path, file: &KeptFile) -> io::Result<()> {
    let temporary = path(directory, file.id, "json-part");
    let mut writer = OpenOptions::new();
    let mut writer = writer
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    writer.write_all(&serde_json::to_vec(file)?)?;
    fs::rename(temporary, path(directory, file.id, "json"))
}

/// The description first: without it nobody is given the rest.
fn remove(directory: &Path, id: Uuid) {
    for ending in ["json", "file", "part"] {
        drop(fs::remove_file(path(directory, id, ending)));
    }
}

async fn write<E: std::error::Error>(
    part: &Path,
    whole: &Path,
    pieces: impl Stream<Item = Result<Bytes, E>>,
) -> Result<u64, Broken<E>> {
    let mut options = tokio::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(part)
        .await?;
    // Whatever this process takes away from modes.
    file.set_permissions(Permissions::from_mode(FILE_MODE))
        .await?;
    let mut bytes = 0;
    let mut pieces = std::pin::pin!(pieces);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(Broken::Source)?;
        bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if bytes > BYTES_MAX {
            return Err(Broken::TooLarge);
        }
        file.write_all(&piece).await?;
    }
    file.flush().await?;
    file.sync_all().await?;
    tokio::fs::rename(part, whole).await?;
    Ok(bytes)
}
