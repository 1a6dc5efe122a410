//! What `nats/nats-server.conf` allows and what it refuses, tried with real clients.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

#[path = "../batches/mod.rs"]
mod batches;
mod user;

mod forged;
mod producers;
mod services;
mod subscribers;
