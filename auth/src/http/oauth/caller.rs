//! Who calls OAuth2's endpoints: a program with its id and its secret.

use std::collections::HashMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::ids::ClientId;
use common::service::{self, Secret};

use super::words::Error;
use crate::app::Auth;
use crate::clients::secret_hash;
use crate::http::address;
use crate::store;
use crate::store::clients::ServiceAccount;
use crate::throttle::Account;

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
    let is_known = account.is_some();
    let account = account.filter(|account| is_right && account.is_active);
    match account {
        Some(account) => Ok((credentials.client_id, account)),
        None => Err(wrong(auth, headers, &credentials.client_id, is_known).await),
    }
}

/// Counts a wrong secret. The right one passes however many were wrong: nobody guesses 32 random characters, and whoever
/// knows a program's id must not be able to stop it.
async fn wrong(auth: &Auth, headers: &HeaderMap, client_id: &ClientId, is_known: bool) -> Error {
    let (account, from) = (Account::program(client_id.as_str()), address::of(headers));
    match auth.throttle.admit(account, from, service::now).await {
        Ok(attempt) => {
            let about = is_known.then(|| client_id.to_string());
            attempt.failed(about, service::now());
            Error::InvalidClient
        }
        Err(refused) => refused.into(),
    }
}

/// Lets in payments and the ledger, which are no service accounts: their secrets are settings.
pub(super) async fn is_own_service(
    auth: &Auth,
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
) -> Result<(), Error> {
    let credentials = credentials(headers, parameters)?;
    let client_id = &credentials.client_id;
    let sent = secret_hash(&credentials.secret);
    let secret = auth.exchange_secrets.of(client_id.as_str());
    let is_known = secret.is_some();
    let is_right =
        |secret: &Secret| verify_slices_are_equal(&secret_hash(secret.expose()), &sent).is_ok();
    if secret.is_some_and(is_right) {
        Ok(())
    } else {
        Err(wrong(auth, headers, client_id, is_known).await)
    }
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
