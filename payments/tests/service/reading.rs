//! What `GET /payments` and `GET /payments/{id}` show.

use common::reason::Code;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::signer::token;
use crate::support::{World, eventually, payment};

#[tokio::test]
async fn a_payment_can_be_read_right_after_it_was_taken() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let token = token("shop", "payments:submit payments:read");
    for _ in 0..100 {
        let id = Uuid::now_v7();
        let taken = service.post(&token, &payment(id)).await;
        let got = service.get(&token, taken.header("location")).await;
        assert_eq!(got.status, 200, "{got:?}");
        assert_eq!(got.body["status"], "pending");
        assert_eq!(got.body["payment_id"], json!(id));
    }
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_payment_shows_its_settlement_event_once_there_is_one() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let token = token("shop", "payments:submit payments:read");
    let (paid, refused) = (Uuid::now_v7(), Uuid::now_v7());
    service.post(&token, &payment(paid)).await;
    service.post(&token, &payment(refused)).await;
    let path = format!("/payments/{paid}");

    let mut pending = service.get(&token, &path).await.body;
    assert!(pending["published_at"].as_str().unwrap().ends_with('Z'));
    pending["published_at"] = Value::Null;
    let (debtor, creditor) = (Uuid::from_u128(0xA), Uuid::from_u128(0xB));
    let expected = json!({
        "request_seq": 2, "payment_id": paid, "client_id": "shop", "kind": "payment", "status": "pending",
        "reason": null, "hold_id": null, "hold_client_id": null, "expires_at": null, "remaining": null, "reverses": null,
        "debtor_account": debtor, "creditor_account": creditor, "amount": "30", "currency": "EUR",
        "reference": "invoice 7", "effective_date": null, "metadata": {}, "postings": [], "original": null,
        "may_retry": false, "published_at": null, "decided_at": null, "kind": "payment", "hold_id": null,
        "expires_at": null, "remaining": null, "reverses": null, "rates": [],
    });
    assert_eq!(pending, expected);

    world.settle(2).await;
    world.reject(3, Code::AM04).await;
    let settled = eventually("settled", async || {
        let got = service.get(&token, &path).await.body;
        (got["status"] == "settled").then_some(got)
    })
    .await;
    assert_eq!(settled["amount"], "30.00");
    let debit =
        json!({"account": debtor, "direction": "debit", "amount": "30.00", "balance": "-30.00"});
    assert_eq!(settled["postings"][0], debit);
    assert!(settled["decided_at"].as_str() >= settled["published_at"].as_str());

    let path = format!("/payments/{refused}");
    let rejected = eventually("rejected", async || {
        let got = service.get(&token, &path).await.body;
        (got["status"] == "rejected").then_some(got)
    })
    .await;
    assert_eq!(
        rejected["reason"],
        json!({"code": "AM04", "message": "because"})
    );
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_sees_its_own_payments_and_the_bank_sees_all() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let (shop, till) = (
        token("shop", "payments:submit payments:read"),
        token("till", "payments:read"),
    );
    let bank = token("staff", "bank:operate");
    let id = Uuid::now_v7();
    service.post(&shop, &payment(id)).await;
    let table = [
        (200, &shop, format!("/payments/{id}")),
        (200, &shop, format!("/payments/{id}?client_id=shop")),
        (200, &bank, format!("/payments/{id}?client_id=shop")),
        (200, &bank, format!("/payments/{id}")),
        (404, &bank, format!("/payments/{}", Uuid::now_v7())),
        (404, &till, format!("/payments/{id}")),
        (403, &till, format!("/payments/{id}?client_id=shop")),
        (403, &till, "/payments?client_id=shop".to_owned()),
        (404, &shop, format!("/payments/{}", Uuid::now_v7())),
        (400, &shop, "/payments/7".to_owned()),
        (400, &bank, format!("/payments/{id}?client_id=a.b")),
        (400, &shop, format!("/payments/{id}?x=1")),
        (400, &shop, "/payments?limit=0".to_owned()),
        (400, &shop, "/payments?limit=101".to_owned()),
        (400, &shop, "/payments?status=lost".to_owned()),
        (400, &shop, "/payments?before=-1".to_owned()),
    ];
    for (status, token, path) in table {
        let got = service.get(token, &path).await;
        assert_eq!(got.status, status, "{path}: {got:?}");
        if status != 200 {
            let kind = got.header("content-type");
            assert_eq!(kind, "application/problem+json", "{path}");
        }
    }
    let submitter = token("shop", "payments:submit");
    assert_eq!(service.get(&submitter, "/payments").await.status, 403);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn the_bank_says_whose_payment_it_means_when_two_clients_chose_one_id() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let id = Uuid::now_v7();
    for client in ["shop", "till"] {
        let token = token(client, "payments:submit payments:read");
        service.post(&token, &payment(id)).await;
        let own = service.get(&token, &format!("/payments/{id}")).await;
        assert_eq!(own.body["client_id"], client);
    }
    let bank = token("staff", "bank:operate");
    let got = service.get(&bank, &format!("/payments/{id}")).await;
    assert_eq!(got.status, 409, "{got:?}");
    let detail = got.body["detail"].as_str().unwrap();
    assert!(detail.ends_with("client_id: shop, till"), "{detail}");
    let path = format!("/payments/{id}?client_id=till");
    assert_eq!(service.get(&bank, &path).await.body["client_id"], "till");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_list_goes_from_new_to_old_page_by_page() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let token = token("shop", "payments:submit payments:read");
    let mut last = Uuid::nil();
    for _ in 0..5 {
        last = Uuid::now_v7();
        service.post(&token, &payment(last)).await;
    }
    for seq in 2..=6 {
        match seq % 2 {
            0 => world.settle(seq).await,
            _ => world.reject(seq, Code::AC04).await,
        }
    }
    eventually("projected", async || {
        (world.row(last).await?.1 == "settled").then_some(())
    })
    .await;

    let mut pages = Vec::new();
    let mut next = Some("/payments?limit=2".to_owned());
    while let Some(path) = next {
        let got = service.get(&token, &path).await;
        assert_eq!(got.status, 200, "{path}: {got:?}");
        pages.push(sequences(&got.body));
        next = got.body["next"].as_str().map(str::to_owned);
    }
    assert_eq!(pages, [vec![6, 5], vec![4, 3], vec![2]]);

    let check = async |path: &str, expected: &[u64], next: Value| {
        let got = service.get(&token, path).await;
        assert_eq!(sequences(&got.body), expected, "{path}");
        assert_eq!(got.body["next"], next, "{path}");
    };
    check("/payments", &[6, 5, 4, 3, 2], Value::Null).await;
    check("/payments?status=rejected", &[5, 3], Value::Null).await;
    check("/payments?status=pending", &[], Value::Null).await;
    check("/payments?before=2", &[], Value::Null).await;
    // A batch has many payments at one place, so a page goes on behind a payment.
    let got = service
        .get(&token, "/payments?status=settled&limit=2")
        .await;
    assert_eq!(sequences(&got.body), [6, 4]);
    let last = &got.body["payments"][1]["payment_id"];
    let last = last.as_str().expect("a UUID");
    let next = format!("/payments?limit=2&before=4&before_payment={last}&status=settled");
    assert_eq!(got.body["next"], next);
    service.stop().await.unwrap();
}

fn sequences(list: &Value) -> Vec<u64> {
    let payments = list["payments"].as_array().into_iter().flatten();
    payments.filter_map(|p| p["request_seq"].as_u64()).collect()
}
