//! Who calls OAuth2's endpoints: a program with its id and its secret.

use std::collections::HashMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::ids::ClientId;

use super::words::Error;
use crate::app::Auth;
use crate::clients::secret_hash;
use crate::store;
use crate::store::clients::ServiceAccount;

/// The service account that authenticates, if it is active.
pub(super) async fn authenticated(
    auth: &Auth,
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
) -> Result<(ClientId, ServiceAccount), Error> {
    let credentials = credentials(headers, parameters)?;
    let account =
        store::clients::service_account(&auth.pool, credentials.client_id.as_str()).await?;
    // For an unknown client, zeros are compared: that takes as long.
    let kept = account
        .as_ref()
        .map_or([0; 32].as_slice(), |account| &account.secret_hash);
    let is_secret = |secret: &str| verify_slices_are_equal(kept, &secret_hash(secret)).is_ok();
    // Both, so that it takes as long whichever it is.
    let (as_sent, as_form) = (
        is_secret(&credentials.secret),
        is_secret(&credentials.decoded_secret),
    );
    let is_right = as_sent || as_form;
    let account = account.filter(|account| is_right && account.is_active);
    account
        .map(|account| (credentials.client_id, account))
        .ok_or(Error::InvalidClient)
}

/// Lets in payments and the ledger, which are no service accounts: their secrets are settings.
pub(super) fn is_own_service(
    auth: &Auth,
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
) -> Result<(), Error> {
    let credentials = credentials(headers, parameters)?;
    let secret = auth.exchange_secrets.of(credentials.client_id.as_str());
    let secret = secret.ok_or(Error::InvalidClient)?.expose();
    verify_slices_are_equal(&secret_hash(secret), &secret_hash(&credentials.secret))
        .map_err(|_| Error::InvalidClient)
}

struct Credentials {
    client_id: ClientId,
    /// As it came.
    secret: String,
    /// As it is when it came form-encoded, which RFC 6749 §2.3.1 asks for in a header and hardly any client does.
    decoded_secret: String,
}

/// From the header or from the body, never both.
fn credentials(
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
) -> Result<Credentials, Error> {
    let in_body = (parameters.get("client_id"), parameters.get("client_secret"));
    let mut in_header = headers.get_all(header::AUTHORIZATION).iter();
    let (client_id, secret) = match (in_header.next(), in_body) {
        (Some(value), (client_id, None)) => {
            if in_header.next().is_some() {
                return Err(Error::InvalidRequest(
                    "the Authorization header stands there twice",
                ));
            }
            let (id, secret) = value
                .to_str()
                .ok()
                .and_then(basic)
                .ok_or(Error::InvalidClient)?;
            if client_id.is_some_and(|client_id| *client_id != id) {
                return Err(Error::InvalidRequest(
                    "client_id is not the one that authenticates",
                ));
            }
            (id, secret)
        }
        (Some(_), (_, Some(_))) => {
            return Err(Error::InvalidRequest(
                "credentials stand in the header and in the body",
            ));
        }
        (None, (Some(client_id), Some(secret))) => (client_id.clone(), secret.clone()),
        (None, _) => return Err(Error::InvalidClient),
    };
    let client_id = client_id.parse().map_err(|_| Error::InvalidClient)?;
    let decoded_secret = form_decoded(&secret).unwrap_or_else(|| secret.clone());
    Ok(Credentials {
        client_id,
        secret,
        decoded_secret,
    })
}

/// One form-encoded value; `None` when it is not one.
fn form_decoded(text: &str) -> Option<String> {
    let pair: Vec<(String, String)> = serde_urlencoded::from_str(&format!("v={text}")).ok()?;
    let [(_, value)] = <[_; 1]>::try_from(pair).ok()?;
    Some(value)
}

/// Id and secret of a `Basic` header.
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
