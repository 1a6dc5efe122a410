//! When a service has to stop.

use std::io::Read as _;

use tokio_util::sync::CancellationToken;

/// A token that is cancelled on SIGTERM, SIGINT or, if asked for, the end of standard input.
///
/// # Errors
/// When the signals can't be listened for.
pub fn stop_signal(stop_with_parent: bool) -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let signalled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        signalled.cancel();
    });
    if stop_with_parent {
        let orphaned = stop.clone();
        // A thread of its own: the runtime would wait for its blocking reads when the service ends by itself.
        std::thread::spawn(move || {
            let mut byte = [0];
            while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
            orphaned.cancel();
        });
    }
    Ok(stop)
}
