//! Service accounts over HTTP: made, changed, ended; and what their tokens are worth after that.

use auth::people::{self, Role};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Bank, PASSWORD, text};
use crate::oauth::{SECRET, error, with_shop};

/// An access token of somebody with the scope `auth:admin`.
pub(crate) async fn administrator(bank: &Bank) -> String {
    people::ensure_user(&bank.pool, "staff@b.rw", PASSWORD, Role::Admin)
        .await
        .expect("an administrator");
    let login = json!({"email": "staff@b.rw", "password": PASSWORD});
    let body: Value = bank
        .post("/api/token/", &login)
        .await
        .json()
        .await
        .expect("JSON");
    text(&body, "access").to_owned()
}

async fn call(
    bank: &Bank,
    token: &str,
    method: Method,
    path: &str,
    body: &Value,
) -> (StatusCode, Value) {
    let request = bank.http.request(method, bank.at(path)).bearer_auth(token);
    let answer = if body.is_null() {
        request
    } else {
        request.json(body)
    };
    let answer = answer.send().await.expect("auth answers");
    let (status, bytes) = (answer.status(), answer.bytes().await.expect("a body"));
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// A new service account.
pub(crate) async fn create(bank: &Bank, admin: &str, asked: &Value) -> Value {
    let (status, body) = call(bank, admin, Method::POST, "/api/service-accounts/", asked).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    body
}

/// A token for a secret, or nothing.
async fn token(bank: &Bank, client_id: &str, secret: &str) -> Option<String> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id),
        ("client_secret", secret),
    ];
    let answer = bank.post_form("/oauth2/token", &form).await;
    let body: Value = answer.json().await.expect("JSON");
    body["access_token"].as_str().map(str::to_owned)
}

/// What introspection says to a program about a token.
async fn introspected(bank: &Bank, client_id: &str, secret: &str, token: &str) -> Value {
    let form = [("token", token)];
    let request = bank.http.post(bank.at("/oauth2/introspect"));
    let request = request.basic_auth(client_id, Some(secret)).form(&form);
    let answer = request.send().await.expect("auth answers");
    assert_eq!(answer.status().as_u16(), 200);
    answer.json().await.expect("JSON")
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one life from its beginning to its end"
)]
async fn a_service_account_lives_and_its_tokens_end_with_it() {
    let (bank, _running) = with_shop().await;
    let admin = administrator(&bank).await;
    let asked = json!({
        "client_id": "till", "name": "The till", "scopes": ["payments:submit", "payments:read"],
        "audience": "quittance", "payment_max": {"EUR": "250.00"},
        "accounts": ["01900000-0000-7000-8000-ada000000002"],
    });
    let made = create(&bank, &admin, &asked).await;
    let secret = text(&made, "client_secret").to_owned();
    let first = token(&bank, "till", &secret).await.expect("a token");
    let claims = bank.verified(&first).await.claims;
    assert_eq!(claims.payment_max.expect("limits")["EUR"], "250.00");
    assert_eq!(claims.accounts.expect("accounts").len(), 1);
    assert_eq!(
        introspected(&bank, "till", &secret, &first).await["active"],
        true
    );

    // A second credential overlaps, a third does not.
    let path = "/api/service-accounts/till/credentials/";
    let (status, second) = call(&bank, &admin, Method::POST, path, &json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "{second}");
    let newer = text(&second, "client_secret").to_owned();
    assert_eq!(
        call(&bank, &admin, Method::POST, path, &json!({})).await.0,
        StatusCode::CONFLICT
    );
    let second = token(&bank, "till", &newer).await.expect("a token");
    let path = format!("{path}{}/", text(&made["credentials"][0], "id"));
    assert_eq!(
        call(&bank, &admin, Method::DELETE, &path, &Value::Null)
            .await
            .0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        call(&bank, &admin, Method::DELETE, &path, &Value::Null)
            .await
            .0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(token(&bank, "till", &secret).await, None);
    assert_eq!(
        introspected(&bank, "till", &newer, &first).await,
        json!({"active": false})
    );
    assert_eq!(
        introspected(&bank, "till", &newer, &second).await["active"],
        true
    );

    // Deactivated, its tokens end; activated again, new ones count and old ones do not.
    let at = |word: &str| format!("/api/service-accounts/till/{word}/");
    let (status, body) = call(&bank, &admin, Method::POST, &at("deactivate"), &Value::Null).await;
    assert_eq!(
        (status, &body["is_active"]),
        (StatusCode::OK, &json!(false))
    );
    assert_eq!(token(&bank, "till", &newer).await, None);
    let (_, body) = call(&bank, &admin, Method::POST, &at("activate"), &Value::Null).await;
    assert_eq!(body["is_active"], true);
    assert!(body["credentials"][0]["last_used_at"].is_string(), "{body}");
    assert!(body.get("client_secret").is_none());
    let third = token(&bank, "till", &newer).await.expect("a token");
    assert_eq!(
        introspected(&bank, "till", &newer, &second).await,
        json!({"active": false})
    );
    assert_eq!(
        introspected(&bank, "till", &newer, &third).await["active"],
        true
    );

    let path = "/api/service-accounts/till/";
    assert_eq!(
        call(&bank, &admin, Method::DELETE, path, &Value::Null)
            .await
            .0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        call(&bank, &admin, Method::GET, path, &Value::Null).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(token(&bank, "till", &newer).await, None);
    let (status, _) = call(&bank, &admin, Method::POST, "/api/service-accounts", &asked).await;
    assert_eq!(status, StatusCode::CONFLICT, "its id stays taken");

    let reasons: Vec<String> = sqlx::query_scalar("select because from revocations order by id")
        .fetch_all(&bank.pool)
        .await
        .expect("revocations");
    assert_eq!(
        reasons,
        ["credential_deleted", "client_deactivated", "client_deleted"]
    );
    let events: Vec<String> =
        sqlx::query_scalar("select what from events where about = 'till' and what <> 'client.login_failed' order by id")
            .fetch_all(&bank.pool)
            .await
            .expect("events");
    assert_eq!(
        events,
        [
            "service_account.created",
            "credential.added",
            "credential.added",
            "credential.deleted",
            "service_account.deactivated",
            "service_account.activated",
            "service_account.deleted",
        ]
    );
}

#[tokio::test]
async fn what_an_administrator_gets_wrong_is_said() {
    let (bank, _running) = with_shop().await;
    let admin = administrator(&bank).await;
    let customer = json!({"email": crate::harness::EMAIL, "password": PASSWORD});
    let customer: Value = bank
        .post("/api/token/", &customer)
        .await
        .json()
        .await
        .expect("JSON");
    let all = "/api/service-accounts/";
    let (status, _) = call(
        &bank,
        text(&customer, "access"),
        Method::GET,
        all,
        &Value::Null,
    )
    .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, body) = call(&bank, &admin, Method::GET, all, &Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["service_accounts"][0]["client_id"], "demo-shop");
    let one = |client_id: &str, more: Value| {
        let mut asked = json!({"client_id": client_id, "scopes": ["payments:read"]});
        for (name, value) in more.as_object().expect("an object") {
            asked[name] = value.clone();
        }
        asked
    };
    for (asked, status) in [
        (one("demo-shop", json!({})), 409),
        (one("a.b", json!({})), 400),
        (one("user-1", json!({})), 400),
        (one("01900000-0000-7000-8000-000000000001", json!({})), 400),
        (one("a", json!({"scopes": []})), 400),
        (one("a", json!({"name": "a\0"})), 400),
        (one("a", json!({"payment_max": {"EUR": "-1"}})), 400),
        (one("a", json!({"credential": {"public_key": "x"}})), 400),
        (
            one(
                "a",
                json!({"credential": {"expires_at": "2020-01-01T00:00:00Z"}}),
            ),
            400,
        ),
        (one("a", json!({"secret": "mine"})), 400),
    ] {
        assert_eq!(
            call(&bank, &admin, Method::POST, all, &asked)
                .await
                .0
                .as_u16(),
            status,
            "{asked}"
        );
    }
    for (method, path) in [
        (Method::GET, "nobody"),
        (Method::GET, "no.body"),
        (Method::DELETE, "nobody"),
        (Method::POST, "nobody/activate"),
        (Method::POST, "nobody/deactivate"),
        (
            Method::DELETE,
            "nobody/credentials/01900000-0000-7000-8000-000000000001",
        ),
    ] {
        let found = call(&bank, &admin, method, &format!("{all}{path}"), &Value::Null).await;
        assert_eq!(found.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_program_revokes_its_own_tokens_and_learns_of_no_others() {
    let (bank, _running) = with_shop().await;
    let admin = administrator(&bank).await;
    let other = create(
        &bank,
        &admin,
        &json!({"client_id": "other", "scopes": ["payments:read"]}),
    )
    .await;
    let other = text(&other, "client_secret");
    let shops = token(&bank, "demo-shop", SECRET).await.expect("a token");
    let revoke = async |client_id: &str, secret: &str, token: &str| {
        let request = bank.http.post(bank.at("/oauth2/revoke"));
        let request = request
            .basic_auth(client_id, Some(secret))
            .form(&[("token", token)]);
        request.send().await.expect("auth answers")
    };
    for token in [&shops, "nonsense", &admin] {
        assert_eq!(
            introspected(&bank, "other", other, token).await,
            json!({"active": false})
        );
        assert_eq!(revoke("other", other, token).await.status().as_u16(), 200);
    }
    let seen = introspected(&bank, "demo-shop", SECRET, &shops).await;
    assert_eq!(
        (&seen["active"], &seen["token_type"]),
        (&json!(true), &json!("Bearer"))
    );
    let verify = json!({"token": shops});
    let verified = async || {
        bank.post("/api/token/verify/", &verify)
            .await
            .status()
            .as_u16()
    };
    assert_eq!(verified().await, 200);
    for _ in 0..2 {
        assert_eq!(
            revoke("demo-shop", SECRET, &shops).await.status().as_u16(),
            200
        );
        assert_eq!(verified().await, 400, "SimpleJWT's view knows too");
        assert_eq!(
            introspected(&bank, "demo-shop", SECRET, &shops).await,
            json!({"active": false})
        );
    }
    assert_eq!(
        error(revoke("demo-shop", "wrong", &shops).await).await,
        (401, "invalid_client".to_owned())
    );
    for path in ["/oauth2/revoke", "/oauth2/introspect"] {
        assert_eq!(
            error(bank.post_form(path, &[("token", "x")]).await).await.0,
            401,
            "{path}"
        );
        let form = [("client_id", "demo-shop"), ("client_secret", SECRET)];
        assert_eq!(
            error(bank.post_form(path, &form).await).await,
            (400, "invalid_request".to_owned())
        );
    }
}

#[tokio::test]
async fn a_refresh_token_alone_ends_its_login() {
    let (bank, _running) = with_shop().await;
    let login = json!({"email": crate::harness::EMAIL, "password": PASSWORD});
    let pair: Value = bank
        .post("/api/token/", &login)
        .await
        .json()
        .await
        .expect("JSON");
    for _ in 0..2 {
        let answer = bank
            .post_form("/oauth2/revoke", &[("token", text(&pair, "refresh"))])
            .await;
        assert_eq!(answer.status().as_u16(), 200);
    }
    let refresh = json!({"refresh": pair["refresh"]});
    assert_eq!(
        bank.post("/api/token/refresh/", &refresh)
            .await
            .status()
            .as_u16(),
        401
    );
}

#[tokio::test]
async fn the_metadata_names_what_there_is() {
    let (bank, _running) = with_shop().await;
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ] {
        let answer = bank
            .http
            .get(bank.at(path))
            .send()
            .await
            .expect("auth answers");
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(text(&body, "issuer"), "https://auth.test");
        assert_eq!(
            text(&body, "token_endpoint"),
            "https://auth.test/oauth2/token"
        );
        assert_eq!(
            text(&body, "jwks_uri"),
            "https://auth.test/.well-known/jwks.json"
        );
    }
}
