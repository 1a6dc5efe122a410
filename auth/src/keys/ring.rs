//! The keys that this process works with: one signs, and those before it are still believed.

use std::sync::{Arc, PoisonError, RwLock};

use super::SigningKey;

/// The keys of this process.
pub(crate) struct Ring {
    /// `kid` and key are read together, as one snapshot.
    signing: RwLock<Arc<SigningKey>>,
}

impl Ring {
    pub(crate) fn new(signing: SigningKey) -> Self {
        Self {
            signing: RwLock::new(Arc::new(signing)),
        }
    }

    /// The key that signs now.
    pub(crate) fn signing(&self) -> Arc<SigningKey> {
        let signing = self.signing.read().unwrap_or_else(PoisonError::into_inner);
        signing.clone()
    }

    /// Whether the key of this name has signed `message`, and is still believed.
    pub(crate) fn has_signed(&self, kid: &str, message: &[u8], signature: &[u8]) -> bool {
        let key = self.signing();
        key.kid == kid && key.has_signed(message, signature)
    }
}
