//! Guessing and flooding: what they cost the one who does it, and what they do not cost others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use auth::clients;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::harness::{Auth, Bank, EMAIL, PASSWORD};

const NO_ACCOUNT: &str = r#"{"detail":"No active account found with the given credentials"}"#;
/// Addresses for documentation; the tests' connections come from a trusted proxy.
const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.7";
const ATTACKER: &str = "203.0.113.66";

async fn login_at(http: &Client, url: &str, from: &str, email: &str, password: &str) -> Response {
    let login = json!({"email": email, "password": password});
    let request = http.post(url).header("x-forwarded-for", from).json(&login);
    request.send().await.expect("auth answers")
}

async fn login(bank: &Bank, from: &str, email: &str, password: &str) -> u16 {
    let answer = login_at(&bank.http, &bank.at("/api/token/"), from, email, password).await;
    answer.status().as_u16()
}

/// Failures that the database has counted.
async fn failures(bank: &Bank) -> i64 {
    let row = sqlx::query("select coalesce(sum(failures), 0)::bigint from login_tries");
    let row = row.fetch_one(&bank.pool).await.expect("one row");
    row.get(0)
}

/// The locks are over, without waiting for it.
async fn let_the_locks_pass(bank: &Bank) {
    bank.sql("update login_tries set locked_until = now() where locked_until is not null")
        .await;
}

/// The locks begin now, and last a second.
async fn let_the_locks_begin(bank: &Bank) {
    bank.sql("update login_tries set locked_until = now() + interval '1 second' where locked_until is not null")
        .await;
}

/// A second instance, and where it listens.
fn another(bank: &Bank) -> (Auth, String) {
    let mut config = bank.config();
    let listen = local::testing::free_address();
    config.service.web.listen = listen;
    (Auth::start(config), format!("http://{listen}"))
}

async fn wait_until_ready(bank: &Bank, at: &str) {
    crate::harness::eventually("the other instance is ready", async || {
        let answer = bank.http.get(format!("{at}/health/ready")).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
}

#[tokio::test]
async fn lockout_parallel_200_attempts_counts_200() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let (_other, other) = another(&bank);
    wait_until_ready(&bank, &other).await;
    let start = Instant::now();
    let tries: Vec<_> = (0..200)
        .map(|number| {
            let http = bank.http.clone();
            let url = if number % 2 == 0 {
                bank.at("/api/token/")
            } else {
                format!("{other}/api/token/")
            };
            tokio::spawn(async move {
                let answer = login_at(&http, &url, ATTACKER, EMAIL, "wrong").await;
                answer.status().as_u16()
            })
        })
        .collect();
    let (mut judged, mut refused) = (0, 0);
    for one in tries {
        match one.await.expect("no panic") {
            401 => judged += 1,
            429 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!(judged + refused, 200);
    assert_eq!(
        failures(&bank).await,
        judged,
        "every judged try is counted, none twice"
    );
    // Five, and perhaps one more after each second.
    let more = i64::try_from(start.elapsed().as_secs()).expect("some seconds");
    assert!(
        (5..=5 + more).contains(&judged),
        "{judged} tries were judged"
    );
}

#[tokio::test]
async fn wrong_passwords_lock_an_account_everywhere_and_the_right_one_opens_it_later() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let (_other, other) = another(&bank);
    wait_until_ready(&bank, &other).await;
    let urls = [bank.at("/api/token/"), format!("{other}/api/token/")];
    for number in 0..5 {
        let answer = login_at(&bank.http, &urls[number % 2], HOME, EMAIL, "wrong").await;
        assert_eq!(answer.status().as_u16(), 401, "{number}");
    }
    for url in &urls {
        let_the_locks_begin(&bank).await;
        let answer = login_at(&bank.http, url, HOME, EMAIL, PASSWORD).await;
        assert_eq!(answer.status().as_u16(), 429, "also with the right one");
        assert_eq!(answer.headers()["retry-after"], "1");
        let body = answer.text().await.expect("a text");
        assert_eq!(
            body,
            r#"{"detail":"Request was throttled. Expected available in 1 second."}"#
        );
    }
    let_the_locks_pass(&bank).await;
    assert_eq!(login(&bank, HOME, EMAIL, PASSWORD).await, 200);
    assert_eq!(failures(&bank).await, 0, "all is forgotten");
    for _ in 0..5 {
        assert_eq!(login(&bank, HOME, EMAIL, "wrong").await, 401);
    }
    bank.hold_the_locks().await;
    assert_eq!(login(&bank, HOME, EMAIL, PASSWORD).await, 429);
    assert_eq!(
        login(&bank, HOME, "A@B.RW", PASSWORD).await,
        429,
        "in any case"
    );
}

#[tokio::test]
async fn somebody_unknown_is_answered_as_somebody_known_is() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let mut slow = 0;
    let [known, unknown] = loop {
        match [
            twelve_tries(&bank, EMAIL).await,
            twelve_tries(&bank, "nobody@b.rw").await,
        ] {
            [Some(known), Some(unknown)] => break [known, unknown],
            _ => slow += 1,
        }
        assert!(slow < 20, "this machine is too slow to tell");
        bank.sql("delete from login_tries").await;
    };
    assert_eq!(known, unknown);
    let rows = sqlx::query("select octet_length(key) from login_tries");
    let rows = rows.fetch_all(&bank.pool).await.expect("rows");
    assert_eq!(rows.len(), 2, "both are counted");
}

/// The answers to twelve wrong tries; `None` when a try was so slow that its lock may have been shorter for the next one.
async fn twelve_tries(bank: &Bank, email: &str) -> Option<Vec<(i32, u16, String, String)>> {
    let mut answers = Vec::new();
    let mut before = Instant::now();
    for number in 0..12 {
        let url = bank.at("/api/token/");
        let began = Instant::now();
        let answer = login_at(&bank.http, &url, ATTACKER, email, "wrong").await;
        if before.elapsed() > Duration::from_millis(900) {
            return None;
        }
        before = began;
        let status = answer.status().as_u16();
        let mut headers = answer.headers().clone();
        headers.remove("date");
        let body = answer.text().await.expect("a text");
        if status == 401 {
            assert_eq!(body, NO_ACCOUNT);
        } else {
            // The next try after the lock, and not a second later.
            let_the_locks_pass(bank).await;
        }
        answers.push((number, status, format!("{headers:?}"), body));
    }
    let statuses: Vec<_> = answers.iter().map(|answer| answer.1).collect();
    assert_eq!(
        statuses,
        [401, 401, 401, 401, 401, 429, 401, 429, 401, 429, 401, 429]
    );
    Some(answers)
}

#[tokio::test]
async fn an_attacker_elsewhere_locks_nobody_out_of_a_place_they_know() {
    let (bank, _auth, _ledger) = Bank::open().await;
    assert_eq!(login(&bank, HOME, EMAIL, PASSWORD).await, 200);
    for _ in 0..5 {
        assert_eq!(login(&bank, ATTACKER, EMAIL, "wrong").await, 401);
    }
    bank.hold_the_locks().await;
    for (from, expected) in [(ATTACKER, 429), (ELSEWHERE, 429), (HOME, 200)] {
        assert_eq!(
            login(&bank, from, EMAIL, PASSWORD).await,
            expected,
            "{from}"
        );
    }
    // Who guesses from that very place is locked out there.
    for _ in 0..5 {
        assert_eq!(login(&bank, HOME, EMAIL, "wrong").await, 401);
    }
    bank.hold_the_locks().await;
    assert_eq!(login(&bank, HOME, EMAIL, PASSWORD).await, 429);
}

#[tokio::test]
async fn many_right_logins_at_once_lock_nobody_out() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let logins: Vec<_> = (0..40)
        .map(|_| {
            let (http, url) = (bank.http.clone(), bank.at("/api/token/"));
            tokio::spawn(async move {
                let answer = login_at(&http, &url, HOME, EMAIL, PASSWORD).await;
                answer.status().as_u16()
            })
        })
        .collect();
    for login in logins {
        assert_eq!(login.await.expect("no panic"), 200);
    }
    assert_eq!(failures(&bank).await, 0);
}

#[tokio::test]
async fn an_address_without_a_share_is_refused_and_locks_no_account() {
    let (bank, _auth, _ledger) = Bank::open().await;
    assert_eq!(login(&bank, ATTACKER, "one@b.rw", "wrong").await, 401);
    bank.sql("update login_addresses set paid_until = now() + interval '1 hour'")
        .await;
    for number in 0..20 {
        let email = format!("{number}@b.rw");
        assert_eq!(login(&bank, ATTACKER, &email, "wrong").await, 429);
    }
    assert_eq!(failures(&bank).await, 1, "what was refused is no failure");
    assert_eq!(login(&bank, HOME, EMAIL, PASSWORD).await, 200);
}

#[tokio::test]
async fn wrong_secrets_are_slowed_down_and_stop_nobody() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let secret = "0123456789abcdef".repeat(4);
    let shop = "demo-shop".parse().expect("a good id");
    clients::ensure_service_account(&bank.pool, &shop, &secret, "payments:read")
        .await
        .expect("an account");
    let ask = async |id: &str, secret: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
        ];
        bank.post_form("/oauth2/token", &form).await
    };
    for id in ["demo-shop", "nobody"] {
        for number in 0..30 {
            let status = ask(id, "wrong").await.status().as_u16();
            assert_eq!(status, 401, "{id} {number}");
        }
        let_the_locks_begin(&bank).await;
        let answer = ask(id, "wrong").await;
        assert_eq!(answer.status().as_u16(), 429, "{id}");
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body["error"], "temporarily_unavailable");
    }
    assert_eq!(ask("demo-shop", &secret).await.status().as_u16(), 200);
}

/// Memory of this process now, in KiB: the tests', and auth's in it.
fn memory_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_one_address_delays_others_by_moments() {
    const CONNECTIONS: usize = 80;
    let (bank, _auth, _ledger) = Bank::open().await;
    // A place that the second one knows: the attacker's own.
    assert_eq!(login(&bank, ATTACKER, EMAIL, PASSWORD).await, 200);
    let (before, stop) = (memory_kib(), Arc::new(AtomicBool::new(false)));
    let answered = Arc::new(AtomicU64::new(0));
    let attacker = Client::new();
    let flood: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let (stop, answered) = (stop.clone(), answered.clone());
            let (http, url) = (attacker.clone(), bank.at("/api/token/"));
            tokio::spawn(async move {
                let mut tries = 0;
                while !stop.load(Ordering::Relaxed) {
                    // Others each time, so that no lock spares auth the work.
                    let email = format!("{number}-{tries}@b.rw");
                    login_at(&http, &url, ATTACKER, &email, "wrong").await;
                    answered.fetch_add(1, Ordering::Relaxed);
                    tries += 1;
                }
            })
        })
        .collect();
    crate::harness::eventually("the flood flows", async || {
        answered.load(Ordering::Relaxed) > 100
    })
    .await;

    let (mut slowest, mut most) = (Duration::ZERO, 0);
    for _ in 0..5 {
        for from in [HOME, ELSEWHERE, ATTACKER] {
            let start = Instant::now();
            // On a machine that is busy with other things, the database may be late.
            while login(&bank, from, EMAIL, PASSWORD).await != 200 {}
            slowest = slowest.max(start.elapsed());
            most = most.max(memory_kib());
        }
    }
    stop.store(true, Ordering::Relaxed);
    for one in flood {
        one.await.expect("no panic");
    }
    // Some 50 ms on a quiet machine.
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    let grown_mib = (most - before) / 1024;
    // 80 hashes at once would take 1520 MiB. Other tests run in this process too.
    assert!(grown_mib < 1000, "{grown_mib} MiB more than before");
    eprintln!(
        "{} tries of {CONNECTIONS} connections; the slowest login of others took {slowest:?}, {grown_mib} MiB more",
        answered.load(Ordering::Relaxed)
    );
}
