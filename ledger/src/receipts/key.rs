//! The secret from which the key is made that signs receipts. It is in no database: a copy of one signs nothing.

use std::fmt;
use std::str::FromStr;

use anyhow::Context as _;

use super::note::SigningKey;
use crate::core::chain::Chain;

/// 32 bytes as 64 hex digits.
///
/// The text is read when the service starts and not with the command line, whose errors quote what they refuse.
#[derive(Clone)]
pub struct ReceiptKey(String);

impl fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptKey(…)")
    }
}

impl FromStr for ReceiptKey {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl ReceiptKey {
    /// The key of the log of this name.
    ///
    /// # Errors
    /// When the text is no key, or the name can't stand in a signature.
    pub fn read(&self, origin: &str) -> anyhow::Result<SigningKey> {
        let Chain(seed) =
            Chain::from_hex(&self.0).context("QUITTANCE_RECEIPT_KEY must be 64 hex digits")?;
        SigningKey::new(origin, &seed)
            .context("QUITTANCE_RECEIPT_ORIGIN must have neither blanks nor a plus sign")
    }
}
