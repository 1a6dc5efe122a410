//! Whether clocks can be trusted: the broker's says when a request was published, and tokens are judged by it; the database's
//! says when keys follow each other; this machine's when tokens are issued.
//!
//! Two faults show: a clock that differs from ours, and ours when it jumps.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use metrics::{counter, gauge};

use super::now;

/// Clocks that are set by NTP differ by milliseconds. A token may be early or late by a minute.
pub const DIFFERENCE_MAX: TimeDelta = TimeDelta::seconds(2);
/// How often our own is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// How far another clock is ahead of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Negative when it is behind.
    pub ahead: TimeDelta,
    /// By how much that may be wrong: the answer took so long.
    pub within: TimeDelta,
}

impl Difference {
    /// Of a clock that was asked at one time of ours and heard at another.
    #[must_use]
    pub fn of(theirs: DateTime<Utc>, asked: DateTime<Utc>, heard: DateTime<Utc>) -> Self {
        let within = (heard - asked).abs() / 2;
        Self {
            ahead: theirs - (asked + within),
            within,
        }
    }

    /// Whether it is too large, however long the answer took.
    #[must_use]
    pub fn is_too_large(self) -> bool {
        self.ahead.abs() - self.within > DIFFERENCE_MAX
    }

    /// For those who watch. An answer that took long tells nothing.
    pub(super) fn tell(self, clock: &'static str) {
        if self.within < DIFFERENCE_MAX / 2 {
            gauge!("quittance_clock_difference_seconds", "clock" => clock).set(seconds(self.ahead));
        }
    }
}

/// As Prometheus has it.
fn seconds(time: TimeDelta) -> f64 {
    time.as_seconds_f64()
}

/// A clock that can be set, beside one that can't.
#[derive(Debug)]
struct Beside {
    wall: DateTime<Utc>,
    steady: Instant,
}

impl Beside {
    /// How far the clock was set since the last look, if that is far. What it drifts between two looks is less.
    fn jump(&mut self, wall: DateTime<Utc>, steady: Instant) -> Option<TimeDelta> {
        let passed = TimeDelta::from_std(steady.duration_since(self.steady)).ok();
        let jump = wall - self.wall - passed.unwrap_or_default();
        *self = Self { wall, steady };
        (jump.abs() > DIFFERENCE_MAX).then_some(jump)
    }
}

/// Looks for ever whether this machine's clock jumps. A machine that slept has jumped too.
pub(super) async fn watch() -> Infallible {
    let jumps = counter!("quittance_clock_jumps_total");
    let mut beside = Beside {
        wall: now(),
        steady: Instant::now(),
    };
    loop {
        tokio::time::sleep(INTERVAL).await;
        if let Some(jump) = beside.jump(now(), Instant::now()) {
            let seconds = seconds(jump);
            tracing::error!(seconds, "the clock of this machine has jumped");
            jumps.increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn a_slow_answer_accuses_no_clock() {
        let of = |theirs, heard| Difference::of(at(theirs), at(0), at(heard));
        assert_eq!(of(0, 0).ahead, TimeDelta::zero());
        assert!(!of(2, 0).is_too_large() && of(3, 0).is_too_large());
        assert!(of(-3, 0).is_too_large());
        // It was read somewhere in these ten seconds.
        assert!(!of(10, 10).is_too_large() && !of(0, 10).is_too_large());
        assert!(of(13, 10).is_too_large() && of(-3, 10).is_too_large());
    }

    #[test]
    fn a_clock_that_is_set_has_jumped_and_one_that_runs_has_not() {
        let start = Instant::now();
        let mut beside = Beside {
            wall: at(0),
            steady: start,
        };
        let mut look = |wall, steady| beside.jump(at(wall), start + Duration::from_secs(steady));
        assert_eq!(look(1, 1), None);
        assert_eq!(look(61, 61), None, "nobody looked for a minute");
        assert_eq!(look(63, 62), None, "a correction");
        assert_eq!(look(3664, 63), Some(TimeDelta::seconds(3600)));
        assert_eq!(look(3665, 64), None, "told once");
        assert_eq!(look(65, 64), Some(TimeDelta::seconds(-3600)));
    }
}
