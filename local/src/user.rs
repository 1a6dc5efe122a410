//! The users that servers run as when we are root. PostgreSQL refuses root: it is `postgres` or else `nobody`. nginx does not
//! need root: it is somebody else than PostgreSQL, who owns none of the bank's files but its own.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// An unprivileged user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The user to run PostgreSQL as; `None` when we are not root and it can run as ourselves.
pub(crate) fn unprivileged() -> Result<Option<User>> {
    if !is_root() {
        return Ok(None);
    }
    one_of("PostgreSQL", &["postgres", "nobody"]).map(Some)
}

/// The user to run nginx as; `None` when we are not root.
pub(crate) fn of_gateway() -> Result<Option<User>> {
    if !is_root() {
        return Ok(None);
    }
    one_of("nginx", &["nginx", "www-data", "_www", "nobody"]).map(Some)
}

fn one_of(program: &str, names: &[&str]) -> Result<User> {
    let passwd = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let user = names.iter().find_map(|name| find(&passwd, name));
    user.with_context(|| {
        let names = names.join(", ");
        format!("{program} does not run as root, and /etc/passwd has none of the users {names}")
    })
}

/// Fails when another user cannot pass through every directory above and including `path`.
pub(crate) fn must_be_reachable(program: &str, path: &Path, user: &User) -> Result<()> {
    for directory in path.ancestors() {
        let about = directory
            .metadata()
            .with_context(|| format!("cannot read {}", directory.display()))?;
        if !about.is_dir() {
            continue;
        }
        let mode = about.mode();
        let open = if about.uid() == user.uid {
            mode & 0o100
        } else if about.gid() == user.gid {
            mode & 0o010
        } else {
            mode & 0o001
        };
        if open == 0 {
            bail!(
                "{program} runs as {} here (not as root), who may not pass through {} on the way to {}; \
                 choose another place with QUITTANCE_HOME, XDG_CACHE_HOME or TMPDIR",
                user.name,
                directory.display(),
                path.display()
            );
        }
    }
    Ok(())
}

fn find(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User {
            name: name.to_owned(),
            uid,
            gid,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd =
            "postgresx:x:1:1::/:\npostgres:x:104:110:PostgreSQL:/var/lib/postgresql:/bin/bash\n";
        let expected = User {
            name: "postgres".to_owned(),
            uid: 104,
            gid: 110,
        };
        assert_eq!(find(passwd, "postgres"), Some(expected));
        assert_eq!(find(passwd, "nobody"), None);
    }
}
