//! When a service has to stop, and what it does before: it leaves.

use std::io::Read as _;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The two steps of a service's end. The first never comes after the second.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Others are told that the service leaves. It does its work as before, for whoever has not heard it yet.
    pub leaving: CancellationToken,
    /// It ends.
    pub now: CancellationToken,
}

impl From<CancellationToken> for Stop {
    /// A service that leaves when it ends.
    fn from(now: CancellationToken) -> Self {
        let leaving = now.child_token();
        Self { leaving, now }
    }
}

/// A token that is cancelled on SIGTERM or SIGINT.
///
/// # Errors
/// When the signals can't be listened for.
pub fn stop_signal() -> std::io::Result<CancellationToken> {
    Ok(stop_of_service(Duration::ZERO, false)?.now)
}

/// A service leaves on SIGTERM, and ends `leave_for` later. A second SIGTERM, SIGINT or, if asked for, the end of standard
/// input ends it at once.
///
/// # Errors
/// When the signals can't be listened for.
pub fn stop_of_service(leave_for: Duration, stop_with_parent: bool) -> std::io::Result<Stop> {
    let stop = Stop::from(CancellationToken::new());
    let (terminate, interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    tokio::spawn(until_signalled(
        stop.clone(),
        leave_for,
        terminate,
        interrupt,
    ));
    if stop_with_parent {
        let orphaned = stop.now.clone();
        // A thread of its own: the runtime would wait for its blocking reads when the service ends by itself.
        std::thread::spawn(move || {
            let mut byte = [0];
            while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
            orphaned.cancel();
        });
    }
    Ok(stop)
}

async fn until_signalled(
    stop: Stop,
    leave_for: Duration,
    mut terminate: Signal,
    mut interrupt: Signal,
) {
    let leaves = tokio::select! {
        _ = terminate.recv() => !leave_for.is_zero(),
        _ = interrupt.recv() => false,
    };
    if leaves {
        tracing::info!(seconds = leave_for.as_secs(), "leaving, and then stopping");
        stop.leaving.cancel();
        tokio::select! {
            () = tokio::time::sleep(leave_for) => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    stop.now.cancel();
}
