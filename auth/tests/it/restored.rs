//! A database that was restored from a backup: what was revoked since stays revoked.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Bank, EMAIL, PASSWORD, eventually};
use crate::persons::{admins_pair, call, pair};

/// Longer than a start takes.
const PATIENCE: Duration = Duration::from_secs(20);

const BACK_UP: &str = "create table keys_of_backup as select * from signing_keys;
    create table revocations_of_backup as select * from revocations";
/// As the owner of the tables: the service itself may not.
const RESTORE: &str =
    "delete from signing_keys; insert into signing_keys select * from keys_of_backup;
    delete from revocations; insert into revocations select * from revocations_of_backup";

async fn signing(bank: &Bank, state: &str) -> String {
    let kid = sqlx::query_scalar("select kid from signing_keys where state = $1").bind(state);
    kid.fetch_one(&bank.pool).await.expect("a key")
}

/// Revokes the key that signs, and waits until the log knows.
async fn revoke(bank: &Bank, admin: &Value) -> String {
    let kid = signing(bank, "active").await;
    let path = format!("/api/keys/{kid}/revoke");
    let (status, answer) = call(bank, Method::POST, &path, admin, Some(&json!({}))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    eventually("the ledger has noted it", async || {
        sqlx::query_scalar(
            "select exists (select from revocations where target ->> 'kid' = $1 and noted_seq is not null)",
        )
        .bind(&kid)
        .fetch_one(&bank.pool)
        .await
        .expect("a row")
    })
    .await;
    kid
}

/// Logs out, so that the backup knows of a revocation that is before the key's.
async fn log_out(bank: &Bank) {
    let person = pair(bank, EMAIL, PASSWORD).await;
    let body = json!({"refresh": person["refresh"]});
    bank.post("/api/token/blacklist/", &body).await;
}

#[tokio::test]
async fn a_restored_auth_goes_on_with_the_key_that_followed_the_one_revoked_since() {
    let (bank, auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    let (status, _) = call(
        &bank,
        Method::POST,
        "/api/keys/rotate",
        &admin,
        Some(&json!({})),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    eventually("the next key is noted", async || {
        sqlx::query_scalar(
            "select exists (select from signing_keys where state = 'pending' and announced_seq is not null)",
        )
        .fetch_one(&bank.pool)
        .await
        .expect("a row")
    })
    .await;
    log_out(&bank).await;
    let next = signing(&bank, "pending").await;
    bank.sql(BACK_UP).await;
    let revoked = revoke(&bank, &admin).await;
    drop(auth);
    bank.sql(RESTORE).await;
    assert_eq!(signing(&bank, "active").await, revoked);

    let _auth = bank.auth();
    bank.wait_until_ready().await;
    assert_eq!(signing(&bank, "active").await, next);
    assert_eq!(signing(&bank, "revoked").await, revoked);
    // What it signed counts no more here either.
    let (status, _) = call(&bank, Method::GET, "/api/users", &admin, None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let actor: Option<String> = sqlx::query_scalar(
        "select actor from events where what = 'key.revoked' order by id desc limit 1",
    )
    .fetch_one(&bank.pool)
    .await
    .expect("an event");
    assert_eq!(actor.as_deref(), Some("auth"));
    assert!(pair(&bank, EMAIL, PASSWORD).await["access"].is_string());
}

#[tokio::test]
async fn a_restored_auth_whose_key_was_revoked_since_signs_nothing_and_says_what_to_do() {
    let (bank, auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    bank.sql(BACK_UP).await;
    let revoked = revoke(&bank, &admin).await;
    drop(auth);
    bank.sql(RESTORE).await;
    let jetstream = bank.jetstream("ledger").await;
    let before = common::broker::last_sequence(&jetstream, common::wire::REQUESTS).await;

    // Each time it is started: nothing is written, here or in the log.
    for _ in 0..2 {
        let ended = tokio::time::timeout(PATIENCE, auth::serve(bank.config())).await;
        let error = ended.expect("it ends").expect_err("with an error");
        let text = format!("{error:#}");
        assert!(
            text.contains(&revoked) && text.contains("newer backup"),
            "{text}"
        );
        assert_eq!(signing(&bank, "active").await, revoked);
    }
    let after = common::broker::last_sequence(&jetstream, common::wire::REQUESTS).await;
    assert_eq!(before.expect("a stream"), after.expect("a stream"));
}
