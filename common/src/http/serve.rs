//! Serving HTTP: the routes of a service, its health checks, its limits, and its end.
//!
//! A client may be slow, silent or hostile: it has some seconds for each part of a request, connections are counted, and a
//! service that is told to stop waits for nobody longer than some seconds.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::{Next, from_fn, map_response, map_response_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::normalize_path::NormalizePath;
use tower_http::trace::TraceLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::describe::answers::{Problems, Reply, Text};
use super::measure::measure;
use super::prefix;
use super::problem::Problem;
use super::problem::kinds::Kind;
use crate::service::{Parts, Readiness, Stop, Web, rendered, start_metrics};

/// Connections at a time: fewer than the 1 024 descriptors that a process usually has, which the broker and the database
/// need too. More clients wait until one leaves.
const CONNECTIONS_MAX: usize = 512;
/// How long a client may take for the headers of a request, the pause before them included.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a browser may remember what a page may send.
const PREFLIGHT_AGE: Duration = Duration::from_secs(600);
/// How long the requests that run may take once the service is told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// After a connection could not be taken, most likely for want of descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Serves `routes` and the health checks until `stop`, then lets running requests end, for some seconds. A service that leaves is
/// not ready, and closes each connection behind its answer.
///
/// `GET /health/live` answers while the process runs. `GET /health/ready` says 503 while something that the service needs
/// is missing, and `degraded` while something is late. `GET /metrics` says what was counted.
///
/// # Errors
/// When the address can't be listened on.
pub async fn serve_http(
    web: &Web,
    routes: Router,
    readiness: Readiness,
    stop: Stop,
) -> anyhow::Result<()> {
    start_metrics();
    // The health checks stand outside the trace: a start asks them a hundred times a second.
    let router = routes
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path has no such method",
            )
        })
        .layer(TraceLayer::new_for_http())
        .layer(from_fn(measure))
        .merge(Router::from(probes().with_state(readiness.clone())))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this is our fault").into_response()
        }));
    let mut router = router
        .layer(from_fn(prefix::carry))
        .layer(from_fn(check_host))
        .layer(map_response(guard_answer));
    if !web.allowed_origins.is_empty() {
        router = router.layer(for_pages_of(&web.allowed_origins));
    }
    let router = router.layer(map_response_with_state(stop.clone(), part_when_leaving));
    let listen = web.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("can't listen on {listen}"))?;
    tracing::info!(%listen, "serving HTTP");
    let leaving = async {
        stop.leaving.cancelled().await;
        readiness.leaves();
    };
    tokio::join!(serve_connections(listener, router, &stop.now), leaving);
    Ok(())
}

/// What a service says about itself to those who watch it.
pub(super) fn probes() -> OpenApiRouter<Readiness> {
    OpenApiRouter::new()
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(metrics))
}

/// How a service is.
#[derive(Debug, Serialize, JsonSchema)]
struct Health {
    /// `ok`, or `degraded` while something is late.
    status: &'static str,
    /// What is late, and how.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Does it run?
///
/// Answers as long as the process does. Whether it can work says `/health/ready`.
#[utoipa::path(get, path = "/health/live", tag = "Service", responses(Reply<200, Health>))]
async fn live() -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, r#"{"status":"ok"}"#).into_response()
}

/// Can it work?
///
/// 503 while something that it needs is missing, and `degraded` while something is late; `parts` says what.
#[utoipa::path(get, path = "/health/ready", tag = "Service", responses(Reply<200, Health>, Problems<503>))]
async fn ready(State(readiness): State<Readiness>) -> Response {
    answer_of(&readiness.parts())
}

/// What was counted
///
/// For Prometheus. Not reachable through the gateway.
#[utoipa::path(get, path = "/metrics", tag = "Service", responses(Text<200>))]
async fn metrics() -> Response {
    rendered().into_response()
}

/// What web pages of these origins may send and read. The token is in a header that the page sets; cookies play no part.
fn for_pages_of(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("prefer"),
            HeaderName::from_static("traceparent"),
        ])
        .expose_headers([
            header::LOCATION,
            header::LINK,
            header::RETRY_AFTER,
            HeaderName::from_static("idempotency-replayed"),
            HeaderName::from_static("preference-applied"),
        ])
        .max_age(PREFLIGHT_AGE)
}

/// `{"status":"ok"}`, `{"status":"degraded","parts":{"the ledger":"has answered nothing for 7 s; …"}}`, or a problem.
fn answer_of(parts: &Parts) -> Response {
    let Parts { missing, late } = parts;
    if !missing.is_empty() {
        let sentences: Vec<_> = missing
            .iter()
            .map(|(part, trouble)| format!("{part} {trouble}"))
            .collect();
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, sentences.join("; "))
            .of(Kind::NotReady)
            .with("parts", json!(missing))
            .into_response();
    }
    if late.is_empty() {
        Json(json!({"status": "ok"})).into_response()
    } else {
        Json(json!({"status": "degraded", "parts": late})).into_response()
    }
}

/// A request of HTTP/1.1 names one host (RFC 9112 §3.2): one that does not is read otherwise by whoever stands between.
async fn check_host(request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if request.version() == Version::HTTP_11 && hosts != 1 {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "send one Host header");
        return problem.into_response();
    }
    next.run(request).await
}

/// Nothing that is answered here may be taken for something else, or kept by whoever passes it on.
async fn guard_answer(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whoever keeps a connection to a service that leaves shall send the next request elsewhere, before this end closes it.
async fn part_when_leaving(State(stop): State<Stop>, mut response: Response) -> Response {
    if stop.leaving.is_cancelled() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

async fn serve_connections(listener: TcpListener, router: Router, stop: &CancellationToken) {
    // A bare line feed ends a line too: hyper's parser has no setting against it. `common/tests/serving.rs` shows that
    // nothing can be hidden behind one.
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT);
    let (places, graceful) = (
        Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        GracefulShutdown::new(),
    );
    let mut connections = JoinSet::new();
    while let Some(accepted) = stop
        .run_until_cancelled(async {
            let place = places.clone().acquire_owned().await;
            let place = place.expect("the semaphore is never closed");
            (listener.accept().await, place)
        })
        .await
    {
        let (Ok((socket, peer)), place) = accepted else {
            tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            continue;
        };
        // It only makes answers faster; a socket that is gone by now says so when it is used.
        drop(socket.set_nodelay(true));
        // Every path also goes with a slash at its end.
        let service = NormalizePath::trim_trailing_slash(router.clone());
        let service = TowerToHyperService::new(service);
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            service.call(request)
        });
        let connection = http.serve_connection(TokioIo::new(socket), service);
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_MAX, graceful.shutdown())
        .await
        .is_err()
    {
        let seconds = DRAIN_MAX.as_secs();
        tracing::warn!("dropping requests that are not over after {seconds} s");
    }
    connections.shutdown().await;
}
