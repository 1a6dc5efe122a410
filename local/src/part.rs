//! The names of what runs: three servers and four services.

use std::fmt;

/// One process of a bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The database server.
    Postgres,
    /// The broker.
    Nats,
    /// The service that signs tokens.
    Auth,
    /// The service that books.
    Ledger,
    /// The service that takes payments over HTTP.
    Payments,
    /// The service that makes pages for the bank's staff.
    Console,
    /// The server that is in front of the services.
    Gateway,
}

/// One of the services with data: `quittance serve <name>`, with a database and two roles of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Signs tokens.
    Auth,
    /// Books payments.
    Ledger,
    /// Takes payments over HTTP.
    Payments,
}

impl Service {
    /// All of them, in the order they are started.
    pub const ALL: [Self; 3] = [Self::Auth, Self::Ledger, Self::Payments];

    /// The name in `quittance serve <name>`; also its database, its restricted role and its NATS user.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Ledger => "ledger",
            Self::Payments => "payments",
        }
    }
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Postgres,
        Self::Nats,
        Self::Auth,
        Self::Ledger,
        Self::Payments,
        Self::Console,
        Self::Gateway,
    ];

    /// The name used for log files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Nats => "nats",
            Self::Auth => Service::Auth.name(),
            Self::Ledger => Service::Ledger.name(),
            Self::Payments => Service::Payments.name(),
            Self::Console => "console",
            Self::Gateway => "gateway",
        }
    }
}

impl From<Service> for Part {
    fn from(service: Service) -> Self {
        match service {
            Service::Auth => Self::Auth,
            Service::Ledger => Self::Ledger,
            Service::Payments => Self::Payments,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
