//! The log and the books, at the ledger, for auditors and operators.

#![expect(
    missing_docs,
    reason = "the names of the JSON; the ledger says what they mean"
)]

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::statements::query_of;
use crate::{Client, Result, found};

/// Looks through the log, each of 20 000 entries at most. Source: `ledger/src/http/log.rs`.
const LOOKS_MAX: u32 = 50;

/// One place in the log, in a list.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    pub seq: u64,
    pub kind: String,
    pub status: String,
    pub reason: Option<String>,
    pub client_id: Option<String>,
    pub about: Option<String>,
    pub amount: Option<String>,
    pub currency: Option<String>,
    pub published_at: DateTime<Utc>,
    pub trace_id: Option<String>,
}

/// A page of the log, the newest first.
#[derive(Debug, Deserialize)]
pub struct LogPage {
    pub entries: Vec<Entry>,
    pub decided: u64,
    pub next: Option<String>,
}

impl LogPage {
    /// Where the page behind this one begins.
    #[must_use]
    pub fn before(&self) -> Option<String> {
        let query = query_of(self.next.as_deref()?).into_iter();
        let mut found = query.filter(|(name, _)| name == "before");
        found.next().map(|(_, before)| before)
    }
}

/// Message N of both logs.
#[derive(Debug, Deserialize)]
pub struct Pair {
    pub seq: u64,
    pub request: Message,
    pub answer: Option<Message>,
    pub steps: Option<Steps>,
}

/// A message as it stands in its stream.
#[derive(Debug, Deserialize)]
pub struct Message {
    pub subject: String,
    pub event_type: Option<String>,
    pub published_at: DateTime<Utc>,
    pub headers: Vec<(String, String)>,
    pub size: usize,
    pub json: Option<Value>,
    pub text: Option<String>,
    pub schema: Option<String>,
    pub mismatch: Option<String>,
}

/// When the batch of a request went through each step.
#[derive(Debug, Deserialize)]
pub struct Steps {
    pub batch_first: u64,
    pub batch_last: u64,
    pub read_at: DateTime<Utc>,
    pub decided_at: DateTime<Utc>,
    pub booked_at: Option<DateTime<Utc>>,
    pub published_at: Option<DateTime<Utc>>,
}

/// How far the log is decided and published.
#[derive(Debug, Deserialize)]
pub struct Checkpoint {
    pub seq: u64,
    pub chain: String,
    pub rules: Option<u32>,
    pub requests: u64,
    pub settlements: u64,
}

/// All accounts, by currency.
#[derive(Debug, Deserialize)]
pub struct TrialBalance {
    pub seq: u64,
    pub as_of: Option<DateTime<Utc>>,
    pub currencies: Vec<CurrencyBalance>,
}

/// The accounts of one currency.
#[derive(Debug, Deserialize)]
pub struct CurrencyBalance {
    pub currency: String,
    pub debit: String,
    pub credit: String,
    pub difference: String,
    pub categories: Vec<CategoryBalance>,
}

/// The accounts of one category.
#[derive(Debug, Deserialize)]
pub struct CategoryBalance {
    pub category: String,
    pub accounts: u64,
    pub sum: String,
}

impl CurrencyBalance {
    /// Debits and credits are equal.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.difference
            .bytes()
            .all(|byte| matches!(byte, b'0' | b'.'))
    }
}

/// Replays, the newest first.
#[derive(Debug, Deserialize)]
pub struct Replays {
    pub replays: Vec<Replay>,
}

/// The whole log, decided again.
#[derive(Debug, Deserialize)]
pub struct Replay {
    pub state: String,
    pub done: u64,
    pub requests: u64,
    pub started_by: String,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub detail: Option<String>,
    pub summary: Option<Value>,
}

/// The durable consumers of the settlements.
#[derive(Debug, Deserialize)]
pub struct Subscribers {
    pub subscribers: Vec<Subscriber>,
}

/// One of them.
#[derive(Debug, Deserialize)]
pub struct Subscriber {
    pub name: String,
    pub subject: String,
    pub pending: u64,
    pub unacknowledged: u64,
    pub redelivered: u64,
    pub pulls: u64,
    pub delivered_seq: u64,
    pub acknowledged_seq: u64,
    pub delivered_at: Option<DateTime<Utc>>,
    pub acknowledged_at: Option<DateTime<Utc>>,
}

impl Client {
    /// A page of the log.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn log(&self, token: &str, query: &[(&str, String)]) -> Result<LogPage> {
        self.get(token, &self.addresses.ledger, "/log", query).await
    }

    /// The first page that has an entry, looking through as many as a million of the log; and whether it took more than one
    /// look. The ledger looks through a bounded number at a time.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn find_in_log(
        &self,
        token: &str,
        query: &[(&str, String)],
    ) -> Result<(LogPage, bool)> {
        let mut page = self.log(token, query).await?;
        let mut looks = 1;
        while page.entries.is_empty() && looks < LOOKS_MAX {
            let Some(before) = page.before() else { break };
            // The place says where it goes on, so a time does not count any more.
            let mut query: Vec<_> = query.to_vec();
            query.retain(|(name, _)| !["before", "until"].contains(name));
            query.push(("before", before));
            page = self.log(token, &query).await?;
            looks += 1;
        }
        Ok((page, looks > 1))
    }

    /// Request and answer of a place in the log; `None` when the log does not reach there.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn log_entry(&self, token: &str, seq: u64) -> Result<Option<Pair>> {
        let path = format!("/log/{seq}");
        found(self.get(token, &self.addresses.ledger, &path, &[]).await)
    }

    /// How far the log is decided and published.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn checkpoint(&self, token: &str) -> Result<Checkpoint> {
        let ledger = &self.addresses.ledger;
        self.get(token, ledger, "/checkpoint", &[]).await
    }

    /// All accounts, by currency and category; now, or `as_of` a time.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn trial_balance<T: DeserializeOwned>(
        &self,
        token: &str,
        as_of: Option<&str>,
    ) -> Result<T> {
        let ledger = &self.addresses.ledger;
        let query: Vec<_> = as_of
            .map(|as_of| ("as_of", as_of.to_owned()))
            .into_iter()
            .collect();
        self.get(token, ledger, "/trial-balance", &query).await
    }

    /// Starts a replay.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn start_replay(&self, token: &str) -> Result<Value> {
        let ledger = &self.addresses.ledger;
        self.post(token, ledger, "/audit/replays", None).await
    }

    /// The replays that the ledger remembers, the newest first.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn replays(&self, token: &str) -> Result<Replays> {
        let ledger = &self.addresses.ledger;
        self.get(token, ledger, "/audit/replays", &[]).await
    }

    /// Who reads the settlements, and how far.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn subscribers(&self, token: &str) -> Result<Subscribers> {
        let ledger = &self.addresses.ledger;
        self.get(token, ledger, "/subscribers", &[]).await
    }
}
