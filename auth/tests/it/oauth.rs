//! `/oauth2/token`: a program's secret for a token.

use auth::clients;
use reqwest::Response;
use serde_json::Value;

use crate::harness::{Bank, eventually, text};

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const SCOPES: &str = "payments:submit-any payments:read accounts:read";

pub(crate) async fn with_shop() -> (Bank, impl Sized) {
    let (bank, auth, ledger) = Bank::open().await;
    let shop = "demo-shop".parse().expect("a good id");
    for _ in 0..2 {
        clients::ensure_service_account(&bank.pool, &shop, SECRET, SCOPES)
            .await
            .expect("an account");
    }
    (bank, (auth, ledger))
}

pub(crate) async fn error(answer: Response) -> (u16, String) {
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let status = answer.status().as_u16();
    let challenge = answer
        .headers()
        .get("www-authenticate")
        .map(|value| value.to_str().expect("ASCII").to_owned());
    assert_eq!(
        challenge.is_some_and(|challenge| challenge.starts_with("Basic realm=")),
        status == 401
    );
    let body: Value = answer.json().await.expect("JSON");
    (status, text(&body, "error").to_owned())
}

#[tokio::test]
async fn a_program_gets_a_token_for_its_secret_and_nothing_for_less() {
    let (bank, _running) = with_shop().await;
    let (grant, id, secret) = (
        ("grant_type", "client_credentials"),
        ("client_id", "demo-shop"),
        ("client_secret", SECRET),
    );
    for (form, expected) in [
        (vec![grant, id, secret], SCOPES),
        (vec![grant, id, secret, ("scope", "")], SCOPES),
        (
            vec![grant, id, secret, ("scope", "payments:read")],
            "payments:read",
        ),
    ] {
        let answer = bank.post_form("/oauth2/token", &form).await;
        assert_eq!(answer.status().as_u16(), 200, "{form:?}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(
            (text(&body, "token_type"), text(&body, "scope")),
            ("Bearer", expected)
        );
        assert_eq!(body["expires_in"], 300);
        assert!(body.get("refresh_token").is_none());
        let claims = bank.verified(text(&body, "access_token")).await.claims;
        assert!(claims.sid.is_some() && claims.exp - claims.iat == 300);
        assert_eq!(
            (claims.sub.as_str(), claims.client_id.as_str()),
            ("demo-shop", "demo-shop")
        );
        assert_eq!(
            (claims.user_id.as_str(), claims.scope.as_str()),
            ("demo-shop", expected)
        );
    }
    #[rustfmt::skip]
    let rows = [
        (vec![], 400, "invalid_request"),
        (vec![id, secret], 400, "invalid_request"),
        (vec![("grant_type", "password"), id, secret], 400, "unsupported_grant_type"),
        (vec![grant, grant, id, secret], 400, "invalid_request"),
        (vec![grant, id, secret, ("scope", "auth:admin")], 400, "invalid_scope"),
        (vec![grant, id, secret, ("scope", "payments:read auth:admin")], 400, "invalid_scope"),
        (vec![grant, id, secret, ("audience", "all")], 400, "invalid_target"),
        (vec![grant, id, secret, ("resource", "https://a")], 400, "invalid_target"),
        (vec![grant], 401, "invalid_client"),
        (vec![grant, id], 401, "invalid_client"),
        (vec![grant, id, ("client_secret", "wrong")], 401, "invalid_client"),
        (vec![grant, ("client_id", "nobody"), secret], 401, "invalid_client"),
        (vec![grant, ("client_id", "no.body\0"), secret], 401, "invalid_client"),
    ];
    for (form, status, expected) in rows {
        let answer = bank.post_form("/oauth2/token", &form).await;
        assert_eq!(
            error(answer).await,
            (status, expected.to_owned()),
            "{form:?}"
        );
    }
    let json = bank
        .http
        .post(bank.at("/oauth2/token"))
        .json(&["x"])
        .send()
        .await
        .unwrap();
    assert_eq!(error(json).await, (400, "invalid_request".to_owned()));

    bank.sql("update service_accounts set is_active = false")
        .await;
    let answer = bank.post_form("/oauth2/token", &[grant, id, secret]).await;
    assert_eq!(error(answer).await, (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn a_program_may_authenticate_in_the_header_but_not_in_both_places() {
    let (bank, _running) = with_shop().await;
    let send = async |secret: &str, form: &[(&str, &str)]| {
        let request = bank
            .http
            .post(bank.at("/oauth2/token"))
            .basic_auth("demo-shop", Some(secret));
        request.form(form).send().await.unwrap()
    };
    let grant = ("grant_type", "client_credentials");
    assert_eq!(send(SECRET, &[grant]).await.status().as_u16(), 200);
    assert_eq!(
        send(SECRET, &[grant, ("client_id", "demo-shop")])
            .await
            .status()
            .as_u16(),
        200
    );
    for (secret, form, status, expected) in [
        ("wrong", vec![grant], 401, "invalid_client"),
        (
            SECRET,
            vec![grant, ("client_id", "other")],
            400,
            "invalid_request",
        ),
        (
            SECRET,
            vec![grant, ("client_secret", SECRET)],
            400,
            "invalid_request",
        ),
    ] {
        assert_eq!(
            error(send(secret, &form).await).await,
            (status, expected.to_owned()),
            "{form:?}"
        );
    }
    let request = bank
        .http
        .post(bank.at("/oauth2/token"))
        .bearer_auth("x")
        .form(&[grant]);
    assert_eq!(
        error(request.send().await.unwrap()).await,
        (401, "invalid_client".to_owned())
    );
}

#[tokio::test]
async fn a_new_service_account_gets_its_consumer_from_the_running_service() {
    let (bank, _running) = with_shop().await;
    // The ledger may look at consumers.
    let jetstream = bank.jetstream("ledger").await;
    let consumer = async || {
        let stream = jetstream.get_stream_no_info("SETTLEMENTS").await.ok()?;
        stream.consumer_info("demo-shop").await.ok()
    };
    eventually("the consumer is there", async || consumer().await.is_some()).await;
    let config = consumer().await.unwrap().config;
    assert_eq!(config.durable_name.as_deref(), Some("demo-shop"));
    assert_eq!(config.filter_subject, "settlement.*.v1.demo-shop");
    assert_eq!(config.max_ack_pending, 1000);
}

#[tokio::test]
async fn nobody_can_be_named_like_a_person_or_a_service_of_ours() {
    let (bank, _running) = with_shop().await;
    let ensure = async |name: &str, secret: &str| {
        let id = name.parse().unwrap();
        clients::ensure_service_account(&bank.pool, &id, secret, SCOPES).await
    };
    for name in ["auth", "ledger", "user-0197"] {
        let error = format!("{:#}", ensure(name, SECRET).await.expect_err(name));
        assert!(error.contains("service_accounts_client_id_free"), "{error}");
    }
    assert!(ensure("a", "short").await.is_err());
}

#[tokio::test]
async fn a_secret_of_any_characters_may_come_raw_or_form_encoded() {
    let (bank, _running) = with_shop().await;
    let secret = "a+b/c=d e&f%20g:h?0123456789abcdef0123456789";
    let shop = "demo-shop".parse().expect("a good id");
    clients::ensure_service_account(&bank.pool, &shop, secret, SCOPES)
        .await
        .expect("an account");
    let encoded = "a%2Bb%2Fc%3Dd+e%26f%2520g%3Ah%3F0123456789abcdef0123456789";
    for (sent, status) in [(secret, 200), (encoded, 200), ("a+b", 401)] {
        let request = bank
            .http
            .post(bank.at("/oauth2/token"))
            .basic_auth("demo-shop", Some(sent))
            .form(&[("grant_type", "client_credentials")]);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{sent}");
    }
}
