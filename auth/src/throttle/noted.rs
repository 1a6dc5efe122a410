//! Failed logins for the audit log, so that a flood of them does not fill the disk.
//!
//! The first one of an account and an address is written at once. Those that follow within a minute are counted and written
//! as one row at its end. Nobody waits for the writing, so a login takes as long whether there is something to write or not.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgPool;
use tokio::sync::Notify;

use super::address::Address;
use crate::store::events::{self, Event};

/// For so long after a row, the same is counted only.
const QUIET: TimeDelta = TimeDelta::minutes(1);
/// Rows are written this often at most, many at a time.
const PAUSE: Duration = Duration::from_millis(200);
/// How often what became due is looked for.
const TICK: Duration = Duration::from_secs(2);
/// Different accounts and addresses in a minute; more are counted in one row. At 200 bytes a row and twice a minute, a flood
/// that never ends writes 60 MB a day.
const KINDS_MAX: usize = 100;

/// What was noted and not written yet.
#[derive(Default)]
pub(crate) struct Noted {
    counts: Mutex<HashMap<Kind, Count>>,
    is_new: Notify,
}

/// Failures that become one row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    what: &'static str,
    about: Option<String>,
    /// `None` for those beyond [`KINDS_MAX`].
    address: Option<Address>,
}

struct Count {
    unwritten: u64,
    quiet_until: DateTime<Utc>,
}

impl Noted {
    /// Notes a failure.
    pub(super) fn note(
        &self,
        what: &'static str,
        about: Option<String>,
        address: Address,
        now: DateTime<Utc>,
    ) {
        let mut counts = self.counts();
        let mut kind = Kind {
            what,
            about,
            address: Some(address),
        };
        if counts.len() >= KINDS_MAX && !counts.contains_key(&kind) {
            (kind.about, kind.address) = (None, None);
        }
        let count = counts.entry(kind).or_insert(Count {
            unwritten: 0,
            quiet_until: now,
        });
        count.unwritten += 1;
        if count.quiet_until <= now {
            self.is_new.notify_one();
        }
    }

    /// Writes for as long as it is let.
    pub(crate) async fn run(&self, pool: &PgPool, clock: fn() -> DateTime<Utc>) -> ! {
        loop {
            // Either way there may be something to write.
            drop(tokio::time::timeout(TICK, self.is_new.notified()).await);
            if let Err(error) = self.write(pool, clock(), false).await {
                tracing::error!(%error, "failed logins wait to be written");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Writes what is due, or everything.
    pub(crate) async fn write(
        &self,
        pool: &PgPool,
        now: DateTime<Utc>,
        is_all: bool,
    ) -> sqlx::Result<()> {
        let due = self.due(now, is_all);
        if due.is_empty() {
            return Ok(());
        }
        let mut tx = pool.begin().await?;
        for (kind, count) in &due {
            let address = kind.address.map(|address| address.to_string());
            let event = Event {
                what: kind.what,
                actor: None,
                about: kind.about.as_deref(),
                detail: json!({"address": address, "count": count}),
            };
            events::record(&mut *tx, &event, now).await?;
        }
        tx.commit().await?;
        self.forget_written(due, now);
        Ok(())
    }

    /// What there is to write now.
    fn due(&self, now: DateTime<Utc>, is_all: bool) -> Vec<(Kind, u64)> {
        let mut counts = self.counts();
        counts.retain(|_, count| count.unwritten > 0 || count.quiet_until > now);
        let due = counts
            .iter()
            .filter(|(_, count)| count.unwritten > 0 && (is_all || count.quiet_until <= now));
        due.map(|(kind, count)| (kind.clone(), count.unwritten))
            .collect()
    }

    fn forget_written(&self, due: Vec<(Kind, u64)>, now: DateTime<Utc>) {
        let mut counts = self.counts();
        for (kind, written) in due {
            if let Some(count) = counts.get_mut(&kind) {
                count.unwritten -= written;
                count.quiet_until = now + QUIET;
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Kind, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: u32) -> Address {
        std::net::IpAddr::V4(Ipv4Addr::from_bits(number)).into()
    }

    /// The counts of the rows that would be written.
    fn written(noted: &Noted, now: DateTime<Utc>) -> Vec<u64> {
        let due = noted.due(now, false);
        let counts = due.iter().map(|(_, count)| *count).collect();
        noted.forget_written(due, now);
        counts
    }

    #[test]
    fn a_flood_is_two_rows_a_minute_and_no_failure_is_lost() {
        let (noted, start) = (Noted::default(), DateTime::UNIX_EPOCH);
        let mut rows = Vec::new();
        for millis in (0..200_000).step_by(100) {
            let now = start + TimeDelta::milliseconds(millis);
            noted.note("user.login_failed", None, address(1), now);
            rows.extend(written(&noted, now));
        }
        rows.extend(written(&noted, start + TimeDelta::minutes(10)));
        assert_eq!(rows, [1, 600, 600, 600, 199]);
        drop(written(&noted, start + TimeDelta::minutes(20)));
        assert!(noted.counts().is_empty(), "nothing stays");
    }

    #[test]
    fn many_accounts_and_addresses_are_one_row() {
        let (noted, now) = (Noted::default(), DateTime::UNIX_EPOCH);
        for number in 0..10_000 {
            noted.note(
                "user.login_failed",
                Some(number.to_string()),
                address(number),
                now,
            );
        }
        let rows = written(&noted, now);
        assert_eq!(rows.len(), KINDS_MAX + 1);
        assert_eq!(rows.iter().sum::<u64>(), 10_000);
    }
}
