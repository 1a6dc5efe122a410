//! Gives every service account its durable consumer on SETTLEMENTS.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{self, stream::ConsumerError};
use common::wire;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::store;
use crate::store::clients::SERVICE_ACCOUNT_CHANNEL;

/// Accounts are looked through this often even without a notification: the database's connection may have been away, or
/// the broker may have lost the consumers.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// Settlements that a subscriber may hold unacknowledged: one full batch of the ledger.
const ACK_PENDING_MAX: i64 = 1000;

/// Makes the consumers that are missing, says `ready`, and goes on as accounts are made.
pub(super) async fn serve(
    pool: &PgPool,
    jetstream: &jetstream::Context,
    ready: &watch::Sender<bool>,
    check_interval: Duration,
) -> anyhow::Result<Infallible> {
    let mut accounts = PgListener::connect_with(pool).await?;
    accounts.listen(SERVICE_ACCOUNT_CHANNEL).await?;
    let mut check = tokio::time::interval(check_interval);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut made = HashSet::new();
    loop {
        // A notification, a lost connection or the time: each is a reason to look.
        tokio::select! {
            _ = check.tick() => {
                // A stream that was lost and begun anew has lost its consumers too.
                made.clear();
            }
            heard = accounts.try_recv() => {
                heard?;
            }
        }
        for client_id in store::clients::service_account_ids(pool).await? {
            if !made.contains(&client_id) {
                ensure_consumer(jetstream, &client_id).await?;
                made.insert(client_id);
            }
        }
        ready.send_replace(true);
    }
}

/// The durable consumer that holds what is addressed to a service account until it has been acknowledged.
async fn ensure_consumer(
    jetstream: &jetstream::Context,
    client_id: &str,
) -> Result<(), anyhow::Error> {
    let config = pull::Config {
        durable_name: Some(client_id.to_owned()),
        filter_subject: format!("settlement.*.v1.{client_id}"),
        ack_policy: AckPolicy::Explicit,
        deliver_policy: DeliverPolicy::All,
        max_ack_pending: ACK_PENDING_MAX,
        ..pull::Config::default()
    };
    let stream = jetstream.get_stream_no_info(wire::SETTLEMENTS).await?;
    let made: Result<_, ConsumerError> = stream.create_consumer(config).await;
    made.with_context(|| format!("consumer {client_id} can't be made"))?;
    tracing::debug!(client_id, "consumer is there");
    Ok(())
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::Context;
    use common::broker;
    use common::service::{Database, Owner, migrate, open_database};
    use local::{Servers, Service, testing};

    use super::*;
    use crate::again::ever_again;
    use crate::{MIGRATIONS, clients};

    async fn jetstream(servers: &Servers, user: &str) -> Context {
        let config = broker::Config {
            url: servers.nats_url(),
            user: user.to_owned(),
            password: servers.nats_password(user).to_owned(),
            ca: None,
        };
        broker::jetstream(&broker::connect(&config).await.expect("a login of ours"))
    }

    #[tokio::test]
    async fn a_consumer_that_was_lost_is_made_again() {
        let servers = testing::servers().await;
        let url = |url: String| url.parse().expect("any text");
        let client_id = "demo-shop".parse().expect("a client id");
        let database = Database {
            url: url(servers.database_url(Service::Auth)),
        };
        let owner = Owner {
            url: url(servers.owner_database_url(Service::Auth)),
        };
        migrate(&owner, &MIGRATIONS).await.expect("tables");
        let pool = open_database(&database, "auth", &MIGRATIONS)
            .await
            .expect("a database");
        clients::ensure_service_account(&pool, &client_id, &"s".repeat(32), "payments:read")
            .await
            .expect("an account");
        let ledger = jetstream(&servers, "ledger").await;
        broker::ensure_streams(&ledger, 1).await.expect("streams");
        let auth = jetstream(&servers, "auth").await;
        let (ready, _) = watch::channel(false);

        // The broker may refuse to make what it is just deleting.
        let serving = ever_again("a consumer has to wait", async || {
            serve(&pool, &auth, &ready, Duration::from_millis(50)).await
        });
        let losing = async {
            let stream = ledger.get_stream_no_info(wire::SETTLEMENTS).await?;
            // Lost once it was there: the second time proves the point.
            for _ in 0..2 {
                let lost = async || stream.delete_consumer("demo-shop").await.is_ok();
                while !lost().await {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            anyhow::Ok(())
        };
        let losing = tokio::time::timeout(Duration::from_secs(20), losing);
        tokio::select! {
            never = serving => match never {},
            lost = losing => lost.expect("made again in time").expect("a stream"),
        }
    }
}
