//! Who calls OAuth2's endpoints: a program with its id, and its secret or an assertion that its key has signed.

use std::collections::HashMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use common::ids::ClientId;
use common::service::{self, Secret};
use uuid::Uuid;

use super::assertion::{self, Assertion};
use super::words::Error;
use crate::app::Auth;
use crate::clients::secret_hash;
use crate::http::address;
use crate::store;
use crate::store::clients::credentials::Candidate;
use crate::throttle::Account;

/// The use of a credential is noted to this precision: a write for each token would cost more than the token.
const USE_NOTED: TimeDelta = TimeDelta::minutes(1);

/// A program that has proven itself.
pub(super) struct Program {
    pub(super) client_id: ClientId,
    /// The credential that proved it.
    pub(super) credential: Uuid,
    /// The account, beside that credential.
    pub(super) account: Candidate,
}

/// The active service account that authenticates.
pub(super) async fn authenticated(
    auth: &Auth,
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
) -> Result<Program, Error> {
    let asserted = assertion::read(headers, parameters)?;
    let credentials = match &asserted {
        None => Some(credentials(headers, parameters)?),
        Some(_) => None,
    };
    let client_id = match (&asserted, &credentials) {
        (Some(assertion), _) => assertion.client_id.clone(),
        (None, Some(credentials)) => credentials.client_id.clone(),
        (None, None) => return Err(Error::InvalidClient),
    };
    let now = service::now();
    let candidates =
        store::clients::credentials::candidates(&auth.pool, client_id.as_str(), now).await?;
    let proven = match (&asserted, &credentials) {
        (Some(assertion), _) => signed(auth, assertion, &candidates),
        (None, Some(credentials)) => knows_secret(credentials, &candidates),
        (None, None) => None,
    };
    let is_known = !candidates.is_empty();
    let mut candidates = candidates;
    let program = proven.map(|place| candidates.swap_remove(place));
    let program = program.filter(|candidate| candidate.is_active);
    let found = program.and_then(|account| Some((account.id?, account)));
    let Some((credential, account)) = found else {
        return Err(wrong(auth, headers, &client_id, is_known).await);
    };
    if let Some(assertion) = asserted {
        assertion.spend(auth, now).await?;
    }
    if account.last_used_at.is_none_or(|at| now - at >= USE_NOTED) {
        store::clients::credentials::note_use(&auth.pool, credential, now).await?;
    }
    Ok(Program {
        client_id,
        credential,
        account,
    })
}

/// An account has two living credentials at most.
const CANDIDATES: usize = 2;

/// The place of the candidate whose secret this is. It takes as long for an unknown client, and for one with fewer
/// secrets: then zeros are compared.
fn knows_secret(credentials: &Credentials, candidates: &[Candidate]) -> Option<usize> {
    let sent = secret_hash(&credentials.secret);
    let decoded = secret_hash(&credentials.decoded_secret);
    let mut found = None;
    for place in 0..CANDIDATES {
        let kept = candidates
            .get(place)
            .and_then(|candidate| candidate.secret_sha256.as_deref());
        let compared = kept.unwrap_or(&[0; 32]);
        // Both, so that it takes as long whichever it is.
        let (as_sent, as_form) = (
            verify_slices_are_equal(compared, &sent).is_ok(),
            verify_slices_are_equal(compared, &decoded).is_ok(),
        );
        if kept.is_some() && (as_sent || as_form) {
            found = Some(place);
        }
    }
    found
}

/// The place of the candidate whose key has signed. It takes as long for an unknown client, and for one with fewer keys:
/// then a key of ours is tried, which has signed nothing of this kind and would not count.
fn signed(auth: &Auth, assertion: &Assertion, candidates: &[Candidate]) -> Option<usize> {
    let ours = auth.keys.ring.voucher();
    let mut found = None;
    for place in 0..CANDIDATES {
        let key = candidates
            .get(place)
            .and_then(|candidate| Some((candidate.n.as_deref()?, candidate.e.as_deref()?)));
        let (n, e) = key.unwrap_or((&ours.n, &ours.e));
        if assertion.is_signed_with(n, e) && key.is_some() {
            found = Some(place);
        }
    }
    found.filter(|_| assertion.is_good(&ours.issuer, service::now()))
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

/// Lets in payments and the ledger, which are no service accounts: their secrets are settings. Which of them it is.
pub(super) async fn own_service(
    auth: &Auth,
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
) -> Result<ClientId, Error> {
    let credentials = credentials(headers, parameters)?;
    let client_id = credentials.client_id;
    let sent = secret_hash(&credentials.secret);
    let secret = auth.exchange_secrets.of(client_id.as_str());
    let is_known = secret.is_some();
    let is_right =
        |secret: &Secret| verify_slices_are_equal(&secret_hash(secret.expose()), &sent).is_ok();
    if secret.is_some_and(is_right) {
        Ok(client_id)
    } else {
        Err(wrong(auth, headers, &client_id, is_known).await)
    }
}

struct Credentials {
    client_id: ClientId,
    /// As it came.
    secret: String,
    /// As it is when it came form-encoded, which RFC 6749 §2.3.1 asks for in a header and hardly any client does. In a
    /// body it is as it came.
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
            let id = form_decoded(&id).unwrap_or(id);
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
    let is_form = parameters.contains_key("client_secret");
    let decoded_secret = form_decoded(&secret).filter(|_| !is_form);
    let decoded_secret = decoded_secret.unwrap_or_else(|| secret.clone());
    let client_id = client_id.parse().map_err(|_| Error::InvalidClient)?;
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
