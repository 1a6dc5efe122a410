//! What a service says of itself, line by line: to standard error, and to the broker's stream LOGS.

mod line;
mod shipped;

use std::io::IsTerminal as _;

use tracing_subscriber::fmt::writer::MakeWriterExt as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, registry};

pub use line::{Ids, ids_of};
pub use shipped::{Shipping, ship_logs};

use line::JsonLine;
use shipped::ToBroker;

/// The target of what is said of a single payment, at level `debug`: a line at payments when it is in the log, and one at
/// the ledger when its answer is.
pub const PAYMENT: &str = "payment";

/// Logs from here on: to standard error, as text on a terminal and as JSON otherwise. `QUITTANCE_LOG` filters.
pub fn start_logging(service: &'static str) {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .with_env_var("QUITTANCE_LOG")
        .from_env_lossy();
    let json = || fmt::layer().event_format(JsonLine { service });
    let layer = if std::io::stderr().is_terminal() {
        let text = fmt::layer().with_writer(std::io::stderr);
        let shipped = json().with_ansi(false).with_writer(ToBroker);
        text.and_then(shipped).boxed()
    } else {
        // Written once, read twice.
        let both = std::io::stderr.and(ToBroker);
        json().with_ansi(false).with_writer(both).boxed()
    };
    // A second service in the same process (a test) logs with the first one's settings.
    drop(registry().with(layer.with_filter(filter)).try_init());
}
