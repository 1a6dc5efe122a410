//! The key is in the log before the first token, whatever dies in between.

use common::broker;
use common::kinds::trust::KeyStatus;
use common::wire;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{Auth, Bank, EMAIL, PASSWORD, eventually};

async fn requests(bank: &Bank) -> u64 {
    let jetstream = bank.jetstream("ledger").await;
    broker::last_sequence(&jetstream, wire::REQUESTS)
        .await
        .unwrap_or(0)
}

async fn keys(bank: &Bank) -> String {
    let answer = bank
        .http
        .get(bank.at("/.well-known/jwks.json"))
        .send()
        .await;
    let keys = answer.expect("auth answers").text().await.expect("a text");
    assert_eq!(keys.matches("kid").count(), 1, "{keys}");
    keys
}

#[tokio::test]
async fn no_token_is_issued_before_the_ledger_has_noted_the_key() {
    let bank = Bank::new().await;
    let auth = bank.auth();
    // It serves, and waits for streams that nobody has made.
    let live = async || bank.http.get(bank.at("/health/live")).send().await.is_ok();
    eventually("auth serves", live).await;
    let login = json!({"email": EMAIL, "password": PASSWORD});
    let refused = bank.post("/api/token/", &login).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
    let ready = bank
        .http
        .get(bank.at("/health/ready"))
        .send()
        .await
        .unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);

    // It dies between the key and its announcement, and comes back with the same key.
    let made = keys(&bank).await;
    drop(auth);
    let auth = bank.auth();
    let _ledger = bank.ledger(KeyStatus::Noted).await;
    bank.wait_until_ready().await;
    assert_eq!((requests(&bank).await, keys(&bank).await), (1, made));
    drop(auth);

    // A restart has nothing to announce.
    let _auth = bank.auth();
    bank.wait_until_ready().await;
    assert_eq!(requests(&bank).await, 1);
}

#[tokio::test]
async fn a_start_that_died_before_the_answer_is_taken_up_by_the_next() {
    let bank = Bank::new().await;
    let ledger = bank.ledger(KeyStatus::Noted).await;
    drop(ledger);
    let auth = bank.auth();
    eventually("the key is announced", async || requests(&bank).await == 1).await;
    drop(auth);
    let _auth = bank.auth();
    let _ledger = bank.ledger(KeyStatus::Noted).await;
    bank.wait_until_ready().await;
    // It was announced twice: the ledger knows that by itself.
    assert_eq!(requests(&bank).await, 2);
}

#[tokio::test]
async fn a_producer_can_take_no_message_id_that_the_announcement_needs() {
    let bank = Bank::new().await;
    // It makes its key, which everybody may read, and dies before there is a log to announce it in.
    let auth = bank.auth();
    let live = async || bank.http.get(bank.at("/health/live")).send().await.is_ok();
    eventually("auth serves", live).await;
    let kid =
        serde_json::from_str::<serde_json::Value>(&keys(&bank).await).unwrap()["keys"][0]["kid"]
            .as_str()
            .unwrap()
            .to_owned();
    drop(auth);
    let _ledger = bank.ledger(KeyStatus::Noted).await;
    // To this ledger anything that reads like an announcement is one, so it answers: to another key.
    let body = json!({"kid": "other", "issuer": "i", "n": "n", "e": "e"});
    let mut headers = common::headers::HeaderLines::default();
    headers.add("Nats-Msg-Id", format_args!("auth:key:{kid}"));
    let message = common::message::Outgoing {
        subject: "request.payment.v1.demo-shop".to_owned(),
        headers,
        payload: body.to_string().into(),
    };
    let producer = broker::Publisher::new(&bank.broker("demo-shop"));
    producer.publish_one(wire::REQUESTS, message).await.unwrap();

    let _auth = bank.auth();
    bank.wait_until_ready().await;
    assert_eq!(requests(&bank).await, 2);
}

#[tokio::test]
async fn two_instances_that_start_at_once_agree_on_one_key() {
    let bank = Bank::new().await;
    let _ledger = bank.ledger(KeyStatus::Noted).await;
    let mut other = bank.config();
    other.service.web.listen = local::testing::free_address();
    let there = format!("http://{}/.well-known/jwks.json", other.service.web.listen);
    let (_one, _two) = (bank.auth(), Auth::start(other));
    bank.wait_until_ready().await;
    let here = bank.at("/.well-known/jwks.json");
    let keys = async |url: &str| {
        bank.http
            .get(url)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    eventually("both serve", async || {
        bank.http.get(&there).send().await.is_ok()
    })
    .await;
    assert_eq!(keys(&here).await, keys(&there).await);
    assert_eq!(keys(&here).await.matches("kid").count(), 1);
    // Each may have announced it, for the ledger notes a key once.
    assert!((1..=2).contains(&requests(&bank).await));
}

#[tokio::test]
async fn a_log_that_was_replaced_gets_the_key_again() {
    let bank = Bank::new().await;
    let ledger = bank.ledger(KeyStatus::Noted).await;
    let auth = bank.auth();
    bank.wait_until_ready().await;
    drop(auth);
    // As if the log had been longer: what is left of it does not reach the announcement.
    bank.sql("update signing_keys set announced_seq = 7").await;
    drop(ledger);
    let _auth = bank.auth();
    let _ledger = bank.ledger(KeyStatus::Duplicate).await;
    bank.wait_until_ready().await;
    let announced: i64 = sqlx::query_scalar("select announced_seq from signing_keys")
        .fetch_one(&bank.pool)
        .await
        .unwrap();
    assert_eq!(announced, 2);
}

#[tokio::test]
async fn a_key_that_the_ledger_rejects_stops_the_service_with_advice() {
    let bank = Bank::new().await;
    let _ledger = bank.ledger(KeyStatus::Rejected).await;
    let error = auth::serve(bank.config()).await.unwrap_err().to_string();
    assert!(error.contains("restore auth's database"), "{error}");
}

#[tokio::test]
async fn a_wrong_configuration_is_told_and_its_secrets_are_not() {
    let bank = Bank::new().await;
    let _ledger = bank.ledger(KeyStatus::Noted).await;
    let auth = bank.auth();
    bank.wait_until_ready().await;
    drop(auth);

    let mut config = bank.config();
    config.key_encryption_key = "00".repeat(32).parse().unwrap();
    let error = format!("{:#}", auth::serve(config).await.unwrap_err());
    assert!(
        error.contains("QUITTANCE_KEY_ENCRYPTION_KEY is not the one"),
        "{error}"
    );

    let mut config = bank.config();
    config.issuer = "https://other.test".to_owned();
    let error = auth::serve(config).await.unwrap_err().to_string();
    assert!(error.contains("set QUITTANCE_ISSUER"), "{error}");

    let mut config = bank.config();
    config.service.broker.password = "wrong".to_owned();
    let error = format!("{:#}", auth::serve(config).await.unwrap_err());
    assert!(error.contains("does not let auth in"), "{error}");

    let shown = format!("{:?}", bank.config());
    let secrets = bank.servers.service_env(local::Service::Auth, 1);
    for (name, value) in secrets {
        if name.ends_with("PASSWORD") || name.ends_with("KEY") || name.ends_with("DATABASE_URL") {
            assert!(!shown.contains(&value), "{name} is shown in {shown}");
        }
    }
}

#[tokio::test]
async fn the_service_can_delete_nothing_and_change_no_key() {
    let (bank, _auth, _ledger) = Bank::open().await;
    for statement in [
        "delete from users",
        "delete from refresh_families",
        "delete from signing_keys",
        "truncate service_accounts cascade",
        "update signing_keys set n = ''",
        "update signing_keys set kid = ''",
        "delete from signing_key_lock",
        "update refresh_families set ends_at = now()",
    ] {
        let error = sqlx::query(statement)
            .execute(&bank.pool)
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("permission denied"),
            "{statement}: {error}"
        );
    }
    // A key goes on through its life, and never back.
    for statement in [
        "update signing_keys set state = 'pending', activates_at = now()",
        "update signing_keys set private_sealed = null",
    ] {
        let refused = sqlx::query(statement).execute(&bank.pool).await;
        assert!(refused.is_err(), "{statement}");
    }
}
