//! What each client stores, and how often it is refused for sending too much.

use common::ids::ClientId;
use metrics::{Counter, counter};

/// The counters of one client. All people share one name: there may be millions, and each sends little.
#[derive(Debug)]
pub(super) struct Counters {
    payments: Counter,
    bytes: Counter,
    pub(super) refused: Counter,
}

impl Counters {
    pub(super) fn of(client: &ClientId) -> Self {
        let client = match client.as_str() {
            person if person.starts_with("user-") => "people".to_owned(),
            producer => producer.to_owned(),
        };
        Self {
            payments: counter!("quittance_door_stored_payments_total", "client" => client.clone()),
            bytes: counter!("quittance_door_stored_bytes_total", "client" => client.clone()),
            refused: counter!("quittance_door_refused_total", "client" => client),
        }
    }

    /// One message was stored.
    pub(super) fn stored(&self, bytes: usize) {
        self.payments.increment(1);
        self.bytes
            .increment(u64::try_from(bytes).unwrap_or_default());
    }
}
