//! Measurements as numbers: conversions in one place, and what several runs of one thing say.

use std::time::Duration;

use serde::Serialize;

/// A count as a float. Counts here stay far below 2^53, where floats begin to skip.
#[expect(
    clippy::as_conversions,
    reason = "there is no lossless conversion, and nothing here reaches 2^53"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// A length as a float.
pub(crate) fn float_len(length: usize) -> f64 {
    float(u64::try_from(length).unwrap_or(u64::MAX))
}

/// The whole part of a float that is not negative.
#[expect(
    clippy::as_conversions,
    reason = "saturates, which is right for a measurement"
)]
pub(crate) fn whole(number: f64) -> u64 {
    number as u64
}

/// How many a second.
pub(crate) fn per_second(count: usize, took: Duration) -> f64 {
    float_len(count) / took.as_secs_f64().max(1e-9)
}

/// Microseconds, as the histograms keep them.
pub(crate) fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What several runs of one thing gave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The lowest.
    pub min: f64,
    /// The middle one; of an even number the lower of the two.
    pub median: f64,
    /// The highest.
    pub max: f64,
    /// How many runs.
    pub runs: usize,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            min: *sorted.first()?,
            median: *sorted.get((sorted.len() - 1) / 2)?,
            max: *sorted.last()?,
            runs: sorted.len(),
        })
    }
}

/// A small generator of pseudo-random numbers (splitmix64): the same seed gives the same load.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is above zero. The bias of the remainder is 10^-14 here.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("lengths fit");
        usize::try_from(self.next() % end).expect("less than a length")
    }

    /// From zero to below one.
    pub(crate) fn fraction(&mut self) -> f64 {
        float(self.next() >> 11) / float(1 << 53)
    }
}

/// For people: thousands stand apart, small numbers keep three digits.
pub(crate) fn grouped(number: f64) -> String {
    let is_whole = (number - number.round()).abs() < 1e-9;
    if number < 10.0 && !is_whole {
        return format!("{number:.2}");
    }
    if number < 100.0 && !is_whole {
        return format!("{number:.1}");
    }
    let digits = whole(number.round()).to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_names_the_middle_run() {
        let spread = Spread::of(&[5.0, 1.0, 3.0]).unwrap();
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 3.0, 5.0));
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0.584, "0.58"),
            (5.0, "5"),
            (27.24, "27.2"),
            (1000.4, "1 000"),
            (1_234_567.0, "1 234 567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
