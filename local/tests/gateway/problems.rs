//! Whatever goes wrong at the gateway is a problem document (RFC 9457), and what is not for everybody is not there.

use crate::client::{Answer, ask, get, send};
use crate::stub::Stub;
use crate::{behind, front};
use local::testing::Front;

/// The `type` of a problem document, behind what all types begin with; the document must be sound.
fn kind(answer: &Answer, what: &str) -> String {
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{what}: {answer:?}"
    );
    let problem: serde_json::Value = serde_json::from_str(&answer.body)
        .unwrap_or_else(|error| panic!("{what}: {error}: {}", answer.body));
    assert_eq!(problem["status"], answer.status, "{what}");
    for member in ["title", "detail"] {
        assert!(
            problem[member]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
    }
    assert!(!answer.body.contains("nginx"), "{what}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    let kind = problem["type"].as_str().unwrap();
    let kind = kind.strip_prefix("/problems/");
    kind.unwrap_or_else(|| panic!("{what}: {problem}"))
        .to_owned()
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "a table of what is refused reads best in one place"
)]
async fn whatever_the_gateway_refuses_is_a_problem_document() {
    let stub = Stub::start().await;
    let front = front(&stub).await;
    let port = front.port();
    std::fs::write(front.static_files().join("a.txt"), "a").unwrap();
    let long = "a".repeat(9_000);
    let get_line = "GET /bank/ HTTP/1.1\r\nHost: localhost\r\n";
    let rows: [(&str, String, u16, &str); 18] = [
        ("not HTTP", "HELLO\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned(), 400, "malformed-request"),
        (
            "two hosts",
            "GET /bank/ HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n".to_owned(),
            400,
            "malformed-request",
        ),
        (
            "two lengths of one body",
            "POST /bank/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            400,
            "malformed-request",
        ),
        ("above the root", "GET /bank/../../x HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 400, "malformed-request"),
        (
            "another site's name",
            "GET /bank/ HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n".to_owned(),
            421,
            "unknown-host",
        ),
        (
            "a long path",
            format!("GET /bank/{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            414,
            "uri-too-long",
        ),
        (
            "a long header",
            format!("{get_line}A: {long}\r\n\r\n"),
            431,
            "headers-too-large",
        ),
        (
            "many headers",
            format!("{get_line}{}\r\n", format!("A: {}\r\n", "b".repeat(7_000)).repeat(6)),
            431,
            "headers-too-large",
        ),
        (
            "an unknown encoding",
            format!("{get_line}Transfer-Encoding: gzip\r\n\r\n"),
            501,
            "not-implemented",
        ),
        (
            "an unknown version",
            "GET /bank/ HTTP/3.0\r\nHost: localhost\r\n\r\n".to_owned(),
            505,
            "unknown-version",
        ),
        (
            "TRACE",
            "TRACE /bank/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(),
            405,
            "no-such-method",
        ),
        (
            "a large body",
            format!(
                "POST /bank/accounts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\nConnection: close\r\n\r\n{}",
                "a".repeat(70_000)
            ),
            413,
            "body-too-large",
        ),
        (
            "a large body whose length nobody knows",
            format!(
                "POST /bank/accounts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
                format!("10000\r\n{}\r\n", "a".repeat(0x10000)).repeat(2)
            ),
            413,
            "body-too-large",
        ),
        (
            "a large body at the root",
            format!(
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\nConnection: close\r\n\r\n{}",
                "a".repeat(70_000)
            ),
            413,
            "body-too-large",
        ),
        (
            "a file that it is not any more",
            "GET /static/a.txt HTTP/1.1\r\nHost: localhost\r\nIf-Match: \"x\"\r\nConnection: close\r\n\r\n".to_owned(),
            412,
            "precondition-failed",
        ),
        (
            "a path of nobody's",
            "GET /varz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(),
            404,
            "no-such-path",
        ),
        (
            "a service that is away",
            "GET /admin/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(),
            502,
            "service-away",
        ),
    ];
    for (what, request, status, expected) in rows {
        let answer = send(port, request.as_bytes()).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        assert_eq!(kind(&answer, what), expected, "{what}");
    }
}

/// nginx takes a bare line feed for the end of a line, and has no setting against it. What it passes on it writes itself.
#[tokio::test]
async fn a_bare_line_feed_reaches_a_service_as_a_whole_line_end() {
    let stub = Stub::start().await;
    let front = front(&stub).await;
    let port = front.port();
    let bare = b"GET /bank/plain HTTP/1.1\nHost: localhost\nA: b\nConnection: close\n\n";
    let answer = send(port, bare).await;
    assert_eq!(answer.status, 200);
    let asked = stub.asked("/plain");
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("A: b\r\n"), "{asked:?}");
    assert!(!asked[0].replace("\r\n", "").contains('\n'), "{asked:?}");

    // What might hide a request from one of the two: refused, or passed on with a length that both read alike.
    for (what, request, statuses) in [
        (
            "a bare carriage return",
            "GET /bank/hidden HTTP/1.1\r\nHost: localhost\r\nA: b\rC: d\r\nConnection: close\r\n\r\n",
            vec![200, 400],
        ),
        (
            "a folded header",
            "GET /bank/hidden HTTP/1.1\r\nHost: localhost\r\nA: b\r\n C: d\r\nConnection: close\r\n\r\n",
            vec![400],
        ),
        (
            "chunks with bare line feeds",
            "POST /bank/chunked HTTP/1.1\nHost: localhost\nConnection: close\nTransfer-Encoding: chunked\n\n1\nx\n0\n\n",
            vec![200, 400],
        ),
    ] {
        let answer = send(port, request.as_bytes()).await;
        assert!(statuses.contains(&answer.status), "{what}: {answer:?}");
    }
    for head in stub.asked("/hidden").iter().chain(&stub.asked("/chunked")) {
        let inside = head.replace("\r\n", "");
        assert!(!inside.contains(['\n', '\r']), "{head:?}");
        assert!(
            !head.to_lowercase().contains("transfer-encoding"),
            "{head:?}"
        );
    }
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_service_that_is_away_or_too_slow_is_told_with_what_to_do() {
    let stub = Stub::start().await;
    let edits = [("proxy_read_timeout 60s;", "proxy_read_timeout 300ms;")];
    let front = Front::start_with(behind(&stub), &edits).await;
    let answer = get(front.port(), "/admin/x").await;
    assert_eq!(kind(&answer, "away"), "service-away");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.body.contains("same payment_id"));
    let answer = get(front.port(), "/bank/hang").await;
    assert_eq!(answer.status, 504);
    assert_eq!(kind(&answer, "slow"), "service-too-slow");
    assert!(answer.body.contains("may have been done or not"));
}

/// A payment that was sent may have been stored. Only its sender can know that the second is the same.
#[tokio::test]
async fn a_request_is_never_sent_to_a_service_twice() {
    let stub = Stub::start().await;
    let front = front(&stub).await;
    for method in ["GET", "POST", "PUT", "DELETE"] {
        // Connections that are kept are the ones that nginx would try again.
        assert_eq!(get(front.port(), "/payment/warm").await.status, 200);
        let answer = ask(
            front.port(),
            method,
            "/payment/drop",
            "Content-Length: 0\r\n",
        )
        .await;
        assert_eq!(kind(&answer, method), "service-away");
        assert_eq!(stub.asked(&format!("{method} /drop")).len(), 1, "{method}");
    }
}

#[tokio::test]
async fn metrics_are_not_reached_by_any_spelling() {
    let stub = Stub::start().await;
    let front = front(&stub).await;
    for prefix in ["auth", "bank", "payment", "admin"] {
        for path in [
            "metrics",
            "metrics/",
            "/metrics",
            "%6Detrics",
            "%6d%65trics",
            "./metrics",
            "x/../metrics",
            "%2e/metrics",
            "metrics%2F",
            "metrics?x=1",
            "METRICS",
            "Metrics/",
            ".//metrics//",
            "metrics/x",
        ] {
            let path = format!("/{prefix}/{path}");
            let answer = get(front.port(), &path).await;
            assert_eq!(answer.status, 404, "{path}");
            assert_eq!(kind(&answer, &path), "no-such-path");
        }
    }
    for path in [
        "/metrics",
        "//metrics",
        "/auth/../metrics",
        "/bank/..//metrics",
        "/healthz",
        "/varz",
        "/jsz?x=1",
        "/connz",
        "/AUTH/metrics",
        "/_problem",
        "/_console",
    ] {
        assert_eq!(get(front.port(), path).await.status, 404, "{path}");
    }
    // One more layer of encoding is a name like any other; no service decodes it again.
    assert_eq!(get(front.port(), "/bank/%256Detrics").await.status, 200);
    assert!(stub.asked("GET /%256Detrics ").len() == 1);
    assert!(stub.asked("metrics ").is_empty() && stub.asked("etrics?").is_empty());
}

#[tokio::test]
async fn what_the_apis_say_of_themselves_is_reached_from_the_root() {
    let stub = Stub::start().await;
    let front = front(&stub).await;
    for path in ["/docs", "/problems", "/problems/not-found"] {
        let answer = get(front.port(), path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let asked = stub.asked(&format!("GET {path} "));
        assert_eq!(asked.len(), 1, "{path}");
        let head = asked[0].to_lowercase();
        assert!(head.contains("x-forwarded-prefix: /auth\r\n"), "{head}");
    }
}
