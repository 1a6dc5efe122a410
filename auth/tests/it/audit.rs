//! `/api/audit/`: who reads it, what is in it, and that nobody changes it.

use auth::people::{self, Role};
use reqwest::Response;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::harness::{Bank, EMAIL, PASSWORD, eventually, text};

const AUDITOR: &str = "auditor@b.rw";

async fn token(bank: &Bank, email: &str) -> String {
    let login = json!({"email": email, "password": PASSWORD});
    let answer = bank.post("/api/token/", &login).await;
    assert_eq!(answer.status().as_u16(), 200, "{email}");
    let body: Value = answer.json().await.expect("JSON");
    text(&body, "access").to_owned()
}

async fn get(bank: &Bank, token: &str, path: &str) -> Response {
    let request = bank.http.get(bank.at(path)).bearer_auth(token);
    request.send().await.expect("auth answers")
}

async fn events(bank: &Bank, token: &str, path: &str) -> Vec<Value> {
    let answer = get(bank, token, path).await;
    assert_eq!(answer.status().as_u16(), 200, "{path}");
    let mut body: Value = answer.json().await.expect("JSON");
    match body["events"].take() {
        Value::Array(events) => events,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_auditor_reads_what_happened_the_newest_first() {
    let (bank, _auth, _ledger) = Bank::open().await;
    people::ensure_user(&bank.pool, AUDITOR, PASSWORD, Role::Staff)
        .await
        .expect("staff");
    let ada = token(&bank, EMAIL).await;
    let wrong = json!({"email": EMAIL, "password": "wrong"});
    assert_eq!(
        bank.post("/api/token/", &wrong).await.status().as_u16(),
        401
    );
    let unknown = json!({"email": "nobody@b.rw", "password": "wrong"});
    assert_eq!(
        bank.post("/api/token/", &unknown).await.status().as_u16(),
        401
    );
    let auditor = token(&bank, AUDITOR).await;
    eventually("both failures are written", async || {
        let failed = events(&bank, &auditor, "/api/audit/?what=user.login_failed").await;
        failed.len() == 2
    })
    .await;

    let all = events(&bank, &auditor, "/api/audit").await;
    // The first key was made, and signs.
    assert_eq!(all.len(), 4 + 2);
    assert!(all.is_sorted_by_key(|event| std::cmp::Reverse(event["id"].as_i64())));
    let logins = events(&bank, &auditor, "/api/audit/?what=user.logged_in").await;
    let (of_auditor, of_ada) = (&logins[0], &logins[1]);
    let ada_id = text(of_ada, "about");
    assert_eq!(of_ada["actor"], format!("user-{ada_id}"));
    assert_eq!(of_ada["detail"]["address"], "127.0.0.1");
    let failed = events(&bank, &auditor, "/api/audit/?what=user.login_failed").await;
    let abouts: Vec<_> = failed.iter().map(|event| event["about"].as_str()).collect();
    assert!(
        abouts.contains(&Some(ada_id)) && abouts.contains(&None),
        "{abouts:?}"
    );
    assert!(
        failed
            .iter()
            .all(|event| event["detail"] == json!({"address": "127.0.0.1", "count": 1}))
    );
    for (query, count) in [
        (format!("about={ada_id}"), 2),
        (format!("about={ada_id}&what=user.login_failed"), 1),
        (format!("actor=user-{ada_id}"), 1),
        ("about=nobody".to_owned(), 0),
        ("from=2000-01-01T00:00:00Z".to_owned(), 4 + 2),
        ("from=2999-01-01T00:00:00%2B01:00".to_owned(), 0),
        (
            format!("cursor={}", of_auditor["id"]),
            of_auditor["id"]
                .as_u64()
                .map_or(0, |id| usize::try_from(id).expect("small") - 1),
        ),
    ] {
        let found = events(&bank, &auditor, &format!("/api/audit/?{query}")).await;
        assert_eq!(found.len(), count, "{query}");
    }
    for query in [
        "limit=0",
        "limit=101",
        "limit=x",
        "from=today",
        "what=user.eaten",
        "cursor=x",
        "who=ada",
    ] {
        let answer = get(&bank, &auditor, &format!("/api/audit/?{query}")).await;
        assert_eq!(answer.status().as_u16(), 400, "{query}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    assert_eq!(get(&bank, &ada, "/api/audit/").await.status().as_u16(), 403);
    assert_eq!(get(&bank, "x", "/api/audit/").await.status().as_u16(), 401);
}

#[tokio::test]
async fn a_list_of_events_is_read_page_by_page() {
    let (bank, _auth, _ledger) = Bank::open().await;
    people::ensure_user(&bank.pool, AUDITOR, PASSWORD, Role::Staff)
        .await
        .expect("staff");
    let mut auditor = String::new();
    for _ in 0..5 {
        auditor = token(&bank, AUDITOR).await;
    }
    let mut next = Some("/api/audit/?what=user.logged_in&limit=2".to_owned());
    let mut ids = Vec::new();
    while let Some(path) = next {
        let answer = get(&bank, &auditor, &path).await;
        let link = answer.headers().get("link").cloned();
        let body: Value = answer.json().await.expect("JSON");
        let page = body["events"].as_array().expect("a list");
        ids.extend(page.iter().filter_map(|event| event["id"].as_i64()));
        next = body["next"].as_str().map(str::to_owned);
        let expected = next.as_ref().map(|next| format!("<{next}>; rel=\"next\""));
        assert_eq!(
            link.as_ref().map(|link| link.as_bytes()),
            expected.as_ref().map(String::as_bytes)
        );
    }
    assert_eq!(ids.len(), 5);
    assert!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
}

#[tokio::test]
async fn events_are_never_changed_by_the_service() {
    let (bank, _auth, _ledger) = Bank::open().await;
    token(&bank, EMAIL).await;
    for statement in [
        "update events set actor = null",
        "update events set at = now()",
        "delete from events",
        "truncate events",
        "alter table events disable trigger all",
        "drop table events",
    ] {
        let done = sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&bank.pool)
            .await;
        let error = done.expect_err(statement);
        let code = error
            .as_database_error()
            .and_then(|error| error.code().map(String::from));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
    }
}
