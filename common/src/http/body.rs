//! The body of an HTTP request, and how much of one is read.

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::BytesMut;
use futures::StreamExt as _;

use super::problem::Problem;
use crate::kinds::BODY_BYTES_MAX;

/// Reads a request's body of at most [`BODY_BYTES_MAX`] before the handler sees it; answers 413 to a longer one.
///
/// A slightly larger body is read fully before 413 is sent, or the client never sees it.
pub async fn limit_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut stream = body.into_data_stream();
    let mut bytes = BytesMut::new();
    let mut length = 0_usize;
    while let Some(piece) = stream.next().await {
        let Ok(piece) = piece else {
            return Problem::new(StatusCode::BAD_REQUEST, "the body ended early").into_response();
        };
        length = length.saturating_add(piece.len());
        if length <= BODY_BYTES_MAX {
            bytes.extend_from_slice(&piece);
        } else if length > BODY_BYTES_READ_MAX {
            break;
        }
    }
    if length > BODY_BYTES_MAX {
        let problem = Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a body has at most {BODY_BYTES_MAX} bytes"),
        );
        return problem.into_response();
    }
    next.run(Request::from_parts(parts, Body::from(bytes.freeze())))
        .await
}

/// Bodies beyond this are not read to their end.
const BODY_BYTES_READ_MAX: usize = 8 * 1024 * 1024;
