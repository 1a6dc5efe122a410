//! Password hashes as Django writes them: `<hasher>$<parameters>$…`. Pure.
//!
//! They come with people who are imported, and each is replaced at its owner's first log-in. Django hashes a password as it
//! is typed, without Unicode normalization, so these are checked against the typed bytes.

use std::num::NonZeroU32;

use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params};
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What the database keeps for a person without a password.
pub(crate) const UNUSABLE: &str = "!";

/// Twice what Django 5.2 takes. More would let one imported row keep a core busy for seconds at each log-in.
const ITERATIONS_MAX: u32 = 2_000_000;
const SALT_BYTES_MAX: usize = 128;
const DIGEST_BYTES: usize = 32;
/// Django's own parameters. One hash per core runs at most, so they bound the memory too.
const MEMORY_KIB_MAX: u32 = 102_400;
const PASSES_MAX: u32 = 4;
const LANES_MAX: u32 = 8;
/// Longer than any hash that Django's field has room for.
const HASH_BYTES_MAX: usize = 256;

/// A hash that can be checked.
#[derive(Debug, PartialEq)]
pub(crate) enum DjangoHash<'h> {
    Pbkdf2 {
        iterations: NonZeroU32,
        salt: &'h str,
        digest: [u8; DIGEST_BYTES],
    },
    /// A PHC string, whose parameters are within their limits.
    Argon2id(&'h str),
}

impl<'h> DjangoHash<'h> {
    /// Reads a hash; `None` when no password matches it: it is malformed, too costly, or another hasher's.
    pub(crate) fn read(hash: &'h str) -> Option<Self> {
        if hash.len() > HASH_BYTES_MAX || hash.chars().any(char::is_control) {
            return None;
        }
        let (hasher, rest) = hash.split_once('$')?;
        match hasher {
            "pbkdf2_sha256" => pbkdf2_sha256(rest),
            // What follows the prefix begins without the PHC string's first `$`.
            "argon2" => argon2id(&hash["argon2".len()..]),
            _ => None,
        }
    }

    /// Takes its time of the calling thread.
    pub(crate) fn is_of(&self, password: &str) -> bool {
        match self {
            Self::Pbkdf2 {
                iterations,
                salt,
                digest,
            } => pbkdf2::verify(
                PBKDF2_HMAC_SHA256,
                *iterations,
                salt.as_bytes(),
                password.as_bytes(),
                digest,
            )
            .is_ok(),
            Self::Argon2id(phc) => Argon2::default()
                .verify_password(password.as_bytes(), *phc)
                .is_ok(),
        }
    }
}

/// Does the work of so many iterations of PBKDF2, for nothing.
pub(crate) fn work(iterations: u32) {
    if let Some(iterations) = NonZeroU32::new(iterations.min(ITERATIONS_MAX)) {
        let mut out = [0; DIGEST_BYTES];
        pbkdf2::derive(
            PBKDF2_HMAC_SHA256,
            iterations,
            b"nobody's",
            b"nobody's",
            &mut out,
        );
        std::hint::black_box(out);
    }
}

fn pbkdf2_sha256(rest: &str) -> Option<DjangoHash<'_>> {
    let mut parts = rest.split('$');
    let (iterations, salt, digest) = (parts.next()?, parts.next()?, parts.next()?);
    let is_number =
        iterations.bytes().all(|byte| byte.is_ascii_digit()) && !iterations.starts_with('0');
    let iterations = iterations.parse::<NonZeroU32>().ok()?;
    let is_good = parts.next().is_none()
        && is_number
        && iterations.get() <= ITERATIONS_MAX
        && (1..=SALT_BYTES_MAX).contains(&salt.len());
    let digest = STANDARD.decode(digest).ok()?.try_into().ok()?;
    is_good.then_some(DjangoHash::Pbkdf2 {
        iterations,
        salt,
        digest,
    })
}

fn argon2id(phc: &str) -> Option<DjangoHash<'_>> {
    let hash = PasswordHash::new(phc).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let is_good = phc.starts_with("$argon2id$v=19$")
        && hash.salt.is_some()
        && hash.hash.is_some()
        && params.m_cost() <= MEMORY_KIB_MAX
        && params.t_cost() <= PASSES_MAX
        && params.p_cost() <= LANES_MAX;
    is_good.then_some(DjangoHash::Argon2id(phc))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python's hashlib, from `pässword one`.
    const ONE: &str = "pbkdf2_sha256$1$seasalt$98LAZik4pJNikwc/wZltlL/PowsqNnPnNzARKoGCUtI=";
    const MANY: &str = "pbkdf2_sha256$260000$seasalt$ITq445hqPVsk5V2ytDWcodU1Z7U5xvvp0UZoXsahOwo=";
    const PASSWORD: &str = "p\u{e4}ssword one";
    const DIGEST: &str = "98LAZik4pJNikwc/wZltlL/PowsqNnPnNzARKoGCUtI=";
    /// `p\u{e4}ssword one` in two characters for the second letter: other bytes, so another password to Django.
    const DECOMPOSED: &str = "pa\u{308}ssword one";
    const PHC_REST: &str = "c2Vhc2FsdHNlYXNhbHQ$9NHW5rXoCBDG8QGuRQkm1iIsHhvCAAYxDrSIUAUNDhk";

    #[test]
    fn a_hash_of_django_is_opened_by_its_password_only() {
        for hash in [ONE, MANY] {
            let hash = DjangoHash::read(hash).expect("well-formed");
            for (password, is_right) in [
                (PASSWORD, true),
                (DECOMPOSED, false),
                ("p\u{e4}ssword one ", false),
                ("", false),
            ] {
                assert_eq!(hash.is_of(password), is_right, "{password:?}");
            }
        }
    }

    #[test]
    fn an_argon2id_hash_is_read_behind_its_prefix() {
        use argon2::password_hash::PasswordHasher as _;
        let params = Params::new(64, 1, 2, None).expect("small ones");
        let hasher = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let phc = hasher
            .hash_password_with_salt(PASSWORD.as_bytes(), b"a salt of tests.")
            .expect("a hash");
        let hash = format!("argon2{phc}");
        let hash = DjangoHash::read(&hash).expect("well-formed");
        assert!(hash.is_of(PASSWORD) && !hash.is_of("another"));
    }

    #[test]
    fn what_is_no_hash_of_these_matches_no_password() {
        let rows = [
            String::new(),
            UNUSABLE.to_owned(),
            "!uVqnxhHk0gLdrc2YzMyNQY1Ea3yf4tGzkNL2p3Gm".to_owned(),
            "plain text".to_owned(),
            "$argon2id$v=19$m=64,t=1,p=1$c2Vhc2FsdA$AAAA".to_owned(),
            format!("pbkdf2_sha1$1$seasalt${DIGEST}"),
            format!("pbkdf2_sha256$0$seasalt${DIGEST}"),
            format!("pbkdf2_sha256$-1$seasalt${DIGEST}"),
            format!("pbkdf2_sha256$+1$seasalt${DIGEST}"),
            format!("pbkdf2_sha256$01$seasalt${DIGEST}"),
            format!("pbkdf2_sha256$ 1$seasalt${DIGEST}"),
            format!("pbkdf2_sha256$2000001$seasalt${DIGEST}"),
            format!("pbkdf2_sha256$4294967297$seasalt${DIGEST}"),
            format!("pbkdf2_sha256$1$${DIGEST}"),
            format!("pbkdf2_sha256$1${}${DIGEST}", "s".repeat(129)),
            format!("pbkdf2_sha256$1$sea\0salt${DIGEST}"),
            format!("{ONE}$"),
            ONE.trim_end_matches('=').to_owned(),
            "pbkdf2_sha256$1$seasalt$AAAA".to_owned(),
            "pbkdf2_sha256$1$seasalt$".to_owned(),
            "pbkdf2_sha256$1$seasalt".to_owned(),
            format!("argon2$argon2i$v=19$m=64,t=1,p=1${PHC_REST}"),
            format!("argon2$argon2id$v=16$m=64,t=1,p=1${PHC_REST}"),
            format!("argon2$argon2id$v=19$m=102401,t=2,p=8${PHC_REST}"),
            format!("argon2$argon2id$v=19$m=64,t=5,p=1${PHC_REST}"),
            format!("argon2$argon2id$v=19$m=128,t=1,p=9${PHC_REST}"),
            "argon2$argon2id$v=19$m=64,t=1,p=1$c2Vhc2FsdA".to_owned(),
            "bcrypt_sha256$$2b$12$abcdefghijklmnopqrstuv".to_owned(),
            "scrypt$16384$salt$8$1$AAAA".to_owned(),
            "md5$salt$0123456789abcdef0123456789abcdef".to_owned(),
        ];
        for row in rows {
            assert_eq!(DjangoHash::read(&row), None, "{row:?}");
        }
        for good in [
            format!("pbkdf2_sha256$2000000$seasalt${DIGEST}"),
            format!("argon2$argon2id$v=19$m=102400,t=2,p=8${PHC_REST}"),
        ] {
            assert!(DjangoHash::read(&good).is_some(), "{good:?}");
        }
    }
}
