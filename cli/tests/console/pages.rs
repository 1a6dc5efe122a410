//! Pages as they are read: without scripts, found by any id, empty, and when what they show can't be had.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use futures::future::join_all;
use reqwest::StatusCode;
use reqwest::header::LOCATION;
use serde_json::{Value, json};

use crate::desk::{Desk, signal_to};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test]
async fn pages_can_be_read_without_scripts() {
    let desk = Desk::open();
    let (email, password) = desk.staff();
    let signed_in = desk.sign_in(email, password).await;
    let account = format!("/accounts/{}", desk.account());
    let statement = format!("{account}/statement");
    for (path, shows) in [
        ("/", "sum to zero"),
        ("/payments", "1000.00 EUR"),
        ("/accounts", "Grace"),
        (account.as_str(), "1000.00"),
        (statement.as_str(), "Opening balance"),
        ("/trial-balance", "after message"),
        ("/log", "opened"),
        ("/log/1", "Quittance-Chain"),
        ("/subscribers", "demo-shop"),
        ("/services", "takes payments"),
        ("/logs", "serving HTTP"),
        ("/logs?service=ledger&level=info", "leading"),
        ("/people", "ada@demo.quittance"),
        ("/programs", "demo-shop"),
        ("/keys", "active"),
        ("/audit", "Start a replay"),
        ("/history", "user.logged_in"),
        ("/sessions", "this one"),
        ("/search?q=nothing-like-that", "Nothing here has the id"),
    ] {
        let answer = desk.get(path, signed_in.clone()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(shows), "{path}: {page}");
        assert!(!page.contains("eyJ"), "{path} shows a token");
    }
    for path in [
        "/log/999999",
        "/log/x",
        "/accounts/x",
        "/payments/x",
        "/nothing",
    ] {
        let answer = desk.get(path, signed_in.clone()).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(
            answer.text().await.unwrap().contains("role=\"alert\""),
            "{path}"
        );
    }
}

#[tokio::test]
async fn any_id_leads_to_its_page() {
    let desk = Desk::open();
    let (email, password) = desk.staff();
    let signed_in = desk.sign_in(email, password).await;
    let id = "0198c0de-0000-7000-8000-000000000001";
    let seq = pay_traced(&desk, id).await;
    let get = async |path: &str| desk.get(path, signed_in.clone()).await;
    let people = get("/people").await.text().await.unwrap();
    let (before, _) = people.split_once("Choose ada@demo.quittance").unwrap();
    let ada = before.rsplit_once("value=\"").unwrap().1;
    let ada = ada.split('"').next().unwrap();
    let keys = get("/keys").await.text().await.unwrap();
    let (_, kid) = keys.split_once("data-copy=\"").unwrap();
    let kid = kid.split('"').next().unwrap();
    let account = desk.account();
    let shown = desk.home.run("account show ada --json").json();
    let number = shown["account_number"].as_str().unwrap();
    let (of_ada, of_trace) = (
        format!("/history?about={ada}"),
        format!("/log?trace_id={TRACE}"),
    );
    for (asked, leads_to) in [
        ("1", "/log/1".to_owned()),
        (id, format!("/payments/{id}")),
        (account, format!("/accounts/{account}")),
        (number, format!("/accounts/{account}")),
        ("ada@demo.quittance", of_ada.clone()),
        ("ADA@Demo.Quittance", of_ada.clone()),
        (ada, of_ada.clone()),
        ("demo-shop", "/log?client_id=demo-shop".to_owned()),
        (kid, "/keys".to_owned()),
        (TRACE, of_trace.clone()),
        (&TRACE.to_uppercase(), of_trace.clone()),
    ] {
        let answer = get(&format!("/search?q={asked}")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{asked}");
        let found = answer.headers()[LOCATION].to_str().unwrap().to_owned();
        assert_eq!(found, format!("/admin{leads_to}"), "{asked}");
        let page = get(&leads_to).await;
        assert_eq!(page.status(), StatusCode::OK, "{asked}");
    }
    let page = get(&of_trace).await.text().await.unwrap();
    assert!(page.contains(&format!("/admin/log/{seq}\"")), "{page}");
    let page = get(&of_ada).await.text().await.unwrap();
    assert!(page.contains("user.logged_in"), "{page}");
    // What looks like an id and is nobody's finds nothing, and nothing is taken for something near it.
    for nobody in [
        "ad@demo.quittance",
        "demo-sho",
        "0198c0de-0000-7000-8000-00000000ffff",
        "0af7651916cd43dd8448eb211c80319d",
        &kid.chars().rev().collect::<String>(),
    ] {
        let answer = get(&format!("/search?q={nobody}")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{nobody}");
        let page = answer.text().await.unwrap();
        assert!(page.contains("Nothing here has the id"), "{nobody}: {page}");
        assert!(!page.contains("role=\"alert\""), "{nobody}: {page}");
    }
}

/// A payment of Ada's with this id and a trace, and its place in the log.
async fn pay_traced(desk: &Desk, id: &str) -> u64 {
    let token = desk.home.run("token --as ada").ok();
    let grace = &desk.status["demo"]["customers"][1]["account"];
    let paid = json!({
        "payment_id": id, "debtor_account": desk.account(), "creditor_account": grace,
        "amount": "2.00", "currency": "EUR",
    });
    let url = format!("{}/payments", desk.status["payments"].as_str().unwrap());
    let request = reqwest::Client::new().post(url).bearer_auth(token.trim());
    let trace = format!("00-{TRACE}-b7ad6b7169203331-01");
    let request = request
        .header("traceparent", trace)
        .header("prefer", "wait=20");
    let answer = request.json(&paid).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["status"], "settled", "{answer}");
    answer["request_seq"].as_u64().unwrap()
}

/// A page with nothing to show, what it says of that, and what it says can be done.
const EMPTY: [(&str, &str, &str); 12] = [
    (
        "/payments?client_id=nobody",
        "No payment fits.",
        "or with `quittance pay`",
    ),
    ("/accounts?owner=nobody", "No account fits.", "Open one"),
    (
        "/accounts/ACCOUNT",
        "Nothing was posted here yet.",
        "Deposit",
    ),
    (
        "/accounts/ACCOUNT",
        "Nothing is held on this account.",
        "Pay or hold",
    ),
    (
        "/accounts/ACCOUNT/statement?from=2026-01-01&to=2026-01-02",
        "Nothing was posted on these days.",
        "Take others",
    ),
    (
        "/trial-balance?as_of=2020-01-01T00:00",
        "There was no account then.",
        "Take a later time",
    ),
    (
        "/log?client_id=nobody",
        "Nothing in the log fits.",
        "Take a filter away",
    ),
    ("/logs?trace=nothing", "No line fits", "Take a filter away"),
    (
        "/programs",
        "No program logs in here yet.",
        "Make the first one below",
    ),
    (
        "/audit",
        "No replay was started since the ledger began.",
        "Start one above",
    ),
    (
        "/history?about=0198c0de-0000-7000-8000-00000000ffff",
        "Nothing happened that fits.",
        "Take a filter away",
    ),
    (
        "/files",
        "You have no files.",
        "Ask for one on the statement page",
    ),
];
/// Said where a demo bank has no empty list: whoever looks is somebody, and asks a service that runs.
const NEVER_EMPTY: [&str; 8] = [
    // A consumer stays when its program goes: answers may wait in it.
    "Nobody reads settlements yet.",
    "Nobody is here.",
    "No service answers at the broker.",
    "No payment of it has an outcome",
    "There is none yet. Every request gets exactly one.",
    "There is none yet. This page shows it as soon as it comes.",
    "The bank has no account in",
    "Nothing here has the id",
];

#[tokio::test]
async fn every_list_that_is_empty_says_so_and_what_to_do() {
    let desk = Desk::open();
    let (email, password) = desk.staff();
    let signed_in = desk.sign_in(email, password).await;
    let opened = desk.home.run("account open --owner ada --json").json();
    let account = opened["account_id"].as_str().unwrap();
    let token = desk.home.run("token --as staff").ok();
    let auth = desk.status["auth"].as_str().unwrap();
    let gone = reqwest::Client::new()
        .delete(format!("{auth}/api/service-accounts/demo-shop/"))
        .bearer_auth(token.trim());
    let gone = gone.send().await.unwrap().status();
    assert!(gone.is_success(), "{gone}");
    for (path, says, advice) in EMPTY {
        let path = path.replace("ACCOUNT", account);
        let answer = desk.get(&path, signed_in.clone()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(says), "{path} without {says}: {page}");
        let (_, said) = page.split_once(&format!("class=\"empty\">{says}")).unwrap();
        let (said, _) = said.split_once("</p>").unwrap();
        assert!(said.contains(advice), "{path}: {said}");
        assert!(!page.contains("role=\"alert\""), "{path}: {page}");
    }
    // No list has words that were left out above.
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../console/templates");
    let known: BTreeSet<&str> = EMPTY.iter().map(|row| row.1).chain(NEVER_EMPTY).collect();
    for file in fs::read_dir(directory).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for said in text.split("class=\"empty\">").skip(1) {
            let is_known = known.iter().any(|known| said.starts_with(known));
            // The words of a list of the log are its page's.
            assert!(is_known || said.starts_with("{{ empty }}"), "{said}");
        }
    }
}

/// Pages by the service that they can't be made without.
const SOURCES: [(&str, &[&str]); 3] = [
    (
        "ledger",
        &[
            "/",
            "/payments",
            "/accounts",
            "/accounts/ACCOUNT",
            "/accounts/ACCOUNT/statement",
            "/accounts/ACCOUNT/balance",
            "/trial-balance",
            "/log",
            "/log/1",
            "/receipts/1",
            "/subscribers",
            "/services",
            "/audit",
            "/history",
            "/files",
            "/search?q=ACCOUNT",
        ],
    ),
    ("payments", &["/", "/services", "/search?q=ACCOUNT"]),
    (
        "auth",
        &[
            "/",
            "/services",
            "/logs",
            "/people",
            "/programs",
            "/keys",
            "/history",
            "/sessions",
            "/search?q=demo-shop",
            "/search?q=ada@demo.quittance",
        ],
    ),
];

#[tokio::test]
async fn a_source_that_does_not_answer_is_shown_as_such_and_never_as_empty() {
    let desk = Desk::open();
    let (email, password) = desk.staff();
    let signed_in = desk.sign_in(email, password).await;
    let mut wrong = Vec::new();
    for (service, paths) in SOURCES {
        let pid = desk.home.path().join(format!("run/{service}.pid"));
        let pid = fs::read_to_string(pid).unwrap();
        let signal = |name: &str| signal_to(pid.trim(), name);
        // A process that stands still takes connections and answers nothing.
        signal("-STOP");
        local::testing::stands_still(pid.trim().parse().unwrap());
        let pages = paths.iter().map(async |path| {
            let path = path.replace("ACCOUNT", desk.account());
            let answer = desk.get(&path, signed_in.clone()).await;
            let status = answer.status();
            (path, status, answer.text().await.unwrap())
        });
        let pages = join_all(pages).await;
        signal("-CONT");
        for (path, status, page) in pages {
            let is_told = page.contains("role=\"alert\"") || page.contains(">DOWN<");
            let is_ours = page.contains("<header>");
            let is_empty = page.contains("class=\"empty\"") && !path.starts_with("/search");
            if !is_told || !is_ours || is_empty {
                wrong.push(format!("{path} without {service}: {status} {page}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
