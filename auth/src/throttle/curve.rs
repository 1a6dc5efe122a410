//! How many wrong tries have which consequence. Pure: time is an argument.

use chrono::{DateTime, TimeDelta, Utc};

/// What wrong tries at one account lead to.
#[derive(Debug)]
pub(crate) struct Curve {
    /// Wrong tries without a consequence.
    free: u32,
    /// Seconds that the account is locked after the next ones; the last one stays.
    waits_seconds: &'static [i64],
    /// After this many, the account is locked until a day is over.
    per_day_max: u32,
}

/// For passwords, which people choose: five tries, then some seconds each.
///
/// 100 a day are NIST's maximum (SP 800-63B-4 §3.2.2). The waits are Kanidm's.
pub(crate) const PEOPLE: Curve = Curve {
    free: 4,
    waits_seconds: &[1, 3, 5, 10],
    per_day_max: 100,
};

/// For secrets of at least 32 random characters, which nobody guesses: it keeps the noise down.
pub(crate) const PROGRAMS: Curve = Curve {
    free: 29,
    waits_seconds: &[1, 3, 5],
    per_day_max: u32::MAX,
};

/// So few failures are forgotten an hour after the last one, and only more are kept for a day: somebody who tries one password
/// at each of many accounts leaves no more rows than an hour's. At this pace, a day has fewer than [`PEOPLE`] allows.
const FEW: u32 = 3;
const FEW_KEPT: TimeDelta = TimeDelta::hours(1);
const KEPT: TimeDelta = TimeDelta::days(1);
/// How long a place stays known after a login.
const PLACE_KNOWN: TimeDelta = TimeDelta::days(30);

/// What is known of one account's tries, from one known place or from all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tries {
    /// Wrong ones, and those under way.
    pub(crate) failures: i32,
    /// When counting began.
    pub(crate) since: DateTime<Utc>,
    /// No try is let through before this.
    pub(crate) locked_until: Option<DateTime<Utc>>,
    /// The failures are forgotten then.
    pub(crate) counted_until: DateTime<Utc>,
    /// The place is known until then.
    pub(crate) known_until: Option<DateTime<Utc>>,
}

impl Tries {
    /// Nothing was tried yet.
    fn none(now: DateTime<Utc>) -> Self {
        Self {
            failures: 0,
            since: now,
            locked_until: None,
            counted_until: now,
            known_until: None,
        }
    }

    /// After a login that was right, at a place that is known from now on.
    pub(super) fn known_place(now: DateTime<Utc>) -> Self {
        Self {
            known_until: Some(now + PLACE_KNOWN),
            ..Self::none(now)
        }
    }

    /// Whether the account was logged in from here not long ago.
    pub(super) fn is_known_place(&self, now: DateTime<Utc>) -> bool {
        self.known_until.is_some_and(|until| until > now)
    }

    /// Counts a try, as wrong until it proves right, so that tries at the same time can't all be the first one. A try while
    /// the account is locked is not counted: nobody can keep an account locked by trying on.
    ///
    /// # Errors
    /// How long the account is locked.
    pub(super) fn attempt(&mut self, curve: &Curve, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        if let Some(until) = self.locked_until.filter(|until| *until > now) {
            return Err(until - now);
        }
        if self.counted_until <= now {
            (self.failures, self.since) = (0, now);
        }
        self.failures = self.failures.saturating_add(1);
        let failures = self.failures.unsigned_abs();
        self.counted_until = if failures <= FEW {
            now + FEW_KEPT
        } else {
            self.since + KEPT
        };
        self.locked_until = if failures >= curve.per_day_max {
            Some(self.counted_until)
        } else {
            curve.wait(failures).map(|wait| now + wait)
        };
        Ok(())
    }

    /// Takes a try back that was never judged.
    pub(super) fn take_back(&mut self) {
        self.failures = self.failures.saturating_sub(1).max(0);
        self.locked_until = None;
    }
}

impl Curve {
    /// How long an account is locked after so many failures.
    fn wait(&self, failures: u32) -> Option<TimeDelta> {
        let beyond = usize::try_from(failures.checked_sub(self.free + 1)?).ok()?;
        let seconds = self.waits_seconds.get(beyond).or(self.waits_seconds.last());
        seconds.map(|seconds| TimeDelta::seconds(*seconds))
    }
}

/// Wrong tries that one address has at once. Generous: a whole office may be behind one.
const SHARE_TRIES: i32 = 1000;
/// What it gets back: one each second.
const SHARE_TRY: TimeDelta = TimeDelta::seconds(1);

/// Takes one try out of an address's share, of which `paid_until` says what is used. Returns what is used then.
///
/// # Errors
/// How long until there is one again.
pub(super) fn take_share(
    paid_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, TimeDelta> {
    let paid_until = paid_until.max(now) + SHARE_TRY;
    let beyond = paid_until - now - SHARE_TRY * SHARE_TRIES;
    if beyond > TimeDelta::zero() {
        Err(beyond)
    } else {
        Ok(paid_until)
    }
}

/// So many wrong tries of one address within moments are no typing mistakes.
const NOISY_TRIES: i32 = 10;

/// Whether an address has just had many wrong tries.
pub(super) fn is_noisy(paid_until: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    paid_until - now > SHARE_TRY * NOISY_TRIES
}

/// The share when a try is given back.
pub(super) fn give_back_share(paid_until: DateTime<Utc>) -> DateTime<Utc> {
    paid_until - SHARE_TRY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    /// Tries as soon as it may, so many times; the seconds that each try had to wait.
    fn waits(curve: &Curve, tries: usize) -> Vec<i64> {
        let (mut now, mut of) = (at(0), Tries::none(at(0)));
        (0..tries)
            .map(|_| {
                let mut waited = TimeDelta::zero();
                while let Err(wait) = of.attempt(curve, now) {
                    (now, waited) = (now + wait, waited + wait);
                }
                waited.num_seconds()
            })
            .collect()
    }

    #[test]
    fn guessing_gets_slower_and_ends_for_the_day() {
        let mut expected = vec![0, 0, 0, 0, 0, 1, 3, 5];
        expected.resize(100, 10);
        let in_all: i64 = expected.iter().sum();
        // The 100th locks the account until a day after the first one.
        expected.push(86_400 - in_all);
        assert_eq!(waits(&PEOPLE, 101), expected);
        assert_eq!(&waits(&PROGRAMS, 35)[28..], [0, 0, 1, 3, 5, 5, 5]);
    }

    #[test]
    fn a_try_at_a_locked_account_does_not_lengthen_the_lock() {
        let mut of = Tries::none(at(0));
        for _ in 0..5 {
            of.attempt(&PEOPLE, at(0)).unwrap();
        }
        let locked = of.clone();
        for _ in 0..200 {
            assert_eq!(of.attempt(&PEOPLE, at(0)), Err(TimeDelta::seconds(1)));
        }
        assert_eq!(of, locked);
        of.attempt(&PEOPLE, at(1)).unwrap();
        assert_eq!(of.failures, 6);
    }

    #[test]
    fn patience_buys_fewer_tries_than_a_day_has() {
        for between in [TimeDelta::minutes(1), TimeDelta::minutes(21), FEW_KEPT] {
            let (mut now, mut of, mut tries) = (at(0), Tries::none(at(0)), 0);
            while now < at(0) + KEPT {
                if of.attempt(&PEOPLE, now).is_ok() {
                    tries += 1;
                }
                now += between;
            }
            assert!(tries <= 100, "{tries} every {between}");
        }
    }

    #[test]
    fn few_failures_are_forgotten_after_an_hour() {
        let mut of = Tries::none(at(0));
        for _ in 0..3 {
            of.attempt(&PEOPLE, at(0)).unwrap();
        }
        of.attempt(&PEOPLE, at(3600)).unwrap();
        assert_eq!((of.failures, of.since), (1, at(3600)));
    }

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let mut used = at(-5);
        for _ in 0..SHARE_TRIES {
            used = take_share(used, at(0)).unwrap();
        }
        assert_eq!(take_share(used, at(0)), Err(SHARE_TRY));
        assert!(is_noisy(used, at(900)) && !is_noisy(used, at(990)));
        assert!(take_share(used, at(1)).is_ok());
        assert!(take_share(give_back_share(used), at(0)).is_ok());
        assert_eq!(take_share(used, at(100_000)), Ok(at(100_001)));
    }
}
