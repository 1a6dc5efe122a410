//! What to measure and how thoroughly: the options of the command line, and the sizes that follow from them.

use std::path::PathBuf;
use std::time::Duration;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// The same bytes through the broker alone: publish, read, publish, read
    Broker,
    /// The ledger with all requests already in the stream
    Ledger,
    /// End to end over NATS: saturated with 1, 100 and 10 000 tokens, and at fixed rates
    Nats,
    /// End to end over HTTP: saturated, and at fixed rates
    Http,
    /// Producers' single payments through payments: saturated, and at fixed rates beside HTTP
    Door,
    /// Batches of 1 000, 100 and 10 payments in one request, over NATS and HTTP
    Bulk,
    /// The same requests with and without the gateway in front
    Gateway,
    /// Few accounts that everybody pays from and to
    Hot,
    /// The cost of a payment after many payments, and among many accounts
    Growth,
    /// Balances and statements of an account with a million postings, as they are and as they were
    History,
    /// The whole log decided again and compared
    Replay,
    /// PostgreSQL's own benchmark on the same server, for scale
    Pgbench,
    /// Tokens issued and verified, against the bare cryptography
    Tokens,
    /// Tokens by each grant against bare signatures, the first payment of a token, and revocations
    Grants,
    /// Log-ins while others guess passwords
    Logins,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Broker,
        Self::Ledger,
        Self::Nats,
        Self::Http,
        Self::Door,
        Self::Bulk,
        Self::Gateway,
        Self::Hot,
        Self::Growth,
        Self::History,
        Self::Replay,
        Self::Pgbench,
        Self::Tokens,
        Self::Grants,
        Self::Logins,
    ];
}

/// What to measure, and how thoroughly.
#[derive(Debug)]
pub struct Options {
    /// The `quittance` binary that serves.
    pub program: PathBuf,
    /// Under a minute: fewer and shorter runs.
    pub quick: bool,
    /// Which scenarios; none means all.
    pub only: Vec<Scenario>,
    /// Runs of each figure, instead of 5 (quick: 2).
    pub runs: Option<usize>,
    /// Also measure with ten million payments booked, which takes about twenty minutes and 45 GB of disk.
    pub ten_million: bool,
    /// Where the plot goes.
    pub plot: PathBuf,
    /// Draw no progress.
    pub silent: bool,
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) is_quick: bool,
    pub(crate) runs: usize,
    /// Payments in a saturated run.
    pub(crate) payments: usize,
    pub(crate) accounts: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    pub(crate) ten_million: bool,
}

impl Size {
    /// The size that these options ask for.
    pub(crate) fn of(options: &Options) -> Self {
        let (runs, payments) = if options.quick {
            (2, 10_000)
        } else {
            (5, 50_000)
        };
        Self {
            is_quick: options.quick,
            runs: options.runs.unwrap_or(runs).max(1),
            payments,
            accounts: 10_000,
            warm_up: Duration::from_millis(if options.quick { 300 } else { 1000 }),
            measured: Duration::from_millis(if options.quick { 1200 } else { 5000 }),
            ten_million: options.ten_million,
        }
    }
}
