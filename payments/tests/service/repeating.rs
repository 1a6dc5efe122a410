//! The same payment sent again: at once, later, after a failure.

use std::collections::HashMap;

use common::broker;
use common::kinds::payment::PaymentStatus;
use common::reason::Code;
use common::wire::{REQUESTS, SETTLEMENTS};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::signer::token;
use crate::support::{World, outgoing, payment};

const SUBMIT: &str = "payments:submit";

#[tokio::test]
async fn sending_a_payment_again_stores_it_once() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let (id, token) = (Uuid::now_v7(), token("shop", SUBMIT));

    let first = service.post(&token, &payment(id)).await;
    let mut spelled_otherwise = payment(id);
    spelled_otherwise["amount"] = json!("30.00");
    let second = service.post(&token, &spelled_otherwise).await;
    assert_eq!((first.request_seq(), second.request_seq()), (2, 2));
    assert_eq!(second.body["status"], "pending");

    let mut other = payment(id);
    other["amount"] = json!("31");
    let got = service.post(&token, &other).await;
    assert_eq!(got.status, 409, "{got:?}");
    assert_eq!(got.body["reason"]["code"], "AM05");
    assert_eq!(got.body["request_seq"], 2);

    world.settle(2).await;
    let got = service.post_waiting(&token, &payment(id), 10).await;
    assert_eq!(got.request_seq(), 2);
    assert_eq!(got.body["status"], "settled");
    // Without waiting too, as the answer is there.
    let known = service.post(&token, &payment(id)).await;
    assert_eq!((known.request_seq(), &known.body), (2, &got.body));

    // The same id of another client is another payment.
    let got = service
        .post(&crate::signer::token("till", SUBMIT), &payment(id))
        .await;
    assert_eq!(got.request_seq(), 3);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_payment_that_was_passed_over_may_be_sent_again_at_once() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let (id, token) = (
        Uuid::now_v7(),
        token("shop", "payments:submit payments:read"),
    );

    assert_eq!(service.post(&token, &payment(id)).await.request_seq(), 2);
    world.pass_over(2).await;
    world.projected(SETTLEMENTS, 2).await;
    let path = format!("/payments/{id}");
    let got = service.get(&token, &path).await.body;
    assert_eq!(
        (&got["status"], &got["may_retry"]),
        (&json!("rejected"), &json!(true))
    );

    // Nothing was decided, so the payment id is free: for another content too.
    let mut other = payment(id);
    other["amount"] = json!("31");
    let again = service.post(&token, &other).await;
    assert_eq!(
        (again.request_seq(), &again.body["status"]),
        (3, &json!("pending"))
    );
    let got = service.get(&token, &path).await.body;
    assert_eq!(
        (&got["status"], &got["amount"]),
        (&json!("pending"), &json!("31"))
    );

    world.settle(3).await;
    world.projected(SETTLEMENTS, 3).await;
    let got = service.get(&token, &path).await.body;
    assert_eq!(
        (&got["status"], &got["request_seq"]),
        (&json!("settled"), &json!(3))
    );
    service.stop().await.unwrap();
}

#[tokio::test]
async fn of_many_at_once_each_hears_its_own_place_and_a_repeated_one_spoils_no_neighbour() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let token = token("shop", SUBMIT);
    let ids: Vec<Uuid> = (0..100).map(|_| Uuid::now_v7()).collect();
    let known = service.post(&token, &payment(ids[0])).await.request_seq();

    // Every tenth comes twice, and one of them is in the log already.
    let posts = ids.iter().chain(ids.iter().step_by(10)).map(|id| {
        let (service, token) = (&service, &token);
        async move { (*id, service.post(token, &payment(*id)).await) }
    });
    let mut places = HashMap::new();
    for (id, got) in futures::future::join_all(posts).await {
        assert_eq!(got.status, 202, "{got:?}");
        let place = *places.entry(id).or_insert(got.request_seq());
        assert_eq!(place, got.request_seq(), "one payment stands at two places");
    }
    assert_eq!(places[&ids[0]], known);
    for (id, place) in &places {
        let stored: Value = serde_json::from_slice(&world.request(*place).await.payload).unwrap();
        assert_eq!(stored["payment_id"], id.to_string());
    }
    // The key, and each payment once.
    let last = broker::last_sequence(&world.jetstream(), REQUESTS)
        .await
        .unwrap();
    assert_eq!(last, 1 + 100);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn another_payment_under_the_id_never_hides_the_first() {
    let world = World::with_key().await;
    let token = token("shop", SUBMIT);
    let id = Uuid::now_v7();
    // The first is settled, and this process knows nothing of it.
    let paid = outgoing("request.payment.v1.shop", &payment(id));
    assert_eq!(world.publish_requests(vec![paid]).await, 2);
    world.settle(2).await;
    let service = world.serve().await;

    // By mistake another one is sent under its id, and refused.
    let mut other = payment(id);
    other["amount"] = json!("31");
    let jetstream = world.jetstream();
    let stored = async |seq: u64| {
        crate::support::eventually("the request", async || {
            let last = broker::last_sequence(&jetstream, REQUESTS).await;
            (last.ok()? == seq).then_some(())
        })
        .await;
    };
    let (refused, ()) = tokio::join!(service.post_waiting(&token, &other, 20), async {
        stored(3).await;
        world.reject(3, Code::AM05).await;
    });
    assert_eq!(refused.status, 409, "{refused:?}");
    // Whoever sends it again hears the same, and never the other one's "settled".
    let again = service.post(&token, &other).await;
    assert_eq!((again.status, &again.body), (409, &refused.body));

    // Who then sends the first again must hear that it is settled, and not "choose a new id".
    let body = payment(id);
    let (again, ()) = tokio::join!(service.post_waiting(&token, &body, 20), async {
        stored(4).await;
        world.repeat_of(4, 2, PaymentStatus::Settled).await;
    });
    assert_eq!(
        (again.status, &again.body["status"]),
        (202, &json!("settled"))
    );
    assert_eq!(again.request_seq(), 2);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_place_in_a_log_that_was_replaced_is_not_believed() {
    let mut world = World::with_key().await;
    let service = world.serve().await;
    let token = token("shop", SUBMIT);
    let id = Uuid::now_v7();
    assert_eq!(service.post(&token, &payment(id)).await.request_seq(), 2);
    world.begin_anew().await;
    // Somebody else's payment stands at that place now, and is settled.
    let other = outgoing("request.payment.v1.till", &payment(Uuid::now_v7()));
    assert_eq!(world.publish_requests(vec![other]).await, 2);
    world.settle(2).await;

    let got = crate::support::eventually("taken", async || {
        let got = service.post_waiting(&token, &payment(id), 0).await;
        (got.status == 202).then_some(got)
    })
    .await;
    assert_eq!(got.request_seq(), 3, "{got:?}");
    assert_eq!(world.request(3).await.subject, "request.payment.v1.shop");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn without_the_broker_a_payment_may_be_sent_again_later() {
    let mut world = World::with_key().await;
    let service = world.serve().await;
    let (id, token) = (Uuid::now_v7(), token("shop", SUBMIT));

    world.servers.kill_nats();
    let got = service.post(&token, &payment(id)).await;
    assert_eq!(got.status, 503, "{got:?}");
    assert_eq!(got.header("retry-after"), "1");
    let detail = got.body["detail"].as_str().unwrap();
    assert!(detail.contains("may be sent again"), "{detail}");

    world.servers.restart_nats().await.unwrap();
    let got = crate::support::eventually("taken", async || {
        let got = service.post(&token, &payment(id)).await;
        (got.status == 202).then_some(got)
    })
    .await;
    assert_eq!(got.request_seq(), 2, "it is stored once");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_payment_sent_again_long_after_hears_what_the_first_heard() {
    let world = World::with_key().await;
    let token = token("shop", SUBMIT);
    let (paid, refused) = (Uuid::now_v7(), Uuid::now_v7());
    let first = world.serve().await;
    let settled = {
        let body = payment(paid);
        let (got, ()) = tokio::join!(first.post_waiting(&token, &body, 20), async {
            crate::support::eventually("request 2", async || world.row(paid).await).await;
            world.settle(2).await;
        });
        got
    };
    let rejected = {
        let body = payment(refused);
        let (got, ()) = tokio::join!(first.post_waiting(&token, &body, 20), async {
            crate::support::eventually("request 3", async || world.row(refused).await).await;
            world.reject(3, Code::AM04).await;
        });
        got
    };
    assert_eq!((settled.status, rejected.status), (202, 422));
    first.stop().await.unwrap();

    // A process that does not know them: the requests are stored again, and the ledger says what they repeat.
    let second = world.serve().await;
    for (id, seq, original, status, heard) in [
        (paid, 4, 2, PaymentStatus::Settled, &settled),
        (refused, 5, 3, PaymentStatus::Rejected, &rejected),
    ] {
        let body = payment(id);
        let jetstream = world.jetstream();
        let (got, ()) = tokio::join!(second.post_waiting(&token, &body, 20), async {
            crate::support::eventually("the repeated request", async || {
                let last = broker::last_sequence(&jetstream, REQUESTS).await;
                (last.ok()? == seq).then_some(())
            })
            .await;
            world.repeat_of(seq, original, status).await;
        });
        assert_eq!((got.status, &got.body), (heard.status, &heard.body));
        assert_eq!(got.header("idempotency-replayed"), "true");
    }
    second.stop().await.unwrap();
}
