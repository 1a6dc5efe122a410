//! Which publishes go into the log: those of a producer that may pay, under a valid token, with a readable request.
//!
//! Whether the books allow the payment is the ledger's to decide; so are amount, currency and date, because its answer
//! names them for ever.

use bytes::Bytes;
use common::broker::Published;
use common::ids::ClientId;
use common::kinds::Kind;
use common::kinds::body::RequestBody as _;
use common::kinds::bulk::{self, BatchRequest};
use common::kinds::client_request::{self, ClientRequest};
use common::kinds::envelope::Expected;
use common::kinds::hold::{CaptureRequest, HoldRequest, VoidRequest};
use common::kinds::payment::PaymentRequest;
use common::kinds::reversal::ReversalRequest;
use common::kinds::transaction::TransactionRequest;
use common::message::{EventHeaders, Outgoing};
use common::reason::{Code, Reason};
use common::service::traces::Span;
use common::token::{TokenError, bearer};
use common::wire;
use uuid::Uuid;

use super::ack::Refusal;
use crate::app::App;
use crate::request::{self, SUBMITTERS};

/// A header of an atomic batch.
const BATCH_ID: &str = "Nats-Batch-Id";

/// A request as it goes into the log.
pub(super) struct Admitted {
    pub(super) client: ClientId,
    pub(super) message: Outgoing,
    /// Its publication.
    pub(super) span: Span,
}

/// Why a publish does not go into the log.
#[derive(Debug)]
pub(super) enum NotAdmitted {
    Token(TokenError),
    Other(Refusal),
}

impl From<NotAdmitted> for Refusal {
    fn from(not_admitted: NotAdmitted) -> Self {
        match not_admitted {
            NotAdmitted::Token(error) => error.into(),
            NotAdmitted::Other(refusal) => refusal,
        }
    }
}

impl From<Refusal> for NotAdmitted {
    fn from(refusal: Refusal) -> Self {
        Self::Other(refusal)
    }
}

impl From<Reason> for NotAdmitted {
    fn from(reason: Reason) -> Self {
        Self::Other(reason.into())
    }
}

/// Judges a publish and makes the message that is stored for it.
///
/// Only headers of ours are looked at, and only they are stored. So none of NATS' own has an effect on the log; a part
/// of an atomic batch is refused, because here each message is stored by itself.
pub(super) fn admit(app: &App, published: &Published) -> Result<Admitted, NotAdmitted> {
    let Some((client, form)) = form_of(&published.subject) else {
        let sentence = "FF01: the subject is no kind of request with a client id";
        return Err(Refusal::new(400, sentence).into());
    };
    let headers = published.headers.as_ref().ok_or_else(|| {
        Reason::new(
            Code::FF01,
            "the headers can't be read, or have more than 8 KB",
        )
    })?;
    if headers.get(BATCH_ID).is_some() {
        return Err(Refusal::new(
            400,
            "FF01: atomic batches need a producer with the direct way; publish each payment by itself",
        )
        .into());
    }
    let token = headers
        .get(wire::AUTHORIZATION)
        .ok_or(TokenError::Missing)
        .and_then(bearer)
        .map_err(NotAdmitted::Token)?;
    let policy = app.projection.trust().policy_of_the_log();
    let verified = app
        .callers
        .verify(token, policy)
        .map_err(NotAdmitted::Token)?;
    if verified.claims.client_id != client {
        let sentence = "AG01: sender_mismatch: the token is another client's than the subject";
        return Err(Refusal::new(403, sentence).into());
    }
    if !verified.claims.allows_any(SUBMITTERS) {
        let words: Vec<_> = SUBMITTERS.iter().map(|scope| scope.as_str()).collect();
        let sentence = format!("AG01: scope: the token needs {}", words.join(" or "));
        return Err(Refusal::new(403, sentence).into());
    }
    if published.payload.len() > form.size_max {
        let sentence = format!("FF01: the body has more than {} bytes", form.size_max);
        return Err(Refusal::new(413, sentence).into());
    }
    // Not the parser's words: they quote the body, and an answer may reach somebody else than who asked.
    let id = (form.read)(&published.payload).map_err(|reason| {
        tracing::debug!(%client, reason = reason.message, "an unreadable body");
        let words = "the body is not what schemas/ describes: the same body over HTTP says what is wrong with it";
        Reason::new(reason.code, words)
    })?;
    let mut buffer = Uuid::encode_buffer();
    let expected = Expected {
        ce_type: form.ce_type,
        ce_id: id.hyphenated().encode_lower(&mut buffer),
        ids_as_ids: true,
    };
    expected.check(headers)?;
    let source = client_request::source(&client);
    if headers
        .get(wire::CE_SOURCE)
        .is_some_and(|value| value != source)
    {
        let message = format!("the header ce-source is not {source}");
        return Err(Reason::new(Code::FF01, message).into());
    }
    let event = EventHeaders {
        ce_type: form.ce_type,
        ce_id: expected.ce_id,
        ce_source: &source,
    };
    let traceparent = headers
        .get(wire::TRACEPARENT)
        .filter(|value| wire::is_traceparent(value));
    let span = Span::publish(traceparent, expected.ce_id);
    Ok(Admitted {
        message: Outgoing::of_body(
            published.subject.clone(),
            token,
            event,
            span.traceparent().or(traceparent),
            // A copy: a part of the buffer that it came in would keep all of that.
            Bytes::copy_from_slice(&published.payload),
        ),
        client,
        span,
    })
}

/// What a kind of request looks like.
struct Form {
    ce_type: &'static str,
    size_max: usize,
    /// Reads a body: the id that `ce-id` repeats.
    read: fn(&[u8]) -> Result<Uuid, Reason>,
}

impl Form {
    fn of<R: ClientRequest>() -> Self {
        Self {
            ce_type: R::REQUESTED,
            size_max: R::BYTES_MAX,
            read: |body| request::read::<R>(body).map(|request| request.id().0),
        }
    }

    fn of_batches() -> Self {
        Self {
            ce_type: bulk::REQUESTED,
            size_max: BatchRequest::BYTES_MAX,
            read: |body| request::read_batch(body).map(|batch| batch.batch_id.0),
        }
    }
}

/// Whose request a subject is, and what it must look like; `None` when producers send no such kind.
fn form_of(subject: &str) -> Option<(ClientId, Form)> {
    Some(match Kind::of_subject(subject) {
        Kind::Payment(client) => (client, Form::of::<PaymentRequest>()),
        Kind::Hold(client) => (client, Form::of::<HoldRequest>()),
        Kind::Capture(client) => (client, Form::of::<CaptureRequest>()),
        Kind::Void(client) => (client, Form::of::<VoidRequest>()),
        Kind::Reversal(client) => (client, Form::of::<ReversalRequest>()),
        Kind::Transaction(client) => (client, Form::of::<TransactionRequest>()),
        Kind::Bulk(client) => (client, Form::of_batches()),
        Kind::Account(_)
        | Kind::Key
        | Kind::Revocation
        | Kind::Rules
        | Kind::Expiry
        | Kind::Chart
        | Kind::Unknown => return None,
    })
}
