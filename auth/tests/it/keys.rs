//! Signing keys through their lives: rotated, revoked, imported, sealed anew.

mod administered;

use common::service;
use common::token::{Keys, Policy, verify};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Auth, Bank, EMAIL, PASSWORD, eventually, text};
use crate::persons::{admins_pair, call, pair};

/// The names of the keys that verifiers are shown, the newest first.
async fn shown(bank: &Bank) -> Vec<String> {
    let set = key_set(bank).await;
    let keys = set["keys"].as_array().expect("a list").iter();
    keys.map(|key| text(key, "kid").to_owned()).collect()
}

async fn key_set(bank: &Bank) -> Value {
    let answer = bank.http.get(bank.at("/.well-known/jwks.json")).send();
    answer
        .await
        .expect("auth answers")
        .json()
        .await
        .expect("keys")
}

/// Which key signs the tokens of a new login.
async fn signing(bank: &Bank) -> String {
    kid(text(&pair(bank, EMAIL, PASSWORD).await, "access"))
}

/// Which key has signed a token.
fn kid(token: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header = token.split('.').next().expect("a header");
    let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    text(&header, "kid").to_owned()
}

async fn refreshed(bank: &Bank, pair: &Value) -> (StatusCode, Value) {
    let body = json!({"refresh": pair["refresh"]});
    let answer = bank.post("/api/token/refresh/", &body).await;
    (answer.status(), answer.json().await.expect("JSON"))
}

async fn state(bank: &Bank, kid: &str) -> (String, bool) {
    sqlx::query_as("select state, private_sealed is not null from signing_keys where kid = $1")
        .bind(kid)
        .fetch_one(&bank.pool)
        .await
        .expect("a key")
}

async fn in_state(bank: &Bank, kid: &str, expected: &str, has_private_half: bool) {
    let what = format!("{kid} is {expected}");
    eventually(&what, async || {
        state(bank, kid).await == (expected.to_owned(), has_private_half)
    })
    .await;
}

/// What the log was asked, in its order: `key` or `revocation`, and the key that signed the token of that.
async fn asked(bank: &Bank) -> Vec<(String, String)> {
    let jetstream = bank.jetstream("ledger").await;
    let last = common::broker::last_sequence(&jetstream, common::wire::REQUESTS).await;
    let mut asked = Vec::new();
    for sequence in 1..=last.expect("a stream") {
        let request = common::broker::get(&jetstream, common::wire::REQUESTS, sequence).await;
        let request = request.expect("the broker answers").expect("a request");
        let token = request.headers.get("Authorization").expect("a token");
        let token = token.strip_prefix("Bearer ").expect("a bearer token");
        let of = request.subject.rsplit('.').next().expect("a subject");
        asked.push((of.to_owned(), kid(token)));
    }
    asked
}

/// Time goes by for the keys: what the statement moves into the past.
macro_rules! age {
    ($bank:expr, $statement:literal) => {
        $bank.sql($statement).await
    };
}

#[tokio::test]
async fn three_rotations_and_nobody_is_logged_out() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let mut session = pair(&bank, EMAIL, PASSWORD).await;
    for rotation in 1..=3 {
        let old = signing(&bank).await;
        let idle = pair(&bank, EMAIL, PASSWORD).await;
        let idle_for_long = pair(&bank, EMAIL, PASSWORD).await;

        // Twenty minutes before its time is over: the next one is shown and does not sign.
        age!(
            bank,
            "update signing_keys set activated_at = now() - interval '30 days 1 second' + interval '20 minutes' where state = 'active'"
        );
        eventually("the next key is shown", async || {
            shown(&bank).await.len() == 2
        })
        .await;
        let [new, also_old] = <[String; 2]>::try_from(shown(&bank).await).expect("two");
        assert_eq!(
            (&also_old, signing(&bank).await),
            (&old, old.clone()),
            "{rotation}"
        );
        in_state(&bank, &new, "pending", true).await;

        // Its time comes. What the old key has signed counts on: with the keys that verifiers fetched before, too.
        let before = key_set(&bank).await;
        age!(
            bank,
            "update signing_keys set activates_at = now() where state = 'pending'"
        );
        in_state(&bank, &new, "active", true).await;
        eventually("it signs", async || signing(&bank).await == new).await;
        assert_eq!(shown(&bank).await, [new.clone(), old.clone()]);
        let (status, next) = refreshed(&bank, &session).await;
        assert_eq!(
            (status, kid(text(&next, "access"))),
            (StatusCode::OK, new.clone())
        );
        session = next;
        let mut fetched = Keys::default();
        for key in before["keys"].as_array().expect("a list") {
            let of = |name: &str| text(key, name);
            fetched
                .insert(of("kid"), "https://auth.test", of("n"), of("e"))
                .expect("a key");
        }
        for token in [text(&idle, "access"), text(&session, "access")] {
            verify(token, service::now(), Policy::HTTP, &fetched).expect("known before it signed");
            bank.verified(token).await;
        }

        // Its last access tokens are over; a refresh token of its lives for a day.
        age!(
            bank,
            "update signing_keys set retires_at = now() where state = 'retiring'"
        );
        in_state(&bank, &old, "retired", false).await;
        assert_eq!(shown(&bank).await, std::slice::from_ref(&new));
        assert_eq!(refreshed(&bank, &idle).await.0, StatusCode::OK);
        age!(
            bank,
            "update signing_keys set retiring_at = now() - interval '25 hours' where state = 'retired'"
        );
        eventually("a day is over", async || {
            refreshed(&bank, &idle_for_long).await.0 == StatusCode::UNAUTHORIZED
        })
        .await;
    }
    let asked = asked(&bank).await;
    assert_eq!(asked.len(), 4, "each key once: {asked:?}");
    // Each was announced under the one before it; the first vouched for itself.
    let kids: Vec<String> =
        sqlx::query_scalar("select kid from signing_keys order by announced_seq")
            .fetch_all(&bank.pool)
            .await
            .expect("keys");
    let vouched = asked.iter().map(|(_, voucher)| voucher);
    let expected = std::iter::once(&kids[0]).chain(&kids);
    assert!(vouched.eq(expected.take(4)), "{asked:?} of {kids:?}");
}

#[tokio::test]
async fn a_revoked_key_ends_what_it_signed_and_vouches_for_the_next_before() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let (admin, session) = (admins_pair(&bank).await, pair(&bank, EMAIL, PASSWORD).await);
    let old = kid(text(&admin, "access"));
    let path = format!("/api/keys/{old}/revoke");
    let (status, keys) = call(&bank, Method::POST, &path, &admin, None).await;
    assert_eq!(status, StatusCode::OK, "{keys}");
    assert_eq!(
        (
            text(&keys["keys"][1], "kid"),
            text(&keys["keys"][1], "state")
        ),
        (&*old, "revoked")
    );

    // Auth believes nothing of it, not even what it has checked before.
    let (status, _) = call(&bank, Method::GET, "/api/keys", &admin, None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(refreshed(&bank, &session).await.0, StatusCode::UNAUTHORIZED);
    let token = json!({"token": session["access"]});
    let verdict = bank.post("/api/token/verify/", &token).await;
    assert_ne!(verdict.status(), StatusCode::OK);
    in_state(&bank, &old, "revoked", false).await;
    let new = signing(&bank).await;
    assert_ne!(new, old);
    assert_eq!(shown(&bank).await, std::slice::from_ref(&new));
    let order = [("keys", &old), ("keys", &old), ("revocations", &new)];
    let order = order.map(|(of, by)| (of.to_owned(), by.clone()));
    eventually("the ledger hears of it", async || {
        asked(&bank).await.len() == 3
    })
    .await;
    assert_eq!(asked(&bank).await, order);

    // Once more is no error, and changes nothing.
    let admin = admins_pair(&bank).await;
    let (status, _) = call(&bank, Method::POST, &path, &admin, None).await;
    assert_eq!((status, asked(&bank).await.len()), (StatusCode::OK, 3));
    let events: i64 = sqlx::query_scalar("select count(*) from events where what = 'key.revoked'")
        .fetch_one(&bank.pool)
        .await
        .expect("a count");
    assert_eq!(events, 1);
}

#[tokio::test]
async fn auth_that_dies_while_a_key_waits_for_its_successor_goes_on() {
    let (bank, auth, ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    let old = kid(text(&admin, "access"));
    drop(ledger);
    let path = format!("/api/keys/{old}/revoke");
    let (status, keys) = call(&bank, Method::POST, &path, &admin, None).await;
    assert_eq!(status, StatusCode::OK, "{keys}");
    // It keeps the private half, and signs nothing with it but the announcement of the next.
    assert_eq!(state(&bank, &old).await, ("revoked".to_owned(), true));
    let login = json!({"email": EMAIL, "password": PASSWORD});
    let refused = bank.post("/api/token/", &login).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        refreshed(&bank, &admin).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    drop(auth);

    let _auth = bank.auth();
    let _ledger = bank.ledger(common::kinds::trust::KeyStatus::Noted).await;
    bank.wait_until_ready().await;
    in_state(&bank, &old, "revoked", false).await;
    eventually("somebody can log in", async || {
        bank.post("/api/token/", &login).await.status() == StatusCode::OK
    })
    .await;
    assert_ne!(signing(&bank).await, old);
    eventually("the ledger hears of it", async || {
        asked(&bank)
            .await
            .last()
            .is_some_and(|(of, _)| of == "revocations")
    })
    .await;
    let asked = asked(&bank).await;
    let of_old = asked.iter().filter(|(_, by)| *by == old);
    assert!(of_old.clone().all(|(of, _)| of == "keys"), "{asked:?}");
}

#[tokio::test]
async fn two_instances_rotate_once() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let mut other = bank.config();
    other.service.web.listen = local::testing::free_address();
    let login = format!("http://{}/api/token/", other.service.web.listen);
    let _other = Auth::start(other);
    let there = async || {
        let body = json!({"email": EMAIL, "password": PASSWORD});
        let answer = bank.http.post(&login).json(&body).send().await.ok()?;
        let pair: Value = answer.json().await.ok()?;
        Some(kid(pair["access"].as_str()?))
    };
    eventually("the other serves", async || there().await.is_some()).await;
    let old = signing(&bank).await;
    age!(
        bank,
        "update signing_keys set activated_at = now() - interval '31 days' where state = 'active'"
    );
    eventually("the next key is shown", async || {
        shown(&bank).await.len() == 2
    })
    .await;
    age!(
        bank,
        "update signing_keys set activates_at = now() where state = 'pending'"
    );
    let is_new = |kid: Option<String>| kid.is_some_and(|kid| kid != old);
    eventually("both sign with it", async || {
        is_new(there().await) && is_new(Some(signing(&bank).await))
    })
    .await;
    assert_eq!(there().await.expect("a token"), signing(&bank).await);
    assert_eq!(shown(&bank).await.len(), 2);
}

#[tokio::test]
async fn the_next_key_is_made_by_hand_and_once() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    let old = signing(&bank).await;
    for _ in 0..2 {
        let (status, keys) = call(&bank, Method::POST, "/api/keys/rotate", &admin, None).await;
        assert_eq!(status, StatusCode::OK, "{keys}");
        assert_eq!(keys["keys"].as_array().expect("a list").len(), 2);
        assert_eq!(text(&keys["keys"][0], "state"), "pending");
    }
    let at_once = json!({"at_once": true});
    let (status, _) = call(
        &bank,
        Method::POST,
        "/api/keys/rotate",
        &admin,
        Some(&at_once),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    eventually("it signs", async || signing(&bank).await != old).await;
    in_state(&bank, &old, "retiring", true).await;
    // A retiring one is revoked without ado, and so is a pending one.
    let admin = admins_pair(&bank).await;
    call(&bank, Method::POST, "/api/keys/rotate", &admin, None).await;
    let (_, keys) = call(&bank, Method::GET, "/api/keys", &admin, None).await;
    let pending = text(&keys["keys"][0], "kid").to_owned();
    for kid in [&pending, &old] {
        let path = format!("/api/keys/{kid}/revoke");
        let (status, _) = call(&bank, Method::POST, &path, &admin, None).await;
        assert_eq!((status, state(&bank, kid).await.1), (StatusCode::OK, false));
    }
    assert_eq!(shown(&bank).await, [signing(&bank).await]);
}
