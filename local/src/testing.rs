//! What the integration tests of every crate start with: real servers of their own.

mod front;
mod python;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

pub use front::Front;
pub use python::python;

pub use crate::standing::stands_still;

use crate::home::{Home, TEMPORARY_PREFIX};
use crate::install::{self, Kept, Wanted};
use crate::ports::{self, Ports};
use crate::producer::Producer;
use crate::progress::silent;
use crate::secrets::write_private;
use crate::servers::{ServerOptions, Servers};
use crate::{lock, staging};

/// Older than this and held by nobody: its test was killed.
const LEFTOVER_AGE: Duration = Duration::from_secs(600);

/// An address on loopback where nobody listens, other each time: the system hands out ports of its own again at once.
/// Panics when there is none.
#[must_use]
pub fn free_address() -> SocketAddr {
    ports::loopback(ports::free().expect("a free port"))
}

/// Fresh, private servers on free ports, in a temporary directory that goes when they are dropped,
/// with one producer, `demo-shop`, which publishes directly: no payments service runs here. Panics when they cannot be had: a test has nothing else to do then.
pub async fn servers() -> Servers {
    servers_with(&[Producer::direct("demo-shop")]).await
}

/// As [`servers`], with these producers.
pub async fn servers_with(producers: &[Producer]) -> Servers {
    remove_leftovers();
    let options = ServerOptions {
        ports: Ports::Free,
        producers: producers.to_vec(),
    };
    let start = async {
        let home = Home::temporary()?;
        Servers::start(home, &options, &silent()).await
    };
    start
        .await
        .unwrap_or_else(|error| panic!("no servers for this test: {error:#}"))
}

/// From now on the broker of a test takes TLS connections and no others, with this certificate and its private key (PEM).
/// (Our PostgreSQL is built without TLS.)
pub async fn speak_tls(servers: &mut Servers, certificate: &str, key: &str) {
    let directory = servers.home().path().join("nats");
    let write = || {
        let files = [("server.crt", certificate), ("server.key", key)];
        for (name, content) in files {
            write_private(&directory.join(name), content.as_bytes())?;
        }
        let [certificate, key] = files.map(|(name, _)| directory.join(name));
        let configuration = directory.join("nats-server.conf");
        let mut configuration = OpenOptions::new().append(true).open(configuration)?;
        writeln!(
            configuration,
            "tls {{ cert_file: {certificate:?}, key_file: {key:?} }}"
        )?;
        anyhow::Ok(())
    };
    let restarted = async {
        write()?;
        servers.restart_nats().await
    };
    let restarted = restarted.await;
    restarted.unwrap_or_else(|error| panic!("no TLS for this test: {error:#}"));
}

/// The programs themselves, for tests that start them in another way.
#[derive(Debug)]
pub struct Programs {
    /// `nats-server`.
    pub nats_server: PathBuf,
    /// `psql`, which stands beside `postgres`.
    pub psql: PathBuf,
    /// `nginx`.
    pub nginx: PathBuf,
}

/// Finds or installs the servers' programs. Panics when they cannot be had. Blocks.
#[must_use]
pub fn programs() -> Programs {
    let find = |wanted: &Wanted| {
        let found = install::find_or_install(wanted, &Kept::NOTHING, &silent());
        found
            .unwrap_or_else(|error| panic!("no programs for this test: {error:#}"))
            .path
    };
    Programs {
        nats_server: find(&install::NATS),
        nginx: find(&install::NGINX),
        psql: find(&install::POSTGRES).with_file_name("psql"),
    }
}

/// Removes the directories of tests that were killed.
fn remove_leftovers() {
    let Ok(entries) = fs::read_dir(env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry
            .file_name()
            .to_string_lossy()
            .starts_with(TEMPORARY_PREFIX);
        let modified = entry.metadata().and_then(|about| about.modified()).ok();
        let age = modified
            .and_then(|modified| modified.elapsed().ok())
            .unwrap_or_default();
        if is_ours && age > LEFTOVER_AGE && lock::take(&entry.path()).is_ok() {
            staging::remove_leftovers(&entry.path());
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// Where the broker of these servers stages atomic batches in memory; `None` on a machine where it stages them on disk.
#[must_use]
pub fn staging(servers: &Servers) -> Option<PathBuf> {
    staging::memory_of(servers.home().path())
        .ok()
        .filter(|memory| memory.exists())
}
