//! What faces the broker: signing keys are announced, revocations follow, and every service account gets its consumer.

mod announce;
mod consumers;
mod restored;
mod revoke;

use std::convert::Infallible;

use anyhow::Context as _;
use async_nats::ConnectErrorKind;
use async_nats::jetstream;
use common::broker;
use common::broker::Publisher;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::again::{Backoff, ever_again};
use crate::app::Auth;
use announce::Failure;

/// Who announces keys and revocations.
const CLIENT_ID: &str = "auth";

/// Announces, says `ready`, and serves service accounts until it is dropped.
///
/// # Errors
/// When the broker refuses the login, or the ledger the key.
pub(crate) async fn run(
    auth: &Auth,
    broker: &broker::Config,
    ready: &watch::Sender<bool>,
    stop: &CancellationToken,
) -> anyhow::Result<Infallible> {
    let client = connect(broker).await?;
    let jetstream = broker::jetstream(&client);
    let streams = Streams {
        config: broker.clone(),
        publisher: Publisher::new(broker),
        jetstream: jetstream.clone(),
        stop: stop.clone(),
    };
    let mut backoff = Backoff::new();
    let mut told = None;
    loop {
        let announced = async {
            restored::revoke_what_the_log_revoked(auth, &streams).await?;
            announce::announce_first(auth, &streams, &mut told).await
        };
        let announced = announced.await;
        let error = match announced {
            // The first key of all may sign now.
            Ok(()) => match auth.keys.keep(&auth.pool).await {
                Ok(()) => break,
                Err(error) => error,
            },
            Err(Failure::Refused(error)) => return Err(error),
            Err(Failure::Away(error)) => error,
        };
        backoff
            .wait("the signing key is not announced yet", &error)
            .await;
    }
    let announcing = ever_again("the next key has to wait", async || {
        announce::run(auth, &streams).await
    });
    let serving = ever_again(
        "service accounts have to wait for their consumers",
        async || consumers::serve(&auth.pool, &jetstream, ready, consumers::CHECK_INTERVAL).await,
    );
    let revoking = ever_again("revocations have to wait", async || {
        revoke::run(auth, &streams).await
    });
    tokio::select! {
        never = serving => match never {},
        never = revoking => match never {},
        never = announcing => match never {},
    }
}

/// The first connection; from then on the client reconnects by itself.
async fn connect(config: &broker::Config) -> anyhow::Result<async_nats::Client> {
    let mut backoff = Backoff::new();
    loop {
        let error = match broker::connect(config).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        match error.kind() {
            ConnectErrorKind::Io | ConnectErrorKind::TimedOut | ConnectErrorKind::Dns => {
                backoff.wait("the broker is not there", &error.into()).await;
            }
            ConnectErrorKind::ServerParse
            | ConnectErrorKind::Authentication
            | ConnectErrorKind::AuthorizationViolation
            | ConnectErrorKind::Tls
            | ConnectErrorKind::MaxReconnects => {
                return Err(error).context(
                    "the broker does not let auth in; check QUITTANCE_NATS_URL, _USER, _PASSWORD and _CA",
                );
            }
        }
    }
}

/// The two streams.
pub(crate) struct Streams {
    config: broker::Config,
    publisher: Publisher,
    jetstream: jetstream::Context,
    stop: CancellationToken,
}
