//! What administrators and verifiers do with keys: fetch, import, seal anew; and what they get wrong.

use common::service;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{key_set, kid, refreshed, shown, signing};
use crate::assertions::{KEY, jwk, signed};
use crate::harness::{Auth, Bank, EMAIL, PASSWORD, text};
use crate::persons::{admins_pair, call, pair};

#[tokio::test]
async fn a_key_set_is_fetched_once_while_it_is_the_same() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let fetch = async |tag: &str| {
        let request = bank.http.get(bank.at("/.well-known/jwks.json"));
        request
            .header("if-none-match", tag)
            .send()
            .await
            .expect("auth answers")
    };
    let first = fetch("\"other\"").await;
    assert_eq!(first.status(), StatusCode::OK);
    let tag = first.headers()["etag"].to_str().expect("a text").to_owned();
    assert_eq!(fetch(&tag).await.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(
        fetch(&format!("\"x\", {tag}")).await.status(),
        StatusCode::NOT_MODIFIED
    );
    let admin = admins_pair(&bank).await;
    call(&bank, Method::POST, "/api/keys/rotate", &admin, None).await;
    assert_eq!(fetch(&tag).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn bad_requests_about_keys_are_told_what_is_wrong() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let (admin, customer) = (admins_pair(&bank).await, pair(&bank, EMAIL, PASSWORD).await);
    let unknown = format!("/api/keys/{}/revoke", "a".repeat(43));
    for (path, body, status) in [
        (&*unknown, json!({}), StatusCode::NOT_FOUND),
        ("/api/keys/%00/revoke", json!({}), StatusCode::NOT_FOUND),
        (
            "/api/keys/rotate",
            json!({"at_once": "yes"}),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/api/keys/rotate",
            json!({"soon": true}),
            StatusCode::BAD_REQUEST,
        ),
        ("/api/keys/import", json!({}), StatusCode::BAD_REQUEST),
        (
            "/api/keys/import",
            json!({"public_key": "no key"}),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/api/keys/import",
            json!({"public_key": {"kty": "RSA", "n": "AQ", "e": "AQAB"}}),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/api/keys/import",
            json!({"public_key": key_set(&bank).await["keys"][0]}),
            StatusCode::CONFLICT,
        ),
    ] {
        let (got, answer) = call(&bank, Method::POST, path, &admin, Some(&body)).await;
        assert_eq!(got, status, "{path} {body}: {answer}");
        let (got, _) = call(&bank, Method::POST, path, &customer, Some(&body)).await;
        assert_eq!(got, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn tokens_of_another_system_count_while_its_key_is_imported() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    let user: Uuid = sqlx::query_scalar("select id from users where email = $1")
        .bind(EMAIL)
        .fetch_one(&bank.pool)
        .await
        .expect("a person");
    // As SimpleJWT writes it: no `kid`, no `iss`.
    let token = |token_type: &str, issued: i64| {
        let (iat, jti) = (service::now().timestamp() - issued, Uuid::new_v4().simple());
        let claims = json!({"token_type": token_type, "exp": iat + 86_400, "iat": iat, "jti": jti, "user_id": user});
        signed(&KEY, &json!({"alg": "RS256", "typ": "JWT"}), &claims)
    };
    let first = json!({"refresh": token("refresh", 5)});
    assert_eq!(
        refreshed(&bank, &first).await.0,
        StatusCode::UNAUTHORIZED,
        "not imported yet"
    );

    let body = json!({"public_key": jwk(&KEY)});
    for expected in [StatusCode::CREATED, StatusCode::OK] {
        let (status, _) = call(&bank, Method::POST, "/api/keys/import", &admin, Some(&body)).await;
        assert_eq!(status, expected);
    }
    assert_eq!(
        shown(&bank).await.len(),
        1,
        "verifiers are shown keys of ours only"
    );
    let verdict = async |token: &Value| {
        let answer = bank
            .post("/api/token/verify/", &json!({"token": token}))
            .await;
        answer.status()
    };
    assert_eq!(verdict(&first["refresh"]).await, StatusCode::OK);
    assert_eq!(verdict(&json!(token("access", 5))).await, StatusCode::OK);

    // It is good once; within ten seconds it gets the same successor, and both are one session.
    let (one, two) = tokio::join!(refreshed(&bank, &first), refreshed(&bank, &first));
    assert_eq!(
        (one.0, two.0),
        (StatusCode::OK, StatusCode::OK),
        "{one:?} {two:?}"
    );
    assert_eq!(one.1["refresh"], two.1["refresh"]);
    bank.verified(text(&one.1, "access")).await;
    assert_ne!(verdict(&first["refresh"]).await, StatusCode::OK);
    let (status, second) = refreshed(&bank, &one.1).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        refreshed(&bank, &first).await.0,
        StatusCode::UNAUTHORIZED,
        "reused"
    );
    assert_eq!(
        refreshed(&bank, &second).await.0,
        StatusCode::UNAUTHORIZED,
        "the family is over"
    );

    // People who had a number in the other system are known by it.
    let moved = json!({
        "id": 7, "email": "seven@b.rw", "username": null, "password": "!", "is_active": true, "is_staff": false,
        "is_superuser": false, "date_joined": null, "last_login": null,
    });
    let body = json!({"people": [moved]});
    let (status, report) = call(
        &bank,
        Method::POST,
        "/api/users/import",
        &admin,
        Some(&body),
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{report}");
    for number in [json!(7), json!("7")] {
        let (iat, jti) = (service::now().timestamp(), Uuid::new_v4().simple());
        let claims = json!({"token_type": "refresh", "exp": iat + 60, "iat": iat, "jti": jti, "user_id": number});
        let token = signed(&KEY, &json!({"alg": "RS256", "typ": "JWT"}), &claims);
        let (status, pair) = refreshed(&bank, &json!({"refresh": token})).await;
        assert_eq!(status, StatusCode::OK, "{pair}");
        let claims = bank.verified(text(&pair, "access")).await.claims;
        assert_eq!(claims.sub, text(&report["people"][0], "id"));
    }

    // It says nothing that the bank's own tokens say, and is no token for the bank's services.
    let access = json!({"access": token("access", 5)});
    let (status, _) = call(&bank, Method::GET, "/api/sessions", &access, None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);

    // Whoever was locked out after it was issued stays out; and so does everybody when the key is revoked.
    let (old, other) = (
        json!({"refresh": token("refresh", 50)}),
        json!({"refresh": token("refresh", -1)}),
    );
    let path = format!("/api/users/{user}/log-out");
    let (status, _) = call(&bank, Method::POST, &path, &admin, None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(refreshed(&bank, &old).await.0, StatusCode::UNAUTHORIZED);
    let (_, keys) = call(&bank, Method::GET, "/api/keys", &admin, None).await;
    let path = format!("/api/keys/{}/revoke", text(&keys["keys"][0], "kid"));
    let (status, keys) = call(&bank, Method::POST, &path, &admin, None).await;
    assert_eq!(
        (status, text(&keys["keys"][0], "state")),
        (StatusCode::OK, "revoked")
    );
    assert_eq!(refreshed(&bank, &other).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn one_key_encryption_key_follows_another() {
    let (bank, auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    let old = bank.config();
    let old_text = bank.key_encryption_key();
    let new_text = "42".repeat(32);
    let with = |text: &str| {
        let mut config = bank.config();
        config.key_encryption_key = text.parse().expect("any text");
        config
    };
    drop(auth);
    let auth = Auth::start(with(&format!("{new_text},{old_text}")));
    bank.wait_until_ready().await;
    for expected in [1, 0] {
        let (status, answer) = call(&bank, Method::POST, "/api/keys/rewrap", &admin, None).await;
        assert_eq!(
            (status, &answer["rewrapped"]),
            (StatusCode::OK, &json!(expected))
        );
    }
    drop(auth);
    let auth = Auth::start(with(&new_text));
    bank.wait_until_ready().await;
    assert_eq!(signing(&bank).await, kid(text(&admin, "access")));
    drop(auth);
    let error = format!(
        "{:#}",
        auth::serve(old).await.expect_err("the old one is no good")
    );
    assert!(error.contains("does not open"), "{error}");
}
