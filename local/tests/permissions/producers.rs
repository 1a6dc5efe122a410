//! A producer publishes requests under its own name only.

use local::testing;

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
