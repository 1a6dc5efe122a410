//! Which services are there, as they say it at the broker.

use std::time::Duration;

use async_nats::Client;
use common::broker;
use common::service::{Instance, instances};
use tokio::sync::OnceCell;

/// A page does not wait longer for a broker that is away.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks who is there. The console may be started without a broker, and then knows nobody but itself.
pub(crate) struct Instances {
    broker: Option<broker::Config>,
    /// It stays connected from the first question on.
    client: OnceCell<Client>,
}

impl Instances {
    pub(crate) fn new(broker: Option<broker::Config>) -> Self {
        Self {
            broker,
            client: OnceCell::new(),
        }
    }

    /// All that answer now; the error is a sentence for people. `None` without a broker.
    pub(crate) async fn all(&self) -> Option<Result<Vec<Instance>, String>> {
        let broker = self.broker.as_ref()?;
        let asking = async {
            let client = self
                .client
                .get_or_try_init(|| broker::connect(broker))
                .await
                .map_err(|error| format!("the broker does not let the console in: {error}"))?;
            let found = instances(client).await;
            found.map_err(|error| format!("the broker does not take the question: {error}"))
        };
        let asked = tokio::time::timeout(PATIENCE, asking).await;
        Some(asked.unwrap_or_else(|_| Err("the broker does not answer".to_owned())))
    }
}
