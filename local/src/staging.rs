//! Where nats-server stages atomic batches: in memory, if this machine has a file system there.
//!
//! Until a batch is committed, nats-server keeps it in `batches/` beside the messages of its stream, in a directory and
//! files of its own, which it syncs and deletes again. On a disk that costs more than storing the messages
//! (bench/HISTORY.md). What counts as stored is in the stream's own files, and synced, before it is acknowledged. The
//! staged copy has one use: when the server is killed during a commit, the next one completes the batch from it.
//!
//! In memory the copy outlives the server but not the machine (nor a container: `nats/start.sh`). After a power failure,
//! an unacknowledged batch may be stored only in part, with its first messages. That is as if they had been sent one by
//! one, and every sender in this bank is ready for it: a request that is sent again pays once, and the ledger publishes
//! its answers from the last one on.
//!
//! A batch that begins in the microseconds in which its stream is linked may find no place. The server then refuses it as
//! a whole, as when all places are taken, and its sender sends it again. Only the first batch after a start can be hit.
//!
//! The server has no setting for this. It makes `batches/` anew after each start, and takes a stream's directory for
//! damaged when it is made before the stream. So the links are checked before the server starts and as long as it runs:
//! `look`.

use std::fs::{self, DirBuilder};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Linux has this file system in memory everywhere; containers have it too, but often a small one.
const MEMORY: &str = "/dev/shm";
/// Twice what `nats/nats-server.conf` lets strangers stage: 16 batches of 1000 messages of 40 KB. Full memory is no danger:
/// the server refuses the batch, and its messages are sent one by one.
const MEMORY_BYTES_MIN: u64 = 1280 << 20;
/// The streams, and their directories below the server's `store_dir`.
const STREAMS: [(&str, &str); 2] = [
    ("REQUESTS", "jetstream/CORE/streams/REQUESTS"),
    ("SETTLEMENTS", "jetstream/BOOKS/streams/SETTLEMENTS"),
];
/// Between two looks at a few files.
const INTERVAL: Duration = Duration::from_millis(50);

/// Keeps the staging of one nats-server in memory for as long as it exists.
#[derive(Debug)]
pub(crate) struct Staging {
    store: PathBuf,
    memory: PathBuf,
    is_temporary: bool,
    /// Locked during a look; true when no look may follow.
    is_over: Arc<Mutex<bool>>,
}

impl Staging {
    /// Before the server is started for the first time. An error when there is no such memory; then nothing is linked.
    pub(crate) fn start(store: &Path, home: &Path, is_temporary: bool) -> Result<Self> {
        let memory = has_room().and_then(|()| memory_of(home));
        let memory = memory.inspect_err(|_| unlink(store))?;
        let this = Self {
            store: store.to_owned(),
            memory,
            is_temporary,
            is_over: Arc::default(),
        };
        this.look();
        let (store, memory) = (this.store.clone(), this.memory.clone());
        let is_over = this.is_over.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(INTERVAL).await;
                let is_over = is_over.lock().unwrap_or_else(PoisonError::into_inner);
                if *is_over {
                    break;
                }
                look(&store, &memory);
            }
        });
        Ok(this)
    }

    /// Before each further start: the server follows the links to complete a batch, wherever they lead.
    pub(crate) fn look(&self) {
        look(&self.store, &self.memory);
    }
}

/// After the server has ended. What a killed server has left stays for the next one.
impl Drop for Staging {
    fn drop(&mut self) {
        *self.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        if self.is_temporary && make_private(&self.memory).is_ok() {
            fs::remove_dir_all(&self.memory).ok();
            return;
        }
        for (name, _) in STREAMS {
            fs::remove_dir(self.memory.join(name)).ok();
        }
        fs::remove_dir(&self.memory).ok();
    }
}

/// Removes what the staging of a home that is no longer used has left.
pub(crate) fn remove_leftovers(home: &Path) {
    if let Ok(memory) = memory_of(home) {
        fs::remove_dir_all(memory).ok();
    }
}

/// The directory in memory for the home at this path.
pub(crate) fn memory_of(home: &Path) -> Result<PathBuf> {
    // By number: a path has more characters than a name may have.
    let home = fs::metadata(home)?;
    Ok(Path::new(MEMORY).join(format!("quittance-{:x}-{:x}", home.dev(), home.ino())))
}

fn has_room() -> Result<()> {
    let about = rustix::fs::statvfs(Path::new(MEMORY))?;
    let has_room = about.f_bavail.saturating_mul(about.f_frsize) >= MEMORY_BYTES_MIN;
    has_room
        .then_some(())
        .ok_or_else(|| Error::other("too small"))
}

/// Links what is not linked yet, and nothing where another user could interfere.
fn look(store: &Path, memory: &Path) {
    // Checked each time: a system that cleans up there, as some do when a user logs out, makes room for another user's
    // directory.
    if make_private(memory).is_err() {
        unlink(store);
        return;
    }
    for (name, stream) in STREAMS {
        // What can't be done now is done at the next look; until then batches are staged on disk.
        keep(&store.join(stream), &memory.join(name)).ok();
    }
}

/// Every user may make directories there: this one is used only if it is ours and closed to all others.
fn make_private(memory: &Path) -> Result<()> {
    make_directory(memory)?;
    let about = fs::symlink_metadata(memory)?;
    let is_ours = about.is_dir()
        && about.uid() == rustix::process::geteuid().as_raw()
        && about.mode() & 0o077 == 0;
    is_ours
        .then_some(())
        .ok_or_else(|| Error::other("somebody else's"))
}

fn make_directory(path: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Has batches staged on disk.
fn unlink(store: &Path) {
    for (_, stream) in STREAMS {
        let batches = store.join(stream).join("batches");
        if batches.is_symlink() {
            fs::remove_file(batches).ok();
        }
    }
}

/// Makes `batches` of a stream a link into memory, once the stream exists and whenever a start of the server undid it.
fn keep(stream: &Path, target: &Path) -> Result<()> {
    let batches = stream.join("batches");
    if batches.is_symlink() {
        return make_directory(target);
    }
    // The server writes this file last of what makes a stream.
    fs::metadata(stream.join("meta.inf"))?;
    if target.exists() {
        // From before this start: the server has completed a batch from it if there was one to complete.
        fs::remove_dir_all(target)?;
    }
    make_directory(target)?;
    match fs::remove_dir(&batches) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(target, &batches)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream's directory and where it is to be staged.
    fn stream(directory: &Path) -> (PathBuf, PathBuf) {
        let stream = directory.join("stream");
        fs::create_dir(&stream).unwrap();
        (stream, directory.join("memory"))
    }

    #[test]
    fn a_stream_is_linked_once_it_exists_and_again_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let (stream, target) = stream(directory.path());
        assert!(keep(&stream, &target).is_err(), "it does not exist yet");
        fs::write(stream.join("meta.inf"), "{}").unwrap();
        keep(&stream, &target).unwrap();
        let batches = stream.join("batches");
        assert_eq!(fs::read_link(&batches).unwrap(), target);

        // While it is linked, what is staged stays; also when memory was lost under it.
        fs::create_dir(batches.join("batch")).unwrap();
        keep(&stream, &target).unwrap();
        assert!(target.join("batch").exists());
        fs::remove_dir_all(&target).unwrap();
        keep(&stream, &target).unwrap();
        fs::create_dir(batches.join("batch")).unwrap();

        // A start of the server removes the link.
        fs::remove_file(&batches).unwrap();
        keep(&stream, &target).unwrap();
        assert_eq!(fs::read_link(&batches).unwrap(), target);
        assert!(!target.join("batch").exists());
    }

    #[test]
    fn a_batch_that_is_staged_on_disk_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (stream, target) = stream(directory.path());
        fs::write(stream.join("meta.inf"), "{}").unwrap();
        let batch = stream.join("batches/batch");
        fs::create_dir_all(&batch).unwrap();
        keep(&stream, &target).unwrap_err();
        assert!(batch.exists());
        fs::remove_dir(&batch).unwrap();
        keep(&stream, &target).unwrap();
        assert!(stream.join("batches").is_symlink());
    }

    #[test]
    fn what_is_not_ours_is_not_linked_to() {
        let directory = tempfile::tempdir().unwrap();
        let (store, memory) = (
            directory.path().join("store"),
            directory.path().join("memory"),
        );
        let streams = STREAMS.map(|(_, stream)| store.join(stream));
        for stream in &streams {
            fs::create_dir_all(stream).unwrap();
            fs::write(stream.join("meta.inf"), "{}").unwrap();
        }
        let linked = || {
            streams
                .each_ref()
                .map(|stream| stream.join("batches").is_symlink())
        };
        look(&store, &memory);
        assert_eq!(linked(), [true, true]);
        // Somebody has taken its place.
        fs::remove_dir_all(&memory).unwrap();
        symlink(directory.path(), &memory).unwrap();
        look(&store, &memory);
        assert_eq!(linked(), [false, false]);
        fs::remove_file(&memory).unwrap();
        look(&store, &memory);
        assert_eq!(linked(), [true, true]);
    }

    #[test]
    fn a_directory_that_others_can_look_into_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let memory = directory.path().join("memory");
        make_private(&memory).unwrap();
        make_private(&memory).unwrap();
        fs::set_permissions(&memory, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(make_private(&memory).is_err());
        let elsewhere = directory.path().join("elsewhere");
        symlink(directory.path(), &elsewhere).unwrap();
        assert!(make_private(&elsewhere).is_err());
    }
}
