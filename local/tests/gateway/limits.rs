//! Slow clients, too many of them, and large bodies.

use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{PATIENCE, connect, get, send};
use crate::stub::Stub;
use crate::{behind, front};
use local::testing::Front;

/// The times are the committed ones, shortened.
#[tokio::test]
async fn a_slow_client_is_dropped_and_reaches_no_service() {
    let stub = Stub::start().await;
    let edits = [
        ("client_header_timeout 10s;", "client_header_timeout 300ms;"),
        ("client_body_timeout 10s;", "client_body_timeout 300ms;"),
    ];
    let front = Front::start_with(behind(&stub), &edits).await;
    let head = "POST /payment/slow HTTP/1.1\r\nHost: localhost\r\n";
    let half = format!("{head}Content-Length: 100\r\n\r\n{{");
    for (what, sent) in [
        ("nothing", ""),
        ("half a head", head),
        ("half a body", &half),
    ] {
        let mut socket = connect(front.port()).await;
        socket.write_all(sent.as_bytes()).await.unwrap();
        let began = Instant::now();
        // Others are served meanwhile.
        assert_eq!(get(front.port(), "/payment/fast").await.status, 200);
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer)).await;
        closed
            .unwrap_or_else(|_| panic!("{what} is still welcome"))
            .ok();
        assert!(began.elapsed() < PATIENCE / 10, "{what}");
    }
    assert!(stub.asked("/slow").is_empty());
}

#[tokio::test]
async fn more_streams_of_one_address_than_it_may_have_are_refused() {
    let stub = Stub::start().await;
    let edits = [("limit_conn address 2000;", "limit_conn address 3;")];
    let front = Front::start_with(behind(&stub), &edits).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut socket = connect(front.port()).await;
        let request = "GET /payment/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut start = [0; 12];
        socket.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
        streams.push(socket);
    }
    let answer = get(front.port(), "/payment/events").await;
    assert_eq!(answer.status, 429);
    assert!(answer.body.contains("too-many-connections"));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_body_is_as_large_as_its_path_takes_and_is_written_to_no_file() {
    let stub = Stub::start().await;
    let front = front(&stub).await;
    for (path, kilobytes, status) in [
        ("/auth/api/token/", 60, 200),
        ("/auth/api/token/", 70, 413),
        ("/auth/api/users/import", 500, 200),
        ("/bank/accounts", 60, 200),
        ("/bank/accounts", 70, 413),
        ("/payment/payments", 60, 200),
        ("/payment/payments", 70, 413),
        ("/payment/payment-batches", 256, 200),
        ("/payment/payment-batches/", 256, 200),
        ("/payment/payment-batches", 600, 413),
        ("/varz", 1, 404),
    ] {
        let body = "a".repeat(kilobytes * 1024);
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let answer = send(front.port(), request.as_bytes()).await;
        assert_eq!(answer.status, status, "{path} {kilobytes}");
    }
    // A name goes up with each file; there is none below, not even one that was removed.
    let bodies = std::fs::read_dir(front.directory().join("run/body")).unwrap();
    assert_eq!(bodies.count(), 0);
}
