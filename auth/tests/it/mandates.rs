//! Mandates: a program pays in a person's name while the person lets it, within limits.

use common::token::{Policy, Verified};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::clients::administrator;
use crate::harness::{Bank, EMAIL, EXCHANGE_SECRET, PASSWORD, eventually, text};
use crate::oauth::{SECRET, with_shop};
use crate::persons::{call, pair};

const MANDATE_TYPE: &str = "urn:quittance:params:oauth:token-type:mandate";
const ACCESS_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

async fn given(bank: &Bank, person: &Value, asked: &Value) -> String {
    let (status, mandate) = call(bank, Method::POST, "/api/mandates", person, Some(asked)).await;
    assert_eq!(status, StatusCode::CREATED, "{mandate}");
    text(&mandate, "id").to_owned()
}

async fn exchanged(
    bank: &Bank,
    (client, secret): (&str, &str),
    mandate: &str,
    audience: &str,
) -> (u16, Value) {
    let form = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("client_id", client),
        ("client_secret", secret),
        ("subject_token", mandate),
        ("subject_token_type", MANDATE_TYPE),
        ("audience", audience),
    ];
    let answer = bank.post_form("/oauth2/token", &form).await;
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

const SHOP: (&str, &str) = ("demo-shop", SECRET);
const PAYMENTS: (&str, &str) = ("payments", EXCHANGE_SECRET);

async fn of_the_log(bank: &Bank, token: &str) -> Verified {
    bank.verified_by(token, Policy::LOG).await
}

#[tokio::test]
async fn a_mandates_token_names_both_and_its_limits() {
    let (bank, _running) = with_shop().await;
    let person = pair(&bank, EMAIL, PASSWORD).await;
    let account = "01900000-ada0-7000-8000-000000000002";
    let asked =
        json!({"client_id": "demo-shop", "payment_max": {"EUR": "25.00"}, "accounts": [account]});
    let mandate = given(&bank, &person, &asked).await;
    let (status, body) = exchanged(&bank, SHOP, &mandate, "quittance").await;
    assert_eq!(
        (status, text(&body, "scope")),
        (200, "payments:submit"),
        "{body}"
    );
    let claims = bank.verified(text(&body, "access_token")).await.claims;
    let own = bank.verified(text(&person, "access")).await.claims;
    assert_eq!((&claims.sub, &claims.client_id), (&own.sub, &own.client_id));
    assert_eq!(claims.act.expect("an actor").sub, "demo-shop");
    assert_eq!(claims.sid.as_deref(), Some(&*mandate));
    assert_eq!(claims.payment_max.expect("a limit")["EUR"], "25.00");
    assert_eq!(claims.accounts.expect("accounts").len(), 1);
    assert!(claims.exp - claims.iat <= 300);

    // Our own service gets one for the log, and a service account none.
    let scheduled = given(&bank, &person, &json!({"client_id": "payments"})).await;
    let (status, body) = exchanged(&bank, PAYMENTS, &scheduled, "quittance-log").await;
    assert_eq!(status, 200, "{body}");
    let claims = of_the_log(&bank, text(&body, "access_token")).await.claims;
    assert_eq!(claims.act.expect("an actor").sub, "payments");
    let (_, list) = call(&bank, Method::GET, "/api/mandates", &person, None).await;
    assert_eq!(list["mandates"].as_array().expect("a list").len(), 2);
}

#[tokio::test]
async fn nobody_gets_a_token_without_a_mandate_that_stands() {
    let (bank, _running) = with_shop().await;
    let person = pair(&bank, EMAIL, PASSWORD).await;
    let of_shop = given(&bank, &person, &json!({"client_id": "demo-shop"})).await;
    let of_payments = given(&bank, &person, &json!({"client_id": "payments"})).await;
    for (who, mandate, audience, expected) in [
        (SHOP, &*of_payments, "quittance", "invalid_grant"),
        (
            SHOP,
            "01900000-ada0-7000-8000-000000000002",
            "quittance",
            "invalid_grant",
        ),
        (SHOP, "no mandate", "quittance", "invalid_grant"),
        (SHOP, &*of_shop, "quittance-log", "invalid_client"),
        (SHOP, &*of_shop, "elsewhere", "invalid_target"),
        (
            ("demo-shop", "wrong"),
            &*of_shop,
            "quittance",
            "invalid_client",
        ),
        (PAYMENTS, &*of_shop, "quittance-log", "invalid_grant"),
        (
            ("payments", "wrong"),
            &*of_payments,
            "quittance-log",
            "invalid_client",
        ),
    ] {
        let (_, body) = exchanged(&bank, who, mandate, audience).await;
        assert_eq!(
            text(&body, "error"),
            expected,
            "{who:?} {mandate} {audience}"
        );
    }

    // A token under a mandate makes no other, lists nothing and ends nothing.
    let (_, body) = exchanged(&bank, SHOP, &of_shop, "quittance").await;
    let acting = json!({"access": body["access_token"]});
    for (method, path) in [
        (Method::GET, "/api/mandates".to_owned()),
        (Method::GET, "/api/sessions".to_owned()),
        (Method::DELETE, "/api/sessions".to_owned()),
        (Method::DELETE, format!("/api/mandates/{of_shop}")),
    ] {
        let (status, _) = call(&bank, method, &path, &acting, None).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    // payments exchanges it for the log as any caller's token.
    let exchange = async |token: &str| {
        let form = [
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("client_id", PAYMENTS.0),
            ("client_secret", PAYMENTS.1),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TYPE),
            ("audience", "quittance-log"),
        ];
        bank.post_form("/oauth2/token", &form)
            .await
            .status()
            .as_u16()
    };
    let token = text(&acting, "access").to_owned();
    assert_eq!(exchange(&token).await, 200);

    // It ends: no other token, and what was issued is revoked.
    let path = format!("/api/mandates/{of_shop}");
    for expected in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        let (status, _) = call(&bank, Method::DELETE, &path, &person, None).await;
        assert_eq!(status, expected);
    }
    assert_eq!(exchanged(&bank, SHOP, &of_shop, "quittance").await.0, 400);
    assert_eq!(exchange(&token).await, 400);
    let revoked: bool = sqlx::query_scalar(
        "select exists (select from revocations where target ->> 'sid' = $1 and noted_seq is not null)",
    )
    .bind(&of_shop)
    .fetch_one(&bank.pool)
    .await
    .expect("a row");
    assert!(revoked);
}

#[tokio::test]
async fn who_is_locked_out_lets_nobody_pay_and_a_program_that_is_ended_pays_for_nobody() {
    let (bank, _running) = with_shop().await;
    let person = pair(&bank, EMAIL, PASSWORD).await;
    let mandate = given(&bank, &person, &json!({"client_id": "demo-shop"})).await;
    let admin = json!({"access": administrator(&bank).await});

    // The program: its tokens under mandates end with it.
    let (status, _) = call(
        &bank,
        Method::POST,
        "/api/service-accounts/demo-shop/deactivate",
        &admin,
        None,
    )
    .await;
    assert!(status.is_success(), "{status}");
    assert_eq!(exchanged(&bank, SHOP, &mandate, "quittance").await.0, 401);
    let revoked: bool =
        sqlx::query_scalar("select exists (select from revocations where target ->> 'sid' = $1)")
            .bind(&mandate)
            .fetch_one(&bank.pool)
            .await
            .expect("a row");
    assert!(revoked);

    // The person.
    let scheduled = given(&bank, &person, &json!({"client_id": "payments"})).await;
    let claims = bank.verified(text(&person, "access")).await.claims;
    let path = format!("/api/users/{}/deactivate", claims.sub);
    let (status, _) = call(&bank, Method::POST, &path, &admin, None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        exchanged(&bank, PAYMENTS, &scheduled, "quittance-log")
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn a_program_with_thousands_of_mandates_ends_at_once_with_all_of_them() {
    const MANDATES: i64 = 5000;
    let (bank, _running) = with_shop().await;
    let admin = json!({"access": administrator(&bank).await});
    bank.sql(
        "insert into mandates (id, user_id, client_id, created_at)
         select gen_random_uuid(), users.id, 'demo-shop', now() from generate_series(1, 5000), users where role = 'customer'",
    )
    .await;
    let path = "/api/service-accounts/demo-shop/deactivate";
    let (status, _) = call(&bank, Method::POST, path, &admin, None).await;
    assert!(status.is_success(), "{status}");
    let noted = "select count(*) from revocations where because = 'client_deactivated' and noted_seq is not null";
    eventually("all are noted", async || {
        let noted = sqlx::query_scalar::<_, i64>(noted).fetch_one(&bank.pool);
        // Each mandate's, and the program's own.
        noted.await.expect("a count") == MANDATES + 1
    })
    .await;
}

#[tokio::test]
async fn bad_mandates_are_told_what_is_wrong() {
    let (bank, _running) = with_shop().await;
    let person = pair(&bank, EMAIL, PASSWORD).await;
    for (asked, said) in [
        (json!({}), "client_id"),
        (json!({"client_id": "nobody"}), "client_id"),
        (json!({"client_id": "ledger"}), "client_id"),
        (json!({"client_id": "a\u{0}"}), "NUL"),
        (
            json!({"client_id": "payments", "scopes": ["auth:admin"]}),
            "scopes",
        ),
        (
            json!({"client_id": "payments", "payment_max": {"EUR": "-1"}}),
            "payment_max",
        ),
        (
            json!({"client_id": "payments", "payment_max": {}}),
            "payment_max",
        ),
        (json!({"client_id": "payments", "accounts": []}), "accounts"),
        (
            json!({"client_id": "payments", "expires_at": "2020-01-01T00:00:00Z"}),
            "expires_at",
        ),
        (
            json!({"client_id": "payments", "expires_at": "soon"}),
            "expires_at",
        ),
    ] {
        let (status, body) =
            call(&bank, Method::POST, "/api/mandates", &person, Some(&asked)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{asked}: {body}");
        assert!(text(&body, "detail").contains(said), "{asked}: {body}");
    }
}
