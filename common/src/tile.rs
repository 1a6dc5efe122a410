//! A tile of the tree of receipts, and how C2SP's tlog-tiles name it: `<level>/<number>`, and behind a tile that is not full
//! `.p/<width>`.
//!
//! A number stands in groups of three digits, all but the last behind an `x`: `0/x001/x234/067.p/8` is the first 8 hashes of
//! tile 1 234 067 of level 0. Each tile has one name: `00/000` or `0/x000/000` are none. Source: c2sp.org/tlog-tiles.

use std::fmt;

/// Hashes in a full tile.
pub const TILE_HASHES: usize = 256;
/// Levels that a path may name. A tree has fewer.
const LEVEL_MAX: u8 = 63;
/// Numbers in a group of digits.
const GROUP: u64 = 1000;

/// A tile, or its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// 0 holds the hashes of the answers.
    pub level: u8,
    /// Which one of its level, from 0.
    pub number: u64,
    /// How many hashes, from its first on: [`TILE_HASHES`] are a full tile.
    pub width: usize,
}

/// A text that names no tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tile is named <level>/<number>, or <level>/<number>.p/<width> when it is not full, such as 0/x001/x234/067 or 1/000.p/17"
)]
pub struct NotATile;

impl Tile {
    /// The tile that a path names, in its parts before and behind the first slash.
    ///
    /// # Errors
    /// When it names none.
    pub fn read(level: &str, rest: &str) -> Result<Self, NotATile> {
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().map_err(|_| NotATile)?),
            None => (rest, TILE_HASHES),
        };
        let read = Self {
            level: level.parse().map_err(|_| NotATile)?,
            number: self::number(number).ok_or(NotATile)?,
            width,
        };
        // What is written in another way than we write it, a full tile with its width too, is no name.
        let is_tile = (1..=TILE_HASHES).contains(&width) && read.level <= LEVEL_MAX;
        let is_name = is_tile && read.to_string() == format!("{level}/{rest}");
        is_name.then_some(read).ok_or(NotATile)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            level,
            number,
            width,
        } = *self;
        write!(f, "{level}/")?;
        let mut groups = vec![number % GROUP];
        let mut above = number / GROUP;
        while above > 0 {
            groups.push(above % GROUP);
            above /= GROUP;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", number % GROUP)?;
        if width < TILE_HASHES {
            write!(f, ".p/{width}")?;
        }
        Ok(())
    }
}

fn number(text: &str) -> Option<u64> {
    text.split('/').try_fold(0_u64, |above, group| {
        let group: u64 = group.trim_start_matches('x').parse().ok()?;
        above.checked_mul(GROUP)?.checked_add(group)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_has_one_name() {
        for (name, level, number, width) in [
            ("0/000", 0, 0, 256),
            ("0/999", 0, 999, 256),
            ("0/x001/000", 0, 1000, 256),
            ("0/x001/x234/067", 0, 1_234_067, 256),
            ("0/x001/x234/067.p/8", 0, 1_234_067, 8),
            ("2/017.p/255", 2, 17, 255),
            ("63/000.p/1", 63, 0, 1),
            ("7/x018/x446/x744/x073/x709/x551/615", 7, u64::MAX, 256),
        ] {
            let (before, behind) = name.split_once('/').unwrap();
            let tile = Tile {
                level,
                number,
                width,
            };
            assert_eq!(Tile::read(before, behind), Ok(tile), "{name}");
            assert_eq!(tile.to_string(), name);
        }
        for no_name in [
            "0/",
            "0/0",
            "0/00",
            "0/0000",
            "0/x000",
            "0/x000/000",
            "0/001/000",
            "0/xx001/000",
            "0/x001/x000",
            "0/x1/000",
            "0/+01",
            "0/-01",
            "0/000/",
            "0//000",
            "0/000.p",
            "0/000.p/",
            "0/000.p/0",
            "0/000.p/01",
            "0/000.p/+1",
            "0/000.p/256",
            "0/000.p/1/1",
            "0/000.p/1.p/1",
            "0/000.p/99999999999999999999",
            "/000",
            "00/000",
            "+0/000",
            "-1/000",
            "64/000",
            "256/000",
            "entries/000",
            "0/x018/x446/x744/x073/x709/x551/616",
            "0/\u{661}\u{661}\u{661}",
        ] {
            let (before, behind) = no_name.split_once('/').unwrap();
            assert_eq!(Tile::read(before, behind), Err(NotATile), "{no_name}");
        }
    }
}
