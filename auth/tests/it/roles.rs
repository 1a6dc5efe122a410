//! What a person is to the bank: changed by administrators, of whom one is always left.

use auth::people::{self, Role};
use futures::future::join;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Bank, EMAIL, PASSWORD, text};
use crate::persons::{ADMIN, Caller, with_admin};

async fn id_of(admin: &Caller<'_>, email: &str) -> String {
    let (_, list) = admin.get(&format!("/api/users?email={email}")).await;
    text(&list["users"][0], "id").to_owned()
}

#[tokio::test]
async fn who_may_do_less_is_locked_out_and_who_may_do_more_is_not() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = with_admin(&bank).await;
    let id = id_of(&admin, EMAIL).await;
    let path = format!("/api/users/{id}/role");
    let mut person = Caller::log_in(&bank, EMAIL).await;
    for (role, goes_on) in [
        ("customer", true),
        ("staff", true),
        ("admin", true),
        ("staff", false),
        ("customer", false),
        ("admin", true),
        ("customer", false),
    ] {
        let (status, answer) = admin.post(&path, &json!({"role": role})).await;
        assert_eq!(
            (status, &answer["role"]),
            (StatusCode::OK, &json!(role)),
            "{answer}"
        );
        let (status, _) = person.get("/api/users/me/").await;
        let refresh = json!({"refresh": person.pair["refresh"]});
        let refreshed = bank.post("/api/token/refresh/", &refresh).await;
        let expected = if goes_on {
            StatusCode::OK
        } else {
            StatusCode::UNAUTHORIZED
        };
        assert_eq!((status, refreshed.status()), (expected, expected), "{role}");
        person = Caller::log_in(&bank, EMAIL).await;
        let claims = bank.verified(text(&person.pair, "access")).await.claims;
        assert_eq!(claims.scope, text(&answer, "scopes"));
    }
    let (_, events) = admin.get("/api/audit?what=user.role_changed").await;
    let events = events["events"].as_array().expect("a list");
    assert_eq!(events.len(), 6, "the first one changed nothing");
    assert_eq!(
        events[0]["detail"],
        json!({"from": "admin", "to": "customer"})
    );
    let revoked: Vec<String> = sqlx::query_scalar("select because from revocations order by id")
        .fetch_all(&bank.pool)
        .await
        .expect("rows");
    assert_eq!(revoked, ["role_changed"; 3]);
}

#[tokio::test]
async fn an_administrator_is_left_whoever_takes_the_role_from_whom() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = with_admin(&bank).await;
    let own = id_of(&admin, ADMIN).await;
    let demote = json!({"role": "staff"});
    let role = |id: &str| format!("/api/users/{id}/role");
    let (status, problem) = admin.post(&role(&own), &demote).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");

    // Two take it from each other at once, one way or the other.
    for action in ["role", "deactivate", "role", "deactivate"] {
        let pair = ["one@b.rw", "two@b.rw"];
        for email in pair {
            people::ensure_user(&bank.pool, email, PASSWORD, Role::Admin)
                .await
                .expect("an administrator");
        }
        bank.sql("update users set is_active = true where email like '%@b.rw'")
            .await;
        bank.sql("update users set role = 'staff' where email = 'admin@b.rw'")
            .await;
        let one = Caller::log_in(&bank, pair[0]).await;
        let two = Caller::log_in(&bank, pair[1]).await;
        let (id_one, id_two) = (id_of(&one, pair[0]).await, id_of(&one, pair[1]).await);
        let path = |id: &str| format!("/api/users/{id}/{action}");
        let (path_one, path_two) = (path(&id_one), path(&id_two));
        let statuses = join(one.post(&path_two, &demote), two.post(&path_one, &demote)).await;
        let good = [statuses.0.0, statuses.1.0];
        let count: i64 =
            sqlx::query_scalar("select count(*) from users where role = 'admin' and is_active")
                .fetch_one(&bank.pool)
                .await
                .expect("a count");
        assert_eq!(count, 1, "{action}: {good:?}");
    }
}

#[tokio::test]
async fn an_administrator_forgives_wrong_tries() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = with_admin(&bank).await;
    let id = id_of(&admin, EMAIL).await;
    let wrong = json!({"email": EMAIL, "password": "not the password"});
    for _ in 0..5 {
        bank.post("/api/token/", &wrong).await;
    }
    bank.hold_the_locks().await;
    let locked = bank.post("/api/token/", &wrong).await.status();
    assert_eq!(locked, StatusCode::TOO_MANY_REQUESTS);
    let (status, answer) = admin
        .post(&format!("/api/users/{id}/unlock"), &json!({}))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let counted: i64 =
        sqlx::query_scalar("select count(*) from login_tries where known_until is null")
            .fetch_one(&bank.pool)
            .await
            .expect("a count");
    assert_eq!(counted, 0);
    Caller::log_in(&bank, EMAIL).await;
    let (_, events) = admin.get("/api/audit?what=user.unlocked").await;
    assert_eq!(text(&events["events"][0], "about"), id);
}

#[tokio::test]
async fn a_role_that_is_none_changes_nothing() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = with_admin(&bank).await;
    let person = Caller::log_in(&bank, EMAIL).await;
    let id = id_of(&admin, EMAIL).await;
    let nobody = "01900000-0000-7000-8000-000000000000";
    let staff = json!({"role": "staff"});
    for (who, body, caller, expected) in [
        (id.as_str(), staff.clone(), &person, 403),
        (id.as_str(), json!(null), &admin, 400),
        (id.as_str(), json!({}), &admin, 400),
        (id.as_str(), json!({"role": "root"}), &admin, 400),
        (id.as_str(), json!({"role": ["staff"]}), &admin, 400),
        (
            id.as_str(),
            json!({"role": "staff", "scopes": "x"}),
            &admin,
            400,
        ),
        (nobody, staff.clone(), &admin, 404),
        ("x", staff.clone(), &admin, 404),
        ("me", staff.clone(), &admin, 404),
    ] {
        let path = format!("/api/users/{who}/role");
        let (status, answer) = caller.post(&path, &body).await;
        assert_eq!(status.as_u16(), expected, "{who} {body}: {answer}");
    }
    for (who, caller, expected) in [
        (id.as_str(), &person, 403),
        (nobody, &admin, 404),
        ("x", &admin, 404),
    ] {
        let path = format!("/api/users/{who}/unlock");
        let (status, answer) = caller.call(Method::POST, &path, None).await;
        assert_eq!(status.as_u16(), expected, "{who}: {answer}");
    }
    let (_, shown) = admin.get(&format!("/api/users/{id}")).await;
    assert_eq!(shown["role"], Value::from("customer"));
}
