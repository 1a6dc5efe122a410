//! How much one client may send.

use std::num::NonZeroU32;
use std::time::Duration;

use common::message::Outgoing;

/// Bytes that count as one payment; usual ones have 1 to 2 KB.
const UNIT_BYTES: usize = 4096;

/// What each client may do. A message of more than 4 KiB counts as several payments.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(skip)]
pub struct Limits {
    /// Payments per second that one client may send; a second's worth at once.
    #[arg(
        long = "client-rate",
        value_name = "PAYMENTS",
        env = "QUITTANCE_CLIENT_RATE",
        default_value = "20000"
    )]
    pub client_rate: NonZeroU32,
    /// Payments of one client that may wait to be stored.
    #[arg(
        long = "client-waiting",
        value_name = "PAYMENTS",
        env = "QUITTANCE_CLIENT_WAITING",
        default_value = "8192"
    )]
    pub client_waiting: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        let count = |count| NonZeroU32::new(count).expect("a positive number");
        Self {
            client_rate: count(20_000),
            client_waiting: count(8192),
        }
    }
}

/// A client sends too much. Nothing of this request has been stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooMuch {
    /// Too fast.
    #[error("this client may send {rate} payments per second; send it again in {} ms", retry_after.as_millis().max(1))]
    Fast {
        /// Payments per second.
        rate: NonZeroU32,
        /// When it would be let in.
        retry_after: Duration,
    },
    /// Too many at a time.
    #[error(
        "{count} payments of this client wait to be stored already; send it again when some are acknowledged"
    )]
    Waiting {
        /// Those that wait.
        count: u32,
    },
}

/// How many payments a message counts as.
pub(super) fn weight(message: &Outgoing) -> NonZeroU32 {
    let units = u32::try_from(message.bytes() / UNIT_BYTES).unwrap_or(u32::MAX - 1);
    NonZeroU32::MIN.saturating_add(units)
}
