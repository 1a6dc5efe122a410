//! Nobody gets into somebody else's session: what a browser may be made to send, and what a thief may have.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};

use crate::desk::{Desk, cookie, with_cookie};

#[tokio::test]
async fn a_session_belongs_to_whoever_signed_in() {
    let desk = Desk::open();
    let (email, password) = desk.staff();

    // Whoever is not signed in is led there, and comes back to where they wanted.
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

    // Fixation: a name that was there before is not taken over.
    let planted = "quittance-console=planted";
    let fields = [("email", email), ("password", password)];
    let answer = desk.post("/sign-in", with_cookie(planted), &fields).await;
    let line = answer.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(
        line.ends_with("; Path=/admin; HttpOnly; SameSite=Strict"),
        "{line}"
    );
    let stolen = cookie(&answer);
    assert_ne!(stolen, planted);
    let planted = desk.get("/", with_cookie(planted)).await;
    assert_eq!(
        planted.status(),
        StatusCode::SEE_OTHER,
        "the planted name is no session"
    );
    let signed_in = with_cookie(&stolen);
    assert_eq!(
        desk.get("/", signed_in.clone()).await.status(),
        StatusCode::OK
    );

    // A form of another session, of none, or of another site does nothing.
    let other = desk.sign_in(email, password).await;
    let (own, foreign) = (desk.csrf(&signed_in).await, desk.csrf(&other).await);
    assert_ne!(own, foreign);
    for csrf in ["", "0", &foreign] {
        let fields = [("csrf", csrf), ("action", "rotate")];
        let answer = desk.post("/keys", signed_in.clone(), &fields).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{csrf:?}");
    }
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ] {
        let mut headers = signed_in.clone();
        headers.insert(name, value.parse().unwrap());
        let fields = [("csrf", own.as_str()), ("action", "rotate")];
        let answer = desk.post("/keys", headers.clone(), &fields).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}");
        let fields = [("email", email), ("password", password)];
        let answer = desk.post("/sign-in", headers, &fields).await;
        assert_eq!(
            answer.status(),
            StatusCode::FORBIDDEN,
            "a log-in by another site"
        );
    }

    // No page may be framed, none runs what stands in it, none is kept by whoever passes it on.
    for path in ["/", "/sign-in", "/nothing-here"] {
        let answer = desk.get(path, signed_in.clone()).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(policy.contains("script-src 'self';"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
    }

    // After a log-out the cookie is worth nothing, wherever it is.
    let answer = desk
        .post("/sign-out", signed_in.clone(), &[("csrf", &own)])
        .await;
    assert_eq!(answer.headers()[LOCATION], "/admin/sign-in");
    let answer = desk.get("/", signed_in).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        desk.get("/", other).await.status(),
        StatusCode::OK,
        "others stay"
    );
}

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
        ("/logs?trace=nothing", "No line fits"),
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
    // Any id leads to its page.
    for (asked, page) in [
        ("1", "/admin/log/1"),
        (desk.account(), &format!("/admin{account}")),
    ] {
        let answer = desk
            .get(&format!("/search?q={asked}"), signed_in.clone())
            .await;
        assert_eq!(answer.headers()[LOCATION], *page);
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
