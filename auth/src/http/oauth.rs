//! OAuth2's surface (`/oauth2/…`), for programs.
//!
//! The password grant is not offered (RFC 9700 §2.4); people log in at `/api/token/`.

mod client_credentials;
mod exchange;
mod introspect;
mod mandate;
mod revoke;

mod assertion;
mod caller;
mod presented;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use common::http::exchange::GRANT_TYPE;

use crate::app::Auth;
use crate::http::simplejwt::words::Body;
pub(super) use assertion::token_endpoint;
use words::Error;

pub(super) fn routes() -> Router<Arc<Auth>> {
    Router::new()
        .route("/oauth2/token", post(token))
        .route("/oauth2/revoke", post(revoke::revoke))
        .route("/oauth2/introspect", post(introspect::introspect))
}

/// `POST /oauth2/token`: one grant each has its file.
async fn token(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    let parameters = words::read(&headers, body).await?;
    let grant_type = parameters
        .get("grant_type")
        .ok_or(Error::InvalidRequest("grant_type is missing"))?;
    let key = auth.signing_key().ok_or(Error::Unavailable)?;
    match &**grant_type {
        "client_credentials" => client_credentials::grant(&auth, &key, &headers, &parameters).await,
        GRANT_TYPE => match parameters.get("subject_token_type").map(String::as_str) {
            Some(mandate::MANDATE_TYPE) => mandate::grant(&auth, &key, &headers, &parameters).await,
            _ => exchange::grant(&auth, &key, &headers, &parameters).await,
        },
        _ => Err(Error::UnsupportedGrantType),
    }
}
