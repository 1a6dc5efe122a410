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
mod described;
mod presented;
mod words;

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use common::http::describe::Form;
use common::http::describe::answers::Reply;
use common::http::exchange::GRANT_TYPE;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Auth;
use crate::http::simplejwt::words::Body;
pub(super) use assertion::token_endpoint;
use described::{Grant, Refusals, Token};
use words::Error;

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    OpenApiRouter::new()
        .routes(routes!(token))
        .routes(routes!(revoke::revoke))
        .routes(routes!(introspect::introspect))
}

/// Get a token
///
/// `client_credentials`: a program's id and secret in (or an assertion that its key signed), a token for five minutes
/// out. Token exchange (RFC 8693) turns a mandate into a token of the person who gave it; services of the bank also
/// exchange callers' tokens for the log.
#[utoipa::path(
    post,
    path = "/oauth2/token",
    tag = "OAuth2",
    params(Form<Grant>),
    responses(Reply<200, Token>, Refusals),
    security(("client" = []), ()),
)]
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
