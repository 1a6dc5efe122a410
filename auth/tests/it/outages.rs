//! The database or the broker goes away and comes back; the service stays.

use auth::clients;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{Bank, EMAIL, PASSWORD, eventually};

async fn login(bank: &Bank) -> StatusCode {
    let login = json!({"email": EMAIL, "password": PASSWORD});
    bank.post("/api/token/", &login).await.status()
}

/// Makes a service account and waits for its consumer.
async fn a_new_account_is_served(bank: &Bank, name: &str) {
    let id = name.parse().expect("a good id");
    clients::ensure_service_account(&bank.pool, &id, &"s".repeat(43), "payments:read")
        .await
        .expect("an account");
    let jetstream = bank.jetstream("ledger").await;
    let stream = jetstream.get_stream_no_info("SETTLEMENTS").await;
    let stream = stream.expect("asks nobody");
    let consumer = async || stream.consumer_info(name).await.is_ok();
    eventually("the new account's consumer is there", consumer).await;
}

#[tokio::test]
async fn logins_end_with_the_database_and_come_back_with_it() {
    let (mut bank, _auth, _ledger) = Bank::open().await;
    assert_eq!(login(&bank).await, StatusCode::OK);
    bank.servers.kill_postgres();
    assert_eq!(login(&bank).await, StatusCode::SERVICE_UNAVAILABLE);
    bank.servers.restart_postgres().await.unwrap();
    eventually("logins work", async || login(&bank).await == StatusCode::OK).await;
    a_new_account_is_served(&bank, "after-the-database").await;
}

#[tokio::test]
async fn logins_go_on_without_the_broker_and_accounts_are_served_when_it_is_back() {
    let (mut bank, _auth, _ledger) = Bank::open().await;
    bank.servers.kill_nats();
    assert_eq!(login(&bank).await, StatusCode::OK);
    bank.servers.restart_nats().await.unwrap();
    a_new_account_is_served(&bank, "after-the-broker").await;
}
