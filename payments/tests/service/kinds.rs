//! Holds, captures, voids, reversals and transactions: what each leaves in the log, what is refused at once, and where each
//! payment stands after the answers.

use common::broker;
use common::ids::{AccountId, ClientId, PaymentId};
use common::kinds::Answer;
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::kinds::settlement::Reverses;
use common::wire::REQUESTS;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::signer::token;
use crate::support::{World, eventually, payment};

const SUBMIT: &str = "payments:submit payments:read";

fn with(body: Value, more: Value) -> Value {
    let (mut body, Value::Object(more)) = (body, more) else {
        panic!("what is added is an object")
    };
    for (name, value) in more {
        body[name] = value;
    }
    body
}

#[tokio::test]
async fn what_needs_no_books_is_refused_at_once() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let hold = |more: Value| with(payment(Uuid::now_v7()), more);
    let id = || json!({"payment_id": Uuid::now_v7()});
    let of = format!("/payments/{}", Uuid::now_v7());
    let [capture, void, reverse] = ["capture", "void", "reverse"].map(|act| format!("{of}/{act}"));
    let leg = |direction: &str, amount: &str| json!({"account": Uuid::nil(), "direction": direction, "amount": amount, "currency": "EUR"});
    let postings = |legs: Vec<Value>| with(id(), json!({"postings": legs}));
    let manual = |expires_at: &str| hold(json!({"capture": "manual", "expires_at": expires_at}));
    let rows = [
        ("/payments", hold(json!({"capture": "later"})), 400, "FF01"),
        (
            "/payments",
            hold(json!({"expires_at": "2999-01-01T00:00:00Z"})),
            400,
            "FF01",
        ),
        (
            "/payments",
            hold(json!({"capture": "automatic", "expires_at": "x"})),
            400,
            "FF01",
        ),
        ("/payments", manual("tomorrow"), 422, "DT01"),
        ("/payments", manual("2020-01-01T00:00:00Z"), 422, "DT01"),
        ("/payments", manual("2999-01-01T00:00:00Z"), 422, "DT01"),
        (
            "/payments",
            hold(json!({"capture": "manual", "amount": "0"})),
            422,
            "AM12",
        ),
        (&capture, json!({}), 400, "FF01"),
        (&capture, with(id(), json!({"amount": 5})), 400, "FF01"),
        (
            &capture,
            with(id(), json!({"hold_id": Uuid::nil()})),
            400,
            "FF01",
        ),
        (&void, json!({"payment_id": 7}), 400, "FF01"),
        (&void, with(id(), json!({"client_id": "a b"})), 400, "FF01"),
        (
            &reverse,
            with(id(), json!({"reason": "x".repeat(141)})),
            422,
            "FF01",
        ),
        (&reverse, json!([]), 400, "FF01"),
        ("/payments/x/capture", id(), 400, ""),
        ("/transactions", json!({}), 400, "FF01"),
        (
            "/transactions",
            postings(vec![leg("debit", "1")]),
            422,
            "FF01",
        ),
        (
            "/transactions",
            postings(vec![leg("debit", "1"), leg("credit", "2")]),
            422,
            "NARR",
        ),
        (
            "/transactions",
            postings(vec![leg("left", "1"), leg("credit", "1")]),
            400,
            "FF01",
        ),
        (
            "/transactions",
            postings(vec![leg("debit", "1"); 101]),
            422,
            "FF01",
        ),
    ];
    for (path, body, status, code) in rows {
        let got = service.post_to(path, &token("shop", SUBMIT), &body).await;
        assert_eq!(got.status, status, "{path} {body}: {got:?}");
        assert_eq!(got.header("content-type"), "application/problem+json");
        let got_code = got.body["reason"]["code"].as_str().unwrap_or_default();
        assert_eq!(got_code, code, "{path} {body}: {got:?}");
    }
    for path in ["/payments", &capture, &void, &reverse, "/transactions"] {
        let got = service
            .post_to(path, &token("shop", "payments:read"), &id())
            .await;
        assert_eq!(got.status, 403, "{path}: {got:?}");
        let got = service.post_to(path, "", &id()).await;
        assert_eq!(got.status, 401, "{path}: {got:?}");
    }
    let last = broker::last_sequence(&world.jetstream(), REQUESTS).await;
    assert_eq!(last.unwrap(), 1, "only the key is in the log");
    service.stop().await.unwrap();
}

/// Ids of what a story is about.
struct Story {
    hold: Uuid,
    captures: [Uuid; 2],
    paid: Uuid,
    reversals: [Uuid; 2],
    voided: Uuid,
    void: Uuid,
    expired: Uuid,
    booked: Uuid,
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one row per request of a story")]
async fn each_payment_stands_where_its_answers_leave_it() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let shop = token("shop", SUBMIT);
    let new = Uuid::now_v7;
    let story = Story {
        hold: new(),
        captures: [new(), new()],
        paid: new(),
        reversals: [new(), new()],
        voided: new(),
        void: new(),
        expired: new(),
        booked: new(),
    };
    let hold = |id| with(payment(id), json!({"capture": "manual"}));
    let leg = |direction: &str, account: u128| json!({"account": Uuid::from_u128(account), "direction": direction, "amount": "30", "currency": "EUR"});
    let asked = [
        ("/payments".to_owned(), hold(story.hold)),
        (
            format!("/payments/{}/capture", story.hold),
            json!({"payment_id": story.captures[0], "amount": "10"}),
        ),
        (
            format!("/payments/{}/capture", story.hold),
            json!({"payment_id": story.captures[1]}),
        ),
        ("/payments".to_owned(), payment(story.paid)),
        (
            format!("/payments/{}/reverse", story.paid),
            json!({"payment_id": story.reversals[0], "amount": "10"}),
        ),
        (
            format!("/payments/{}/reverse", story.paid),
            json!({"payment_id": story.reversals[1]}),
        ),
        ("/payments".to_owned(), hold(story.voided)),
        (
            format!("/payments/{}/void", story.voided),
            json!({"payment_id": story.void}),
        ),
        ("/payments".to_owned(), hold(story.expired)),
        (
            "/transactions".to_owned(),
            json!({"payment_id": story.booked, "postings": [leg("debit", 0xA), leg("credit", 0xB)]}),
        ),
    ];
    for (seq, (path, body)) in (2..).zip(asked) {
        let got = service.post_to(&path, &shop, &body).await;
        assert_eq!(got.request_seq(), seq, "{path}");
    }
    let subjects = [
        "hold",
        "capture",
        "capture",
        "payment",
        "reversal",
        "reversal",
        "hold",
        "void",
        "hold",
        "transaction",
    ];
    for (seq, kind) in (2..).zip(subjects) {
        assert_eq!(
            world.request(seq).await.subject,
            format!("request.{kind}.v1.shop")
        );
    }
    let pending = service
        .get(&shop, &format!("/payments/{}", story.captures[0]))
        .await
        .body;
    assert_eq!(
        (&pending["kind"], &pending["status"]),
        (&json!("capture"), &json!("pending"))
    );
    assert_eq!(pending["hold_id"], json!(story.hold));

    for (seq, answer) in (2..).zip(answers(&story)) {
        world
            .answer(&world.request(seq).await, &Answer::Payment(answer))
            .await;
    }
    let expected = [
        (story.hold, "hold", "captured", json!("0.00")),
        (story.captures[0], "capture", "captured", Value::Null),
        (story.captures[1], "capture", "captured", Value::Null),
        (story.paid, "payment", "reversed", json!("0.00")),
        (story.reversals[0], "reversal", "reversed", Value::Null),
        (story.voided, "hold", "voided", json!("0.00")),
        (story.void, "void", "voided", Value::Null),
        (story.expired, "hold", "authorised", json!("30.00")),
        (story.booked, "transaction", "settled", Value::Null),
    ];
    let stands = async |id: Uuid, kind: &str, status: &str, remaining: &Value| {
        let path = format!("/payments/{id}");
        eventually(status, async || {
            let got = service.get(&shop, &path).await.body;
            let is_so =
                got["kind"] == kind && got["status"] == status && got["remaining"] == *remaining;
            is_so.then_some(())
        })
        .await;
    };
    for (id, kind, status, remaining) in &expected {
        stands(*id, kind, status, remaining).await;
    }
    // Read once more from the beginning, nothing changes.
    service.stop().await.unwrap();
    sqlx::query("update cursor set seq = 0 where stream = 'SETTLEMENTS'")
        .execute(&world.db)
        .await
        .unwrap();
    let service = world.serve().await;
    eventually("read again", async || {
        (world.cursor(common::wire::SETTLEMENTS).await == 11).then_some(())
    })
    .await;
    for (id, kind, status, remaining) in &expected {
        let got = service.get(&shop, &format!("/payments/{id}")).await.body;
        assert_eq!(got["kind"], *kind);
        assert_eq!(
            (&got["status"], &got["remaining"]),
            (&json!(status), remaining),
            "{kind}"
        );
    }
    service.stop().await.unwrap();
}

/// What the ledger says to each request of the story.
fn answers(story: &Story) -> Vec<PaymentAnswer> {
    use PaymentStatus::{Authorised, Captured, Reversed, Settled, Voided};
    let shop: ClientId = "shop".parse().expect("a client id");
    let answer =
        |seq: u64, id: Uuid, status, amount: &str, remaining: Option<&str>| PaymentAnswer {
            request_seq: seq,
            payment_id: Some(PaymentId(id)),
            status,
            debtor_account: Some(AccountId(Uuid::from_u128(0xA))),
            creditor_account: Some(AccountId(Uuid::from_u128(0xB))),
            amount: Some(amount.to_owned()),
            currency: Some("EUR".to_owned()),
            remaining: remaining.map(str::to_owned),
            ..PaymentAnswer::nothing(shop.clone())
        };
    let of_hold = |hold: Uuid, answer: PaymentAnswer| PaymentAnswer {
        hold_id: Some(PaymentId(hold)),
        ..answer
    };
    let reversing = |answer: PaymentAnswer| PaymentAnswer {
        reverses: Some(Reverses {
            client_id: shop.clone(),
            payment_id: PaymentId(story.paid),
        }),
        ..answer
    };
    vec![
        answer(2, story.hold, Authorised, "30.00", Some("30.00")),
        of_hold(
            story.hold,
            answer(3, story.captures[0], Captured, "10.00", Some("20.00")),
        ),
        of_hold(
            story.hold,
            answer(4, story.captures[1], Captured, "20.00", Some("0.00")),
        ),
        answer(5, story.paid, Settled, "30.00", None),
        reversing(answer(
            6,
            story.reversals[0],
            Reversed,
            "10.00",
            Some("20.00"),
        )),
        reversing(answer(
            7,
            story.reversals[1],
            Reversed,
            "20.00",
            Some("0.00"),
        )),
        answer(8, story.voided, Authorised, "30.00", Some("30.00")),
        of_hold(
            story.voided,
            answer(9, story.void, Voided, "30.00", Some("0.00")),
        ),
        answer(10, story.expired, Authorised, "30.00", Some("30.00")),
        answer(11, story.booked, Settled, "30.00", None),
    ]
}
