//! No way around the permissions: the server itself must not be brought to publish into a stream.

use async_nats::jetstream::consumer::pull;
use futures::{FutureExt as _, StreamExt as _};
use local::testing;

use crate::batches;
use crate::user::{SILENCE, User, ledger_with_streams, next, stored};

/// An account that imports JetStream's API can make the server publish answers: none may get into a stream.
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

/// A push consumer delivers to a subject of its maker's choice, as soon as there is a subscriber.
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
    let auth = User::connect(&servers, "auth").await;
    let settlements = auth.jetstream().get_stream("SETTLEMENTS").await.unwrap();
    let durable = pull::Config {
        durable_name: Some("demo-shop".to_owned()),
        ..Default::default()
    };
    let mut durable = settlements.create_consumer(durable).await.unwrap();

    for (name, stream) in [
        ("audit", "REQUESTS"),
        ("ledger-reader", "REQUESTS"),
        ("payments-reader", "REQUESTS"),
        ("payments", "SETTLEMENTS"),
        ("auth", "SETTLEMENTS"),
    ] {
        let user = User::connect(&servers, name).await;
        let delete = format!("$JS.API.STREAM.DELETE.{stream}");
        let consumer = format!("$JS.API.CONSUMER.DELETE.{stream}.demo-shop");
        let mut count = 0;
        for into in [
            "settlement.payment.v1.demo-shop",
            "request.payment.v1.demo-shop",
            "request.account.v1.bank",
            &delete,
            &consumer,
        ] {
            let is_cycle = stream.to_lowercase().starts_with(&into[..7]);
            // Without its body, a message could pass for a request of JetStream's API.
            for headers_only in [false, true] {
                count += 1;
                let consumer = format!("{name}:{count}");
                let config = serde_json::json!({
                    "stream_name": stream,
                    "config": {
                        "name": consumer, "deliver_subject": into, "deliver_policy": "all", "ack_policy": "none",
                        "headers_only": headers_only,
                    },
                });
                let subject = format!("$JS.quittance.API.CONSUMER.CREATE.{stream}.{consumer}");
                let made = user.client.request(subject, config.to_string().into());
                let made: serde_json::Value =
                    serde_json::from_slice(&made.await.unwrap().payload).unwrap();
                assert_eq!(made["error"].is_object(), is_cycle, "{name} {into}: {made}");
            }
        }
    }
    assert!(tokio::time::timeout(SILENCE, live.next()).await.is_err());
    assert!(live_of_one.next().now_or_never().is_none());
    assert_eq!(stored(&ledger).await, (1, 2));
    durable.info().await.unwrap();
}
