//! The gateway: a real nginx with `gateway/`, in front of a small server that says what it was asked.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

mod client;
mod stub;

mod answers;
mod limits;
mod problems;
mod streams;
mod tls;

use local::testing::Front;
use local::{Behind, GatewayOptions};
use stub::Stub;

/// A port on which nobody listens.
const NOBODY: u16 = 1;

/// The stub is ledger, payments and auth; there is no console.
fn behind(stub: &Stub) -> Behind {
    Behind {
        auth: stub.port,
        ledger: stub.port,
        payments: stub.port,
        console: NOBODY,
    }
}

async fn front(stub: &Stub) -> Front {
    Front::start(behind(stub), GatewayOptions::default()).await
}
