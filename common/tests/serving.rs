//! HTTP with clients that never finish: they are dropped, and they hold up neither others nor the end of a service.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use common::http::body::limit_body;
use common::http::serve::serve_http;
use common::service::{Discovery, Readiness, Stop, Web};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than any limit that is tried here; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

struct Service {
    address: SocketAddr,
    ending: Stop,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Service {
    async fn start() -> Self {
        let address = local::testing::free_address();
        let routes = Router::new()
            .route("/echo", post(|body: String| async { body }))
            .layer(from_fn(limit_body))
            .route("/hang", get(std::future::pending::<()>));
        let ending = Stop::from(CancellationToken::new());
        let web = Web {
            listen: address,
            allowed_origins: vec!["https://shop.example".parse().expect("an origin")],
            leave_seconds: 0,
            discovery: Discovery::default(),
        };
        let (readiness, stopping) = (Readiness::starting(), ending.clone());
        readiness.started();
        let serving =
            tokio::spawn(async move { serve_http(&web, routes, readiness, stopping).await });
        let this = Self {
            address,
            ending,
            serving,
        };
        while TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
        this
    }

    /// Sends bytes and nothing more.
    async fn send(&self, bytes: &str) -> TcpStream {
        let mut client = TcpStream::connect(self.address).await.expect("it listens");
        client.write_all(bytes.as_bytes()).await.expect("sent");
        client
    }
}

/// Everything that comes until the connection ends.
async fn heard(mut client: TcpStream) -> String {
    let mut text = String::new();
    let read = tokio::time::timeout(PATIENCE, client.read_to_string(&mut text)).await;
    // A connection that is reset has ended too.
    drop(read.expect("it is dropped in time"));
    text
}

const HALF_A_BODY: &str = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nx";

#[tokio::test]
async fn a_service_told_to_stop_ends_within_seconds_though_a_client_has_sent_half_a_request() {
    let service = Service::start().await;
    let clients = [
        service.send("GET /echo HT").await,
        service.send(HALF_A_BODY).await,
        service.send("GET /hang HTTP/1.1\r\nhost: x\r\n\r\n").await,
    ];
    // A whole request shows that those before it have been taken.
    let url = format!("http://{}/health/live", service.address);
    assert!(
        reqwest::get(&url)
            .await
            .expect("it answers")
            .status()
            .is_success()
    );
    let began = Instant::now();
    service.ending.now.cancel();
    let ended = tokio::time::timeout(PATIENCE, service.serving).await;
    ended
        .expect("it ends")
        .expect("no panic")
        .expect("in order");
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    drop(clients);
}

#[tokio::test]
async fn a_service_that_leaves_answers_but_is_not_ready_and_keeps_no_connection() {
    let service = Service::start().await;
    let ready = async || {
        let url = format!("http://{}/health/ready", service.address);
        let answer = reqwest::get(url).await.expect("it answers");
        let closes = answer.headers().get("connection").cloned();
        (answer.status().as_u16(), closes)
    };
    assert_eq!(ready().await, (200, None));
    service.ending.leaving.cancel();
    let began = Instant::now();
    let (status, closes) = loop {
        let answer = ready().await;
        if answer.0 != 200 {
            break answer;
        }
        assert!(began.elapsed() < PATIENCE, "it is ready for ever");
    };
    assert_eq!((status, closes.unwrap().as_bytes()), (503, &b"close"[..]));
    let post = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi";
    // It is heard to its end, which a kept connection would not have.
    let answer = heard(service.send(post).await).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("hi"), "{answer}");
    assert!(!service.serving.is_finished());
}

#[tokio::test]
async fn a_client_that_never_finishes_its_body_hears_408_and_is_dropped() {
    let service = Service::start().await;
    let answer = heard(service.send(HALF_A_BODY).await).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        answer.contains("the body did not come within 10 s"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_client_that_never_finishes_its_headers_is_dropped() {
    let service = Service::start().await;
    let began = Instant::now();
    heard(service.send("GET /health/live HTTP/1.1\r\nhost").await).await;
    assert!(
        began.elapsed() > Duration::from_secs(1),
        "it was given no time"
    );
}

#[tokio::test]
async fn answers_are_neither_kept_nor_guessed_at() {
    let service = Service::start().await;
    for path in ["/health/live", "/nothing"] {
        let url = format!("http://{}{path}", service.address);
        let answer = reqwest::get(&url).await.expect("it answers");
        let headers = answer.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
    }
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may_call_and_no_others() {
    let service = Service::start().await;
    let asked = async |origin: &str| {
        let preflight = format!(
            "OPTIONS /echo HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\nConnection: close\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n"
        );
        heard(service.send(&preflight).await).await.to_lowercase()
    };
    let allowed = asked("https://shop.example").await;
    assert!(allowed.starts_with("http/1.1 200"), "{allowed}");
    assert!(
        allowed.contains("access-control-allow-origin: https://shop.example\r\n"),
        "{allowed}"
    );
    assert!(allowed.contains("authorization"), "{allowed}");
    assert!(
        !allowed.contains("access-control-allow-credentials"),
        "{allowed}"
    );
    for other in ["https://evil.example", "null", "https://shop.example.evil"] {
        let refused = asked(other).await;
        assert!(
            !refused.contains("access-control-allow-origin"),
            "{refused}"
        );
    }
    service.ending.now.cancel();
}

#[tokio::test]
async fn a_request_names_one_host() {
    let service = Service::start().await;
    for (hosts, status) in [
        ("", 400),
        ("Host: a\r\nHost: b\r\n", 400),
        ("Host: a\r\n", 200),
    ] {
        let request = format!("GET /health/live HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let answer = heard(service.send(&request).await).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{hosts}: {answer}"
        );
    }
    service.ending.now.cancel();
}

/// hyper takes a bare line feed for the end of a line, and has no setting against it (RFC 9112 §2.2 allows that in heads). What
/// counts is that nobody reads another request out of it than we do: the gateway sends whole line ends only, and everything
/// else that is read in two ways is refused.
#[tokio::test]
async fn a_bare_line_feed_ends_a_line_and_hides_no_second_request() {
    let service = Service::start().await;
    for (what, request, statuses) in [
        (
            "bare line feeds",
            "GET /health/live HTTP/1.1\nHost: x\nConnection: close\n\n",
            vec!["200"],
        ),
        (
            "a mixture",
            "GET /health/live HTTP/1.1\r\nHost: x\nConnection: close\r\n\n",
            vec!["200"],
        ),
        (
            "a header hidden behind a bare carriage return",
            "GET /health/live HTTP/1.1\r\nHost: x\r\nA: b\rContent-Length: 5\r\n\r\n",
            vec!["400"],
        ),
        (
            "a folded header",
            "GET /health/live HTTP/1.1\r\nHost: x\r\nA: b\r\n Content-Length: 5\r\n\r\n",
            vec!["400"],
        ),
        (
            "two lengths, one behind a bare line feed",
            "POST /echo HTTP/1.1\r\nHost: x\r\nA: b\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n",
            vec!["400"],
        ),
        (
            "a length and chunks",
            "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
            vec!["200"],
        ),
        (
            "a chunk's size that ends with a bare line feed",
            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
            vec!["400"],
        ),
    ] {
        let answers = heard(service.send(request).await).await;
        let answers = answers.split("HTTP/1.1 ").skip(1);
        let answers: Vec<&str> = answers.map(|answer| &answer[..3]).collect();
        assert_eq!(answers, statuses, "{what}");
    }
    service.ending.now.cancel();
}
