//! What every page works with.

use client::Client;
use tokio_util::sync::CancellationToken;

use crate::instances::Instances;
use crate::session::Sessions;

/// What every page works with.
pub(crate) struct App {
    /// The services.
    pub(crate) client: Client,
    /// Who is signed in.
    pub(crate) sessions: Sessions,
    /// Who is there.
    pub(crate) instances: Instances,
    /// Ends what is live.
    pub(crate) stop: CancellationToken,
}

impl App {
    pub(crate) fn new(client: Client, instances: Instances, stop: CancellationToken) -> Self {
        Self {
            client,
            sessions: Sessions::default(),
            instances,
            stop,
        }
    }
}
