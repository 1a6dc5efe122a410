//! The keys that this process works with: one signs, and those before it are still believed.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use super::SigningKey;

/// The keys of this process.
pub(crate) struct Ring(RwLock<Arc<Held>>);

/// One moment's keys, which belong together.
pub(crate) struct Held {
    /// What [`super::lifecycle::voucher`] says.
    pub(super) voucher: Arc<SigningKey>,
    /// Whether that one signs tokens.
    pub(super) is_signing: bool,
    pub(super) believed: Vec<Believed>,
}

/// A key whose signature counts here, for a refresh token also when it has stopped signing.
pub(crate) struct Believed {
    pub(crate) kid: String,
    n: Vec<u8>,
    e: Vec<u8>,
    until: Option<DateTime<Utc>>,
    /// Another system's.
    pub(crate) is_imported: bool,
}

impl Believed {
    /// `n` and `e` in base64url, as they are stored.
    pub(super) fn new(
        kid: &str,
        (n, e): (&str, &str),
        until: Option<DateTime<Utc>>,
        is_imported: bool,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            kid: kid.to_owned(),
            n: URL_SAFE_NO_PAD.decode(n)?,
            e: URL_SAFE_NO_PAD.decode(e)?,
            until,
            is_imported,
        })
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let (n, e) = (&self.n, &self.e);
        let public = PublicKeyComponents { n, e };
        public
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            .is_ok()
    }
}

impl Ring {
    pub(super) fn new(held: Held) -> Self {
        Self(RwLock::new(Arc::new(held)))
    }

    pub(super) fn replace(&self, held: Held) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(held);
    }

    fn held(&self) -> Arc<Held> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The key that signs now; `None` while a revoked one waits for its successor.
    pub(crate) fn signing(&self) -> Option<Arc<SigningKey>> {
        let held = self.held();
        held.is_signing.then(|| held.voucher.clone())
    }

    /// The key under which another is announced.
    pub(crate) fn voucher(&self) -> Arc<SigningKey> {
        self.held().voucher.clone()
    }

    /// The key that has signed `message`, if its tokens are taken at `now`. One without a name is another system's.
    pub(crate) fn signer(
        &self,
        kid: Option<&str>,
        message: &[u8],
        signature: &[u8],
        now: DateTime<Utc>,
    ) -> Option<Signer> {
        let held = self.held();
        let is_meant = |key: &&Believed| match kid {
            Some(kid) => key.kid == kid && !key.is_imported,
            None => key.is_imported,
        };
        let mut meant = held.believed.iter().filter(is_meant);
        let key = meant.find(|key| {
            key.until.is_none_or(|until| now < until) && key.has_signed(message, signature)
        })?;
        Some(if key.is_imported {
            Signer::Imported(key.kid.clone())
        } else {
            Signer::Ours
        })
    }
}

/// Who has signed a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signer {
    Ours,
    /// Another system with this key.
    Imported(String),
}
