//! What `nats/nats-server.conf` allows and what it refuses, tried with real clients.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

mod batches;

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event, Message};
use futures::{FutureExt as _, StreamExt as _};
use local::{Servers, testing};
use tokio::sync::mpsc;

/// Long enough for an answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing must come to call it nothing.
const SILENCE: Duration = Duration::from_millis(300);

/// A client of one user, and the permission errors the server tells it.
struct User {
    client: Client,
    refusals: mpsc::Receiver<String>,
}

impl User {
    async fn connect(servers: &Servers, name: &str) -> Self {
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

    fn jetstream(&self) -> Context {
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

    /// Waits until the server has taken what a producer sent before, its subscriptions too: flushing only sends it.
    async fn is_heard(&self) {
        let asked = "$JS.quittance.API.CONSUMER.INFO.SETTLEMENTS.demo-shop";
        self.client.request(asked, "".into()).await.unwrap();
    }

    async fn may_not_publish(&mut self, subject: &str) {
        self.client
            .publish(subject.to_owned(), "{}".into())
            .await
            .unwrap();
        self.client.flush().await.unwrap();
        self.is_refused(subject).await;
    }

    async fn may_not_subscribe(&mut self, subject: &str) {
        let subscription = self.client.subscribe(subject.to_owned()).await.unwrap();
        self.client.flush().await.unwrap();
        self.is_refused(subject).await;
        drop(subscription);
    }
}

/// The two streams, made with the ledger's own login.
async fn ledger_with_streams(servers: &Servers) -> User {
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

async fn next(subscription: &mut async_nats::Subscriber) -> Message {
    tokio::time::timeout(PATIENCE, subscription.next())
        .await
        .unwrap()
        .unwrap()
}

/// How many messages are in REQUESTS and in SETTLEMENTS.
async fn stored(user: &User) -> (u64, u64) {
    let jetstream = user.jetstream();
    let requests = jetstream.get_stream("REQUESTS").await.unwrap();
    let settlements = jetstream.get_stream("SETTLEMENTS").await.unwrap();
    let messages = |info: &async_nats::jetstream::stream::Info| info.state.messages;
    (
        messages(requests.cached_info()),
        messages(settlements.cached_info()),
    )
}

#[tokio::test]
async fn a_producer_gets_the_sequence_of_its_request() {
    let servers = testing::servers().await;
    let _ledger = ledger_with_streams(&servers).await;
    let shop = User::connect(&servers, "demo-shop").await;
    let ack = shop
        .client
        .request("request.payment.v1.demo-shop", "{}".into())
        .await
        .unwrap();
    let ack: serde_json::Value = serde_json::from_slice(&ack.payload).unwrap();
    assert_eq!(ack["stream"], "REQUESTS");
    assert_eq!(ack["seq"], 1);
    let ack = batches::publish(
        &shop.client,
        "request.payment.v1.demo-shop",
        "batch-of-a-producer",
        3,
    )
    .await;
    assert!(
        ack.contains("\"seq\":4") && ack.contains("\"count\":3"),
        "{ack}"
    );
}

#[tokio::test]
async fn a_producer_publishes_its_own_subject_and_nothing_else() {
    let servers = testing::servers_with_producers(&["demo-shop", "other-shop"]).await;
    let mut ledger = ledger_with_streams(&servers).await;
    let mut shop = User::connect(&servers, "demo-shop").await;
    for subject in [
        "request.payment.v1.other-shop",
        "request.payment.v1.demo-shop.more",
        "request.account.v1.demo-shop",
        "request.auth.v1.key",
        "settlement.payment.v1.demo-shop",
        "$JS.API.INFO",
        "$JS.quittance.API.STREAM.INFO.REQUESTS",
        "$JS.quittance.API.STREAM.MSG.GET.REQUESTS",
        "$JS.quittance.API.CONSUMER.CREATE.SETTLEMENTS",
        "$JS.API.STREAM.INFO.REQUESTS",
        "$JS.API.STREAM.PURGE.REQUESTS",
        "$JS.API.STREAM.DELETE.REQUESTS",
        "$JS.API.STREAM.MSG.GET.REQUESTS",
        "$JS.API.DIRECT.GET.SETTLEMENTS",
        "$JS.API.CONSUMER.CREATE.SETTLEMENTS.demo-shop",
        "$JS.API.CONSUMER.MSG.NEXT.SETTLEMENTS.other-shop",
        "$JS.API.CONSUMER.INFO.SETTLEMENTS.demo-shop",
        "$JS.quittance.API.CONSUMER.MSG.NEXT.SETTLEMENTS.other-shop",
        "$JS.quittance.API.CONSUMER.INFO.SETTLEMENTS.other-shop",
        "$JS.ACK.SETTLEMENTS.other-shop.1.1.1.1.1",
        "_INBOX_other-shop.x",
        "$SYS.REQ.SERVER.PING",
    ] {
        shop.may_not_publish(subject).await;
    }
    let mut requests = ledger.jetstream().get_stream("REQUESTS").await.unwrap();
    assert_eq!(requests.info().await.unwrap().state.messages, 0);
    assert!(ledger.refusals.try_recv().is_err());
}

#[tokio::test]
async fn a_subscriber_sees_its_own_answers_and_no_others() {
    let servers = testing::servers_with_producers(&["demo-shop", "other-shop"]).await;
    let ledger = ledger_with_streams(&servers).await;
    let mut shop = User::connect(&servers, "demo-shop").await;
    for subject in [
        "settlement.payment.v1.other-shop",
        "settlement.*.v1.*",
        "settlement.>",
        "request.>",
        "_INBOX_other-shop.>",
        "_INBOX.>",
        "$JS.>",
        "$SYS.>",
        ">",
    ] {
        shop.may_not_subscribe(subject).await;
    }
    let mut own = shop
        .client
        .subscribe("settlement.*.v1.demo-shop")
        .await
        .unwrap();
    shop.is_heard().await;
    for client in ["other-shop", "demo-shop"] {
        let subject = format!("settlement.payment.v1.{client}");
        ledger
            .jetstream()
            .publish(subject, client.into())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    assert_eq!(next(&mut own).await.payload, "demo-shop");
    assert!(tokio::time::timeout(SILENCE, own.next()).await.is_err());
}

#[tokio::test]
async fn a_subscriber_pulls_and_acknowledges_the_consumer_auth_made_for_it() {
    let servers = testing::servers_with_producers(&["demo-shop", "other-shop"]).await;
    let ledger = ledger_with_streams(&servers).await;
    let auth = User::connect(&servers, "auth").await;
    let settlements = auth.jetstream().get_stream("SETTLEMENTS").await.unwrap();
    let config = pull::Config {
        durable_name: Some("demo-shop".to_owned()),
        filter_subject: "settlement.*.v1.demo-shop".to_owned(),
        ack_policy: AckPolicy::Explicit,
        ..Default::default()
    };
    let mut made = settlements.create_consumer(config).await.unwrap();
    for client in ["other-shop", "demo-shop", "demo-shop"] {
        let subject = format!("settlement.payment.v1.{client}");
        ledger
            .jetstream()
            .publish(subject, client.into())
            .await
            .unwrap()
            .await
            .unwrap();
    }

    let shop = User::connect(&servers, "demo-shop").await;
    // With the client library: the consumer is found under the domain, without asking for the stream.
    let own: PullConsumer = shop
        .jetstream()
        .get_consumer_from_stream("demo-shop", "SETTLEMENTS")
        .await
        .unwrap();
    let mut messages = own.fetch().max_messages(1).messages().await.unwrap();
    let message = messages.next().await.unwrap().unwrap();
    assert_eq!(message.payload, "demo-shop");
    message.double_ack().await.unwrap();

    // With nothing but core NATS. Not `request`: the answer comes with its own subject.
    let inbox = shop.client.new_inbox();
    let mut answers = shop.client.subscribe(inbox.clone()).await.unwrap();
    let pull = "$JS.API.CONSUMER.MSG.NEXT.SETTLEMENTS.demo-shop";
    shop.client
        .publish_with_reply(pull, inbox, "1".into())
        .await
        .unwrap();
    let message = next(&mut answers).await;
    assert_eq!(message.subject.as_str(), "settlement.payment.v1.demo-shop");
    assert_eq!(message.payload, "demo-shop");
    shop.client
        .request(message.reply.unwrap(), "+ACK".into())
        .await
        .unwrap();

    let info = made.info().await.unwrap();
    assert_eq!((info.num_pending, info.num_ack_pending), (0, 0));
    assert_eq!(info.delivered.consumer_sequence, 2);
}

#[tokio::test]
async fn only_the_ledger_may_answer_or_touch_a_stream() {
    let servers = testing::servers().await;
    let _ledger = ledger_with_streams(&servers).await;
    for name in ["auth", "payments", "audit"] {
        let mut user = User::connect(&servers, name).await;
        for subject in [
            "settlement.payment.v1.demo-shop",
            "request.account.v1.bank",
            "request.payment.v1.shop.more",
            "$JS.quittance.API.STREAM.CREATE.REQUESTS",
            "$JS.quittance.API.STREAM.UPDATE.SETTLEMENTS",
            "$JS.quittance.API.STREAM.DELETE.SETTLEMENTS",
            "$JS.API.STREAM.CREATE.REQUESTS",
            "$JS.API.STREAM.UPDATE.SETTLEMENTS",
            "$JS.API.STREAM.DELETE.REQUESTS",
            "$JS.API.STREAM.PURGE.SETTLEMENTS",
            "$JS.API.STREAM.MSG.DELETE.SETTLEMENTS",
        ] {
            user.may_not_publish(subject).await;
        }
        user.may_not_subscribe("_INBOX_ledger.>").await;
        user.may_not_subscribe("settlement.>").await;
    }
    let mut ledger = User::connect(&servers, "ledger").await;
    for subject in [
        "$JS.API.STREAM.DELETE.SETTLEMENTS",
        "$JS.API.STREAM.PURGE.SETTLEMENTS",
        "$JS.quittance.API.STREAM.DELETE.REQUESTS",
        "$JS.quittance.API.STREAM.PURGE.REQUESTS",
        "request.payment.v1.demo-shop",
        "request.account.v1.bank.more",
        "request.auth.v1.keys",
    ] {
        ledger.may_not_publish(subject).await;
    }
}

/// Everything that an account which imports JetStream's API can make the server publish by itself.
#[tokio::test]
async fn a_reply_subject_is_no_way_into_a_stream() {
    let servers = testing::servers().await;
    let ledger = ledger_with_streams(&servers).await;
    let shop = User::connect(&servers, "demo-shop").await;
    let into = [
        "settlement.payment.v1.x",
        "request.auth.v1.keys",
        "request.payment.v1.x",
        "$JS.API.STREAM.DELETE.SETTLEMENTS",
    ];
    let mut intended = 0;
    for reply in into {
        for name in ["audit", "payments", "auth"] {
            let user = User::connect(&servers, name).await;
            for api in ["$JS.API", "$JS.quittance.API"] {
                for stream in ["REQUESTS", "SETTLEMENTS"] {
                    for method in ["STREAM.INFO", "STREAM.MSG.GET", "DIRECT.GET"] {
                        let subject = format!("{api}.{method}.{stream}");
                        let ask = user.client.publish_with_reply(subject, reply, "".into());
                        ask.await.unwrap();
                    }
                }
            }
            // Asked after those on the same connection, so answered after those.
            user.jetstream().get_stream("SETTLEMENTS").await.unwrap();
            user.client.flush().await.unwrap();
        }
        for subject in [
            "request.payment.v1.demo-shop",
            "$JS.API.CONSUMER.MSG.NEXT.SETTLEMENTS.demo-shop",
            "$JS.quittance.API.CONSUMER.INFO.SETTLEMENTS.demo-shop",
        ] {
            let ask = shop.client.publish_with_reply(subject, reply, "{}".into());
            ask.await.unwrap();
        }
        let ack = shop
            .client
            .request("request.payment.v1.demo-shop", "{}".into());
        ack.await.unwrap();
        intended += 2;
    }
    assert_eq!(stored(&ledger).await, (intended, 0));
}

/// A push consumer delivers to a subject of its maker's choice, once somebody listens there.
#[tokio::test]
async fn a_push_consumer_is_no_way_into_a_stream() {
    let servers = testing::servers().await;
    let ledger = ledger_with_streams(&servers).await;
    let shop = User::connect(&servers, "demo-shop").await;
    let mut live = shop
        .client
        .subscribe("settlement.*.v1.demo-shop")
        .await
        .unwrap();
    let mut live_of_one = shop
        .client
        .subscribe("settlement.payment.v1.demo-shop")
        .await
        .unwrap();
    shop.is_heard().await;
    let answers = batches::publish(
        &ledger.client,
        "settlement.payment.v1.demo-shop",
        "answers",
        2,
    );
    assert!(answers.await.contains("\"seq\":2"));
    for _ in 0..2 {
        next(&mut live).await;
        next(&mut live_of_one).await;
    }
    let forged = shop
        .client
        .request("request.payment.v1.demo-shop", "forged".into());
    forged.await.unwrap();

    for name in ["audit", "payments", "auth"] {
        let user = User::connect(&servers, name).await;
        for (stream, into) in [
            ("REQUESTS", "settlement.payment.v1.demo-shop"),
            ("REQUESTS", "request.payment.v1.demo-shop"),
            ("SETTLEMENTS", "settlement.payment.v1.demo-shop"),
            ("SETTLEMENTS", "request.account.v1.bank"),
            ("SETTLEMENTS", "$JS.API.STREAM.DELETE.SETTLEMENTS"),
        ] {
            if (name, stream) == ("auth", "REQUESTS") {
                continue; // It may not make one.
            }
            let config = serde_json::json!({
                "stream_name": stream,
                "config": { "deliver_subject": into, "deliver_policy": "all", "ack_policy": "none" },
            });
            let subject = format!("$JS.quittance.API.CONSUMER.CREATE.{stream}");
            let made = user.client.request(subject, config.to_string().into());
            let made: serde_json::Value =
                serde_json::from_slice(&made.await.unwrap().payload).unwrap();
            let is_cycle = stream.to_lowercase().starts_with(&into[..7]);
            assert_eq!(made["error"].is_object(), is_cycle, "{name} {into}: {made}");
        }
    }
    assert!(tokio::time::timeout(SILENCE, live.next()).await.is_err());
    assert!(live_of_one.next().now_or_never().is_none());
    assert_eq!(stored(&ledger).await, (1, 2));
}

#[tokio::test]
async fn services_publish_atomic_batches() {
    let servers = testing::servers().await;
    let ledger = ledger_with_streams(&servers).await;
    let ack = batches::publish(
        &ledger.client,
        "settlement.payment.v1.demo-shop",
        "answers",
        1000,
    )
    .await;
    assert!(
        ack.contains("\"seq\":1000") && ack.contains("\"count\":1000"),
        "{ack}"
    );
    let payments = User::connect(&servers, "payments").await;
    let ack = batches::publish(&payments.client, "request.payment.v1.user-1", "requests", 5).await;
    assert!(ack.contains("\"seq\":5"), "{ack}");
}

#[tokio::test]
async fn readers_follow_both_streams_in_order() {
    let servers = testing::servers().await;
    let ledger = ledger_with_streams(&servers).await;
    batches::publish(
        &ledger.client,
        "settlement.payment.v1.demo-shop",
        "answers",
        3,
    )
    .await;
    batches::publish(&ledger.client, "request.account.v1.bank", "requests", 3).await;
    for name in ["ledger", "payments", "audit"] {
        let mut user = User::connect(&servers, name).await;
        for stream in ["REQUESTS", "SETTLEMENTS"] {
            let stream = user.jetstream().get_stream(stream).await.unwrap();
            let consumer = stream
                .create_consumer(pull::OrderedConfig::default())
                .await
                .unwrap();
            let messages = consumer.messages().await.unwrap().take(3);
            let sequences =
                messages.map(|message| message.unwrap().info().unwrap().stream_sequence);
            assert_eq!(sequences.collect::<Vec<_>>().await, [1, 2, 3]);
            assert_eq!(stream.direct_get(2).await.unwrap().sequence, 2);
            assert_eq!(stream.get_raw_message(2).await.unwrap().sequence, 2);
        }
        assert!(user.refusals.try_recv().is_err(), "{name}");
    }
}

#[tokio::test]
async fn nobody_enters_without_the_right_password() {
    let servers = testing::servers().await;
    assert!(async_nats::connect(servers.nats_url()).await.is_err());
    for user in ["ledger", "demo-shop", "stranger"] {
        let options = ConnectOptions::with_user_and_password(user.to_owned(), "wrong".to_owned());
        assert!(options.connect(servers.nats_url()).await.is_err(), "{user}");
    }
}
