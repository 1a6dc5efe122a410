//! What a service says of itself, line by line.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Logs from here on: to standard error, as text on a terminal and as JSON otherwise. `QUITTANCE_LOG` filters.
pub fn start_logging() {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .with_env_var("QUITTANCE_LOG")
        .from_env_lossy();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second service in the same process (a test) logs with the first one's settings.
    let started = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().try_init()
    };
    drop(started);
}
