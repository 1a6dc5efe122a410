//! Passwords: argon2id, a bounded number at a time.
//!
//! One hash takes 19 MiB and some 25 ms of a core, so a flood of logins could take all memory and every core. At most
//! one per core runs, and the others wait in lines that take turns ([`Turns`]); a login beyond that is refused for now. The
//! login of an unknown person hashes too, so its time reveals nothing.
//!
//! People who came from Django keep its hashes until their first log-in ([`django`]), and those take longer. So while the
//! database holds a PBKDF2 hash, *every* log-in costs one argon2id and as many iterations as the slowest of them, whoever it
//! is and whatever hash there is: a log-in that fails takes as long for somebody unknown, somebody of ours and somebody
//! imported. Two things do not hold. A right password at an imported hash takes one argon2id more, for the new hash: only who
//! knows the password sees that. And an argon2id hash of Django takes what its own parameters cost: its owner can be
//! told from others until the first log-in.

pub(crate) mod django;
pub(crate) mod rules;

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use metrics::histogram;

use crate::throttle::{Busy, Line, Turns};
use django::DjangoHash;

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
    ///
    /// `slowest_iterations` are those of the slowest hash of Django that anybody has; 0 when nobody has one.
    pub(crate) async fn verify(
        &self,
        line: Line,
        password: String,
        hash: Option<String>,
        slowest_iterations: u32,
    ) -> Result<Verified, Busy> {
        let running = self.turns.wait(line).await?;
        let dummy = self.dummy.clone();
        let verified = tokio::task::spawn_blocking(move || {
            // Held until the work is done, also when the caller has hung up meanwhile.
            let _running = running;
            let began = Instant::now();
            let verified = check(&password, hash.as_deref(), &dummy, slowest_iterations);
            histogram!("quittance_password_seconds").record(began.elapsed());
            verified
        });
        Ok(verified.await.unwrap_or_default())
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

/// What a check of a password found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) is_right: bool,
    /// Our hash of the password, where it is right and the hash was Django's.
    pub(crate) rehashed: Option<String>,
}

/// Costs one argon2id and so many iterations, whatever there is to check.
fn check(password: &str, hash: Option<&str>, dummy: &str, slowest_iterations: u32) -> Verified {
    if let Some(of_django) = hash.and_then(DjangoHash::read) {
        let wasted = match &of_django {
            DjangoHash::Pbkdf2 { iterations, .. } => {
                is_password_of(password, dummy);
                slowest_iterations.saturating_sub(iterations.get())
            }
            DjangoHash::Argon2id(_) => slowest_iterations,
        };
        let is_right = of_django.is_of(password);
        django::work(wasted);
        let rehashed = is_right.then(|| hashed(password));
        return Verified {
            is_right,
            // Who can't be given a new hash now logs in with the old one, and gets it next time.
            rehashed: rehashed.and_then(Result::ok),
        };
    }
    let ours = hash.filter(|hash| hash.starts_with("$argon2id$"));
    let is_right = is_password_of(password, ours.unwrap_or(dummy));
    django::work(slowest_iterations);
    Verified {
        is_right: is_right && ours.is_some(),
        rehashed: None,
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
    tokio::task::spawn_blocking(move || hashed(&password)).await?
}

/// Takes 25 ms of the calling thread.
fn hashed(password: &str) -> anyhow::Result<String> {
    let mut salt = [0; 16];
    aws_lc_rs::rand::fill(&mut salt).context("no randomness")?;
    hasher()
        .hash_password_with_salt(rules::normalized(password).as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| anyhow!("argon2: {error}"))
}

/// Whether this is the password of a hash of ours. Takes 25 ms of the calling thread.
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
                .verify(line, password.to_owned(), hash.cloned(), 0)
                .await
                .unwrap();
            assert_eq!(verified.rehashed, None);
            assert_eq!(verified.is_right, is_right, "{password:?} against {hash:?}");
        }
    }

    #[tokio::test]
    async fn the_right_password_of_a_django_hash_comes_with_a_hash_of_ours() {
        let dummy = hash("nobody's".to_owned()).await.unwrap();
        let of_django = "pbkdf2_sha256$1$seasalt$98LAZik4pJNikwc/wZltlL/PowsqNnPnNzARKoGCUtI=";
        for (password, hash, is_right) in [
            ("p\u{e4}ssword one", of_django, true),
            ("password one", of_django, false),
            ("!", django::UNUSABLE, false),
            ("nobody's", django::UNUSABLE, false),
            ("", django::UNUSABLE, false),
            (
                "p\u{e4}ssword one",
                "pbkdf2_sha256$2000001$seasalt$AAAA",
                false,
            ),
        ] {
            let verified = check(password, Some(hash), &dummy, 1000);
            assert_eq!(verified.is_right, is_right, "{password:?} against {hash:?}");
            match verified.rehashed {
                Some(ours) => assert!(is_right && is_password_of(password, &ours)),
                None => assert!(!is_right),
            }
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
                    passwords.verify(line, "x".to_owned(), hash, 0).await
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
            passwords
                .verify(line, "x".to_owned(), None, 0)
                .await
                .is_ok(),
            "and then it is free again"
        );
    }
}
