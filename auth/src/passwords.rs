//! Passwords: argon2id, a bounded number at a time.
//!
//! One hash takes 19 MiB and some 25 ms of a core, so a flood of logins could take all memory and every core. At most
//! one per core runs, and the others wait in lines that take turns ([`Turns`]); a login beyond that is refused for now. The
//! login of an unknown person hashes too, so its time reveals nothing.

pub(crate) mod rules;

use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, anyhow};
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::throttle::{Busy, Line, Turns};

/// 19 MiB, two passes, one lane. Source: OWASP's minimum for argon2id, which is also the crate's default.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes and checks passwords.
pub(crate) struct Passwords {
    turns: Arc<Turns>,
    /// The hash of a password that nobody has.
    dummy: String,
}

impl Passwords {
    pub(crate) async fn new() -> anyhow::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::with_limit(cores).await
    }

    async fn with_limit(running_max: usize) -> anyhow::Result<Self> {
        let mut nobodys = [0; 32];
        aws_lc_rs::rand::fill(&mut nobodys).context("no randomness")?;
        Ok(Self {
            turns: Turns::new(running_max),
            dummy: hash(String::from_utf8_lossy(&nobodys).into_owned()).await?,
        })
    }

    /// Whether this is the password of `hash`; never, but after the same time, when there is no hash. It waits in `line`.
    pub(crate) async fn verify(
        &self,
        line: Line,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Busy> {
        let running = self.turns.wait(line).await?;
        let is_known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy.clone());
        let is_right = tokio::task::spawn_blocking(move || {
            // Held until the work is done, also when the caller has hung up meanwhile.
            let _running = running;
            is_password_of(&password, &hash)
        })
        .await
        .unwrap_or(false);
        Ok(is_right && is_known)
    }

    /// The PHC string of a new password. It waits in `line`.
    pub(crate) async fn hash(&self, line: Line, password: String) -> Result<String, NotHashed> {
        let running = self.turns.wait(line).await.map_err(|_| NotHashed::Busy)?;
        // A task of its own holds the turn until the work is done, also when the caller has hung up meanwhile.
        let hashing = tokio::spawn(async move {
            let _running = running;
            hash(password).await
        });
        let hashed = hashing.await.context("hashing was cut off");
        hashed.flatten().map_err(NotHashed::Failed)
    }
}

/// Why a new password has no hash.
#[derive(Debug)]
pub(crate) enum NotHashed {
    /// The line is full.
    Busy,
    Failed(anyhow::Error),
}

/// The PHC string to keep.
pub(crate) async fn hash(password: String) -> anyhow::Result<String> {
    tokio::task::spawn_blocking(move || {
        let mut salt = [0; 16];
        aws_lc_rs::rand::fill(&mut salt).context("no randomness")?;
        hasher()
            .hash_password_with_salt(rules::normalized(&password).as_bytes(), &salt)
            .map(|hash| hash.to_string())
            .map_err(|error| anyhow!("argon2: {error}"))
    })
    .await?
}

/// Takes 25 ms of the calling thread.
pub(crate) fn is_password_of(password: &str, hash: &str) -> bool {
    // The hash names its own parameters.
    hasher()
        .verify_password(rules::normalized(password).as_bytes(), hash)
        .is_ok()
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("constants in their ranges");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::Key;

    #[tokio::test]
    async fn a_password_opens_its_own_hash_only() {
        let passwords = Passwords::new().await.unwrap();
        let hash = hash("right one".to_owned()).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        for (password, hash, is_right) in [
            ("right one", Some(&hash), true),
            ("wrong one", Some(&hash), false),
            (" right one ", Some(&hash), false),
            ("right one", None, false),
            ("", None, false),
            ("right one", Some(&"not a hash".to_owned()), false),
        ] {
            let line = Line::Strangers(Key::default());
            let verified = passwords
                .verify(line, password.to_owned(), hash.cloned())
                .await;
            assert_eq!(verified.unwrap(), is_right, "{password:?} against {hash:?}");
        }
    }

    #[tokio::test]
    async fn a_full_line_turns_logins_away_at_once() {
        let passwords = Arc::new(Passwords::with_limit(1).await.unwrap());
        let line = Line::Strangers(Key::default());
        let working = passwords.turns.wait(line).await.unwrap();
        let logins: Vec<_> = (0..200)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move {
                    let hash = Some("not a hash".to_owned());
                    passwords.verify(line, "x".to_owned(), hash).await
                })
            })
            .collect();
        // 128 have a place, the others are turned away before anybody works.
        while logins.iter().filter(|login| login.is_finished()).count() < 72 {
            tokio::task::yield_now().await;
        }
        drop(working);
        let mut turned_away = 0;
        for login in logins {
            if login.await.unwrap().is_err() {
                turned_away += 1;
            }
        }
        assert_eq!(turned_away, 72);
        assert!(
            !passwords.verify(line, "x".to_owned(), None).await.unwrap(),
            "and then it is free again"
        );
    }
}
