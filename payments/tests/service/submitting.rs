//! What `POST /payments` answers, and what it leaves in the log.

use async_nats::HeaderMap;
use common::broker;
use common::broker::Publisher;
use common::kinds::BODY_BYTES_MAX;
use common::kinds::body::RequestBody as _;
use common::kinds::payment::PaymentRequest;
use common::kinds::rules::NEWEST;
use common::reason::Code;
use common::wire::REQUESTS;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::signer::{Signer, claims, expired_token, token};
use crate::support::{Running, World, connect, login, outgoing, payment};
use crate::upgrading::raise_rules;

const SUBMIT: &str = "payments:submit";

/// One bad body: the status, the reason code and a part of the sentence that the caller gets.
async fn check(service: &Running, status: u16, code: &str, sentence: &str, body: impl ToString) {
    let body = body.to_string();
    let got = service
        .post_with(&token("shop", SUBMIT), &[], body.clone())
        .await;
    assert_eq!(got.status, status, "{body}: {got:?}");
    assert_eq!(got.header("content-type"), "application/problem+json");
    assert_eq!(got.body["status"], status, "{body}");
    let got_code = got.body["reason"]["code"].as_str().unwrap_or_default();
    assert_eq!(got_code, code, "{body}: {got:?}");
    let detail = got.body["detail"].as_str().unwrap_or_default();
    assert!(detail.contains(sentence), "{body}: {detail}");
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut body = payment(Uuid::now_v7());
    body[name] = value.into();
    body
}

#[tokio::test]
async fn what_needs_no_books_is_refused_at_once_and_never_published() {
    let world = World::with_key().await;
    let service = world.serve().await;

    check(&service, 400, "FF01", "EOF", "").await;
    check(&service, 400, "FF01", "EOF", "{").await;
    check(&service, 400, "FF01", "expected a JSON object", "[1]").await;
    check(
        &service,
        400,
        "FF01",
        "unknown field `tip`",
        with("tip", "1"),
    )
    .await;
    check(&service, 400, "FF01", "UUID", with("payment_id", "7")).await;
    check(
        &service,
        400,
        "FF01",
        "expected a string",
        with("amount", 30),
    )
    .await;
    let mut body = payment(Uuid::now_v7());
    drop(body.as_object_mut().unwrap().remove("payment_id"));
    check(&service, 400, "FF01", "missing field `payment_id`", &body).await;
    check(&service, 400, "FF01", "version 7 is recommended", &body).await;
    let twice = r#"{"amount":"1","amount":"2"}"#;
    check(&service, 400, "FF01", "duplicate field `amount`", twice).await;

    let twice = with("metadata", json!({"order": "1"})).to_string();
    let twice = twice.replace(r#""order":"1""#, r#""order":"1","order":"2""#);
    check(&service, 400, "FF01", "a key twice", twice).await;

    check(&service, 422, "AM12", "above zero", with("amount", "0")).await;
    check(&service, 422, "AM12", "above zero", with("amount", "-1")).await;
    check(&service, 422, "AM12", "3 decimals", with("amount", "1.234")).await;
    check(&service, 422, "AM12", "decimal", with("amount", "1e3")).await;
    check(&service, 422, "AM03", "ISO 4217", with("currency", "EURO")).await;
    check(&service, 422, "AM03", "ISO 4217", with("currency", "XAU")).await;
    let dates = [("2026-02-30", "no day"), ("9999-01-01", "in the future")];
    for (date, sentence) in dates {
        check(
            &service,
            422,
            "DT01",
            sentence,
            with("effective_date", date),
        )
        .await;
    }
    let same = with("creditor_account", Uuid::from_u128(0xA).to_string());
    check(&service, 422, "NARR", "the same account", same).await;
    let long = with("reference", "ä".repeat(141));
    check(&service, 422, "FF01", "140 characters", long).await;
    let keys: serde_json::Map<_, _> = (0..21).map(|n| (n.to_string(), json!("x"))).collect();
    check(&service, 422, "FF01", "20 keys", with("metadata", keys)).await;
    for bytes in [PaymentRequest::BYTES_MAX, BODY_BYTES_MAX] {
        let huge = " ".repeat(bytes + 1);
        check(&service, 413, "", "at most", huge).await;
    }

    let last = broker::last_sequence(&world.jetstream(), REQUESTS).await;
    assert_eq!(last.unwrap(), 1, "only the key is in the log");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn only_a_valid_token_with_the_scope_may_submit() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let body = payment(Uuid::now_v7()).to_string();
    let stranger = Signer::new();

    let good = token("shop", SUBMIT);
    let tampered = format!("{}AAAA", good.get(..good.len() - 4).unwrap());
    let cases = [
        (401, "token_missing", String::new()),
        (401, "token_malformed", "abc".to_owned()),
        (401, "bad_signature", tampered),
        (401, "expired_at_publish", expired_token("shop", SUBMIT)),
        (401, "key_unknown", stranger.token("shop", SUBMIT, 0)),
        (403, "payments:submit-any", token("shop", "payments:read")),
        (403, "payments:submit-any", token("shop", "")),
    ];
    for (status, sentence, token) in cases {
        let got = service.post_with(&token, &[], body.clone()).await;
        assert_eq!(got.status, status, "{sentence}: {got:?}");
        let detail = got.body["detail"].as_str().unwrap();
        assert!(detail.contains(sentence), "{detail}");
        let challenge = got.header("www-authenticate");
        assert!(challenge.starts_with("Bearer realm="), "{challenge}");
    }
    let again = format!("Bearer {good}");
    let headers = [("authorization", again.as_str())];
    let got = service.post_with(&good, &headers, body.clone()).await;
    assert_eq!(got.status, 400, "two tokens: {got:?}");
    for (status, content_type) in [
        (415, "text/plain"),
        (202, "Application/JSON; charset=utf-8"),
    ] {
        let headers = [("content-type", content_type)];
        let got = service.post_with(&good, &headers, body.clone()).await;
        assert_eq!(got.status, status, "{content_type}: {got:?}");
    }

    let zipped = [("content-encoding", "gzip")];
    let got = service.post_with(&good, &zipped, body.clone()).await;
    assert_eq!(got.status, 415, "{got:?}");
    let got = service
        .get(&token("shop", "payments:read"), "/payments/")
        .await;
    assert_eq!(got.status, 200, "a slash at the end: {got:?}");

    // A key that is announced while the service runs is known as soon as its first token comes.
    world.request(2).await;
    world.settle(2).await;
    world.note_key(&stranger).await;
    let new = stranger.token("shop", SUBMIT, 0);
    let got = service.post(&new, &payment(Uuid::now_v7())).await;
    assert_eq!(got.status, 202, "{got:?}");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_payment_becomes_the_message_that_a_producer_would_send() {
    let world = World::with_key().await;
    assert_eq!(raise_rules(&world, NEWEST).await, 2);
    let service = world.serve().await;
    let (id, token) = (Uuid::now_v7(), token("shop", "payments:submit-any"));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    let body = payment(id);
    let got = service
        .post_with(&token, &[("traceparent", trace)], body.to_string())
        .await;
    assert_eq!(got.request_seq(), 3);
    assert_eq!(got.header("location"), format!("/payments/{id}"));
    let expected = json!({"payment_id": id, "request_seq": 3, "status": "pending"});
    assert_eq!(got.body, expected);

    let stored = world.request(3).await;
    assert_eq!(stored.subject, "request.payment.v1.shop");
    let sent: Value = serde_json::from_slice(&stored.payload).unwrap();
    assert_eq!(sent, body);
    let headers = [
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", id.to_string()),
        ("ce-type", "payment.requested.v1".to_owned()),
        ("ce-source", "/clients/shop".to_owned()),
        ("traceparent", trace.to_owned()),
    ];
    for (name, value) in headers {
        assert_eq!(stored.header(name), Some(value.as_str()), "{name}");
    }
    let stored_token = stored.header("Authorization").unwrap();
    assert_ne!(
        stored_token,
        format!("Bearer {token}"),
        "it passes over HTTP"
    );
    assert_eq!(claims(stored_token)["aud"], "quittance-log");
    let same = |claims: &Value| (claims["jti"].clone(), claims["exp"].clone());
    assert_eq!(same(&claims(stored_token)), same(&claims(&token)));
    assert_eq!(
        stored.header("Nats-Msg-Id"),
        None,
        "the broker need not know it"
    );
    service.stop().await.unwrap();
}

/// Older rules know no tokens for the log: while somebody holds the rules back, payments go on.
#[tokio::test]
async fn by_older_rules_a_payment_goes_under_the_callers_own_token() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let token = token("shop", "payments:submit-any");
    let got = service.post(&token, &payment(Uuid::now_v7())).await;
    assert_eq!(got.request_seq(), 2);
    let stored = world.request(2).await;
    let expected = format!("Bearer {token}");
    assert_eq!(stored.header("Authorization"), Some(expected.as_str()));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn who_takes_all_places_for_batches_keeps_nobody_out() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let token = token("shop", SUBMIT);
    let producer = connect(&world.servers, "demo-shop").await;
    for batch in 0..60 {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Batch-Id", format!("held-{batch}"));
        headers.insert("Nats-Batch-Sequence", "1");
        let subject = "request.payment.v1.demo-shop";
        // Asked, not only sent: the answer shows that the server has taken it.
        let begun = producer.request_with_headers(subject, headers, "{}".into());
        begun.await.unwrap();
    }
    // The places are taken: a batch of ours is refused.
    let batch = (0..2).map(|_| outgoing("request.payment.v1.shop", &json!({})));
    let payments = Publisher::new(&login(&world.servers, "payments"));
    let batch: Vec<_> = batch.collect();
    let refused = payments.publish_batch(REQUESTS, &batch, None).await;
    assert!(
        matches!(refused, Err(broker::PublishError::Incomplete(_))),
        "{refused:?}"
    );

    let ids: Vec<Uuid> = (0..100).map(|_| Uuid::now_v7()).collect();
    let posts = ids.iter().map(|id| {
        let (service, token) = (&service, &token);
        async move { service.post(token, &payment(*id)).await.request_seq() }
    });
    let mut places = futures::future::join_all(posts).await;
    places.sort_unstable();
    assert_eq!(places, (2..102).collect::<Vec<_>>());
    service.stop().await.unwrap();
}

#[tokio::test]
async fn who_waits_gets_the_answer_with_the_response() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let token = token("shop", SUBMIT);

    let id = Uuid::now_v7();
    let body = payment(id);
    let (got, ()) = tokio::join!(service.post_waiting(&token, &body, 20), async {
        crate::support::eventually("request 2", async || world.row(id).await).await;
        world.settle(2).await;
    });
    assert_eq!(got.request_seq(), 2);
    assert_eq!(got.header("preference-applied"), "wait=20");
    assert_eq!(got.body["status"], "settled");
    assert_eq!(got.body["settlement"]["postings"][1]["balance"], "30.00");

    // The ledger answers a second request with the same id.
    let repeated = outgoing("request.payment.v1.shop", &payment(id));
    assert_eq!(world.publish_requests(vec![repeated]).await, 3);
    world.repeat(3).await;

    let table = [
        (4, Code::AM04, 422),
        (5, Code::AG01, 403),
        (6, Code::AM05, 409),
    ];
    for (seq, code, status) in table {
        let id = Uuid::now_v7();
        let body = payment(id);
        let (got, ()) = tokio::join!(service.post_waiting(&token, &body, 20), async {
            crate::support::eventually("request", async || world.row(id).await).await;
            world.reject(seq, code).await;
        });
        assert_eq!(got.status, status, "{got:?}");
        assert_eq!(
            got.body["reason"],
            json!({"code": code.as_str(), "message": "because"})
        );
        assert_eq!(got.body["payment_id"], json!(id));
        assert_eq!(got.body["request_seq"], seq);
        assert_eq!(got.body["payment_status"], "rejected");
    }

    let got = service
        .post_waiting(&token, &payment(Uuid::now_v7()), 0)
        .await;
    assert_eq!(
        (got.request_seq(), &got.body["status"]),
        (7, &json!("pending"))
    );
    let got = service
        .post_waiting(&token, &payment(Uuid::now_v7()), 1)
        .await;
    assert_eq!(
        (got.request_seq(), &got.body["status"]),
        (8, &json!("pending"))
    );
    service.stop().await.unwrap();
}

#[tokio::test]
async fn who_has_heard_the_answer_reads_it_too() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let token = token("shop", "payments:submit payments:read");
    for seq in 2..30 {
        let body = payment(Uuid::now_v7());
        let (taken, ()) = tokio::join!(service.post_waiting(&token, &body, 20), async {
            let jetstream = world.jetstream();
            crate::support::eventually("request", async || {
                let last = broker::last_sequence(&jetstream, REQUESTS).await;
                (last.ok()? == seq).then_some(())
            })
            .await;
            world.settle(seq).await;
        });
        assert_eq!(taken.body["status"], "settled", "{taken:?}");
        let got = service.get(&token, taken.header("location")).await;
        assert_eq!(got.body["status"], "settled", "{got:?}");
    }
    service.stop().await.unwrap();
}
