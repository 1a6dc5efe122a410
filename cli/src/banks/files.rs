//! The files of the log-ins at banks elsewhere: `$XDG_CONFIG_HOME/quittance/banks/NAME.json`, for their owner alone.
//!
//! A file is replaced whole or not at all: the next one is written beside it, forced to disk and renamed. Whoever is about
//! to replace one holds its lock, so that two commands never present the same refresh token.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

use super::kept::KeptBank;
use crate::failure::Hinted as _;
use crate::running::quoted;

/// Longest name of a bank.
const NAME_CHARS_MAX: usize = 64;
/// A file has two tokens of about 1 KiB.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Longer than a command holds a lock: it asks auth for ten seconds at most.
const LOCK_PATIENCE: Duration = Duration::from_secs(40);
const LOCK_POLL: Duration = Duration::from_millis(20);

/// Where the files are.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    directory: PathBuf,
}

/// A log-in that nobody else can replace until this is dropped.
pub(crate) struct Held {
    pub(crate) kept: KeptBank,
    path: PathBuf,
    _lock: File,
}

impl Files {
    /// Those of this user.
    ///
    /// # Errors
    /// When the environment names no home.
    pub(crate) fn of_user() -> Result<Self> {
        let directory = local::xdg("XDG_CONFIG_HOME", ".config")?.join("quittance");
        Ok(Self { directory })
    }

    /// The log-in at the bank of this name; `None` when there is none, or it is no name.
    ///
    /// # Errors
    /// When others may read it, or it is damaged.
    pub(crate) fn read(&self, name: &str) -> Result<Option<KeptBank>> {
        let Some(path) = self.path_of(name) else {
            return Ok(None);
        };
        let opened = opened(&path)?;
        opened.map(|file| parsed(&file, &path)).transpose()
    }

    /// The log-in with its lock.
    ///
    /// # Errors
    /// As [`Files::read`], and when another command keeps the lock.
    pub(crate) async fn hold(&self, name: &str) -> Result<Option<Held>> {
        let Some(path) = self.path_of(name) else {
            return Ok(None);
        };
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            let Some(file) = opened_to(&path, true)? else {
                return Ok(None);
            };
            match file.try_lock() {
                // Whoever had the lock has renamed another file to here: then this one is nobody's any more.
                Ok(()) if !is_at(&file, &path)? => {}
                Ok(()) => {
                    let kept = parsed(&file, &path)?;
                    return Ok(Some(Held {
                        kept,
                        path,
                        _lock: file,
                    }));
                }
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    tokio::time::sleep(LOCK_POLL).await;
                }
                Err(TryLockError::WouldBlock) => {
                    bail!("another command has held {} for too long", path.display());
                }
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("can't lock {}", path.display()));
                }
            }
        }
    }

    /// Keeps a log-in under a name that has none.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(crate) fn write(&self, name: &str, kept: &KeptBank) -> Result<()> {
        for directory in [&self.directory, &self.banks()] {
            let made = DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory);
            // One that was there may be open to others.
            made.and_then(|()| fs::set_permissions(directory, Permissions::from_mode(0o700)))
                .with_context(|| format!("can't make {}", directory.display()))?;
        }
        put(&self.path(name), &serde_json::to_vec_pretty(kept)?)
    }

    /// The names of all, in order.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let banks = self.banks();
        let entries = match fs::read_dir(&banks) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("can't read {}", banks.display()))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(".json"));
            names.extend(
                name.filter(|name| parse_name(name).is_ok())
                    .map(str::to_owned),
            );
        }
        names.sort();
        Ok(names)
    }

    /// The name of the bank that is in use.
    pub(crate) fn in_use(&self) -> Option<String> {
        let text = fs::read_to_string(self.directory.join("in-use")).ok()?;
        parse_name(text.trim()).ok()
    }

    /// Has this bank be the one in use, or none.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(crate) fn set_in_use(&self, name: Option<&str>) -> Result<()> {
        let path = self.directory.join("in-use");
        match name {
            Some(name) => put(&path, format!("{name}\n").as_bytes()),
            None => removed(&path),
        }
    }

    fn banks(&self) -> PathBuf {
        self.directory.join("banks")
    }

    /// As [`Files::path`], of whatever was typed.
    fn path_of(&self, text: &str) -> Option<PathBuf> {
        parse_name(text).ok().map(|name| self.path(&name))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.banks().join(format!("{name}.json"))
    }
}

impl Held {
    /// Puts another log-in in its place.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(crate) fn replace(&self, kept: &KeptBank) -> Result<()> {
        put(&self.path, &serde_json::to_vec_pretty(kept)?)
    }

    /// Removes it.
    ///
    /// # Errors
    /// When the file can't be removed.
    pub(crate) fn remove(self) -> Result<()> {
        removed(&self.path)
    }
}

/// A name as it may be typed. It becomes that of a file.
pub(crate) fn parse_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins_well && text.len() <= NAME_CHARS_MAX && text.chars().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err(
            "a name has up to 64 letters, digits, '.', '_' and '-', a letter or digit first"
                .to_owned(),
        )
    }
}

fn opened(path: &Path) -> Result<Option<File>> {
    opened_to(path, false)
}

/// Over NFS only a file that may be written can be locked.
fn opened_to(path: &Path, lock: bool) -> Result<Option<File>> {
    match OpenOptions::new().read(true).write(lock).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("can't read {}", path.display())),
    }
}

fn parsed(file: &File, path: &Path) -> Result<KeptBank> {
    refuse_if_open(path, &file.metadata()?, 0o077, "600")?;
    let directory = path.parent().context("a file is in a directory")?;
    // Who may write there could put a file of their own in its place.
    refuse_if_open(directory, &directory.metadata()?, 0o022, "700")?;
    let mut text = String::new();
    let read = file.take(FILE_BYTES_MAX).read_to_string(&mut text);
    read.with_context(|| format!("can't read {}", path.display()))?;
    // What serde says may quote a token.
    serde_json::from_str(&text)
        .map_err(|error| anyhow!("{} is damaged in line {}", path.display(), error.line()))
        .hint("remove it and log in again")
}

fn refuse_if_open(path: &Path, found: &Metadata, closed: u32, good: &str) -> Result<()> {
    let mode = found.permissions().mode() & 0o777;
    if mode & closed == 0 {
        return Ok(());
    }
    let shown = path.display();
    Err(anyhow!(
        "others on this machine may use {shown} (its mode is {mode:o}), so it is not used"
    ))
    .hint(format!(
        "`chmod {good} {}` closes it; if somebody may have read it, log out and in again",
        quoted(&shown.to_string())
    ))
}

/// Whether this open file is the one that the path leads to.
fn is_at(file: &File, path: &Path) -> Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("can't read {}", path.display())),
    }
}

/// Writes a file that only its owner may read. After a power failure there is the old one or the new one.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = path.parent().context("a file is in a directory")?;
    let write = || -> io::Result<()> {
        // Made with mode 600.
        let mut file = tempfile::Builder::new()
            .prefix(".")
            .tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(directory)?.sync_all()
    };
    write().with_context(|| format!("can't write {}", path.display()))
}

fn removed(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use client::Login;
    use common::service::now;
    use serde_json::json;

    use super::*;
    use crate::failure;

    fn kept(number: i64) -> KeptBank {
        let login = Login::Program {
            client_id: "shop".to_owned(),
            client_secret: format!("secret {number}"),
            audience: common::token::Audience::Http,
        };
        // {"iat":0,"exp":300}
        let answer = json!({"access_token": "e30.eyJpYXQiOjAsImV4cCI6MzAwfQ.c2ln"});
        KeptBank::of("https://bank.test".to_owned(), None, login, &answer, now()).unwrap()
    }

    fn files() -> (tempfile::TempDir, Files) {
        let directory = tempfile::tempdir().unwrap();
        let files = Files {
            directory: directory.path().join("quittance"),
        };
        (directory, files)
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_and_it_says_how_to_close_it() {
        let (_directory, files) = files();
        assert!(files.read("prod").unwrap().is_none());
        files.write("prod", &kept(1)).unwrap();
        let path = files.path("prod");
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&files.directory), 0o700);
        assert_eq!(files.names().unwrap(), ["prod"]);
        for (place, mode) in [(path, 0o644), (files.banks(), 0o777)] {
            let before = place.metadata().unwrap().permissions();
            fs::set_permissions(&place, Permissions::from_mode(mode)).unwrap();
            let Err(refused) = files.read("prod") else {
                panic!("mode {mode:o} was taken");
            };
            let text = failure::text(&refused);
            assert!(
                text.contains("chmod ") && !text.contains("secret"),
                "{text}"
            );
            fs::set_permissions(&place, before).unwrap();
        }
        assert!(files.read("prod").unwrap().is_some());
    }

    #[test]
    fn a_damaged_file_is_told_without_what_is_in_it() {
        let (_directory, files) = files();
        files.write("prod", &kept(1)).unwrap();
        fs::write(files.path("prod"), r#"{"url": ["very secret"]}"#).unwrap();
        let Err(refused) = files.read("prod") else {
            panic!("it was taken");
        };
        let text = failure::text(&refused);
        assert!(
            text.contains("is damaged in line 1") && !text.contains("secret"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn whoever_waits_for_the_lock_gets_what_the_one_before_has_written() {
        let (_directory, files) = files();
        files.write("prod", &kept(1)).unwrap();
        let first = files.hold("prod").await.unwrap().unwrap();
        let second = tokio::spawn({
            let files = files.clone();
            async move { files.hold("prod").await.unwrap().unwrap().kept }
        });
        tokio::time::sleep(LOCK_POLL * 3).await;
        assert!(!second.is_finished());
        first.replace(&kept(2)).unwrap();
        drop(first);
        let second = serde_json::to_string(&second.await.unwrap().who).unwrap();
        assert!(second.contains("secret 2"), "{second}");
        let last = files.hold("prod").await.unwrap().unwrap();
        last.remove().unwrap();
        assert!(files.hold("prod").await.unwrap().is_none());
    }

    #[test]
    fn a_name_is_that_of_a_file_and_of_no_other_place() {
        for good in ["prod", "bank.example.org", "127.0.0.1-8080", "9"] {
            assert_eq!(parse_name(good).as_deref(), Ok(good));
        }
        for bad in ["", ".", "..", ".prod", "a/b", "a b", "-x", &"a".repeat(65)] {
            assert!(parse_name(bad).is_err(), "{bad}");
        }
    }
}
