//! The body of an HTTP request, and how much of one is read.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::BytesMut;
use futures::{StreamExt as _, stream};
use tokio::time::Instant;

use super::problem::Problem;
use crate::kinds::BODY_BYTES_MAX;

/// Reads a request's body of at most [`BODY_BYTES_MAX`] before the handler sees it; answers 413 to a longer one.
///
/// A slightly larger body is read fully before 413 is sent, or the client never sees it.
///
/// A client has [`BODY_TIMEOUT`] to send it, and then gets 408.
pub async fn limit_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY_TIMEOUT, read(body)).await {
        Ok(Ok(body)) => next.run(Request::from_parts(parts, body)).await,
        Ok(Err(problem)) => problem.into_response(),
        Err(_) => too_slow().into_response(),
    }
}

/// Gives the handler a body that ends with an error after [`BODY_TIMEOUT`], for routes that word errors in their own way.
pub async fn hurry_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let deadline = Instant::now() + BODY_TIMEOUT;
    let pieces = stream::try_unfold(body.into_data_stream(), move |mut pieces| async move {
        match tokio::time::timeout_at(deadline, pieces.next()).await {
            Ok(piece) => Ok(piece.transpose()?.map(|piece| (piece, pieces))),
            Err(_) => Err(axum::Error::new("the body did not come in time")),
        }
    });
    next.run(Request::from_parts(parts, Body::from_stream(pieces)))
        .await
}

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

fn too_slow() -> Problem {
    let seconds = BODY_TIMEOUT.as_secs();
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        format!("the body did not come within {seconds} s"),
    )
}

async fn read(body: Body) -> Result<Body, Problem> {
    let mut stream = body.into_data_stream();
    let mut bytes = BytesMut::new();
    let mut length = 0_usize;
    while let Some(piece) = stream.next().await {
        let Ok(piece) = piece else {
            let detail = "the body ended early";
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        };
        length = length.saturating_add(piece.len());
        if length <= BODY_BYTES_MAX {
            bytes.extend_from_slice(&piece);
        } else if length > BODY_BYTES_READ_MAX {
            break;
        }
    }
    if length > BODY_BYTES_MAX {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a body has at most {BODY_BYTES_MAX} bytes"),
        ));
    }
    Ok(Body::from(bytes.freeze()))
}

/// Bodies beyond this are not read to their end.
const BODY_BYTES_READ_MAX: usize = 8 * 1024 * 1024;
