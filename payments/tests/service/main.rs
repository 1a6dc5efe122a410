//! The payments service with a real PostgreSQL and a real NATS. The ledger is played by the tests.

mod answers;
mod holding;
mod kinds;
mod progress;
mod projecting;
mod reading;
mod repeating;
mod submitting;
mod upgrading;

mod running;
mod signer;
mod support;
