//! What every page works with.

use std::sync::Arc;

use client::Client;
use tokio::sync::Semaphore;
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
    /// Places for what is live.
    pub(crate) streams: Arc<Semaphore>,
}

/// Streams at a time. Each asks the services every second; and of the 512 connections that the console takes, enough are left
/// for pages, whatever is open elsewhere.
const STREAMS_MAX: usize = 200;

impl App {
    pub(crate) fn new(client: Client, instances: Instances, stop: CancellationToken) -> Self {
        Self {
            client,
            sessions: Sessions::default(),
            instances,
            stop,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }
}
