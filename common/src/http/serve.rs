//! Serving HTTP: the routes of a service, its health checks, and its end.

use std::net::SocketAddr;

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

use super::problem::Problem;

/// Serves `routes` and the health checks until `stop`, then lets running requests end.
///
/// `GET /health/live` answers while the process runs, `GET /health/ready` says 503 until `ready` holds true.
///
/// # Errors
/// When the address can't be listened on.
pub async fn serve_http(
    listen: SocketAddr,
    routes: Router,
    ready: watch::Receiver<bool>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let ok = r#"{"status":"ok"}"#;
    let json = [("content-type", "application/json")];
    let readiness = move || async move {
        if *ready.borrow() {
            Ok((json, ok))
        } else {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "starting"))
        }
    };
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
        .route("/health/live", get(move || async move { (json, ok) }))
        .route("/health/ready", get(readiness))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this is our fault").into_response()
        }));
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("can't listen on {listen}"))?;
    tracing::info!(%listen, "serving HTTP");
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await?;
    Ok(())
}
