//! People as an administrator sees them, and locking them out.

use auth::people::{self, Role};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Bank, EMAIL, PASSWORD, text};
use crate::persons::{ADMIN, NEW_PASSWORD, admins_pair, call, log_in, pair};

pub(crate) async fn id_of(bank: &Bank, admin: &Value, email: &str) -> String {
    let (status, list) = call(
        bank,
        Method::GET,
        &format!("/api/users?email={email}"),
        admin,
        None,
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{list}");
    text(&list["users"][0], "id").to_owned()
}

async fn me(bank: &Bank, pair: &Value) -> StatusCode {
    call(bank, Method::GET, "/api/users/me/", pair, None)
        .await
        .0
}

async fn refresh(bank: &Bank, pair: &Value) -> StatusCode {
    bank.post("/api/token/refresh/", &json!({"refresh": pair["refresh"]}))
        .await
        .status()
}

async fn revoked(bank: &Bank) -> Vec<String> {
    sqlx::query_scalar("select because from revocations where noted_seq is not null order by id")
        .fetch_all(&bank.pool)
        .await
        .expect("rows")
}

/// Seen before: a deactivated customer went on paying, and after reactivation the old refresh token worked.
#[tokio::test]
async fn who_is_deactivated_is_out_and_stays_out_of_old_sessions_when_activated() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    let customer = pair(&bank, EMAIL, PASSWORD).await;
    let id = id_of(&bank, &admin, EMAIL).await;
    let path = |action: &str| format!("/api/users/{id}/{action}");
    let (status, person) = call(&bank, Method::POST, &path("deactivate"), &admin, None).await;
    assert_eq!(
        (status, &person["is_active"]),
        (StatusCode::OK, &json!(false)),
        "{person}"
    );
    assert_eq!(
        revoked(&bank).await,
        ["deactivated"],
        "the ledger knows by now"
    );
    assert_eq!(me(&bank, &customer).await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        log_in(&bank, EMAIL, PASSWORD).await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(refresh(&bank, &customer).await, StatusCode::UNAUTHORIZED);

    let (status, person) = call(&bank, Method::POST, &path("activate"), &admin, None).await;
    assert_eq!(
        (status, &person["is_active"]),
        (StatusCode::OK, &json!(true)),
        "{person}"
    );
    assert_eq!(refresh(&bank, &customer).await, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&bank, &customer).await, StatusCode::UNAUTHORIZED);
    let again = pair(&bank, EMAIL, PASSWORD).await;
    assert_eq!(me(&bank, &again).await, StatusCode::OK);
    // The new token is issued behind the revocation, also within its second.
    let until: i64 = sqlx::query_scalar("select tokens_valid_after from users where id::text = $1")
        .bind(&id)
        .fetch_one(&bank.pool)
        .await
        .expect("a row");
    let claims = bank.verified(text(&again, "access")).await.claims;
    assert!(claims.iat > until, "{} {until}", claims.iat);
}

#[tokio::test]
async fn a_new_password_ends_every_session_of_the_old_one() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let (first, second) = (
        pair(&bank, EMAIL, PASSWORD).await,
        pair(&bank, EMAIL, PASSWORD).await,
    );
    let change = async |current: &str, new: &str| {
        let body = json!({"current_password": current, "password": new});
        call(
            &bank,
            Method::POST,
            "/api/users/me/password",
            &first,
            Some(&body),
        )
        .await
    };
    let (status, problem) = change("a wrong password, long enough", NEW_PASSWORD).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
    for (bad, says) in [
        ("short", "at least 15"),
        ("aaaaaaaaaaaaaaaaaaaa", "many people"),
    ] {
        let (status, problem) = change(PASSWORD, bad).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(text(&problem, "detail").contains(says), "{problem}");
    }
    assert_eq!(me(&bank, &second).await, StatusCode::OK);
    let (status, problem) = change(PASSWORD, NEW_PASSWORD).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{problem}");
    for session in [&first, &second] {
        assert_eq!(me(&bank, session).await, StatusCode::UNAUTHORIZED);
        assert_eq!(refresh(&bank, session).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(
        log_in(&bank, EMAIL, PASSWORD).await.status(),
        StatusCode::UNAUTHORIZED
    );
    pair(&bank, EMAIL, NEW_PASSWORD).await;
    assert_eq!(revoked(&bank).await, ["password_changed"]);
}

#[tokio::test]
async fn a_person_sees_and_ends_the_own_sessions_and_no_others() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    let (here, there) = (
        pair(&bank, EMAIL, PASSWORD).await,
        pair(&bank, EMAIL, PASSWORD).await,
    );
    let (status, list) = call(&bank, Method::GET, "/api/sessions", &here, None).await;
    assert_eq!(status, StatusCode::OK);
    let sessions = list["sessions"].as_array().expect("a list");
    assert_eq!(sessions.len(), 2, "{list}");
    let other = sessions
        .iter()
        .find(|session| session["is_current"] == false)
        .expect("the other");
    let path = format!("/api/sessions/{}", text(other, "id"));
    let stranger = {
        people::ensure_user(&bank.pool, "eve@b.rw", PASSWORD, Role::Customer)
            .await
            .expect("somebody");
        pair(&bank, "eve@b.rw", PASSWORD).await
    };
    assert_eq!(
        call(&bank, Method::DELETE, &path, &stranger, None).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(me(&bank, &there).await, StatusCode::OK);
    assert_eq!(
        call(&bank, Method::DELETE, &path, &here, None).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(me(&bank, &there).await, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&bank, &here).await, StatusCode::OK);
    // Everywhere else; then here too, and nobody else's.
    let there = pair(&bank, EMAIL, PASSWORD).await;
    for (path, expected) in [
        ("/api/sessions", StatusCode::OK),
        ("/api/sessions?current=false", StatusCode::OK),
        ("/api/sessions?current=true", StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(
            call(&bank, Method::DELETE, path, &here, None).await.0,
            StatusCode::NO_CONTENT,
            "{path}"
        );
        assert_eq!(me(&bank, &here).await, expected, "{path}");
        assert_eq!(me(&bank, &there).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(me(&bank, &here).await, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&bank, &stranger).await, StatusCode::OK);
    // An administrator ends anybody's.
    let (_, list) = call(&bank, Method::GET, "/api/sessions", &stranger, None).await;
    let path = format!("/api/sessions/{}", text(&list["sessions"][0], "id"));
    assert_eq!(
        call(&bank, Method::DELETE, &path, &admin, None).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(me(&bank, &stranger).await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        revoked(&bank).await,
        [
            "logged_out",
            "logged_out_elsewhere",
            "logged_out_everywhere",
            "logged_out"
        ]
    );
}

#[tokio::test]
async fn an_administrator_makes_people_and_nobody_else_does() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    let customer = pair(&bank, EMAIL, PASSWORD).await;
    let new = json!({"email": "Grace@B.rw", "password": NEW_PASSWORD, "role": "staff"});
    for (what, token, body, expected) in [
        ("a customer asks", &customer, new.clone(), 403),
        ("good", &admin, new.clone(), 201),
        (
            "the same in other letters",
            &admin,
            json!({"email": "grace@b.rw", "password": NEW_PASSWORD}),
            409,
        ),
        (
            "no address",
            &admin,
            json!({"email": "grace", "password": NEW_PASSWORD}),
            422,
        ),
        (
            "a short password",
            &admin,
            json!({"email": "x@b.rw", "password": "short"}),
            422,
        ),
        (
            "an unknown role",
            &admin,
            json!({"email": "x@b.rw", "password": NEW_PASSWORD, "role": "root"}),
            400,
        ),
        (
            "more than there is",
            &admin,
            json!({"email": "x@b.rw", "password": NEW_PASSWORD, "is_active": false}),
            400,
        ),
    ] {
        let (status, answer) = call(&bank, Method::POST, "/api/users", token, Some(&body)).await;
        assert_eq!(status.as_u16(), expected, "{what}: {answer}");
    }
    let grace = pair(&bank, "grace@b.rw", NEW_PASSWORD).await;
    assert_eq!(me(&bank, &grace).await, StatusCode::OK);
    let (status, _) = call(&bank, Method::GET, "/api/users", &grace, None).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "staff does not administer");
    let (_, first) = call(&bank, Method::GET, "/api/users?limit=2", &admin, None).await;
    let emails = |list: &Value| {
        let users = list["users"].as_array().expect("a list").iter();
        users
            .map(|user| text(user, "email").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(emails(&first), [EMAIL, ADMIN]);
    let (_, rest) = call(&bank, Method::GET, text(&first, "next"), &admin, None).await;
    assert_eq!(emails(&rest), ["Grace@b.rw"]);
    // Nobody locks oneself out for ever.
    let id = id_of(&bank, &admin, ADMIN).await;
    let (status, _) = call(
        &bank,
        Method::POST,
        &format!("/api/users/{id}/deactivate"),
        &admin,
        None,
    )
    .await;
    assert_eq!(status, StatusCode::CONFLICT);
    for path in [
        "/api/users/x",
        "/api/users/01900000-0000-7000-8000-000000000000",
    ] {
        assert_eq!(
            call(&bank, Method::GET, path, &admin, None).await.0,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

/// A second has room for several log-outs, and each ends the tokens that were issued behind the one before.
#[tokio::test]
async fn lock_outs_within_one_second_end_all_that_was_issued_between() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    let id = id_of(&bank, &admin, EMAIL).await;
    for _ in 0..4 {
        let session = pair(&bank, EMAIL, PASSWORD).await;
        let claims = bank.verified(text(&session, "access")).await.claims;
        let path = format!("/api/users/{id}/log-out");
        let (status, person) = call(&bank, Method::POST, &path, &admin, None).await;
        assert_eq!(status, StatusCode::OK, "{person}");
        let until: i64 = sqlx::query_scalar(
            "select (target ->> 'issued_until')::bigint from revocations order by id desc limit 1",
        )
        .fetch_one(&bank.pool)
        .await
        .expect("a revocation");
        assert!(
            claims.iat <= until,
            "issued at {}, revoked until {until}",
            claims.iat
        );
    }
}
