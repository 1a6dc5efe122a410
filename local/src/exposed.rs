//! Which secrets of a home others on this machine can read or write.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::certificate::KEY;
use crate::{lock, secrets};

/// A file with secrets, or a directory around them, that more people may open than need to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// Where.
    pub path: PathBuf,
    /// The bits of its mode: `0o644`.
    pub mode: u32,
    /// What they should be at most.
    pub wanted: u32,
}

/// Looks at everything in a home that holds passwords or keys. What is not there is closed.
pub fn exposed_secrets(home: &Path) -> Result<Vec<Exposed>> {
    let mut found = Vec::new();
    // The gateway reads its key and configuration through its group, when it has a user of its own.
    for (name, wanted) in [
        (secrets::FILE, 0o600),
        ("status.json", 0o600),
        (lock::FILE, 0o600),
        ("nats", 0o700),
        ("nats/nats-server.conf", 0o600),
        ("nats/producers.conf", 0o600),
        ("nats/direct.conf", 0o600),
        ("postgres/data", 0o700),
        ("logs", 0o700),
        ("gateway", 0o750),
    ] {
        look(&home.join(name), wanted, &mut found)?;
    }
    look(&home.join("gateway").join(KEY), 0o640, &mut found)?;
    Ok(found)
}

fn look(path: &Path, wanted: u32, found: &mut Vec<Exposed>) -> Result<()> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot look at {}", path.display()));
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & !wanted != 0 {
        found.push(Exposed {
            path: path.to_owned(),
            mode,
            wanted,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;

    #[test]
    fn a_secret_that_others_can_open_is_found_and_a_closed_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path();
        assert_eq!(exposed_secrets(home).unwrap(), []);
        fs::create_dir(home.join("gateway")).unwrap();
        let set = |name: &str, mode: u32| {
            if !home.join(name).exists() {
                fs::write(home.join(name), "secret").unwrap();
            }
            fs::set_permissions(home.join(name), Permissions::from_mode(mode)).unwrap();
            let found = exposed_secrets(home).unwrap();
            found
                .into_iter()
                .map(|one| (one.mode, one.wanted))
                .collect::<Vec<_>>()
        };
        assert_eq!(set("gateway", 0o750), []);
        assert_eq!(set("secrets.json", 0o400), []);
        assert_eq!(set("secrets.json", 0o640), [(0o640, 0o600)]);
        assert_eq!(set("secrets.json", 0o600), []);
        assert_eq!(set("gateway/key.pem", 0o640), []);
        assert_eq!(set("gateway/key.pem", 0o644), [(0o644, 0o640)]);
    }
}
