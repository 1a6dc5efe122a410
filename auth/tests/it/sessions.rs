//! A session: how it goes on when an answer is lost, and how it ends.

use futures::future::join_all;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Bank, EMAIL, PASSWORD, text};

async fn log_in(bank: &Bank) -> Value {
    let login = json!({"email": EMAIL, "password": PASSWORD});
    let answer = bank.post("/api/token/", &login).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.expect("a pair")
}

async fn refresh(bank: &Bank, pair: &Value) -> Response {
    bank.post("/api/token/refresh/", &json!({"refresh": pair["refresh"]}))
        .await
}

/// The `jti` of a refresh token, which is its family's and its generation's.
fn jti(token: &str) -> String {
    use base64::Engine as _;
    let claims = token.split('.').nth(1).expect("claims");
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims);
    let claims: Value = serde_json::from_slice(&claims.expect("base64url")).expect("JSON");
    text(&claims, "jti").to_owned()
}

async fn log_out(bank: &Bank, pair: &Value) -> Response {
    bank.post(
        "/api/token/blacklist/",
        &json!({"refresh": pair["refresh"]}),
    )
    .await
}

async fn me(bank: &Bank, pair: &Value) -> StatusCode {
    let request = bank.http.get(bank.at("/api/users/me/"));
    let request = request.bearer_auth(text(pair, "access"));
    request.send().await.expect("auth answers").status()
}

/// Reasons of the revocations that were asked for, with the ledger's answer or not.
async fn revoked(bank: &Bank) -> Vec<(String, bool)> {
    sqlx::query_as("select because, noted_seq is not null from revocations order by id")
        .fetch_all(&bank.pool)
        .await
        .expect("rows")
}

/// Tabs that refresh at once, and a client that never got the answer.
#[tokio::test]
async fn a_lost_answer_may_be_asked_for_again_and_is_the_same() {
    let (bank, auth, _ledger) = Bank::open().await;
    let first = log_in(&bank).await;
    let answers = join_all((0..20).map(|_| refresh(&bank, &first))).await;
    let mut successors = Vec::new();
    for answer in answers {
        assert_eq!(answer.status(), StatusCode::OK);
        let pair: Value = answer.json().await.expect("a pair");
        successors.push(text(&pair, "refresh").to_owned());
    }
    successors.dedup();
    let [successor] = successors.as_slice() else {
        panic!("{} different successors", successors.len());
    };
    let again: Value = refresh(&bank, &first).await.json().await.expect("a pair");
    assert_eq!(text(&again, "refresh"), successor);
    // So it is when auth has started again meanwhile. The start may take long, so the moment of issue is moved.
    drop(auth);
    let _auth = bank.auth();
    bank.wait_until_ready().await;
    bank.sql("update refresh_families set refreshed_at = now() where generation = 1")
        .await;
    let again: Value = refresh(&bank, &first).await.json().await.expect("a pair");
    assert_eq!(jti(text(&again, "refresh")), jti(successor));
    let next = refresh(&bank, &again).await;
    assert_eq!(next.status(), StatusCode::OK);
    assert!(revoked(&bank).await.is_empty());
}

#[tokio::test]
async fn a_refresh_token_that_comes_again_later_ends_the_session() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let (other, first) = (log_in(&bank).await, log_in(&bank).await);
    let second: Value = refresh(&bank, &first).await.json().await.expect("a pair");
    bank.sql("update refresh_families set refreshed_at = refreshed_at - interval '11 s' where generation = 1")
        .await;
    for pair in [&first, &second, &first] {
        let answer = refresh(&bank, pair).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let body = answer.text().await.expect("a body");
        assert_eq!(
            body,
            r#"{"detail":"Token is blacklisted","code":"token_not_valid"}"#
        );
    }
    assert_eq!(me(&bank, &second).await, StatusCode::UNAUTHORIZED);
    let reasons: Vec<_> = revoked(&bank)
        .await
        .into_iter()
        .map(|(because, _)| because)
        .collect();
    assert_eq!(reasons, ["refresh_reused"]);
    assert_eq!(me(&bank, &other).await, StatusCode::OK);
    assert_eq!(refresh(&bank, &other).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn who_logs_out_is_out_with_every_token_of_the_session() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let (other, first) = (log_in(&bank).await, log_in(&bank).await);
    let second: Value = refresh(&bank, &first).await.json().await.expect("a pair");
    assert_eq!(me(&bank, &second).await, StatusCode::OK);
    // Also with a token that was used: who logs out must get out.
    let answer = log_out(&bank, &first).await;
    assert_eq!(answer.status(), StatusCode::RESET_CONTENT);
    assert_eq!(answer.text().await.expect("a body"), "{}");
    assert_eq!(
        revoked(&bank).await,
        [("logged_out".to_owned(), true)],
        "the ledger knows by now"
    );
    for pair in [&first, &second] {
        assert_eq!(
            refresh(&bank, pair).await.status(),
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(
            log_out(&bank, pair).await.status(),
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(me(&bank, pair).await, StatusCode::UNAUTHORIZED);
        let verified = bank
            .post("/api/token/verify/", &json!({"token": pair["access"]}))
            .await;
        assert_eq!(verified.status(), StatusCode::BAD_REQUEST);
    }
    assert_eq!(me(&bank, &other).await, StatusCode::OK);
    let verified = bank
        .post("/api/token/verify/", &json!({"token": other["refresh"]}))
        .await;
    assert_eq!(verified.status(), StatusCode::OK);
}

/// Whoever logs out while a tab refreshes is out: either the refresh came first and its pair ends too, or it finds nothing.
#[tokio::test]
async fn a_log_out_beside_a_refresh_leaves_nothing_alive() {
    let (bank, _auth, _ledger) = Bank::open().await;
    for _ in 0..20 {
        let pair = log_in(&bank).await;
        let (refreshed, left) = tokio::join!(refresh(&bank, &pair), log_out(&bank, &pair));
        assert_eq!(left.status(), StatusCode::RESET_CONTENT);
        if refreshed.status() == StatusCode::OK {
            let next: Value = refreshed.json().await.expect("a pair");
            assert_eq!(me(&bank, &next).await, StatusCode::UNAUTHORIZED);
            assert_eq!(
                refresh(&bank, &next).await.status(),
                StatusCode::UNAUTHORIZED
            );
        }
        assert_eq!(me(&bank, &pair).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn an_access_token_does_not_outlive_its_session() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let pair = log_in(&bank).await;
    bank.sql("update refresh_families set ends_at = now() + interval '60 s'")
        .await;
    let next: Value = refresh(&bank, &pair).await.json().await.expect("a pair");
    let claims = bank.verified(text(&next, "access")).await.claims;
    assert!(claims.exp - claims.iat <= 60, "{}", claims.exp - claims.iat);
    bank.sql("update refresh_families set ends_at = now()")
        .await;
    assert_eq!(me(&bank, &next).await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        refresh(&bank, &next).await.status(),
        StatusCode::UNAUTHORIZED
    );
}
