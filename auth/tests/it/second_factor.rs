//! A second factor: from its first code on nobody logs in without one, and each code passes once.

use aws_lc_rs::hmac;
use common::service;
use futures::future::join_all;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Bank, EMAIL, PASSWORD, text};
use crate::persons::{ADMIN, Caller, NEW_PASSWORD, log_in, with_admin};

const PATH: &str = "/api/users/me/second-factor";
/// Nobody's code: it has seven digits.
const WRONG: &str = "0000000";

/// Base32 (RFC 4648) back to bytes.
pub(crate) fn decoded(secret: &str) -> Vec<u8> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in secret.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            _ => letter - b'2' + 26,
        };
        held = (held << 5) | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 255).expect("a byte"));
        }
    }
    bytes
}

/// What an authenticator with this secret shows now.
pub(crate) fn code(secret: &str) -> String {
    let step = service::now().timestamp() / 30;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &decoded(secret));
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let offset = usize::from(tag.as_ref()[19] & 15);
    let word = tag.as_ref()[offset..].first_chunk().expect("four bytes");
    format!(
        "{:06}",
        (u32::from_be_bytes(*word) & 0x7fff_ffff) % 1_000_000
    )
}

/// The codes that were used may be shown again: tests do not wait for the next 30 s.
pub(crate) async fn forget_steps(bank: &Bank) {
    bank.sql("update second_factors set last_step = 0 where confirmed_at is not null")
        .await;
}

/// Turns a second factor on; its secret and the recovery codes.
pub(crate) async fn enrol(person: &Caller<'_>) -> (String, Vec<String>) {
    let (status, started) = person
        .post(PATH, &json!({"current_password": PASSWORD}))
        .await;
    assert_eq!(status, StatusCode::OK, "{started}");
    let secret = text(&started, "secret").to_owned();
    let (status, confirmed) = person
        .post(&format!("{PATH}/confirm"), &json!({"code": code(&secret)}))
        .await;
    assert_eq!(status, StatusCode::OK, "{confirmed}");
    let codes = confirmed["recovery_codes"].as_array().expect("a list");
    let codes = codes
        .iter()
        .map(|code| code.as_str().expect("a text").to_owned());
    (secret, codes.collect())
}

async fn log_in_with(bank: &Bank, path: &str, otp: &Value) -> Response {
    let login = json!({"email": EMAIL, "password": PASSWORD, "otp": otp});
    bank.post(path, &login).await
}

async fn refused(answer: Response, code: &str) {
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers()["www-authenticate"], "Bearer realm=\"api\"");
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["code"], code, "{body}");
    assert!(body["detail"].is_string(), "{body}");
}

#[tokio::test]
async fn who_has_a_second_factor_logs_in_with_a_code_and_each_code_passes_once() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let person = Caller::log_in(&bank, EMAIL).await;
    let (status, started) = person
        .post(PATH, &json!({"current_password": PASSWORD}))
        .await;
    assert_eq!(status, StatusCode::OK, "{started}");
    let secret = text(&started, "secret").to_owned();
    let uri = text(&started, "otpauth_uri");
    assert_eq!(
        uri,
        format!(
            "otpauth://totp/Quittance:{EMAIL}?secret={secret}&issuer=Quittance&algorithm=SHA1&digits=6&period=30"
        )
    );
    // It counts from its first code on.
    assert_eq!(
        log_in(&bank, EMAIL, PASSWORD).await.status(),
        StatusCode::OK
    );
    let confirm = format!("{PATH}/confirm");
    let (status, problem) = person.post(&confirm, &json!({"code": WRONG})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let first = code(&secret);
    let (status, confirmed) = person.post(&confirm, &json!({"code": first})).await;
    assert_eq!(status, StatusCode::OK, "{confirmed}");
    assert_eq!(
        confirmed["recovery_codes"].as_array().map(Vec::len),
        Some(10)
    );

    for path in ["/api/token/", "/api/token/sliding/"] {
        for missing in [Value::Null, json!(""), json!("  ")] {
            refused(log_in_with(&bank, path, &missing).await, "otp_required").await;
        }
        forget_steps(&bank).await;
        let used = code(&secret);
        let answer = log_in_with(&bank, path, &json!(used)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        for wrong in [json!(WRONG), json!("000-000"), json!(used), json!(12)] {
            refused(log_in_with(&bank, path, &wrong).await, "otp_invalid").await;
            bank.sql("delete from login_tries").await;
        }
    }
    // As authenticators show it.
    forget_steps(&bank).await;
    let (left, right) = (code(&secret)[..3].to_owned(), code(&secret)[3..].to_owned());
    let shown = json!(format!(" {left} {right} "));
    assert_eq!(
        log_in_with(&bank, "/api/token/", &shown).await.status(),
        StatusCode::OK
    );
    for (otp, field) in [
        (json!(true), "Not a valid string."),
        (json!(["1"]), "Not a valid string."),
    ] {
        let answer = log_in_with(&bank, "/api/token/", &otp).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body, json!({"otp": [field]}));
    }
    // A wrong password says nothing about a second factor.
    let answer = log_in(&bank, EMAIL, "not the password").await;
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(
        body,
        json!({"detail": "No active account found with the given credentials"})
    );
}

#[tokio::test]
async fn one_code_at_many_logins_at_once_opens_one_session() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let person = Caller::log_in(&bank, EMAIL).await;
    let (secret, recovery) = enrol(&person).await;
    forget_steps(&bank).await;
    for otp in [code(&secret), recovery[0].clone()] {
        bank.sql("delete from login_tries").await;
        let otp = json!(otp);
        let logins = (0..4).map(|_| log_in_with(&bank, "/api/token/", &otp));
        let answers = join_all(logins).await;
        let good = answers
            .iter()
            .filter(|answer| answer.status() == StatusCode::OK);
        assert_eq!(good.count(), 1);
    }
    bank.sql("delete from login_tries").await;
    let confirms = (0..4).map(|_| async {
        let path = format!("{PATH}/confirm");
        person.post(&path, &json!({"code": code(&secret)})).await.0
    });
    for status in join_all(confirms).await {
        assert_eq!(status, StatusCode::CONFLICT, "it is on");
    }
}

#[tokio::test]
async fn each_recovery_code_stands_in_once_however_it_is_typed() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let person = Caller::log_in(&bank, EMAIL).await;
    let (_, recovery) = enrol(&person).await;
    let (_, at_first) = person.call(Method::GET, PATH, None).await;
    assert_eq!(
        at_first,
        json!({"is_on": true, "is_required": false, "recovery_codes_left": 10})
    );
    for (at, typed) in [
        recovery[0].clone(),
        recovery[1].to_lowercase(),
        recovery[2].replace('-', " "),
    ]
    .iter()
    .enumerate()
    {
        let answer = log_in_with(&bank, "/api/token/", &json!(typed)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{typed}");
        refused(
            log_in_with(&bank, "/api/token/", &json!(recovery[at])).await,
            "otp_invalid",
        )
        .await;
    }
    let (_, now) = person.call(Method::GET, PATH, None).await;
    assert_eq!(now["recovery_codes_left"], 7);
}

#[tokio::test]
async fn wrong_codes_are_wrong_tries_and_lock_the_account() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let person = Caller::log_in(&bank, EMAIL).await;
    let (secret, _) = enrol(&person).await;
    forget_steps(&bank).await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        let answer = log_in_with(&bank, "/api/token/", &json!(WRONG)).await;
        statuses.push(answer.status().as_u16());
    }
    assert!(statuses.starts_with(&[401, 401, 401]), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    bank.hold_the_locks().await;
    let right = log_in_with(&bank, "/api/token/", &json!(code(&secret))).await;
    assert_eq!(right.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_second_factor_goes_with_password_and_code_or_by_an_administrator() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = with_admin(&bank).await;
    let person = Caller::log_in(&bank, EMAIL).await;
    let (secret, recovery) = enrol(&person).await;
    forget_steps(&bank).await;
    let (status, _) = person
        .post(PATH, &json!({"current_password": PASSWORD}))
        .await;
    assert_eq!(status, StatusCode::CONFLICT, "there is one");
    for (password, code, expected) in [
        ("not the password", recovery[0].as_str(), 403),
        (PASSWORD, WRONG, 403),
        (PASSWORD, "", 403),
        (PASSWORD, recovery[0].as_str(), 204),
        (PASSWORD, recovery[1].as_str(), 409),
    ] {
        let body = json!({"current_password": password, "code": code});
        let (status, problem) = person.call(Method::DELETE, PATH, Some(&body)).await;
        assert_eq!(status.as_u16(), expected, "{problem}");
    }
    assert_eq!(
        log_in(&bank, EMAIL, PASSWORD).await.status(),
        StatusCode::OK
    );
    let (again, _) = enrol(&person).await;
    assert_ne!(again, secret, "a new one");

    // A shorter password will do for those who have one.
    let change = |new: &str| json!({"current_password": PASSWORD, "password": new});
    let (status, _) = admin
        .post("/api/users/me/password", &change("8 chars!"))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (_, found) = admin.get(&format!("/api/users?email={EMAIL}")).await;
    assert_eq!(found["users"][0]["has_second_factor"], true, "{found}");
    let id = text(&found["users"][0], "id").to_owned();
    let (status, problem) = admin
        .post(
            &format!("/api/users/{id}/password"),
            &json!({"password": "8 chars!"}),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{problem}");
    admin
        .post(
            &format!("/api/users/{id}/password"),
            &json!({"password": NEW_PASSWORD}),
        )
        .await;

    let reset = format!("/api/users/{id}/second-factor/reset");
    assert_eq!(
        person.post(&reset, &json!({})).await.0,
        StatusCode::FORBIDDEN
    );
    let (status, answer) = admin.post(&reset, &json!({})).await;
    assert_eq!(
        (status, &answer["has_second_factor"]),
        (StatusCode::OK, &json!(false))
    );
    let person = Caller::with_password(&bank, EMAIL, NEW_PASSWORD).await;
    assert_eq!(
        person.post(&reset, &json!({})).await.0,
        StatusCode::FORBIDDEN
    );
    let (_, own) = admin.get(&format!("/api/users?email={ADMIN}")).await;
    let own = format!(
        "/api/users/{}/second-factor/reset",
        text(&own["users"][0], "id")
    );
    assert_eq!(admin.post(&own, &json!({})).await.0, StatusCode::CONFLICT);
    let (_, events) = admin.get("/api/audit?what=user.second_factor_off").await;
    let events = events["events"].as_array().expect("a list").iter();
    let because: Vec<_> = events
        .map(|event| text(&event["detail"], "because"))
        .collect();
    assert_eq!(because, ["reset", "removed"]);
}

#[tokio::test]
async fn what_is_sent_instead_of_a_code_is_refused_and_never_an_error_of_ours() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let person = Caller::log_in(&bank, EMAIL).await;
    let long = "9".repeat(10_000);
    let confirm = format!("{PATH}/confirm");
    for body in [
        json!(null),
        json!([]),
        json!({}),
        json!({"code": null}),
        json!({"code": 123_456}),
        json!({"code": ""}),
        json!({"code": "\0"}),
        json!({"code": "٠٠٠٠٠٠"}),
        json!({"code": long}),
        json!({"code": "000000", "more": 1}),
        json!({"current_password": 1}),
        json!({"current_password": "\0"}),
        json!({"current_password": "", "code": ""}),
    ] {
        for (method, path) in [
            (Method::POST, PATH),
            (Method::POST, confirm.as_str()),
            (Method::DELETE, PATH),
        ] {
            let (status, answer) = person.call(method, path, Some(&body)).await;
            assert!(status.is_client_error(), "{path} {body}: {status} {answer}");
        }
        bank.sql("delete from login_tries").await;
    }
    enrol(&person).await;
    for otp in ["\0", "\u{1F512}", &long] {
        let answer = log_in_with(&bank, "/api/token/", &json!(otp)).await;
        assert!(answer.status().is_client_error(), "{otp}");
    }
}
