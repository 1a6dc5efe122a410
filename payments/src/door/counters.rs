//! What each client stores, how much of it waits, and how often it is refused for sending too much.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use common::ids::ClientId;
use metrics::{Counter, Gauge, counter, gauge};

/// Producers that are counted by name; what further ones send is counted together.
const NAMED_MAX: usize = 200;

/// The producers that are counted by name.
static NAMED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// The counters of one client. All people share one name: there may be millions, and each sends little.
#[derive(Debug)]
pub(super) struct Counters {
    payments: Counter,
    bytes: Counter,
    pub(super) refused: Counter,
    /// Of a producer that is counted by name alone.
    waiting: Option<Gauge>,
}

impl Counters {
    pub(super) fn of(client: &ClientId) -> Self {
        let (name, is_alone) = match client.as_str() {
            person if person.starts_with("user-") => ("people".to_owned(), false),
            producer if is_named(producer) => (producer.to_owned(), true),
            _ => ("others".to_owned(), false),
        };
        let waiting =
            is_alone.then(|| gauge!("quittance_door_waiting_of_client", "client" => name.clone()));
        Self {
            payments: counter!("quittance_door_stored_payments_total", "client" => name.clone()),
            bytes: counter!("quittance_door_stored_bytes_total", "client" => name.clone()),
            refused: counter!("quittance_door_refused_total", "client" => name),
            waiting,
        }
    }

    /// One message was stored.
    pub(super) fn stored(&self, bytes: usize) {
        self.payments.increment(1);
        self.bytes
            .increment(u64::try_from(bytes).unwrap_or_default());
    }

    /// So many wait, of those that are counted here.
    pub(super) fn wait(&self, count: usize) {
        if let Some(waiting) = &self.waiting {
            waiting.set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
        }
    }
}

fn is_named(producer: &str) -> bool {
    let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
    named.contains(producer) || (named.len() < NAMED_MAX && named.insert(producer.to_owned()))
}
