//! A subscriber reads the answers to its own requests only.

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use futures::StreamExt as _;
use local::{Producer, testing};

use crate::user::{SILENCE, User, ledger_with_streams, next};

#[tokio::test]
async fn a_subscriber_sees_its_own_answers_and_no_others() {
    let servers = testing::servers_with(&["demo-shop", "other-shop"].map(Producer::new)).await;
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
    let servers = testing::servers_with(&["demo-shop", "other-shop"].map(Producer::new)).await;
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
