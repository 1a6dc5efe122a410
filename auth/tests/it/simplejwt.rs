//! `/api/token/` answers as SimpleJWT did: the rows are recorded from it.

use std::time::{Duration, Instant};

use common::ids::ClientId;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Bank, EMAIL, PASSWORD, text};

const REQUIRED: &str =
    r#"{"email":["This field is required."],"password":["This field is required."]}"#;
const NO_ACCOUNT: &str = r#"{"detail":"No active account found with the given credentials"}"#;
const INVALID: &str = r#"{"detail":"Token is invalid","code":"token_not_valid"}"#;
const BLACKLISTED: &str = r#"{"detail":"Token is blacklisted","code":"token_not_valid"}"#;
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Checks status, body and the headers that every answer has.
async fn check(case: &str, answer: Response, status: u16, body: &str) {
    assert_eq!(answer.status().as_u16(), status, "{case}");
    let headers = answer.headers().clone();
    let header = |name: &str| {
        headers
            .get(name)
            .map(|value| value.to_str().expect("ASCII").to_owned())
    };
    assert_eq!(
        header("content-type").as_deref(),
        Some("application/json"),
        "{case}"
    );
    assert_eq!(header("vary").as_deref(), Some("Accept"), "{case}");
    assert_eq!(header("allow").as_deref(), Some("POST, OPTIONS"), "{case}");
    let challenge = (status == 401).then_some("Bearer realm=\"api\"");
    assert_eq!(header("www-authenticate").as_deref(), challenge, "{case}");
    assert_eq!(answer.text().await.expect("a text"), body, "{case}");
}

async fn pair(answer: Response) -> Value {
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    answer.json().await.expect("JSON")
}

#[tokio::test]
async fn what_is_wrong_with_a_login_is_told_as_it_always_was() {
    let (bank, _auth, _ledger) = Bank::open().await;
    bank.sql("insert into users (id, email, username, password_hash, is_active, is_staff, role, scopes, created_at, updated_at)
              select gen_random_uuid(), 'inactive@b.rw', 'gone', password_hash, false, is_staff, role, scopes, now(), now() from users")
        .await;
    let long = format!(r#"{{"email":"{}"}}"#, "x".repeat(17_000));
    #[rustfmt::skip]
    let rows = [
        ("bad password", "POST", JSON, r#"{"email": "a@b.rw", "password": "nope"}"#, 401, NO_ACCOUNT),
        ("unknown user", "POST", JSON, r#"{"email": "z@b.rw", "password": "nope"}"#, 401, NO_ACCOUNT),
        ("inactive user", "POST", JSON, r#"{"email": "inactive@b.rw", "password": "pw-123456789"}"#, 401, NO_ACCOUNT),
        ("missing fields", "POST", JSON, "{}", 400, REQUIRED),
        ("empty body", "POST", JSON, "", 400, REQUIRED),
        ("empty form", "POST", FORM, "", 400, REQUIRED),
        ("blank", "POST", JSON, r#"{"email": "", "password": ""}"#, 400,
            r#"{"email":["This field may not be blank."],"password":["This field may not be blank."]}"#),
        ("blank form", "POST", FORM, "email=+&password=x", 400, r#"{"email":["This field may not be blank."]}"#),
        ("null", "POST", JSON, r#"{"email": null, "password": null}"#, 400,
            r#"{"email":["This field may not be null."],"password":["This field may not be null."]}"#),
        ("wrong types", "POST", JSON, r#"{"email": true, "password": ["x"]}"#, 400,
            r#"{"email":["Not a valid string."],"password":["Not a valid string."]}"#),
        ("null character", "POST", JSON, "{\"email\": \"a\\u0000\", \"password\": \"x\"}", 400,
            r#"{"email":["Null characters are not allowed."]}"#),
        ("int password", "POST", JSON, r#"{"email": "a@b.rw", "password": 123}"#, 401, NO_ACCOUNT),
        ("list body", "POST", JSON, "[1]", 400, r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#),
        ("text body", "POST", JSON, "\"x\"", 400, r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got str."]}"#),
        ("null body", "POST", JSON, "null", 400, r#"{"non_field_errors":["No data provided"]}"#),
        ("bad json", "POST", JSON, "{oops", 400,
            r#"{"detail":"JSON parse error - Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"}"#),
        ("no json", "POST", JSON, "oops", 400, r#"{"detail":"JSON parse error - Expecting value: line 1 column 1 (char 0)"}"#),
        ("text/plain", "POST", "text/plain", "hi", 415, r#"{"detail":"Unsupported media type \"text/plain\" in request."}"#),
        // The old system also refused `a@B.RW`; here addresses match without regard to case, as they are unique without it.
        ("email of another domain", "POST", JSON, r#"{"email": "a@C.RW", "password": "pw-123456789"}"#, 401, NO_ACCOUNT),
        ("GET", "GET", JSON, "", 405, r#"{"detail":"Method \"GET\" not allowed."}"#),
        ("PUT", "PUT", JSON, "{}", 405, r#"{"detail":"Method \"PUT\" not allowed."}"#),
        ("too long", "POST", JSON, long.as_str(), 413, r#"{"detail":"Request body is too large."}"#),
        ("OPTIONS", "OPTIONS", JSON, "", 200,
            r#"{"name":"Auth Token Obtain Pair","description":"Custom Token Obtain Pair View to handle token generation requests.","renders":["application/json"],"parses":["application/json","application/x-www-form-urlencoded","multipart/form-data"],"actions":{"POST":{"email":{"type":"string","required":true,"read_only":false,"label":"Email"},"password":{"type":"string","required":true,"read_only":false,"label":"Password"}}}}"#),
    ];
    for (case, method, content_type, body, status, expected) in rows {
        for path in ["/api/token/", "/api/token"] {
            let method: Method = method.parse().unwrap();
            let request = bank.http.request(method, bank.at(path));
            let request = request
                .header("content-type", content_type)
                .body(body.to_owned());
            check(case, request.send().await.unwrap(), status, expected).await;
        }
    }
}

#[tokio::test]
async fn somebody_unknown_waits_as_long_as_somebody_known() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let timed = async |email: &str| {
        let start = Instant::now();
        bank.post("/api/token/", &json!({"email": email, "password": "wrong"}))
            .await;
        start.elapsed()
    };
    // A few tries for each, so that none is locked.
    bank.sql("insert into users (id, email, username, password_hash, is_active, is_staff, role, scopes, created_at, updated_at)
              select gen_random_uuid(), number || email, 'known', password_hash, true, is_staff, role, scopes, now(), now()
              from users, generate_series(1, 15) number")
        .await;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    // In turns, so that whatever else this machine does slows both.
    for number in 1..=15 {
        known.push(timed(&format!("{number}{EMAIL}")).await);
        unknown.push(timed(&format!("{number}z@b.rw")).await);
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let (known, unknown) = (median(known), median(unknown));
    // Without a hash the answer comes twenty times faster.
    assert!(
        unknown * 2 > known && known * 2 > unknown,
        "known {known:?}, unknown {unknown:?}"
    );
    assert!(known > Duration::from_millis(1), "{known:?} is no argon2id");
}

#[tokio::test]
async fn a_login_gives_tokens_that_every_service_takes() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let form = [("email", EMAIL), ("password", PASSWORD)];
    let rows = [
        bank.post(
            "/api/token/",
            &json!({"email": EMAIL, "password": PASSWORD}),
        )
        .await,
        bank.post(
            "/api/token",
            &json!({"password": PASSWORD, "email": " a@b.rw ", "more": 1}),
        )
        .await,
        bank.post_form("/api/token/", &form).await,
        // Addresses are unique without regard to case, so they log in without regard to it.
        bank.post(
            "/api/token/",
            &json!({"email": EMAIL.to_uppercase(), "password": PASSWORD}),
        )
        .await,
    ];
    for answer in rows {
        let body = answer.text().await.unwrap();
        assert!(
            body.starts_with(r#"{"refresh":"ey"#),
            "SimpleJWT's order of keys: {body}"
        );
        let body: Value = serde_json::from_str(&body).unwrap();
        let claims = bank.verified(text(&body, "access")).await.claims;
        assert_eq!(
            claims.client_id,
            ClientId::of_user(claims.sub.parse().unwrap())
        );
        assert_eq!(claims.scope, "payments:submit payments:read accounts:read");
        assert_eq!(
            (claims.exp - claims.iat, claims.iat - claims.nbf),
            (900, 30)
        );
        let body = pair(
            bank.post("/api/token/refresh/", &json!({"refresh": body["refresh"]}))
                .await,
        )
        .await;
        assert_eq!(
            bank.verified(text(&body, "access")).await.claims.sub,
            claims.sub
        );
    }
}

#[tokio::test]
async fn a_used_refresh_token_ends_its_family_and_no_other() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let login = json!({"email": EMAIL, "password": PASSWORD});
    let other = pair(bank.post("/api/token/", &login).await).await;
    let first = pair(bank.post("/api/token/", &login).await).await;
    let refresh = async |token: &Value| {
        bank.post("/api/token/refresh/", &json!({"refresh": token}))
            .await
    };

    check(
        "access",
        refresh(&first["access"]).await,
        401,
        r#"{"detail":"Token has wrong type","code":"token_not_valid"}"#,
    )
    .await;
    check("garbage", refresh(&json!("abc")).await, 401, INVALID).await;
    let tampered = text(&first, "refresh")
        .rsplit_once('.')
        .unwrap()
        .0
        .to_owned()
        + ".AAAA";
    check("tampered", refresh(&json!(tampered)).await, 401, INVALID).await;
    check(
        "blank",
        refresh(&json!("")).await,
        400,
        r#"{"refresh":["This field may not be blank."]}"#,
    )
    .await;
    check(
        "null",
        refresh(&json!(null)).await,
        400,
        r#"{"refresh":["This field may not be null."]}"#,
    )
    .await;
    let missing = bank.post("/api/token/refresh", &json!({})).await;
    check(
        "missing",
        missing,
        400,
        r#"{"refresh":["This field is required."]}"#,
    )
    .await;

    let second = pair(refresh(&first["refresh"]).await).await;
    let third = pair(refresh(&second["refresh"]).await).await;
    check("reused", refresh(&first["refresh"]).await, 401, BLACKLISTED).await;
    check(
        "its successor",
        refresh(&third["refresh"]).await,
        401,
        BLACKLISTED,
    )
    .await;
    let other = pair(refresh(&other["refresh"]).await).await;

    bank.sql("update refresh_families set ends_at = now() where revoked_at is null")
        .await;
    check(
        "end of the family",
        refresh(&other["refresh"]).await,
        401,
        BLACKLISTED,
    )
    .await;
}

#[tokio::test]
async fn rights_are_read_again_at_each_refresh() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let first = pair(
        bank.post(
            "/api/token/",
            &json!({"email": EMAIL, "password": PASSWORD}),
        )
        .await,
    )
    .await;
    bank.sql("update users set scopes = 'payments:read'").await;
    let second = pair(
        bank.post("/api/token/refresh/", &json!({"refresh": first["refresh"]}))
            .await,
    )
    .await;
    assert_eq!(
        bank.verified(text(&second, "access")).await.claims.scope,
        "payments:read"
    );

    let body = json!({"refresh": second["refresh"]});
    bank.sql("update users set is_active = false").await;
    let answer = bank.post("/api/token/refresh/", &body).await;
    let expected = r#"{"detail":"No active account found for the given token."}"#;
    check("inactive", answer, 401, expected).await;
    bank.sql("update users set is_active = true").await;
    pair(bank.post("/api/token/refresh/", &body).await).await;
}

#[tokio::test]
async fn a_protected_view_tells_whoever_may_see_it_about_itself() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let login = json!({"email": EMAIL, "password": PASSWORD});
    let answer = bank.post("/api/token/", &login).await;
    let tokens: Value = answer.json().await.expect("JSON");
    for path in ["/api/users/me/", "/api/users/me"] {
        let options = || bank.http.request(Method::OPTIONS, bank.at(path));
        let answer = options().send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 401);
        assert_eq!(answer.headers()["allow"], "GET, OPTIONS");
        let answer = options().bearer_auth(text(&tokens, "access")).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.headers()["allow"], "GET, OPTIONS");
        // As Django REST framework tells about a view without a body.
        assert_eq!(
            answer.text().await.expect("a body"),
            r#"{"name":"Me","description":"","renders":["application/json"],"parses":["application/json","application/x-www-form-urlencoded","multipart/form-data"]}"#
        );
    }
}
