//! Nobody gets into somebody else's session: what a browser may be made to send, and what a thief may have.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue, LOCATION, SET_COOKIE};

use crate::desk::{Desk, cookie, with_cookie};

/// Every form that does something, with a field that its page reads first.
const FORMS: [(&str, &str, &str); 12] = [
    (
        "/payments/0198c0de-0000-7000-8000-000000000001",
        "action",
        "reverse",
    ),
    ("/accounts", "name", "Of a thief"),
    (
        "/accounts/01900000-96ac-7000-8000-000000000003",
        "action",
        "freeze",
    ),
    (
        "/accounts/01900000-96ac-7000-8000-000000000003/pay",
        "amount",
        "1",
    ),
    ("/people", "action", "log-out"),
    ("/programs", "action", "create"),
    ("/keys", "action", "rotate"),
    ("/audit", "action", "start"),
    ("/files", "action", "ask"),
    ("/sessions", "action", "end"),
    ("/sign-out", "action", "sign-out"),
    ("/sign-in", "email", "staff@demo.quittance"),
];

#[tokio::test]
async fn the_console_is_for_staff_and_says_why_it_lets_nobody_in() {
    let desk = Desk::open();
    let (email, _) = desk.staff();
    let ada = &desk.status["demo"]["customers"][0];
    let (customer, password) = (
        ada["email"].as_str().unwrap(),
        ada["password"].as_str().unwrap(),
    );
    for (email, password, says) in [
        (
            email,
            "wrong",
            "No active account found with the given credentials",
        ),
        (customer, password, "The console is for the bank"),
    ] {
        let fields = [
            ("email", email),
            ("password", password),
            ("next", "//evil.example"),
        ];
        let answer = desk.post("/sign-in", HeaderMap::new(), &fields).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(answer.headers().get(SET_COOKIE).is_none());
        let page = answer.text().await.unwrap();
        assert!(page.contains(says), "{page}");
        assert!(!page.contains(password), "a password stands in no page");
    }

    // A session that an administrator ends at auth is over here too.
    let (email, password) = desk.staff();
    let signed_in = desk.sign_in(email, password).await;
    let page = desk
        .get("/people", signed_in.clone())
        .await
        .text()
        .await
        .unwrap();
    let (before, _) = page.split_once(&format!("Choose {email}")).unwrap();
    let id = before
        .rsplit_once("value=\"")
        .unwrap()
        .1
        .split('"')
        .next()
        .unwrap();
    let csrf = desk.csrf(&signed_in).await;
    let fields = [("csrf", csrf.as_str()), ("id", id), ("action", "log-out")];
    let answer = desk.post("/people", signed_in.clone(), &fields).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let page = desk.get("/log", signed_in).await;
    let page = page.text().await.unwrap();
    assert!(
        !page.contains("demo-shop"),
        "a token that was revoked reads nothing"
    );
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_led_there_and_comes_back() {
    let desk = Desk::open();
    let answer = desk.get("/log/7?x=1", HeaderMap::new()).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        answer.headers()[LOCATION],
        "/admin/sign-in?next=%2Flog%2F7%3Fx%3D1"
    );
    let stream = desk.get("/live/overview", HeaderMap::new()).await;
    assert_eq!(
        stream.status(),
        StatusCode::UNAUTHORIZED,
        "a stream leads nowhere"
    );
}

#[tokio::test]
async fn session_fixation_a_planted_cookie_becomes_nobodys_session() {
    let desk = Desk::open();
    let (email, password) = desk.staff();
    let fields = [("email", email), ("password", password)];
    // Both a name that was never a session, and one that a thief has signed in with: each sign-in has a new one.
    let own = desk.post("/sign-in", HeaderMap::new(), &fields).await;
    for planted in ["quittance-console=planted".to_owned(), cookie(&own)] {
        let answer = desk.post("/sign-in", with_cookie(&planted), &fields).await;
        let line = answer.headers()[SET_COOKIE].to_str().unwrap().to_owned();
        assert!(
            line.ends_with("; Path=/admin; HttpOnly; SameSite=Strict"),
            "{line}"
        );
        let fresh = cookie(&answer);
        assert_ne!(fresh, planted);
        let page = desk.get("/", with_cookie(&fresh)).await;
        assert_eq!(page.status(), StatusCode::OK);
    }
    let planted = desk
        .get("/", with_cookie("quittance-console=planted"))
        .await;
    assert_eq!(planted.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn csrf_a_form_without_this_sessions_secret_does_nothing() {
    let desk = Desk::open();
    let (email, password) = desk.staff();
    let signed_in = desk.sign_in(email, password).await;
    let other = desk.sign_in(email, password).await;
    let (own, foreign) = (desk.csrf(&signed_in).await, desk.csrf(&other).await);
    assert_ne!(own, foreign);
    let before = heads(&desk);
    for (path, name, value) in FORMS {
        if path == "/sign-in" {
            // Nobody is signed in yet, so there is no secret; see the test about other origins.
            continue;
        }
        for csrf in [None, Some(""), Some("0"), Some(foreign.as_str())] {
            let mut fields = vec![(name, value)];
            fields.extend(csrf.map(|csrf| ("csrf", csrf)));
            let answer = desk.post(path, signed_in.clone(), &fields).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} {csrf:?}");
        }
    }
    assert_eq!(heads(&desk), before, "the log grew");
    let page = desk.get("/", signed_in).await;
    assert_eq!(page.status(), StatusCode::OK, "still signed in");
}

#[tokio::test]
async fn other_origin_a_form_that_another_site_sends_does_nothing() {
    let desk = Desk::open();
    let (email, password) = desk.staff();
    let signed_in = desk.sign_in(email, password).await;
    let own = desk.csrf(&signed_in).await;
    let before = heads(&desk);
    for (path, name, value) in FORMS {
        for (header, from) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let mut headers = signed_in.clone();
            headers.insert(header, HeaderValue::from_static(from));
            // Even with the secret, and for a log-in with the password.
            let fields = [
                ("csrf", own.as_str()),
                (name, value),
                ("password", password),
            ];
            let answer = desk.post(path, headers, &fields).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} {from}");
            assert!(answer.headers().get(SET_COOKIE).is_none(), "{path} {from}");
        }
    }
    assert_eq!(heads(&desk), before, "the log grew");
    let page = desk.get("/", signed_in).await;
    assert_eq!(page.status(), StatusCode::OK, "still signed in");
}

#[tokio::test]
async fn a_stolen_cookie_is_worth_nothing_after_the_log_out() {
    let desk = Desk::open();
    let (email, password) = desk.staff();
    let stolen = desk.sign_in(email, password).await;
    let other = desk.sign_in(email, password).await;
    let csrf = desk.csrf(&stolen).await;
    let page = desk.get("/", stolen.clone()).await;
    assert_eq!(page.status(), StatusCode::OK);
    let answer = desk
        .post("/sign-out", stolen.clone(), &[("csrf", &csrf)])
        .await;
    assert_eq!(answer.headers()[LOCATION], "/admin/sign-in");
    for path in ["/", "/payments", "/receipts/1/file"] {
        let answer = desk.get(path, stolen.clone()).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
    }
    let stream = desk.get("/live/overview", stolen.clone()).await;
    assert_eq!(stream.status(), StatusCode::UNAUTHORIZED);
    let fields = [("csrf", csrf.as_str()), ("action", "rotate")];
    let answer = desk.post("/keys", stolen, &fields).await;
    assert_ne!(answer.status(), StatusCode::OK);
    let page = desk.get("/", other).await;
    assert_eq!(page.status(), StatusCode::OK, "others stay");
}

#[tokio::test]
async fn clickjacking_no_page_may_be_framed_and_none_runs_what_stands_in_it() {
    let desk = Desk::open();
    let (email, password) = desk.staff();
    let signed_in = desk.sign_in(email, password).await;
    let account = format!("/accounts/{}", desk.account());
    for path in [
        "/",
        "/sign-in",
        "/payments",
        "/accounts",
        &account,
        "/accounts/new",
        "/log",
        "/log/1",
        "/subscribers",
        "/services",
        "/logs",
        "/people",
        "/programs",
        "/keys",
        "/audit",
        "/history",
        "/files",
        "/sessions",
        "/trial-balance",
        "/search?q=x",
        "/nothing-here",
    ] {
        let answer = desk.get(path, signed_in.clone()).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(policy.contains("script-src 'self';"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        let page = answer.text().await.unwrap();
        let scripts = page.matches("<script").count();
        assert_eq!(scripts, page.matches("<script src=").count(), "{path}");
        assert!(!page.contains("style=\""), "{path}");
    }
}

/// Where the log ends: what did something is in it.
fn heads(desk: &Desk) -> String {
    let list = desk.home.run("watch --until-end --json").ok();
    list.lines().last().unwrap_or_default().to_owned()
}
