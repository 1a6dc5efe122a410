//! A client with the login of one user, and what it may not do. The streams that every test needs.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event, Message};
use futures::StreamExt as _;
use local::Servers;
use tokio::sync::mpsc;

use crate::batches;

/// Long enough for an answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// After this long without a message, none is to come.
pub(crate) const SILENCE: Duration = Duration::from_millis(300);

/// A client of one user, and the permission errors that the server sends it.
pub(crate) struct User {
    pub(crate) client: Client,
    pub(crate) refusals: mpsc::Receiver<String>,
}

impl User {
    pub(crate) async fn connect(servers: &Servers, name: &str) -> Self {
        let (sender, refusals) = mpsc::channel(64);
        let password = servers.nats_password(name).to_owned();
        let options = ConnectOptions::with_user_and_password(name.to_owned(), password)
            .custom_inbox_prefix(format!("_INBOX_{name}"))
            .request_timeout(Some(PATIENCE))
            .event_callback(move |event| {
                let sender = sender.clone();
                async move {
                    if let Event::ServerError(error) = event {
                        sender.send(error.to_string()).await.ok();
                    }
                }
            });
        Self {
            client: options.connect(servers.nats_url()).await.unwrap(),
            refusals,
        }
    }

    pub(crate) fn jetstream(&self) -> Context {
        jetstream::with_domain(self.client.clone(), "quittance")
    }

    /// Waits for the server's refusal of what was just tried.
    async fn is_refused(&mut self, subject: &str) {
        let refusal = tokio::time::timeout(PATIENCE, self.refusals.recv()).await;
        let refusal = refusal
            .unwrap_or_else(|_| panic!("{subject} was not refused"))
            .unwrap();
        assert!(
            refusal.to_lowercase().contains("permissions violation"),
            "{refusal}"
        );
        assert!(
            refusal.contains(subject),
            "{refusal} is not about {subject}"
        );
    }

    /// Waits until the server has handled what a producer sent before, its subscriptions too. Flushing only sends it.
    pub(crate) async fn is_heard(&self) {
        let asked = "$JS.quittance.API.CONSUMER.INFO.SETTLEMENTS.demo-shop";
        self.client.request(asked, "".into()).await.unwrap();
    }

    pub(crate) async fn may_not_publish(&mut self, subject: &str) {
        self.client
            .publish(subject.to_owned(), "{}".into())
            .await
            .unwrap();
        self.client.flush().await.unwrap();
        self.is_refused(subject).await;
    }

    pub(crate) async fn may_not_subscribe(&mut self, subject: &str) {
        let subscription = self.client.subscribe(subject.to_owned()).await.unwrap();
        self.client.flush().await.unwrap();
        self.is_refused(subject).await;
        drop(subscription);
    }
}

/// The two streams, made with the ledger's own login.
pub(crate) async fn ledger_with_streams(servers: &Servers) -> User {
    let ledger = User::connect(servers, "ledger").await;
    for (name, subject) in [("REQUESTS", "request.>"), ("SETTLEMENTS", "settlement.>")] {
        let config = Config {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            discard: DiscardPolicy::New,
            deny_delete: true,
            deny_purge: true,
            allow_direct: true,
            allow_atomic_publish: true,
            ..Default::default()
        };
        ledger.jetstream().create_stream(config).await.unwrap();
    }
    batches::are_staged(servers, "CORE", "REQUESTS").await;
    batches::are_staged(servers, "BOOKS", "SETTLEMENTS").await;
    ledger
}

pub(crate) async fn next(subscription: &mut async_nats::Subscriber) -> Message {
    tokio::time::timeout(PATIENCE, subscription.next())
        .await
        .unwrap()
        .unwrap()
}

/// How many messages are in REQUESTS and in SETTLEMENTS.
pub(crate) async fn stored(user: &User) -> (u64, u64) {
    let jetstream = user.jetstream();
    let requests = jetstream.get_stream("REQUESTS").await.unwrap();
    let settlements = jetstream.get_stream("SETTLEMENTS").await.unwrap();
    let messages = |info: &async_nats::jetstream::stream::Info| info.state.messages;
    (
        messages(requests.cached_info()),
        messages(settlements.cached_info()),
    )
}
