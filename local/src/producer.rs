//! Who gets a login at the broker to publish payments and to subscribe to answers.

/// A producer and subscriber outside of the bank's services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Producer {
    /// Its client id, and its user at the broker.
    pub client_id: String,
    /// How its requests reach the log.
    pub way: Way,
}

/// How a producer's requests reach the log. To the producer both look the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Payments answers it and stores its requests.
    Door,
    /// It writes into the log itself. Trusted: `nats/nats-server.conf` says what it could do to others.
    Direct,
}

impl Producer {
    /// A producer whose requests go through payments.
    #[must_use]
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            way: Way::Door,
        }
    }

    /// A producer that writes into the log itself.
    #[must_use]
    pub fn direct(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            way: Way::Direct,
        }
    }
}
