//! Staff that must have a second factor: until it does, it may do what customers may. New recovery codes.

use auth::StaffSecondFactor;
use auth::people::{self, Role};
use common::kinds::trust::KeyStatus;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Auth, Bank, EMAIL, PASSWORD, text};
use crate::persons::{Caller, call, log_in};
use crate::second_factor::{code, enrol, forget_steps};

const STAFF: &str = "staff@b.rw";
const PATH: &str = "/api/users/me/second-factor";

async fn scopes(bank: &Bank, pair: &Value) -> String {
    bank.verified(text(pair, "access")).await.claims.scope
}

async fn refreshed(bank: &Bank, pair: &Value) -> Value {
    let refresh = json!({"refresh": pair["refresh"]});
    let answer = bank.post("/api/token/refresh/", &refresh).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.expect("a pair")
}

async fn with_code(bank: &Bank, secret: &str) -> Value {
    forget_steps(bank).await;
    let login = json!({"email": STAFF, "password": PASSWORD, "otp": code(secret)});
    let answer = bank.post("/api/token/", &login).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.expect("a pair")
}

#[tokio::test]
async fn staff_without_a_required_second_factor_may_do_what_customers_may_until_it_has_one() {
    let bank = Bank::new().await;
    let _ledger = bank.ledger(KeyStatus::Noted).await;
    for (email, role) in [(EMAIL, Role::Customer), (STAFF, Role::Admin)] {
        people::ensure_user(&bank.pool, email, PASSWORD, role)
            .await
            .expect("a person");
    }
    // While nobody must have one, staff logs in as ever.
    let auth = bank.auth();
    bank.wait_until_ready().await;
    let before = Caller::log_in(&bank, STAFF).await.pair;
    assert_eq!(scopes(&bank, &before).await, Role::Admin.scopes());
    drop(auth);

    let required = auth::Config {
        staff_second_factor: StaffSecondFactor::Required,
        ..bank.config()
    };
    let auth = Auth::start(required);
    bank.wait_until_ready().await;
    // The session from before too, from its next token on.
    let staff = refreshed(&bank, &before).await;
    let customers: Vec<_> = Role::Customer.scopes().split(' ').collect();
    let allowed = scopes(&bank, &staff).await;
    assert!(
        allowed.split(' ').all(|scope| customers.contains(&scope)),
        "{allowed}"
    );
    let (status, _) = call(&bank, Method::GET, "/api/users", &staff, None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let staff = Caller::log_in(&bank, STAFF).await;
    assert_eq!(scopes(&bank, &staff.pair).await, allowed);
    let (_, me) = staff.get("/api/users/me/").await;
    assert_eq!(me["scopes"], json!(allowed.split(' ').collect::<Vec<_>>()));
    let (_, state) = staff.get(PATH).await;
    assert_eq!(state["is_required"], true, "{state}");
    let customer = Caller::log_in(&bank, EMAIL).await;
    assert_eq!(
        scopes(&bank, &customer.pair).await,
        Role::Customer.scopes(),
        "customers need none"
    );
    assert_eq!(customer.get(PATH).await.1["is_required"], false);

    // The way in: they turn one on. Then the same session's next token allows everything, and so does a log-in with a code.
    let (secret, _) = enrol(&staff).await;
    let next = refreshed(&bank, &staff.pair).await;
    assert_eq!(scopes(&bank, &next).await, Role::Admin.scopes());
    let pair = with_code(&bank, &secret).await;
    assert_eq!(scopes(&bank, &pair).await, Role::Admin.scopes());
    let answer = log_in(&bank, STAFF, PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);

    // Whoever takes it away is a customer again.
    forget_steps(&bank).await;
    let body = json!({"current_password": PASSWORD, "code": code(&secret)});
    let (status, _) = call(&bank, Method::DELETE, PATH, &pair, Some(&body)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let next = refreshed(&bank, &pair).await;
    assert_eq!(scopes(&bank, &next).await, allowed);
    drop(auth);
}

#[tokio::test]
async fn new_recovery_codes_take_password_and_code_and_end_those_before() {
    let (bank, _auth, _ledger) = Bank::open().await;
    people::create_if_missing(&bank.pool, STAFF, PASSWORD, Role::Staff)
        .await
        .expect("staff");
    let person = Caller::log_in(&bank, STAFF).await;
    let path = format!("{PATH}/recovery-codes");
    let body = |password: &str, code: &str| json!({"current_password": password, "code": code});
    let (status, _) = person.post(&path, &body(PASSWORD, "000000")).await;
    assert_eq!(status, StatusCode::CONFLICT, "there is no second factor");

    let (secret, first) = enrol(&person).await;
    for (password, code) in [("not the password", &*first[0]), (PASSWORD, "0000000")] {
        let (status, problem) = person.post(&path, &body(password, code)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
    }
    let (status, renewed) = person.post(&path, &body(PASSWORD, &first[0])).await;
    assert_eq!(status, StatusCode::OK, "{renewed}");
    let codes = renewed["recovery_codes"].as_array().expect("a list");
    assert_eq!(codes.len(), 10);
    let (_, state) = person.get(PATH).await;
    assert_eq!(state["recovery_codes_left"], 10);
    // Sent once more: the code was used, and the codes of the first answer stay.
    let (status, _) = person.post(&path, &body(PASSWORD, &first[0])).await;
    assert_eq!(status, StatusCode::FORBIDDEN);

    for (otp, expected) in [
        (json!(first[1]), StatusCode::UNAUTHORIZED),
        (codes[0].clone(), StatusCode::OK),
        (codes[0].clone(), StatusCode::UNAUTHORIZED),
    ] {
        let login = json!({"email": STAFF, "password": PASSWORD, "otp": otp});
        let answer = bank.post("/api/token/", &login).await;
        assert_eq!(answer.status(), expected, "{otp}");
        bank.sql("delete from login_tries").await;
    }
    // The authenticator is as it was.
    with_code(&bank, &secret).await;
    let events: i64 = sqlx::query_scalar(
        "select count(*) from events where what = 'user.recovery_codes_renewed'",
    )
    .fetch_one(&bank.pool)
    .await
    .expect("a count");
    assert_eq!(events, 1);
}
