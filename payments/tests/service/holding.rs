//! Holding, capturing, voiding and reversing over HTTP: what is taken, what is refused at once, and what is in the log then.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

use chrono::TimeDelta;
use common::broker;
use common::kinds::rules::NEWEST;
use common::service::now;
use common::wire::{REQUESTS, SETTLEMENTS};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::signer::token;
use crate::support::{World, outgoing, payment};
use crate::upgrading::raise_rules;

const SUBMIT: &str = "payments:submit payments:read";

fn hold(id: Uuid) -> Value {
    let mut body = payment(id);
    body["capture"] = "manual".into();
    body
}

fn in_days(days: i64) -> String {
    (now() + TimeDelta::days(days)).to_rfc3339()
}

#[tokio::test]
async fn each_becomes_the_message_that_a_producer_would_send() {
    let world = World::with_key().await;
    assert_eq!(raise_rules(&world, NEWEST).await, 2);
    let service = world.serve().await;
    let token = token("shop", SUBMIT);
    let (held, id) = (Uuid::from_u128(0x401D), Uuid::from_u128(0x1D));
    let end = in_days(30);
    let with_end = {
        let mut body = hold(id);
        body["expires_at"] = json!(end);
        body
    };
    let stored_hold = {
        let mut body = payment(id);
        body["expires_at"] = json!(end);
        body
    };
    let on_hold = |action: &str| format!("/payments/{held}/{action}");
    let cases = [
        ("/payments".to_owned(), with_end, "hold", stored_hold),
        (
            "/payments".to_owned(),
            json!({"capture": "automatic"}),
            "payment",
            json!({}),
        ),
        (
            on_hold("capture"),
            json!({"payment_id": id, "amount": "1.5", "final": true}),
            "capture",
            json!({"payment_id": id, "hold_id": held, "amount": "1.5", "final": true}),
        ),
        (
            on_hold("capture"),
            json!({"payment_id": id, "amount": null}),
            "capture",
            json!({"payment_id": id, "hold_id": held}),
        ),
        (
            on_hold("void"),
            json!({"payment_id": id, "client_id": "till"}),
            "void",
            json!({"payment_id": id, "hold_id": held, "client_id": "till"}),
        ),
        (
            on_hold("reverse"),
            json!({"payment_id": id, "amount": "2", "reason": "Paid twice"}),
            "reversal",
            json!({"payment_id": id, "reverses": held, "amount": "2", "reason": "Paid twice"}),
        ),
    ];
    for (seq, (path, mut body, kind, mut expected)) in (3..).zip(cases) {
        // Each has an id of its own.
        let own = Uuid::now_v7();
        if kind == "payment" {
            let automatic = body["capture"].take();
            (body, expected) = (payment(own), payment(own));
            body["capture"] = automatic;
        }
        (body["payment_id"], expected["payment_id"]) = (json!(own), json!(own));
        let got = service.post_to(&path, &token, &body).await;
        assert_eq!(got.request_seq(), seq, "{kind}");
        assert_eq!(got.header("location"), format!("/payments/{own}"));
        assert_eq!(
            got.body,
            json!({"payment_id": own, "request_seq": seq, "status": "pending"})
        );
        let stored = world.request(seq).await;
        assert_eq!(stored.subject, format!("request.{kind}.v1.shop"));
        assert_eq!(
            stored.header("ce-type"),
            Some(&*format!("{kind}.requested.v1"))
        );
        assert_eq!(stored.header("ce-id"), Some(&*own.to_string()));
        let sent: Value = serde_json::from_slice(&stored.payload).unwrap();
        assert_eq!(sent, expected, "{kind}");

        // Sent again it is the same, and not stored again; pending, it is found under its own id.
        let again = service.post_to(&path, &token, &body).await;
        assert_eq!(
            (again.request_seq(), again.header("idempotency-replayed")),
            (seq, "true")
        );
        let shown = service.get(&token, got.header("location")).await;
        assert_eq!(
            (shown.status, &shown.body["status"]),
            (200, &json!("pending")),
            "{shown:?}"
        );
        assert_eq!(shown.body["kind"], kind);
    }
    assert_eq!(world.last(REQUESTS).await, 8);
    service.stop().await.unwrap();
}

/// Where the action is asked for; none is paying or holding.
fn path(id: Uuid, action: &str) -> String {
    match action {
        "" => "/payments".to_owned(),
        action => format!("/payments/{id}/{action}"),
    }
}

/// The action, the status, the code and a part of the sentence, and the body that leads to them.
type Refused = (&'static str, u16, &'static str, &'static str, Value);

fn refused(id: Uuid) -> Vec<Refused> {
    let with = |name: &str, value: Value| {
        let mut body = hold(id);
        body[name] = value;
        body
    };
    let without = |name: &str, mut body: Value| {
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let action = |name: &str, value: Value| json!({"payment_id": id, name: value});
    let automatic = |mut body: Value| {
        body["capture"] = "automatic".into();
        body
    };
    let end = with("expires_at", json!(in_days(1)));
    let (pay, capture, void, reverse) = ("", "capture", "void", "reverse");
    vec![
        (
            pay,
            400,
            "FF01",
            "missing field `payment_id`",
            without("payment_id", hold(id)),
        ),
        (pay, 400, "FF01", "", with("more", json!(1))),
        (pay, 400, "FF01", "", with("capture", json!("later"))),
        (pay, 400, "FF01", "", without("capture", end.clone())),
        (pay, 400, "FF01", "only a hold ends", automatic(end)),
        (pay, 422, "AM12", "above zero", with("amount", json!("0"))),
        (
            pay,
            422,
            "DT01",
            "not in the future",
            with("expires_at", json!(in_days(-1))),
        ),
        (
            pay,
            422,
            "DT01",
            "31 days",
            with("expires_at", json!(in_days(32))),
        ),
        (
            pay,
            422,
            "DT01",
            "no time",
            with("expires_at", json!("tomorrow")),
        ),
        (
            capture,
            400,
            "FF01",
            "version 7 is recommended",
            json!({"amount": "1"}),
        ),
        (capture, 400, "FF01", "", action("client_id", json!("till"))),
        (capture, 400, "FF01", "", action("amount", json!(1))),
        (capture, 400, "FF01", "", action("final", json!("yes"))),
        (void, 400, "FF01", "missing field `payment_id`", json!({})),
        (void, 400, "FF01", "", action("amount", json!("1"))),
        (void, 400, "FF01", "", action("client_id", json!("../keys"))),
        (
            reverse,
            400,
            "FF01",
            "missing field `payment_id`",
            json!({"reason": "x"}),
        ),
        (reverse, 400, "FF01", "", action("final", json!(true))),
        (
            reverse,
            422,
            "FF01",
            "140 characters",
            action("reason", json!("ä".repeat(141))),
        ),
    ]
}

#[tokio::test]
async fn what_needs_no_books_is_refused_at_once() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let id = Uuid::now_v7();
    for (action, status, code, sentence, body) in refused(id) {
        let path = path(id, action);
        let got = service.post_to(&path, &token("shop", SUBMIT), &body).await;
        assert_eq!(got.status, status, "{path} {body}: {got:?}");
        assert_eq!(got.header("content-type"), "application/problem+json");
        assert_eq!(got.body["reason"]["code"], code, "{path} {body}: {got:?}");
        let detail = got.body["detail"].as_str().unwrap();
        assert!(detail.contains(sentence), "{path} {body}: {detail}");
    }
    for action in ["", "capture", "void", "reverse"] {
        let path = path(id, action);
        let url = format!("{}{path}", service.url);
        let text = reqwest::Client::new().post(&url).body("{}");
        let text = text
            .bearer_auth(token("shop", SUBMIT))
            .header("content-type", "text/plain");
        assert_eq!(text.send().await.unwrap().status(), 415, "{path}");
        for (status, token) in [(401, String::new()), (403, token("shop", "payments:read"))] {
            let got = service.post_to(&path, &token, &hold(id)).await;
            assert_eq!(got.status, status, "{path}: {got:?}");
        }
    }
    for path in [
        "/payments/x/capture",
        "/payments/x/void",
        "/payments/x/reverse",
    ] {
        let got = service
            .post_to(path, &token("shop", SUBMIT), &json!({"payment_id": id}))
            .await;
        assert_eq!(got.status, 400, "{path}: {got:?}");
    }
    let last = broker::last_sequence(&world.jetstream(), REQUESTS).await;
    assert_eq!(last.unwrap(), 1, "only the key is in the log");
    service.stop().await.unwrap();
}

/// A hold of the shop that it captured in part, and whose rest the desk voided.
async fn voided_in_part(world: &World, held: Uuid, captured: Uuid, voided: Uuid) {
    let requests = [
        ("hold.v1.shop", payment(held)),
        (
            "capture.v1.shop",
            json!({"payment_id": captured, "hold_id": held, "amount": "10"}),
        ),
        (
            "void.v1.desk",
            json!({"payment_id": voided, "hold_id": held, "client_id": "shop"}),
        ),
    ];
    let requests = requests.map(|(subject, body)| outgoing(&format!("request.{subject}"), &body));
    assert_eq!(world.publish_requests(requests.to_vec()).await, 4);
    let answers = [
        (
            "hold",
            "authorised",
            json!({"payment_id": held, "client_id": "shop", "amount": "30.00", "remaining": "30.00"}),
        ),
        (
            "capture",
            "captured",
            json!({"payment_id": captured, "client_id": "shop", "hold_id": held, "amount": "10.00", "remaining": "20.00"}),
        ),
        (
            "void",
            "voided",
            json!({"payment_id": voided, "client_id": "desk", "hold_id": held, "hold_client_id": "shop", "amount": "20.00"}),
        ),
    ];
    let messages = (2..).zip(answers).map(|(seq, (kind, status, said))| {
        let mut answer = json!({
            "request_seq": seq, "status": status, "reason": null, "debtor_account": null, "creditor_account": null,
            "currency": "EUR", "reference": null, "postings": [], "original": null, "may_retry": false,
            "published_at": "2026-11-23T00:00:00Z",
        });
        for (name, value) in said.as_object().into_iter().flatten() {
            answer[name] = value.clone();
        }
        let mut message = outgoing(&format!("settlement.{kind}.v1.any"), &answer);
        message.headers.add("ce-type", format!("payment.{status}.v1"));
        message
    });
    world.publish_answers(2, messages.collect()).await;
}

#[tokio::test]
async fn what_followed_is_shown_to_its_client_and_to_the_bank() {
    let world = World::with_key().await;
    let [held, captured, voided] = [1, 2, 3].map(Uuid::from_u128);
    voided_in_part(&world, held, captured, voided).await;
    let service = world.serve().await;
    world.projected(SETTLEMENTS, 4).await;

    let path = format!("/payments/{held}/follow-ups");
    let ids = |got: &Value| -> Vec<String> {
        let rows = got["payments"].as_array().unwrap().iter();
        rows.map(|row| {
            format!(
                "{} {}",
                row["kind"].as_str().unwrap(),
                row["payment_id"].as_str().unwrap()
            )
        })
        .collect()
    };
    let (capture, void) = (format!("capture {captured}"), format!("void {voided}"));
    let own = service.get(&token("shop", SUBMIT), &path).await;
    assert_eq!(ids(&own.body), [&*capture], "{own:?}");
    let banks = token("desk", "bank:operate");
    let all = service.get(&banks, &path).await;
    assert_eq!(ids(&all.body), [&*void, &*capture]);
    assert_eq!(all.body["payments"][0]["hold_client_id"], "shop");
    let first = service.get(&banks, &format!("{path}?limit=1")).await;
    assert_eq!(ids(&first.body), [&*void]);
    let rest = service
        .get(&banks, first.body["next"].as_str().unwrap())
        .await;
    assert_eq!(
        (ids(&rest.body), &rest.body["next"]),
        (vec![capture], &Value::Null)
    );
    for (status, asked) in [
        (404, service.get(&token("till", SUBMIT), &path).await),
        (
            403,
            service
                .get(&token("till", SUBMIT), &format!("{path}?client_id=shop"))
                .await,
        ),
        (400, service.get(&banks, &format!("{path}?limit=0")).await),
        (400, service.get(&banks, &format!("{path}?x=1")).await),
        (400, service.get(&banks, "/payments/x/follow-ups").await),
    ] {
        assert_eq!(asked.status, status, "{asked:?}");
    }

    // The hold has ended with nothing held; the capture's own rest is not the hold's.
    for (id, status, remaining) in [
        (held, "voided", json!("0.00")),
        (captured, "captured", Value::Null),
        (voided, "voided", Value::Null),
    ] {
        let got = service.get(&banks, &format!("/payments/{id}")).await.body;
        assert_eq!(
            (&got["status"], &got["remaining"]),
            (&json!(status), &remaining),
            "{got}"
        );
    }
    service.stop().await.unwrap();
}
