//! Trying again, a little later each time.

use std::convert::Infallible;
use std::time::Duration;

/// Between two tries; doubled from the first to the second. A start of everything at once takes a second or two.
const RETRY_DELAY_MIN: Duration = Duration::from_millis(50);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(2);

/// Begins again, a little later, whenever something fails.
pub(crate) async fn ever_again(
    what: &str,
    work: impl AsyncFn() -> anyhow::Result<Infallible>,
) -> Infallible {
    let mut backoff = Backoff::new();
    loop {
        let error = match work().await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        backoff.wait(what, &error).await;
    }
}

/// Longer and longer pauses, up to a limit, and one line in the log for each.
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(RETRY_DELAY_MIN)
    }

    pub(crate) async fn wait(&mut self, what: &str, error: &anyhow::Error) {
        tracing::warn!(error = format!("{error:#}"), "{what}, trying again");
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(RETRY_DELAY_MAX);
    }
}
