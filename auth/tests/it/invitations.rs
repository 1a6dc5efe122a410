//! Codes that make people and set passwords: each once, for a while, and only as it was meant.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Bank, EMAIL, PASSWORD, eventually, text};
use crate::persons::{ADMIN, Caller, NEW_PASSWORD, log_in, with_admin};
use crate::second_factor::enrol;

const ACCEPT: &str = "/api/users/accept";
const INVITATIONS: &str = "/api/users/invitations";

async fn invite(admin: &Caller<'_>, email: &str, role: &str) -> String {
    let body = json!({"email": email, "role": role});
    let (status, answer) = admin.post(INVITATIONS, &body).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    text(&answer, "code").to_owned()
}

async fn accept(bank: &Bank, code: &str, password: &str) -> (StatusCode, Value) {
    let body = json!({"code": code, "password": password});
    let answer = bank.post(ACCEPT, &body).await;
    (answer.status(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn an_invitation_makes_one_person_with_the_role_it_names() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = with_admin(&bank).await;
    let code = invite(&admin, "Grace@B.rw", "staff").await;
    let (status, problem) = accept(&bank, &code, "short").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let (status, person) = accept(&bank, &code.to_lowercase(), NEW_PASSWORD).await;
    assert_eq!(status, StatusCode::OK, "{person}");
    assert_eq!(text(&person, "email"), "Grace@b.rw");
    let grace = Caller::with_password(&bank, "grace@b.rw", NEW_PASSWORD).await;
    let (_, me) = grace.get("/api/users/me/").await;
    assert_eq!(me["role"], "staff", "{me}");
    let (status, _) = accept(&bank, &code, NEW_PASSWORD).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "it was used");

    // The last invitation counts, until somebody has the address.
    let (first, last) = (
        invite(&admin, "eve@b.rw", "admin").await,
        invite(&admin, "EVE@b.rw", "customer").await,
    );
    let (status, _) = accept(&bank, &first, NEW_PASSWORD).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(accept(&bank, &last, NEW_PASSWORD).await.0, StatusCode::OK);
    let body = json!({"email": "Eve@b.rw"});
    assert_eq!(admin.post(INVITATIONS, &body).await.0, StatusCode::CONFLICT);
    let late = invite(&admin, "late@b.rw", "customer").await;
    bank.sql("update one_time_codes set expires_at = now() where email = 'late@b.rw'")
        .await;
    assert_eq!(
        accept(&bank, &late, NEW_PASSWORD).await.0,
        StatusCode::FORBIDDEN
    );
    // Made in another way meanwhile.
    let taken = invite(&admin, "taken@b.rw", "staff").await;
    let body = json!({"email": "taken@b.rw", "password": NEW_PASSWORD});
    assert_eq!(admin.post("/api/users", &body).await.0, StatusCode::CREATED);
    assert_eq!(
        accept(&bank, &taken, NEW_PASSWORD).await.0,
        StatusCode::CONFLICT
    );
}

#[tokio::test]
async fn a_reset_sets_one_new_password_and_ends_every_session() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = with_admin(&bank).await;
    let person = Caller::log_in(&bank, EMAIL).await;
    let (_, me) = person.get("/api/users/me/").await;
    let path = format!("/api/users/{}/reset", text(&me, "id"));
    let start = async || {
        let (status, answer) = admin.post(&path, &json!({})).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        text(&answer, "code").to_owned()
    };
    let (first, code) = (start().await, start().await);
    assert_eq!(
        log_in(&bank, EMAIL, PASSWORD).await.status(),
        StatusCode::OK
    );
    let (_, recovery) = enrol(&person).await;
    assert_eq!(
        accept(&bank, &first, NEW_PASSWORD).await.0,
        StatusCode::FORBIDDEN
    );
    // Of many at once one is first.
    let passwords: Vec<_> = (0..6).map(|n| format!("{NEW_PASSWORD} {n}")).collect();
    let accepts = passwords
        .iter()
        .map(|password| accept(&bank, &code, password));
    let statuses: Vec<_> = join_all(accepts)
        .await
        .into_iter()
        .map(|(status, _)| status)
        .collect();
    let good = statuses.iter().filter(|status| **status == StatusCode::OK);
    assert_eq!(good.count(), 1, "{statuses:?}");
    let winner = statuses.iter().position(|status| *status == StatusCode::OK);
    let password = &passwords[winner.expect("counted above")];
    assert_eq!(
        person.get("/api/users/me/").await.0,
        StatusCode::UNAUTHORIZED
    );
    // The second factor stays.
    let login = |otp: Value| json!({"email": EMAIL, "password": password, "otp": otp});
    let answer = bank.post("/api/token/", &login(Value::Null)).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let answer = bank.post("/api/token/", &login(json!(recovery[0]))).await;
    assert_eq!(answer.status(), StatusCode::OK);
    // A password that is set in another way ends a reset.
    let code = start().await;
    let set = format!("/api/users/{}/password", text(&me, "id"));
    admin.post(&set, &json!({"password": NEW_PASSWORD})).await;
    assert_eq!(
        accept(&bank, &code, NEW_PASSWORD).await.0,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn an_invitation_accepted_many_times_at_once_makes_one_person() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = with_admin(&bank).await;
    let code = invite(&admin, "grace@b.rw", "customer").await;
    let accepts = (0..6).map(|_| accept(&bank, &code, NEW_PASSWORD));
    let answers = join_all(accepts).await;
    let good = answers
        .iter()
        .filter(|(status, _)| *status == StatusCode::OK);
    assert_eq!(good.count(), 1, "{answers:?}");
    assert!(answers.iter().all(|(status, _)| !status.is_server_error()));
}

#[tokio::test]
async fn whoever_tries_codes_is_slowed_down_and_noted() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = with_admin(&bank).await;
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(accept(&bank, "AAAA-BBBB", NEW_PASSWORD).await.0);
    }
    let slowed = &statuses[30..];
    assert!(
        slowed.contains(&StatusCode::TOO_MANY_REQUESTS),
        "{statuses:?}"
    );
    let noted = async || {
        let (_, events) = admin.get("/api/audit?what=user.code_failed").await;
        events["events"]
            .as_array()
            .is_some_and(|events| !events.is_empty())
    };
    eventually("it is noted", noted).await;
}

#[tokio::test]
async fn registration_is_off_unless_the_bank_opens_it() {
    let (bank, auth, _ledger) = Bank::open().await;
    let register = "/api/users/register";
    let new = json!({"email": "new@b.rw", "password": NEW_PASSWORD});
    let answer = bank.post(register, &new).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    drop(auth);
    let mut config = bank.config();
    config.registration = auth::Registration::Open;
    let _auth = crate::harness::Auth::start(config);
    bank.wait_until_ready().await;
    for (what, body, expected) in [
        (
            "a role",
            json!({"email": "new@b.rw", "password": NEW_PASSWORD, "role": "admin"}),
            400,
        ),
        ("no password", json!({"email": "new@b.rw"}), 400),
        (
            "a short password",
            json!({"email": "new@b.rw", "password": "short"}),
            422,
        ),
        (
            "no address",
            json!({"email": "new", "password": NEW_PASSWORD}),
            422,
        ),
        ("good", new.clone(), 201),
        ("the same", new.clone(), 409),
        (
            "somebody's",
            json!({"email": ADMIN.replace("admin", "NEW"), "password": NEW_PASSWORD}),
            409,
        ),
    ] {
        let answer = bank.post(register, &body).await;
        assert_eq!(answer.status().as_u16(), expected, "{what}");
    }
    let person = Caller::with_password(&bank, "new@b.rw", NEW_PASSWORD).await;
    let (_, me) = person.get("/api/users/me/").await;
    assert_eq!(me["role"], "customer");
}

#[tokio::test]
async fn what_is_no_code_or_no_invitation_is_refused_and_never_an_error_of_ours() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = with_admin(&bank).await;
    let person = Caller::log_in(&bank, EMAIL).await;
    let long = "a".repeat(10_000);
    for body in [
        json!(null),
        json!([]),
        json!({}),
        json!({"email": null}),
        json!({"email": "x"}),
        json!({"email": "x\0@b.rw"}),
        json!({"email": format!("{long}@b.rw")}),
        json!({"email": "x@b.rw", "role": "root"}),
        json!({"email": "x@b.rw", "code": "mine"}),
        json!({"code": "", "password": NEW_PASSWORD}),
        json!({"code": "\0", "password": NEW_PASSWORD}),
        json!({"code": long, "password": NEW_PASSWORD}),
        json!({"code": 1, "password": NEW_PASSWORD}),
        json!({"code": "AAAA", "password": "\0"}),
    ] {
        let (status, answer) = admin.post(INVITATIONS, &body).await;
        assert!(status.is_client_error(), "{body}: {status} {answer}");
        let answer = bank.post(ACCEPT, &body).await;
        assert!(answer.status().is_client_error(), "{body}");
    }
    let body = json!({"email": "x@b.rw"});
    assert_eq!(
        person.post(INVITATIONS, &body).await.0,
        StatusCode::FORBIDDEN
    );
    for (id, caller, expected) in [
        ("x", &admin, 404),
        ("01900000-0000-7000-8000-000000000000", &admin, 404),
        ("01900000-0000-7000-8000-000000000000", &person, 403),
    ] {
        let path = format!("/api/users/{id}/reset");
        let (status, _) = caller.call(Method::POST, &path, None).await;
        assert_eq!(status.as_u16(), expected, "{id}");
    }
}

#[tokio::test]
async fn the_first_administrator_is_invited_without_anybody_logged_in() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let invite = async |email: &str| auth::invitations::invite_first_admin(&bank.pool, email).await;
    assert!(invite("no address").await.is_err());
    let lost = invite("boss@b.rw").await.expect("a database");
    let code = invite("boss@b.rw").await.expect("a database");
    let (lost, code) = (lost.expect("no admin yet"), code.expect("no admin yet"));
    assert_eq!(
        accept(&bank, &lost, NEW_PASSWORD).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(accept(&bank, &code, NEW_PASSWORD).await.0, StatusCode::OK);
    let boss = Caller::with_password(&bank, "boss@b.rw", NEW_PASSWORD).await;
    assert_eq!(boss.get("/api/users").await.0, StatusCode::OK);
    let again = invite("other@b.rw").await.expect("a database");
    assert_eq!(again, None, "there is one");
}
