//! Step 1: a stored message in, what it asks for out. Pure: bytes, published time and keys are all it looks at.
//!
//! A message that breaks a rule here becomes a rejected answer, never a redelivery. In order: the body
//! must be readable, no header twice, CloudEvents headers must agree with the body (FF01); then the token and whose it
//! is (AG01). Once the body is readable the answer names what it is about, whatever else is wrong.

use std::sync::Arc;

use common::ids::{AccountId, ClientId};
use common::kinds;
use common::kinds::Answer;
use common::kinds::Kind;
use common::kinds::account::AccountRequest;
use common::kinds::account::{AccountAnswer, AccountStatus};
use common::kinds::body::BODY_BYTES_MAX;
use common::kinds::payment::PaymentRequest;
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::kinds::trust::AnnounceKey;
use common::kinds::trust::{KeyAnswer, KeyStatus};
use common::kinds::unknown::{RejectedStatus, UnknownAnswer};
use common::message::Stored;
use common::reason::{Code, Reason};
use common::token;
use common::token::{CheckedTokens, Keys, Scope, TokenError, Verified};
use common::wire;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::book::At;
use crate::chain::{Digest, request_digest, sha256};

/// A request that has passed, or its rejection.
#[derive(Debug, Clone)]
pub struct VerifiedRequest {
    /// Its place and time.
    pub at: At,
    /// Where its answer is published.
    pub answer_subject: String,
    /// Its W3C trace context, if it has a valid one.
    pub traceparent: Option<String>,
    /// SHA-256 of it as stored.
    pub digest: Digest,
    /// The token it came under; `None` when none was accepted.
    pub token: Option<Arc<Verified>>,
    /// What it asks for.
    pub content: Content,
}

/// What a request asks for.
#[derive(Debug, Clone)]
pub enum Content {
    /// Move money.
    Payment {
        /// What the token says.
        token: Arc<Verified>,
        /// The body.
        request: PaymentRequest,
        /// SHA-256 of the body in one spelling: two requests ask for the same thing if it is equal.
        digest: Digest,
    },
    /// Change an account.
    Account {
        /// What the token says.
        token: Arc<Verified>,
        /// The body.
        request: AccountRequest,
    },
    /// Take a key in.
    Key(AnnounceKey),
    /// Nothing more: it has been rejected already.
    Rejected(Answer),
}

/// Judges one stored request by the keys known before it.
///
/// `checked` remembers tokens between calls and changes nothing but the time it takes.
#[must_use]
pub fn verify(message: &Stored, keys: &Keys, checked: &mut CheckedTokens) -> VerifiedRequest {
    let at = At {
        seq: message.sequence,
        published_at: message.published_at,
    };
    let mut known = Known { keys, checked };
    let (token, content) = match Kind::of_subject(&message.subject) {
        Kind::Payment(client) => payment(message, at, client, &mut known),
        Kind::Account(client) => account(message, at, client, &mut known),
        Kind::Key => key(message, at, keys),
        Kind::Unknown => (None, Content::Rejected(unknown(at))),
    };
    VerifiedRequest {
        at,
        answer_subject: kinds::answer_subject(&message.subject),
        traceparent: message
            .header(wire::TRACEPARENT)
            .filter(|text| wire::is_traceparent(text))
            .map(str::to_owned),
        digest: request_digest(message),
        token,
        content,
    }
}

type Outcome = (Option<Arc<Verified>>, Content);

/// What tokens are judged by.
struct Known<'k> {
    keys: &'k Keys,
    checked: &'k mut CheckedTokens,
}

fn payment(message: &Stored, at: At, client: ClientId, known: &mut Known<'_>) -> Outcome {
    let request: PaymentRequest = match body(message) {
        Ok(request) => request,
        Err(reason) => {
            return (
                None,
                Content::Rejected(rejected_payment(at, client, None, reason, true)),
            );
        }
    };
    let scopes = [
        Scope::PaymentsSubmit,
        Scope::PaymentsSubmitAny,
        Scope::BankOperate,
    ];
    let mut buffer = Uuid::encode_buffer();
    let id = request.payment_id.0.hyphenated().encode_lower(&mut buffer);
    let verdict = envelope(message, kinds::payment::REQUESTED, id)
        .and_then(|()| allowed(message, &client, &scopes, known));
    match verdict {
        Ok(token) => {
            let digest = sha256(&request.canonical_json());
            (
                Some(token.clone()),
                Content::Payment {
                    token,
                    request,
                    digest,
                },
            )
        }
        Err(reason) => (
            None,
            Content::Rejected(rejected_payment(at, client, Some(&request), reason, true)),
        ),
    }
}

fn account(message: &Stored, at: At, client: ClientId, known: &mut Known<'_>) -> Outcome {
    let request: AccountRequest = match body(message) {
        Ok(request) => request,
        Err(reason) => {
            return (
                None,
                Content::Rejected(rejected_account(at, client, None, reason)),
            );
        }
    };
    let AccountRequest::Open(open) = &request;
    let id = open.account_id;
    let verdict = envelope(message, kinds::account::REQUESTED, &id.to_string()).and_then(|()| {
        allowed(
            message,
            &client,
            &[Scope::AccountsWrite, Scope::BankOperate],
            known,
        )
    });
    match verdict {
        Ok(token) => (Some(token.clone()), Content::Account { token, request }),
        Err(reason) => (
            None,
            Content::Rejected(rejected_account(at, client, Some(id), reason)),
        ),
    }
}

fn key(message: &Stored, at: At, keys: &Keys) -> Outcome {
    let request: AnnounceKey = match body(message) {
        Ok(request) => request,
        Err(reason) => return (None, Content::Rejected(rejected_key(at, None, reason))),
    };
    if !is_reasonable(&request) {
        let reason = Reason::new(Code::FF01, "these are no key, no thumbprint or no issuer");
        return (None, Content::Rejected(rejected_key(at, None, reason)));
    }
    let verdict = envelope(message, kinds::trust::REQUESTED, &request.kid)
        .and_then(|()| vouched_for(message, &request, keys));
    match verdict {
        Ok(token) => (Some(token), Content::Key(request)),
        Err(reason) => (
            None,
            Content::Rejected(rejected_key(at, Some(&request), reason)),
        ),
    }
}

/// Whatever is in the announcement is repeated in the answer, which must fit into a message and a header.
fn is_reasonable(request: &AnnounceKey) -> bool {
    let AnnounceKey { kid, issuer, n, e } = request;
    let is_base64url = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    kid.len() == THUMBPRINT_CHARS
        && [kid, n, e].into_iter().all(|text| is_base64url(text))
        && n.len() <= MODULUS_CHARS_MAX
        && (1..=ISSUER_BYTES_MAX).contains(&issuer.len())
        && !issuer.chars().any(char::is_control)
}

/// A SHA-256 in base64url.
const THUMBPRINT_CHARS: usize = 43;
/// 4096 bits in base64url.
const MODULUS_CHARS_MAX: usize = 683;
/// An issuer is a URL.
const ISSUER_BYTES_MAX: usize = 256;

/// The first key vouches for itself, since nobody but auth may publish here; each later one needs the word of a key that
/// is known, so that a service that is not auth can't slip one in.
fn vouched_for(
    message: &Stored,
    request: &AnnounceKey,
    keys: &Keys,
) -> Result<Arc<Verified>, Reason> {
    let mut own = Keys::default();
    own.insert(&request.kid, &request.issuer, &request.n, &request.e)
        .map_err(|error| Reason::new(Code::NARR, error.to_string()))?;
    let keys = if keys.is_empty() { &own } else { keys };
    let token = bearer(message)
        .and_then(|token| token::verify(token, message.published_at, keys))
        .map_err(|error| Reason::new(Code::AG01, error.to_string()))?;
    needs(&token, &[Scope::AuthAdmin])?;
    Ok(Arc::new(token))
}

fn unknown(at: At) -> Answer {
    Answer::Unknown(UnknownAnswer {
        request_seq: at.seq,
        status: RejectedStatus::Rejected,
        reason: Reason::new(
            Code::FF01,
            "no kind of request has this subject; see schemas/",
        ),
        published_at: at.published_at,
    })
}

/// The headers that mean something; each may stand there once.
const HEADERS: [&str; 6] = [
    wire::AUTHORIZATION,
    wire::CE_SPECVERSION,
    wire::CE_ID,
    wire::CE_TYPE,
    wire::CE_SOURCE,
    wire::TRACEPARENT,
];

fn body<T: DeserializeOwned>(message: &Stored) -> Result<T, Reason> {
    if message.payload.len() > BODY_BYTES_MAX {
        return Err(Reason::new(
            Code::FF01,
            format!("the body has more than {BODY_BYTES_MAX} bytes"),
        ));
    }
    kinds::body::read(&message.payload).map_err(|error| {
        // The parser's own words may change with its version, and an answer never may: they go to the log alone.
        tracing::debug!(seq = message.sequence, %error, "an unreadable body");
        Reason::new(
            Code::FF01,
            "the body is not what schemas/ describes for this subject",
        )
    })
}

/// No header stands there twice; CloudEvents headers may be missing, but not say something else than the body.
fn envelope(message: &Stored, ce_type: &str, ce_id: &str) -> Result<(), Reason> {
    if message.unreadable_headers.is_some() {
        return Err(Reason::new(Code::FF01, "the headers can't be read"));
    }
    let headers = &message.headers;
    if let Some(name) = HEADERS
        .iter()
        .find(|name| headers.get_all(name).count() > 1)
    {
        return Err(Reason::new(
            Code::FF01,
            format!("the header {name} appears twice"),
        ));
    }
    for (name, expected) in [
        (wire::CE_SPECVERSION, "1.0"),
        (wire::CE_TYPE, ce_type),
        (wire::CE_ID, ce_id),
    ] {
        if headers
            .get(name)
            .is_some_and(|value| !value.eq_ignore_ascii_case(expected))
        {
            return Err(Reason::new(
                Code::FF01,
                format!("the header {name} is not {expected}, as the body has it"),
            ));
        }
    }
    Ok(())
}

/// The token of a message, if it passes, is its sender's and allows this.
fn allowed(
    message: &Stored,
    client: &ClientId,
    scopes: &[Scope],
    known: &mut Known<'_>,
) -> Result<Arc<Verified>, Reason> {
    let token = bearer(message)
        .and_then(|token| {
            known
                .checked
                .verify(token, message.published_at, known.keys)
        })
        .map_err(|error| Reason::new(Code::AG01, error.to_string()))?;
    if token.claims.client_id != *client {
        return Err(Reason::new(
            Code::AG01,
            "sender_mismatch: the token is another client's than the subject",
        ));
    }
    needs(&token, scopes)?;
    Ok(token)
}

fn bearer(message: &Stored) -> Result<&str, TokenError> {
    message
        .header(wire::AUTHORIZATION)
        .ok_or(TokenError::Missing)
        .and_then(token::bearer)
}

fn needs(token: &Verified, scopes: &[Scope]) -> Result<(), Reason> {
    if token.claims.allows_any(scopes) {
        return Ok(());
    }
    let words: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    Err(Reason::new(
        Code::AG01,
        format!("scope: the token needs {}", words.join(" or ")),
    ))
}

/// An answer to a payment that books nothing.
pub(crate) fn rejected_payment(
    at: At,
    client: ClientId,
    request: Option<&PaymentRequest>,
    reason: Reason,
    may_retry: bool,
) -> Answer {
    Answer::Payment(PaymentAnswer {
        request_seq: at.seq,
        payment_id: request.map(|request| request.payment_id),
        client_id: client,
        status: PaymentStatus::Rejected,
        reason: Some(reason),
        debtor_account: request.map(|request| request.debtor_account),
        creditor_account: request.map(|request| request.creditor_account),
        amount: request.map(|request| request.amount.clone()),
        currency: request.map(|request| request.currency.clone()),
        reference: request.and_then(|request| request.reference.clone()),
        postings: Vec::new(),
        original: None,
        may_retry,
        published_at: at.published_at,
    })
}

/// An answer to an account request that changes nothing.
pub(crate) fn rejected_account(
    at: At,
    client: ClientId,
    id: Option<AccountId>,
    reason: Reason,
) -> Answer {
    Answer::Account(AccountAnswer {
        request_seq: at.seq,
        account_id: id,
        client_id: client,
        status: AccountStatus::Rejected,
        reason: Some(reason),
        owner: None,
        currency: None,
        category: None,
        name: None,
        overdraft_limit: None,
        published_at: at.published_at,
    })
}

fn rejected_key(at: At, request: Option<&AnnounceKey>, reason: Reason) -> Answer {
    Answer::Key(KeyAnswer {
        request_seq: at.seq,
        kid: request.map(|request| request.kid.clone()),
        status: KeyStatus::Rejected,
        reason: Some(reason),
        issuer: None,
        n: None,
        e: None,
        published_at: at.published_at,
    })
}
