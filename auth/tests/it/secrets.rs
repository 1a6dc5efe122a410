//! What lies in auth's database opens nothing.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::harness::{Bank, EMAIL, EXCHANGE_SECRET, PASSWORD, text};
use crate::persons::Caller;
use crate::second_factor::{decoded, enrol};

const SECRET: &str = "a secret of the tests, as long as a real one";

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Asks for a token in exchange.
async fn exchange(
    bank: &Bank,
    client: &str,
    secret: &str,
    token: &str,
    kind: &str,
    audience: &str,
) -> Response {
    let form = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("client_id", client),
        ("client_secret", secret),
        ("subject_token", token),
        ("subject_token_type", kind),
        ("audience", audience),
    ];
    bank.post_form("/oauth2/token", &form).await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every row of every table, as text.
async fn dump(bank: &Bank) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.tables where table_schema = 'public' order by 1",
    )
    .fetch_all(&bank.pool)
    .await
    .expect("tables");
    assert!(tables.len() > 8, "{tables:?}");
    let mut dump = String::new();
    for table in tables {
        let rows = format!("select row_to_json(t)::text from {table} t");
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(rows))
            .fetch_all(&bank.pool)
            .await
            .expect("rows");
        dump.push_str(&rows.concat());
    }
    dump
}

#[tokio::test]
async fn dump_contains_no_usable_secret() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let shop = "demo-shop".parse().expect("a good id");
    auth::clients::ensure_service_account(&bank.pool, &shop, SECRET, "payments:submit")
        .await
        .expect("an account");
    let login = json!({"email": EMAIL, "password": PASSWORD});
    let pair: Value = bank
        .post("/api/token/", &login)
        .await
        .json()
        .await
        .expect("a pair");
    let next = bank
        .post("/api/token/refresh/", &json!({"refresh": pair["refresh"]}))
        .await;
    let next: Value = next.json().await.expect("a pair");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "demo-shop"),
        ("client_secret", SECRET),
    ];
    let granted = bank.post_form("/oauth2/token", &form).await;
    let granted: Value = granted.json().await.expect("a token");
    let access = text(&next, "access");
    let exchanged = exchange(
        &bank,
        "payments",
        EXCHANGE_SECRET,
        access,
        ACCESS_TOKEN,
        "quittance-log",
    )
    .await;
    assert_eq!(exchanged.status(), StatusCode::OK);
    let exchanged: Value = exchanged.json().await.expect("a token");
    let logged_out = bank
        .post(
            "/api/token/blacklist/",
            &json!({"refresh": next["refresh"]}),
        )
        .await;
    assert_eq!(logged_out.status(), StatusCode::RESET_CONTENT);

    let (totp_secret, recovery) = enrol(&Caller::log_in(&bank, EMAIL).await).await;

    let invited = auth::invitations::invite_first_admin(&bank.pool, "boss@b.rw").await;
    let invited = invited.expect("a database").expect("no admin yet");

    let dump = dump(&bank).await;
    // The dump is one: what may be read is there.
    assert!(dump.contains("demo-shop") && dump.contains(EMAIL), "{dump}");
    let signature = |token: &str| token.rsplit_once('.').expect("a JWT").1.to_owned();
    for (what, secret) in [
        ("the password", PASSWORD.to_owned()),
        ("the client secret", SECRET.to_owned()),
        ("the exchange secret", EXCHANGE_SECRET.to_owned()),
        ("a refresh token", signature(text(&pair, "refresh"))),
        ("its successor", signature(text(&next, "refresh"))),
        ("an access token", signature(text(&next, "access"))),
        (
            "a program's token",
            signature(text(&granted, "access_token")),
        ),
        (
            "a token for the log",
            signature(text(&exchanged, "access_token")),
        ),
        ("a second factor's secret", totp_secret.clone()),
        ("the same in hex", hex(&decoded(&totp_secret))),
        ("a recovery code", recovery[0].clone()),
        ("the same without hyphens", recovery[0].replace('-', "")),
        ("an invitation", invited.clone()),
        ("the same without hyphens", invited.replace('-', "")),
        ("any token", "eyJhbGciOi".to_owned()),
        ("a private key", "PRIVATE KEY".to_owned()),
    ] {
        assert!(!dump.contains(&secret), "{what} is in the database");
    }
}

/// Only payments and the ledger exchange tokens, only for the log, and only what counts.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table reads best in one place")]
async fn tokens_are_exchanged_for_services_of_the_bank_only() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let shop = "demo-shop".parse().expect("a good id");
    auth::clients::ensure_service_account(&bank.pool, &shop, SECRET, "payments:submit")
        .await
        .expect("an account");
    let login = json!({"email": EMAIL, "password": PASSWORD});
    let pair: Value = bank
        .post("/api/token/", &login)
        .await
        .json()
        .await
        .expect("a pair");
    let access = text(&pair, "access");
    let ask = async |client: &str, secret: &str, token: &str, kind: &str, audience: &str| {
        let answer = exchange(&bank, client, secret, token, kind, audience).await;
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.expect("JSON"))
    };
    let (status, good) = ask(
        "payments",
        EXCHANGE_SECRET,
        access,
        ACCESS_TOKEN,
        "quittance-log",
    )
    .await;
    assert_eq!(status, 200, "{good}");
    let for_the_log = text(&good, "access_token").to_owned();
    let refresh = text(&pair, "refresh");
    for (what, client, secret, token, kind, audience, expected) in [
        (
            "a service account",
            "demo-shop",
            SECRET,
            access,
            ACCESS_TOKEN,
            "quittance-log",
            "invalid_client",
        ),
        (
            "a wrong secret",
            "payments",
            SECRET,
            access,
            ACCESS_TOKEN,
            "quittance-log",
            "invalid_client",
        ),
        (
            "a service without one",
            "ledger",
            EXCHANGE_SECRET,
            access,
            ACCESS_TOKEN,
            "quittance-log",
            "invalid_client",
        ),
        (
            "another audience",
            "payments",
            EXCHANGE_SECRET,
            access,
            ACCESS_TOKEN,
            "quittance",
            "invalid_target",
        ),
        (
            "another type",
            "payments",
            EXCHANGE_SECRET,
            access,
            "x",
            "quittance-log",
            "invalid_request",
        ),
        (
            "a refresh token",
            "payments",
            EXCHANGE_SECRET,
            refresh,
            ACCESS_TOKEN,
            "quittance-log",
            "invalid_grant",
        ),
        (
            "one for the log",
            "payments",
            EXCHANGE_SECRET,
            &for_the_log,
            ACCESS_TOKEN,
            "quittance-log",
            "invalid_grant",
        ),
        (
            "garbage",
            "payments",
            EXCHANGE_SECRET,
            "x.y.z",
            ACCESS_TOKEN,
            "quittance-log",
            "invalid_grant",
        ),
    ] {
        let (_, answer) = ask(client, secret, token, kind, audience).await;
        assert_eq!(answer["error"], expected, "{what}: {answer}");
    }
    // Who logged out gets none for the token that still lives.
    bank.post("/api/token/blacklist/", &json!({"refresh": refresh}))
        .await;
    let (_, answer) = ask(
        "payments",
        EXCHANGE_SECRET,
        access,
        ACCESS_TOKEN,
        "quittance-log",
    )
    .await;
    assert_eq!(answer["error"], "invalid_grant", "{answer}");
}
