//! A producer publishes requests under its own name only.

use async_nats::RequestErrorKind;
use futures::StreamExt as _;
use local::{Producer, Servers, testing};

use crate::batches;
use crate::user::{User, ledger_with_streams};

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
    for (seq, kind) in (2..).zip(["hold", "capture", "void", "reversal", "transaction"]) {
        let subject = format!("request.{kind}.v1.demo-shop");
        let ack = shop.client.request(subject, "{}".into()).await.unwrap();
        let ack: serde_json::Value = serde_json::from_slice(&ack.payload).unwrap();
        assert_eq!(ack["seq"], seq, "{kind}");
    }
    let ack = batches::publish(
        &shop.client,
        "request.payment.v1.demo-shop",
        "batch-of-a-producer",
        3,
    )
    .await;
    assert!(
        ack.contains("\"seq\":9") && ack.contains("\"count\":3"),
        "{ack}"
    );
}

#[tokio::test]
async fn a_producer_publishes_its_own_subject_and_nothing_else() {
    for way in [Producer::new, Producer::direct] {
        let servers = testing::servers_with(&["demo-shop", "other-shop"].map(way)).await;
        publishes_its_own_subject(&servers).await;
    }
}

async fn publishes_its_own_subject(servers: &Servers) {
    let mut ledger = ledger_with_streams(servers).await;
    let mut shop = User::connect(servers, "demo-shop").await;
    for subject in [
        "request.payment.v1.other-shop",
        "request.payment.v1.demo-shop.more",
        "request.hold.v1.other-shop",
        "request.capture.v1.other-shop",
        "request.void.v1.other-shop",
        "request.reversal.v1.other-shop",
        "request.transaction.v1.other-shop",
        "request.payment-batch.v1.other-shop",
        "request.expiry.v1.ledger",
        "request.chart.v1.ledger",
        "request.account.v1.demo-shop",
        "request.rules.v1.ledger",
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
async fn a_producer_at_the_door_reaches_payments_and_not_the_log() {
    let servers = testing::servers_with(&[Producer::new("demo-shop")]).await;
    let ledger = ledger_with_streams(&servers).await;
    let shop = User::connect(&servers, "demo-shop").await;
    let subject = "request.payment.v1.demo-shop";
    let refused = shop.client.request(subject, "{}".into()).await;
    assert_eq!(refused.unwrap_err().kind(), RequestErrorKind::NoResponders);

    let mut payments = User::connect(&servers, "payments-door").await;
    let mut door = door(&mut payments).await;
    let client = &payments.client;
    let answering = async {
        let asked = door.next().await.unwrap();
        assert_eq!(asked.subject.as_str(), "request.payment.v1.demo-shop");
        let reply = asked.reply.unwrap();
        assert!(reply.starts_with("_INBOX_demo-shop."), "{reply}");
        client.publish(reply, "stored".into()).await.unwrap();
    };
    let asking = shop.client.request(subject, "{}".into());
    let (answer, ()) = tokio::join!(asking, answering);
    assert_eq!(answer.unwrap().payload, "stored");
    let requests = ledger.jetstream().get_stream("REQUESTS").await.unwrap();
    assert_eq!(requests.cached_info().state.messages, 0);
}

/// What the payments service subscribes to.
async fn door(payments: &mut User) -> async_nats::Subscriber {
    let subject = "request.payment.v1.*";
    let door = payments.client.queue_subscribe(subject, "door".into());
    let door = door.await.unwrap();
    // When the server refuses this, it has handled the subscription in front of it.
    payments.may_not_publish("$JS.API.INFO").await;
    door
}

#[tokio::test]
async fn no_reply_subject_of_a_producer_loses_another_ones_acknowledgement() {
    let servers = testing::servers_with(&["demo-shop", "other-shop"].map(Producer::new)).await;
    let mut payments = User::connect(&servers, "payments-door").await;
    let shop = User::connect(&servers, "demo-shop").await;
    let other = User::connect(&servers, "other-shop").await;
    let mut door = door(&mut payments).await;
    // With wildcards, and without words; and what is nobody's business of the producer's.
    for reply in [
        ">",
        "*",
        "*.>",
        "*.*",
        "*.*.*",
        ">.x.y",
        "_INBOX_demo-shop.>",
        "_INBOX_demo-shop.*",
        "_INBOX_demo-shop.*.*",
        "..",
        "a..>",
        "$JS.>",
        "$JS.ACK.",
    ] {
        let waiting = shop
            .client
            .request("request.payment.v1.demo-shop", "x".into());
        let between = async {
            let first = door.next().await.unwrap();
            let hostile = "request.payment.v1.other-shop";
            let ask = (other.client).publish_with_reply(hostile, reply, "x".into());
            ask.await.unwrap();
            let second = door.next().await.unwrap();
            assert_eq!(second.subject.as_str(), hostile);
            // The door itself does not answer such a one.
            let refuse = payments.client.publish(second.reply.unwrap(), "no".into());
            refuse.await.ok();
            let answer = payments.client.publish(first.reply.unwrap(), "ok".into());
            answer.await.unwrap();
        };
        let (answer, ()) = tokio::join!(waiting, between);
        assert_eq!(answer.unwrap().payload, "ok", "{reply}");
    }
}

#[tokio::test]
async fn the_door_answers_producers_and_does_nothing_else_among_them() {
    let servers = testing::servers_with(&["demo-shop"].map(Producer::new)).await;
    let mut payments = User::connect(&servers, "payments-door").await;
    for subject in [
        "request.payment.v1.demo-shop",
        "settlement.payment.v1.demo-shop",
        "$JS.API.CONSUMER.MSG.NEXT.SETTLEMENTS.demo-shop",
        "$JS.quittance.API.CONSUMER.MSG.NEXT.SETTLEMENTS.demo-shop",
        "$JS.quittance.API.CONSUMER.INFO.SETTLEMENTS.demo-shop",
        "$JS.ACK.SETTLEMENTS.demo-shop.1.1.1.1.1",
        "$JS.API.INFO",
        "$SYS.REQ.SERVER.PING",
    ] {
        payments.may_not_publish(subject).await;
    }
    for subject in [
        ">",
        "request.payment.v1.*",
        "settlement.*.v1.demo-shop",
        "_INBOX_demo-shop.>",
    ] {
        payments.may_not_subscribe(subject).await;
    }
}
