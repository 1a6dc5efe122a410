//! People of a Django system: they are imported, and log in with the passwords they have.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Bank, EMAIL, PASSWORD, text};
use crate::people::id_of;
use crate::persons::{NEW_PASSWORD, admins_pair, call, log_in, pair};

/// What `manage.py dumpdata` writes, with the hashes of invented passwords.
const DUMPDATA: &str = include_str!("dumpdata.json");

const ADA: (&str, &str) = ("ada@example.com", "ada counts to a million");
const GRACE: (&str, &str) = ("grace@example.com", "grace sails at seven");

/// The people of the fixture, as the endpoint takes them.
fn rows() -> Vec<Value> {
    let objects: Vec<Value> = serde_json::from_str(DUMPDATA).expect("JSON");
    let users = objects.iter().filter(|row| row["model"] == "users.user");
    users
        .map(|user| {
            let mut row = user["fields"].clone();
            let fields = row.as_object_mut().expect("an object");
            fields.remove("groups");
            fields.remove("user_permissions");
            fields.insert("id".to_owned(), user["pk"].clone());
            row
        })
        .collect()
}

async fn import(bank: &Bank, admin: &Value, body: &Value) -> (StatusCode, Value) {
    call(bank, Method::POST, "/api/users/import", admin, Some(body)).await
}

/// Imports these, and returns what came of each: `created`, or a reason.
async fn outcomes(bank: &Bank, admin: &Value, people: &[Value]) -> Vec<String> {
    let (status, report) = import(bank, admin, &json!({"people": people})).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    assert!(!report.to_string().contains("pbkdf2"), "{report}");
    words(&report)
}

fn words(report: &Value) -> Vec<String> {
    let people = report["people"].as_array().expect("a list").iter();
    people
        .map(|person| {
            let reason = person["reason"].as_str();
            reason.unwrap_or(text(person, "outcome")).to_owned()
        })
        .collect()
}

async fn hash_of(bank: &Bank, email: &str) -> String {
    sqlx::query_scalar("select password_hash from users where lower(email) = lower($1)")
        .bind(email)
        .fetch_one(&bank.pool)
        .await
        .expect("a row")
}

/// A row with a hash of one iteration: its password is `pässword one`.
fn quick(id: u32) -> Value {
    json!({
        "id": id, "email": format!("{id}@example.com"), "username": format!("u{id}"), "is_active": true, "is_staff": false,
        "is_superuser": false, "date_joined": "2024-01-01T00:00:00Z", "last_login": null,
        "password": "pbkdf2_sha256$1$seasalt$98LAZik4pJNikwc/wZltlL/PowsqNnPnNzARKoGCUtI=",
    })
}

#[tokio::test]
async fn people_of_django_log_in_and_their_hashes_become_ours() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    let shared = "another row has this e-mail address, but for upper and lower case";
    let first = outcomes(&bank, &admin, &rows()).await;
    assert_eq!(
        first,
        [
            "created", "created", "created", "created", "created", shared, shared
        ]
    );

    for (email, password) in [ADA, GRACE] {
        let old = hash_of(&bank, email).await;
        assert!(old.starts_with("pbkdf2_sha256$"));
        let refused = log_in(&bank, email, "another password").await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(hash_of(&bank, email).await, old);
        pair(&bank, email, password).await;
        let ours = hash_of(&bank, email).await;
        assert!(ours.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        pair(&bank, email, password).await;
        assert_eq!(hash_of(&bank, email).await, ours, "once is enough");
    }
    // Who was inactive stays so, whatever the password.
    let refused = log_in(&bank, "edsger@example.com", "edsger waits for nobody").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    // A superuser administers.
    let hedy = pair(&bank, "hedy@example.com", "hedy hops frequencies").await;
    let (status, list) = call(&bank, Method::GET, "/api/users?email=ada@", &hedy, None).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    let ada = &list["users"][0];
    assert_eq!(text(ada, "id"), "3f2b8f0e-5c61-4b0e-9c0a-4e5f0a1d2c31");
    assert_eq!(text(ada, "created_at"), "2023-02-01T08:30:00.125Z");
    // Nothing opens this door until an administrator makes a key.
    let barbara = "barbara@example.com";
    for guess in ["!", "", "Jm2Xq8vTn5LkRw9sYc4HpBz7Dg1Fa3UeKo6ViNty"] {
        assert!(!log_in(&bank, barbara, guess).await.status().is_success());
    }
    let id = id_of(&bank, &admin, barbara).await;
    let body = json!({"password": NEW_PASSWORD});
    let path = format!("/api/users/{id}/password");
    let (status, _) = call(&bank, Method::POST, &path, &admin, Some(&body)).await;
    assert_eq!(status, StatusCode::OK);
    pair(&bank, barbara, NEW_PASSWORD).await;

    // Five events, none with a hash; and a repeat changes nothing.
    let ours = hash_of(&bank, ADA.0).await;
    let again = outcomes(&bank, &admin, &rows()).await;
    assert_eq!(again[..5], ["already_there"; 5], "{again:?}");
    assert_eq!(hash_of(&bank, ADA.0).await, ours);
    let events: Vec<String> =
        sqlx::query_scalar("select detail::text from events where what = 'user.imported'")
            .fetch_all(&bank.pool)
            .await
            .expect("rows");
    assert_eq!(events.len(), 5);
    assert!(
        events
            .iter()
            .all(|detail| !detail.contains("pbkdf2") && detail.contains("has_password")),
        "{events:?}"
    );
}

/// Seen while building it: of two that log in at once, the second met the hash of the first and was turned away.
#[tokio::test]
async fn of_log_ins_at_once_none_is_refused_because_another_rehashed() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    assert_eq!(outcomes(&bank, &admin, &[quick(1)]).await, ["created"]);
    let logins = (0..8).map(|_| log_in(&bank, "1@example.com", "p\u{e4}ssword one"));
    for answer in join_all(logins).await {
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

/// The log-in holds what it has checked, an administrator changes the password, and the log-in goes on.
#[tokio::test]
async fn a_password_changed_during_a_log_in_is_not_overwritten_by_its_new_hash() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    assert_eq!(outcomes(&bank, &admin, &[quick(1)]).await, ["created"]);
    let mut changing = bank.pool.begin().await.expect("a transaction");
    let changed =
        "update users set password_hash = (select password_hash from users where email = $1)
                   where email = '1@example.com'";
    sqlx::query(changed)
        .bind(EMAIL)
        .execute(&mut *changing)
        .await
        .expect("a row");
    let login = log_in(&bank, "1@example.com", "p\u{e4}ssword one");
    let change = async {
        let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%for update%'";
        let waiting = async || {
            let count: i64 = sqlx::query_scalar(waits)
                .fetch_one(&bank.pool)
                .await
                .expect("a count");
            count > 0
        };
        crate::harness::eventually("the log-in waits for the row", waiting).await;
        changing.commit().await.expect("the change");
    };
    let (login, ()) = tokio::join!(login, change);
    assert_eq!(login.status(), StatusCode::UNAUTHORIZED);
    pair(&bank, "1@example.com", PASSWORD).await;
}

#[tokio::test]
async fn an_import_that_died_between_two_chunks_is_repeated() {
    let (bank, auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    let people: Vec<Value> = (1..=1000).map(quick).collect();
    let dry = json!({"people": &people[..500], "dry_run": true});
    let (status, report) = import(&bank, &admin, &dry).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    assert_eq!(words(&report), ["created"; 500]);
    let first = outcomes(&bank, &admin, &people[..500]).await;
    assert_eq!(first, ["created"; 500], "the dry run has created nobody");
    drop(auth);
    let _auth = bank.auth();
    bank.wait_until_ready().await;
    let (again, rest) = (
        outcomes(&bank, &admin, &people[..500]).await,
        outcomes(&bank, &admin, &people[500..]).await,
    );
    assert_eq!(again, ["already_there"; 500]);
    assert_eq!(rest, ["created"; 500]);
    // Two at once, in another order: each person is created once.
    let more: Vec<Value> = (1001..=1200).map(quick).collect();
    let reversed: Vec<Value> = more.iter().rev().cloned().collect();
    let (one, other) = tokio::join!(
        outcomes(&bank, &admin, &more),
        outcomes(&bank, &admin, &reversed)
    );
    let created = one.iter().chain(&other).filter(|word| *word == "created");
    assert_eq!(created.count(), 200);
}

#[tokio::test]
async fn what_is_wrong_with_an_import_is_told_and_is_never_our_failure() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    let customer = pair(&bank, EMAIL, PASSWORD).await;
    let with = |name: &str, value: Value| {
        let mut row = quick(7);
        row[name] = value;
        row
    };
    let without = |name: &str| {
        let mut row = quick(7);
        row.as_object_mut().expect("an object").remove(name);
        row
    };
    let people = |row: Value| json!({"people": [row]});
    let many: Vec<Value> = (0..501).map(quick).collect();
    let long = json!({"people": [with("username", "x".repeat(600_000).into())]});
    #[rustfmt::skip]
    let requests = [
        ("a customer asks", &customer, people(quick(7)), 403),
        ("nobody to import", &admin, json!({"people": []}), 200),
        ("too many", &admin, json!({"people": many}), 422),
        ("too long", &admin, long, 413),
        ("no list", &admin, json!({"people": {}}), 400),
        ("nothing", &admin, json!({}), 400),
        ("no object", &admin, json!([]), 400),
        ("more than there is", &admin, json!({"people": [], "replace": true}), 400),
        ("a column too many", &admin, people(with("is_admin", true.into())), 400),
        ("no address", &admin, people(without("email")), 400),
        ("no id", &admin, people(without("id")), 400),
        ("a fraction", &admin, people(with("id", 1.5.into())), 400),
        ("a password that is no text", &admin, people(with("password", 1.into())), 400),
    ];
    for (what, token, body, expected) in requests {
        let (status, answer) = import(&bank, token, &body).await;
        assert_eq!(status.as_u16(), expected, "{what}: {answer}");
        assert!(!answer.to_string().contains("pbkdf2"), "{what}: {answer}");
    }
    let id = "the key is neither a whole number nor a UUID";
    let odd = "the e-mail address is too long, or has control characters";
    let name = "the username is too long, or has control characters";
    #[rustfmt::skip]
    let rows = [
        (with("email", "nobody".into()), "this is no e-mail address"),
        (with("email", "a\0@example.com".into()), odd),
        (with("email", format!("{}@example.com", "a".repeat(300)).into()), odd),
        (with("username", "a\u{0}".into()), name),
        (with("username", "a".repeat(255).into()), name),
        (with("id", "x".into()), id),
        (with("date_joined", "2024-01-01".into()), "date_joined is no time"),
        (with("date_joined", "-4800-01-01T00:00:00Z".into()), "date_joined is no time"),
        (with("last_login", "0001-01-01T00:00:00Z".into()), "last_login is no time"),
        (with("email", EMAIL.to_uppercase().into()), "somebody has this e-mail address already"),
        (with("id", i64::MIN.into()), "created"),
        (with("id", 8.into()), "somebody has this e-mail address already"),
        (with("id", i64::MIN.into()), "already_there"),
    ];
    for (row, expected) in rows {
        let shown = row.to_string();
        assert_eq!(
            outcomes(&bank, &admin, &[row]).await,
            [expected],
            "{shown:.200}"
        );
    }
    let mut moved = quick(7);
    moved["id"] = i64::MIN.into();
    moved["email"] = "other@example.com".into();
    assert_eq!(
        outcomes(&bank, &admin, &[moved]).await,
        ["somebody with another e-mail address has this key"]
    );
    // Hashes that no password can be checked against, and that the database still takes.
    for (at, password) in [
        "",
        "\0",
        "$argon2id$x",
        "pbkdf2_sha256$1$a\0b$AA",
        "md5$a$b",
    ]
    .into_iter()
    .enumerate()
    {
        let mut row = quick(100 + u32::try_from(at).expect("a few"));
        row["password"] = password.into();
        assert_eq!(outcomes(&bank, &admin, &[row]).await, ["created"]);
    }
}

/// While somebody has a slow hash, everybody waits as long as that one.
#[tokio::test]
async fn a_wrong_password_does_not_tell_who_was_imported() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let admin = admins_pair(&bank).await;
    // Ada has a million iterations, Grace a quarter of that.
    outcomes(&bank, &admin, &rows()[..2]).await;
    let timed = async |email: &str| {
        let start = Instant::now();
        log_in(&bank, email, "a wrong password").await;
        start.elapsed()
    };
    let people = [ADA.0, GRACE.0, EMAIL, "nobody@example.com"];
    let mut shortest = [Duration::MAX; 4];
    // Few tries, so that none is locked; the shortest, because whatever else this machine does makes them longer.
    for _ in 0..3 {
        for (person, shortest) in people.iter().zip(&mut shortest) {
            *shortest = timed(person).await.min(*shortest);
        }
    }
    let (least, most) = (shortest.iter().min(), shortest.iter().max());
    let (least, most) = (*least.expect("four"), *most.expect("four"));
    // Without the same work for all they would be 4 and 30 times as far apart.
    assert!(most < least * 3, "{people:?}: {shortest:?}");
    // Who may not log in does not count: nothing is slow any more when both are out.
    bank.sql("update users set is_active = false where email ilike '%@example.com'")
        .await;
    bank.sql("delete from login_tries").await;
    let mut quick = Duration::MAX;
    for _ in 0..3 {
        quick = timed(EMAIL).await.min(quick);
    }
    assert!(quick < least / 2, "{quick:?} of {least:?}");
}
