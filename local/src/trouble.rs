//! What may happen to a running bank, so that somebody has to do something: a part ends, or the disk is full.

use std::path::PathBuf;
use std::time::Duration;

use crate::bank::Bank;
use crate::bounded_log::{self, BYTES_MAX};
use crate::part::Part;

/// How often the broker is asked whether it can store.
const STORE_INTERVAL: Duration = Duration::from_secs(1);

/// Why somebody has to do something for a part.
#[derive(Debug)]
pub enum Trouble {
    /// It ended by itself.
    Ended(Part),
    /// The broker can't write to its disk. It stores nothing from now on, even when there is room again.
    StoreFull {
        /// The server's words.
        error: String,
        /// Where it stores.
        store: PathBuf,
    },
    /// There is room again: the broker stores when it is started again.
    StoreHasRoom,
}

impl Bank {
    /// Waits until one of the parts ended by itself, and says which.
    pub async fn wait_for_an_end(&mut self) -> Part {
        // The console and the gateway come together, or not at all.
        let has_front = self.gateway_url().is_some();
        let is_front = |part: &Part| matches!(part, Part::Console | Part::Gateway);
        let parts = Part::ALL.into_iter();
        let parts = parts.filter(|part| has_front || !is_front(part));
        loop {
            if let Some(part) = parts.clone().find(|part| !self.is_running(*part)) {
                return part;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until somebody has to do something for a part.
    pub async fn wait_for_trouble(&mut self) -> Trouble {
        loop {
            tokio::select! {
                part = self.wait_for_an_end() => return Trouble::Ended(part),
                () = tokio::time::sleep(STORE_INTERVAL) => {}
            }
            if let Some(gateway) = &mut self.gateway {
                // Files that can't be read just now are being written: the old certificate goes on.
                gateway.renew().ok();
                // A disk that is full is the broker's to tell, below.
                bounded_log::bound(&self.home().log(Part::Gateway), BYTES_MAX).ok();
            }
            let nats = self.servers.nats();
            match (nats.store_failure().await, self.is_store_full) {
                (Some(error), false) => {
                    self.is_store_full = true;
                    return Trouble::StoreFull {
                        error,
                        store: nats.store().to_owned(),
                    };
                }
                (Some(_), true) if nats.has_room() => {
                    self.is_store_full = false;
                    return Trouble::StoreHasRoom;
                }
                (Some(_), true) | (None, false) => {}
                (None, true) => self.is_store_full = false,
            }
        }
    }
}
