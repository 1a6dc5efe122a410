//! Receipts, at the ledger.

use std::fmt;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::{Client, Error, Result, found};

/// Numbers in a group of three digits.
const GROUP: u64 = 1000;

/// The proof that one tree of answers is the beginning of another.
#[derive(Debug, Deserialize)]
pub struct Consistency {
    /// Answers of the larger tree.
    pub to: u64,
    /// Its hashes, in hex.
    pub proof: Vec<String>,
    /// The signed note of the larger tree, if it was signed.
    pub checkpoint: Option<String>,
}

/// A tile of the tree of receipts. Shown as c2sp.org/tlog-tiles name it, such as `0/x001/x234/067.p/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// 0 holds the hashes of the answers.
    pub level: u8,
    /// Which one of its level, from 0.
    pub number: u64,
    /// How many of its hashes, 1 to 255; `None` for all 256 of a full one.
    pub width: Option<u8>,
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups = vec![format!("{:03}", self.number % GROUP)];
        let mut above = self.number / GROUP;
        while above > 0 {
            groups.push(format!("x{:03}", above % GROUP));
            above /= GROUP;
        }
        groups.reverse();
        write!(f, "{}/{}", self.level, groups.join("/"))?;
        self.width.map_or(Ok(()), |width| write!(f, ".p/{width}"))
    }
}

impl Client {
    /// The newest signed root of the tree, as a note: c2sp.org/tlog-checkpoint. `None` while nothing is signed.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn tree_checkpoint(&self, token: &str) -> Result<Option<String>> {
        let Some(bytes) = found(self.of_tree(token, "checkpoint").await)? else {
            return Ok(None);
        };
        let note = String::from_utf8(bytes).map_err(|error| Error::Unreadable {
            service: "the ledger".to_owned(),
            cause: error.to_string(),
        });
        note.map(Some)
    }

    /// The hashes of a tile, 32 bytes each; `None` beyond the newest checkpoint.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn tile(&self, token: &str, tile: Tile) -> Result<Option<Vec<u8>>> {
        found(self.of_tree(token, &format!("tile/{tile}")).await)
    }

    async fn of_tree(&self, token: &str, what: &str) -> Result<Vec<u8>> {
        let path = format!("/tree/{what}");
        let request = self.request(Method::GET, &self.addresses.ledger, &path)?;
        Ok(self.bytes(request.bearer_auth(token)).await?.bytes)
    }

    /// The receipt of the answer to request `seq`; `None` when there is none for this caller.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn receipt(&self, token: &str, seq: u64) -> Result<Option<Value>> {
        let path = format!("/transactions/{seq}/receipt");
        found(self.get(token, &self.addresses.ledger, &path, &[]).await)
    }

    /// The proof that the tree of `from` answers is the beginning of the one of `to`, or else of the newest that was signed.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn consistency(
        &self,
        token: &str,
        from: u64,
        to: Option<u64>,
    ) -> Result<Consistency> {
        let mut query = vec![("from", from.to_string())];
        query.extend(to.map(|to| ("to", to.to_string())));
        let ledger = &self.addresses.ledger;
        self.get(token, ledger, "/checkpoint/consistency", &query)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_is_named_in_groups_of_three_digits() {
        for (level, number, width, name) in [
            (0, 0, None, "0/000"),
            (1, 999, Some(17), "1/999.p/17"),
            (0, 1000, None, "0/x001/000"),
            (2, 1_234_067, Some(255), "2/x001/x234/067.p/255"),
        ] {
            let tile = Tile {
                level,
                number,
                width,
            };
            assert_eq!(tile.to_string(), name);
        }
    }
}
