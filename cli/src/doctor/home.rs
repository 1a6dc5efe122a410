//! What the files of a bank say, whether it runs or not: the disks they are on, and who may read its secrets.

use std::path::Path;

use anyhow::Result;
use local::{Room, exposed_secrets};
use tokio::sync::oneshot;

use super::finding::Finding;
use super::patient::{LIMIT, limited};
use super::runbook::Runbook;

const MEGABYTE: u64 = 1024 * 1024;

pub(super) async fn look(home: &Path) -> Vec<Finding> {
    if !home.exists() {
        return Vec::new();
    }
    let (path, at) = (home.to_owned(), home.to_owned());
    let disks = limited(LIMIT, apart(move || Ok(disks(&path))));
    let secrets = limited(LIMIT, apart(move || secrets(&at)));
    let (disks, secrets) = tokio::join!(disks, secrets);
    let mut findings = disks.unwrap_or_else(|why| {
        let next = "a disk that hangs: look at the kernel's messages (`dmesg`)";
        vec![Finding::bad("disks", why, next, Runbook::DiskFull)]
    });
    findings.push(secrets.unwrap_or_else(|why| Finding::unknown("secrets", why)));
    findings
}

/// Runs in a thread that nobody waits for at the end: a disk that hangs hangs for ever.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (done, result) = oneshot::channel();
    std::thread::spawn(move || done.send(work()).ok());
    result.await?
}

fn disks(home: &Path) -> Vec<Finding> {
    let rooms = Room::of_each(home).into_iter();
    rooms
        .map(|(name, room)| {
            let check = format!("disk of {name}");
            match room {
                Ok(room) => of_room(&check, &room),
                Err(error) => Finding::unknown(&check, error.root_cause()),
            }
        })
        .collect()
}

fn of_room(check: &str, room: &Room) -> Finding {
    let megabytes = room.bytes / MEGABYTE;
    let free = match megabytes {
        ..1024 => format!("{megabytes} MB free"),
        _ => format!("{} GB free", megabytes / 1024),
    };
    let place = room.place.display();
    if room.is_full {
        let next = format!("make room in {place}; the bank goes on by itself when there is some");
        Finding::bad(check, format!("full: {free}"), next, Runbook::DiskFull)
    } else if room.is_filling {
        let next = format!("make room in {place} before it is full");
        Finding::soon(check, free, next, Runbook::DiskFull)
    } else {
        Finding::well(check, free)
    }
}

fn secrets(home: &Path) -> Result<Finding> {
    let exposed = exposed_secrets(home)?;
    let Some(first) = exposed.first() else {
        return Ok(Finding::well("secrets", "only their owner can read them"));
    };
    let files: Vec<_> = exposed
        .iter()
        .map(|one| format!("{} is {:04o}", one.path.display(), one.mode))
        .collect();
    let (path, wanted) = (first.path.display(), first.wanted);
    let next = format!(
        "`chmod {wanted:04o} {path}`, and if others use this machine, change what was in it"
    );
    let detail = format!("others can open: {}", files.join(", "));
    Ok(Finding::bad("secrets", detail, next, Runbook::SecretsOpen))
}
