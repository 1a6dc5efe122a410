//! What keeps passwords from being guessed, and one attacker from taking everybody's turn.
//!
//! A try goes through four doors. First the [`gates`]: tries at one account from one place go in two at a time. Then the
//! database, where all instances count: a try counts as wrong until it proves right, and the [`curve`] says what wrong tries
//! lead to, a lock of some seconds. An account has one count for each place that it was logged in from during 30 days, and one
//! for all other places: an attacker elsewhere can't lock its owner out. Strange places also have a share for each address.
//! Then the [`turns`] at the password's hash, where known places, other addresses and noisy ones take turns. At last the login itself says
//! whether the try was right.
//!
//! Unknown people go through the same doors, so that nothing tells them from known ones. What failed is in the audit log
//! ([`noted`]), as one row for many.

pub(crate) mod curve;

mod gates;
mod noted;
mod turns;

mod address;
mod key;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::store;
use crate::store::events::names;
pub use address::Network;
pub(crate) use address::{Address, client};
use curve::{Curve, Tries};
use gates::{Gates, Passage};
pub(crate) use key::{Busy, Key};
use noted::Noted;
pub(crate) use turns::{Line, Turns};

/// Connections for counting: its own, so that a flood leaves those alone that logins need.
const CONNECTIONS_MAX: u32 = 4;
/// As many as can be connected: whoever waits to be counted is never turned away.
const HTTP_CONNECTIONS_MAX: usize = 512;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often rows that no longer matter are deleted, and how many at once.
const FORGET_EVERY: Duration = Duration::from_secs(60);
const FORGET_MAX: i64 = 10_000;

/// What somebody tries to log in to. It may not exist.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    key: Key,
    curve: &'static Curve,
    /// The event when a try is wrong, and when it is not let through.
    failed: &'static str,
    refused: &'static str,
}

impl Account {
    /// A person, by what was typed.
    pub(crate) fn person(email: &str) -> Self {
        Self {
            key: Key::of("person", email.to_lowercase().as_bytes()),
            curve: &curve::PEOPLE,
            failed: names::USER_LOGIN_FAILED,
            refused: names::USER_LOGIN_REFUSED,
        }
    }

    /// Invitations and resets, from one address: nobody says whose they are.
    pub(crate) fn codes(address: Address) -> Self {
        Self::of_address("codes", address)
    }

    /// Registrations, from one address.
    pub(crate) fn registrations(address: Address) -> Self {
        Self::of_address("registrations", address)
    }

    fn of_address(kind: &str, address: Address) -> Self {
        Self {
            key: Key::of(kind, &address.octets()),
            curve: &curve::PROGRAMS,
            failed: names::USER_CODE_FAILED,
            refused: names::USER_CODE_REFUSED,
        }
    }

    /// A program.
    pub(crate) fn program(client_id: &str) -> Self {
        Self {
            key: Key::of("program", client_id.as_bytes()),
            curve: &curve::PROGRAMS,
            failed: names::CLIENT_LOGIN_FAILED,
            refused: names::CLIENT_LOGIN_REFUSED,
        }
    }
}

/// Counts tries.
pub(crate) struct Throttle {
    pool: PgPool,
    gates: Arc<Gates>,
    /// One address's tries are counted a few at a time, so that its flood leaves connections for others.
    counting: Arc<Gates>,
    pub(crate) noted: Noted,
}

/// Why a try is not let through.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Again after so many seconds.
    For {
        seconds: u64,
    },
    Database(sqlx::Error),
}

impl From<Busy> for Refused {
    fn from(_: Busy) -> Self {
        Self::For { seconds: 1 }
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Where a try comes from, as far as the account is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It was logged in from there not long ago.
    Known,
    Strange,
    /// Strange, and many wrong tries came from there just now.
    Noisy,
}

/// A try that was let through and counts as wrong until [`Admitted::succeeded`].
pub(crate) struct Admitted<'t> {
    throttle: &'t Throttle,
    account: Account,
    address: Address,
    place: Place,
    /// The next one of this account and place goes in when this one has ended.
    _passage: Passage,
}

impl Throttle {
    /// Opens connections of its own, which do not wait for the disk: a count may be lost with the power, and costs little.
    pub(crate) async fn open(database: PgConnectOptions) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(database.options([("synchronous_commit", "off")]))
            .await
            .context("the database does not let the service in")?;
        Ok(Self {
            pool,
            gates: Gates::new(gates::INSIDE_MAX),
            counting: Gates::new(HTTP_CONNECTIONS_MAX),
            noted: Noted::default(),
        })
    }

    /// Lets a try through, or says when the next one may come. Time passes at the gate, so it is read behind it.
    pub(crate) async fn admit(
        &self,
        account: Account,
        address: Address,
        clock: fn() -> DateTime<Utc>,
    ) -> Result<Admitted<'_>, Refused> {
        let place = place(account, address);
        let Ok(passage) = self.gates.enter(place).await else {
            self.noted.note(account.refused, None, address, clock());
            return Err(Busy.into());
        };
        let counting = self.counting.enter(source(address)).await?;
        let now = clock();
        let counted = self.count(account, address, now).await?;
        drop(counting);
        match counted {
            Ok(place) => Ok(Admitted {
                throttle: self,
                account,
                address,
                place,
                _passage: passage,
            }),
            Err(wait) => {
                self.noted.note(account.refused, None, address, now);
                Err(Refused::For {
                    seconds: whole_seconds(wait),
                })
            }
        }
    }

    /// Counts a try: where it comes from, or how long until the next one may come.
    async fn count(
        &self,
        account: Account,
        address: Address,
        now: DateTime<Utc>,
    ) -> sqlx::Result<Result<Place, TimeDelta>> {
        let (place, from) = (place(account, address), source(address));
        let mut tx = self.pool.begin().await?;
        let known = store::throttle::tries(&mut *tx, &place.0).await?;
        if known.is_some_and(|tries| tries.is_known_place(now)) {
            let mut tries = store::throttle::hold_tries(&mut *tx, &place.0, now).await?;
            let attempt = tries.attempt(account.curve, now);
            if attempt.is_ok() {
                store::throttle::put_tries(&mut *tx, &place.0, &tries).await?;
                tx.commit().await?;
            }
            return Ok(attempt.map(|()| Place::Known));
        }

        let mut tries = store::throttle::hold_tries(&mut *tx, &account.key.0, now).await?;
        let paid_until = store::throttle::hold_paid_until(&mut *tx, &from.0, now).await?;
        // The account comes first, so that a flood against one account does not use up the address's share, and an address
        // without a share locks no account.
        let attempt = tries
            .attempt(account.curve, now)
            .and_then(|()| curve::take_share(paid_until, now));
        if let Ok(paid_until) = attempt {
            store::throttle::put_tries(&mut *tx, &account.key.0, &tries).await?;
            store::throttle::put_paid_until(&mut *tx, &from.0, paid_until).await?;
            tx.commit().await?;
        }
        Ok(attempt.map(|paid_until| {
            if curve::is_noisy(paid_until, now) {
                Place::Noisy
            } else {
                Place::Strange
            }
        }))
    }

    /// Forgets the wrong tries at an account, except those from places that it was logged in from: their locks are for seconds.
    pub(crate) async fn forgive(&self, account: Account) -> sqlx::Result<()> {
        store::throttle::delete_tries(&self.pool, &account.key.0).await
    }

    /// Deletes rows that no longer matter, for as long as it is let.
    pub(crate) async fn forget(&self, clock: fn() -> DateTime<Utc>) -> ! {
        loop {
            tokio::time::sleep(FORGET_EVERY).await;
            match store::throttle::forget(&self.pool, clock(), FORGET_MAX).await {
                Ok(0) => {}
                Ok(rows) => tracing::debug!(rows, "forgot old tries"),
                Err(error) => tracing::error!(%error, "old tries can't be forgotten"),
            }
        }
    }
}

impl Admitted<'_> {
    /// Where it waits for expensive work.
    pub(crate) fn line(&self) -> Line {
        match self.place {
            Place::Known => Line::Known(place(self.account, self.address)),
            Place::Strange => Line::Strangers(source(self.address)),
            Place::Noisy => Line::Noisy(source(self.address)),
        }
    }

    /// It was right: its account's failures are forgotten, and the place is known from now on.
    pub(crate) async fn succeeded(self, now: DateTime<Utc>) -> sqlx::Result<()> {
        let (place, from) = (place(self.account, self.address), source(self.address));
        let mut tx = self.throttle.pool.begin().await?;
        store::throttle::put_tries(&mut *tx, &place.0, &Tries::known_place(now)).await?;
        if self.place != Place::Known {
            store::throttle::delete_tries(&mut *tx, &self.account.key.0).await?;
            let paid = store::throttle::hold_paid_until(&mut *tx, &from.0, now).await?;
            let paid = curve::give_back_share(paid);
            store::throttle::put_paid_until(&mut *tx, &from.0, paid).await?;
        }
        tx.commit().await
    }

    /// It was wrong, as counted. `about` is who exists and was meant.
    pub(crate) fn failed(self, about: Option<String>, now: DateTime<Utc>) {
        let noted = &self.throttle.noted;
        noted.note(self.account.failed, about, self.address, now);
    }

    /// It was not judged, for want of a turn: it does not count.
    pub(crate) async fn take_back(self, now: DateTime<Utc>) -> sqlx::Result<()> {
        let noted = &self.throttle.noted;
        noted.note(self.account.refused, None, self.address, now);
        let key = if self.place == Place::Known {
            place(self.account, self.address)
        } else {
            self.account.key
        };
        let mut tx = self.throttle.pool.begin().await?;
        let mut tries = store::throttle::hold_tries(&mut *tx, &key.0, now).await?;
        tries.take_back();
        store::throttle::put_tries(&mut *tx, &key.0, &tries).await?;
        tx.commit().await
    }
}

/// Where work waits that is for nobody's log-in.
pub(crate) fn line_of(address: Address) -> Line {
    Line::Strangers(source(address))
}

/// One account at one address.
fn place(account: Account, address: Address) -> Key {
    Key::of("place", &[&account.key.0[..], &address.octets()].concat())
}

fn source(address: Address) -> Key {
    Key::of("address", &address.octets())
}

/// Rounded up, and one at least.
fn whole_seconds(wait: TimeDelta) -> u64 {
    let millis = u64::try_from(wait.num_milliseconds()).unwrap_or_default();
    millis.div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_whole_seconds() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (10_000, 10)] {
            assert_eq!(whole_seconds(TimeDelta::milliseconds(millis)), seconds);
        }
    }

    #[test]
    fn an_address_is_the_same_account_in_any_case() {
        let keys =
            ["Ada@Demo.Quittance", "ada@demo.quittance"].map(|email| Account::person(email).key);
        assert_eq!(keys[0], keys[1]);
        assert_ne!(keys[0], Account::program("ada@demo.quittance").key);
    }
}
