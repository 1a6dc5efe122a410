//! What every page works with.

use client::Client;
use tokio_util::sync::CancellationToken;

use crate::session::Sessions;

/// What every page works with.
pub(crate) struct App {
    /// The services.
    pub(crate) client: Client,
    /// Who is signed in.
    pub(crate) sessions: Sessions,
    /// Ends what is live.
    pub(crate) stop: CancellationToken,
}

impl App {
    pub(crate) fn new(client: Client, stop: CancellationToken) -> Self {
        Self {
            client,
            sessions: Sessions::default(),
            stop,
        }
    }
}
