//! What a service is told about a request, what a client is told with every answer, and what the log keeps of both.

use std::fs;

use crate::client::{ask, get};
use crate::front;
use crate::stub::Stub;

/// The headers of an answer, sorted, without those that differ each time.
fn snapshot(headers: &[String]) -> Vec<&str> {
    let mut headers: Vec<&str> = headers
        .iter()
        .map(String::as_str)
        .filter(|line| {
            ![
                "Date: ",
                "Content-Length: ",
                "X-Request-Id: ",
                "Last-Modified: ",
                "ETag: ",
            ]
            .iter()
            .any(|varying| line.starts_with(varying))
        })
        .collect();
    headers.sort_unstable();
    headers
}

#[tokio::test]
async fn every_answer_has_the_headers_that_protect_it() {
    let stub = Stub::start().await;
    let front = front(&stub).await;
    fs::write(front.static_files().join("app.0123abcd.js"), "let x;").unwrap();
    let common = [
        "Connection: close",
        "Content-Security-Policy: frame-ancestors 'none'",
        "Referrer-Policy: same-origin",
        "Server: nginx",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
    ];
    let rows: [(&str, &[&str]); 5] = [
        (
            "/bank/accounts",
            &["Content-Type: text/plain", "cache-control: no-store"],
        ),
        ("/", &["Content-Type: text/plain", "Location: /admin/"]),
        (
            "/health/live",
            &["Cache-Control: no-store", "Content-Type: application/json"],
        ),
        (
            "/varz",
            &[
                "Cache-Control: no-store",
                "Content-Type: application/problem+json",
            ],
        ),
        (
            "/static/app.0123abcd.js",
            &[
                "Cache-Control: public, max-age=31536000, immutable",
                "Content-Type: text/javascript; charset=utf-8",
                "Vary: Accept-Encoding",
            ],
        ),
    ];
    for (path, own) in rows {
        let answer = get(front.port(), path).await;
        let mut expected = [&common[..], own].concat();
        expected.sort_unstable();
        assert_eq!(snapshot(&answer.headers), expected, "{path}");
        let id = answer.header("x-request-id").unwrap();
        assert!(id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()));
    }
}

#[tokio::test]
async fn a_service_is_asked_without_the_prefix_and_told_of_it_by_nobody_else() {
    let stub = Stub::start().await;
    let front = front(&stub).await;
    let port = front.port();
    let headers = "Authorization: Bearer t\r\nX-Request-Id: my-request.1\r\nX-Forwarded-For: 192.0.2.1\r\n\
                   X-Forwarded-Prefix: /evil\r\nX-Forwarded-Media: /evil\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\
                   Forwarded: for=192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\n\
                   traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
    let answer = ask(
        port,
        "GET",
        "/payment/payments/a%20b?limit=1&x=%2F",
        headers,
    )
    .await;
    assert_eq!(answer.header("x-request-id"), Some("my-request.1"));
    let mut lines: Vec<&str> = answer
        .body
        .lines()
        .filter(|line| !line.is_empty())
        .collect();
    lines.sort_unstable();
    let host = format!("Host: localhost:{port}");
    let forwarded_host = format!("X-Forwarded-Host: localhost:{port}");
    let forwarded_port = format!("X-Forwarded-Port: {port}");
    assert_eq!(
        lines,
        [
            "Authorization: Bearer t",
            "GET /payments/a%20b?limit=1&x=%2F HTTP/1.1",
            &host,
            "X-Forwarded-For: 127.0.0.1",
            &forwarded_host,
            // Where files stand that a service has it hand out.
            "X-Forwarded-Media: /media",
            &forwarded_port,
            "X-Forwarded-Prefix: /payment",
            "X-Forwarded-Proto: http",
            "X-Request-Id: my-request.1",
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ]
    );
    for (path, line, prefix) in [
        ("/auth/api/token/", "/api/token/", "/auth"),
        ("/auth", "/", "/auth"),
        ("/bank", "/", "/bank"),
        ("/bank/accounts/", "/accounts/", "/bank"),
        ("/payment/", "/", "/payment"),
        ("/payment/payment-batches", "/payment-batches", "/payment"),
        (
            "/payment/payment-batches/7/",
            "/payment-batches/7/",
            "/payment",
        ),
        (
            "/.well-known/oauth-authorization-server/auth",
            "/.well-known/oauth-authorization-server",
            "/auth",
        ),
    ] {
        let answer = get(port, path).await;
        assert!(
            answer.body.starts_with(&format!("GET {line} HTTP/1.1")),
            "{}",
            answer.body
        );
        assert!(
            answer
                .body
                .contains(&format!("X-Forwarded-Prefix: {prefix}\r\n"))
        );
    }
}

#[tokio::test]
async fn a_request_id_of_another_form_is_replaced() {
    let stub = Stub::start().await;
    let front = front(&stub).await;
    let long = "a".repeat(65);
    for id in ["a b", "\"", "<script>", "", &long] {
        let answer = ask(
            front.port(),
            "GET",
            "/bank/x",
            &format!("X-Request-Id: {id}\r\n"),
        )
        .await;
        let given = answer.header("x-request-id").unwrap();
        assert_eq!(given.len(), 32, "{id}");
        assert!(answer.body.contains(&format!("X-Request-Id: {given}\r\n")));
    }
}

#[tokio::test]
async fn the_access_log_says_what_happened_and_holds_no_secret() {
    let stub = Stub::start().await;
    let front = front(&stub).await;
    let headers = "Authorization: Bearer SECRET\r\nCookie: session=SECRET\r\nReferer: http://x/?SECRET\r\n\
                   User-Agent: SECRET\r\nContent-Length: 6\r\n\
                   traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\nSECRET";
    for path in [
        "/payment/payments?access_token=SECRET",
        "/payment/drop?token=SECRET",
        "/nowhere?SECRET",
    ] {
        ask(front.port(), "POST", path, headers).await;
    }
    ask(
        front.port(),
        "GET",
        "http://SECRET:SECRET@localhost/bank/x?SECRET",
        "",
    )
    .await;
    // Two workers write, each when it is done with a request.
    let mut lines: Vec<serde_json::Value> = Vec::new();
    while lines.len() < 4 {
        tokio::task::yield_now().await;
        let log = front.log();
        assert!(!log.contains("SECRET"), "{log}");
        lines = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &serde_json::Value| line["path"] != "/health/live")
            .collect();
    }
    lines.sort_by_key(|line| line["path"].as_str().map(str::to_owned));
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or("?").to_owned();
            (
                text("method"),
                text("path"),
                line["status"].as_u64().unwrap(),
                text("trace_id"),
            )
        })
        .collect();
    let trace = "0af7651916cd43dd8448eb211c80319c".to_owned();
    let row = |method: &str, path: &str, status, trace: &str| {
        (method.to_owned(), path.to_owned(), status, trace.to_owned())
    };
    assert_eq!(
        told,
        [
            // nginx refuses a name and a password in front of the host.
            row("GET", "", 400, ""),
            row("POST", "/nowhere", 404, &trace),
            row("POST", "/payment/drop", 502, &trace),
            row("POST", "/payment/payments", 200, &trace),
        ]
    );
    let paid = &lines[3];
    let upstream = format!("127.0.0.1:{}", stub.port);
    assert_eq!(paid["upstream"], *upstream);
    assert!(paid["seconds"].is_number() && paid["bytes"].is_number());
    assert_eq!(paid["request_id"].as_str().unwrap().len(), 32);
}

#[tokio::test]
async fn a_directory_of_assets_is_served_and_never_listed() {
    let stub = Stub::start().await;
    let front = front(&stub).await;
    let directory = front.static_files();
    let css = "p { color: red }\n".repeat(200);
    fs::create_dir(directory.join("fonts")).unwrap();
    fs::write(directory.join("site.1a2b.css"), &css).unwrap();
    fs::write(directory.join("fonts/index.html"), "<p>").unwrap();
    // `quittance static` writes these; here it is seen which of the two is handed out.
    fs::create_dir(directory.join("gzip")).unwrap();
    fs::write(directory.join("gzip/site.1a2b.css"), "the packed one").unwrap();
    for (accepts, packed) in [
        ("gzip", true),
        ("gzip, deflate, br, zstd", true),
        ("br, GZIP;q=0.5", true),
        ("deflate,gzip", true),
        ("gzip;q=0", false),
        ("gzip; q=0.00, br", false),
        ("br", false),
        ("xgzip", false),
        ("gzipped", false),
        ("", false),
    ] {
        let header = format!("Accept-Encoding: {accepts}\r\n");
        let answer = ask(front.port(), "GET", "/static/site.1a2b.css", &header).await;
        assert_eq!(answer.status, 200, "{accepts}");
        let expected = packed.then_some("gzip");
        assert_eq!(answer.header("content-encoding"), expected, "{accepts}");
        let body = if packed { "the packed one" } else { &css };
        assert_eq!(answer.body, body, "{accepts}");
        let type_and_vary = ["content-type", "vary"].map(|name| answer.header(name));
        let expected = ["text/css; charset=utf-8", "Accept-Encoding"].map(Some);
        assert_eq!(type_and_vary, expected, "{accepts}");
        assert!(
            answer
                .header("cache-control")
                .is_some_and(|all| all.contains("immutable"))
        );
    }
    // One that has no packed twin, such as a version's before this one.
    fs::write(directory.join("old.0a0b.css"), &css).unwrap();
    let header = "Accept-Encoding: gzip\r\n";
    let old = ask(front.port(), "GET", "/static/old.0a0b.css", header).await;
    assert_eq!(old.header("content-encoding"), None);
    assert_eq!(old.body, css);
    for path in [
        "/static/",
        "/static",
        "/static/fonts",
        "/static/fonts/",
        "/static/gzip",
        "/static/gzip/site.1a2b.css",
        "/static/none.js",
        "/static../secrets.json",
        "/static/../secrets.json",
        "/static/%2e%2e/secrets.json",
        "/static/..%2fsecrets.json",
    ] {
        let answer = get(front.port(), path).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(
        ask(
            front.port(),
            "POST",
            "/static/site.1a2b.css",
            "Content-Length: 0\r\n"
        )
        .await
        .status,
        405
    );
}
