//! Who calls: the token of an HTTP request.

use axum::http::{HeaderMap, StatusCode, header};

use super::problem::Problem;
use crate::token::{TokenError, bearer};

/// The token of an HTTP request.
///
/// # Errors
/// 401 when there is none, 400 when there are two: nobody can tell which was meant.
pub fn bearer_token(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values
        .next()
        .ok_or_else(|| Problem::unauthorized(TokenError::Missing))?;
    if values.next().is_some() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "the Authorization header appears twice",
        ));
    }
    value
        .to_str()
        .map_err(|_| TokenError::Malformed)
        .and_then(bearer)
        .map_err(Problem::unauthorized)
}
