//! Against a database that is away: trying again.

use std::time::Duration;

/// First and longest pause before the database is tried again.
pub(super) const RETRY_DELAY: Duration = Duration::from_millis(100);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(5);

/// Tries until the database does it. A commit whose outcome is unknown is safe to repeat: the cursor shows whether it
/// happened.
pub(super) async fn retried<T>(mut work: impl AsyncFnMut() -> sqlx::Result<T>) -> T {
    let mut delay = RETRY_DELAY;
    loop {
        match work().await {
            Ok(value) => return value,
            Err(error) => {
                tracing::error!(%error, ?delay, "the database failed the projection, trying again");
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(RETRY_DELAY_MAX);
            }
        }
    }
}
