//! A request as it comes in, by whichever entrance: who may send one, and how it is read.

use std::fmt::Display;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use common::kinds::body;
use common::kinds::bulk::Batch;
use common::kinds::client_request::ClientRequest;
use common::kinds::hold::{CaptureRequest, HoldRequest, VoidRequest};
use common::kinds::metadata::has_repeated_key;
use common::kinds::payment::PaymentRequest;
use common::kinds::reversal::ReversalRequest;
use common::kinds::transaction::TransactionRequest;
use common::reason::{Code, Reason};
use common::token::Scope;
use serde::de::DeserializeOwned;

use crate::idempotency::Content;

/// Each of them lets its owner send payments.
pub(crate) const SUBMITTERS: &[Scope] = &[
    Scope::PaymentsSubmit,
    Scope::PaymentsSubmitAny,
    Scope::BankOperate,
];

/// A request that this service takes in.
pub(crate) trait Submission: ClientRequest + Clone {
    /// What is wrong with it, whatever the books say: the caller learns of it at once.
    fn mistake(&self, now: DateTime<Utc>) -> Option<Reason>;

    /// SHA-256 of its kind and of the request in one spelling.
    fn content(&self) -> Content {
        let canonical = self.clone().canonical();
        let json = serde_json::to_vec(&canonical).expect("texts and ids are JSON");
        sha256(&[Self::REQUESTED.as_bytes(), &json].concat())
    }
}

fn sha256(bytes: &[u8]) -> Content {
    let digest = digest(&SHA256, bytes);
    digest.as_ref().try_into().expect("a SHA-256 has 32 bytes")
}

impl Submission for PaymentRequest {
    fn mistake(&self, now: DateTime<Utc>) -> Option<Reason> {
        self.terms(now).err()
    }

    // Without a copy, because nearly all are payments.
    fn content(&self) -> Content {
        sha256(&self.canonical_json(None))
    }
}

impl Submission for HoldRequest {
    fn mistake(&self, now: DateTime<Utc>) -> Option<Reason> {
        let terms = self.payment().terms(now).err();
        terms.or_else(|| self.expires_at(now).err())
    }
}

impl Submission for CaptureRequest {
    fn mistake(&self, _now: DateTime<Utc>) -> Option<Reason> {
        None
    }
}

impl Submission for VoidRequest {
    fn mistake(&self, _now: DateTime<Utc>) -> Option<Reason> {
        None
    }
}

impl Submission for ReversalRequest {
    fn mistake(&self, _now: DateTime<Utc>) -> Option<Reason> {
        self.mistake()
    }
}

impl Submission for TransactionRequest {
    fn mistake(&self, now: DateTime<Utc>) -> Option<Reason> {
        self.terms(now).err()
    }
}

/// Reads a body.
///
/// # Errors
/// FF01, with what is wrong.
pub(crate) fn read<R: ClientRequest>(body: &[u8]) -> Result<R, Reason> {
    read_as(body, R::has_metadata)
}

/// Reads a body that is no message of the log as it comes, but says the same.
///
/// # Errors
/// FF01, with what is wrong.
pub(crate) fn read_as<T: DeserializeOwned>(
    body: &[u8],
    has_metadata: impl FnOnce(&T) -> bool,
) -> Result<T, Reason> {
    let request: T = body::read(body).map_err(|error| {
        malformed(
            &error,
            "once per payment, so that sending it again never pays twice",
        )
    })?;
    if has_metadata(&request) && has_repeated_key(body) {
        return Err(Reason::new(Code::FF01, "metadata has a key twice"));
    }
    Ok(request)
}

/// Reads a batch of which every payment can be read: who sends one here learns at once of a mistake in its form.
///
/// # Errors
/// FF01, with what is wrong, and in which payment.
pub(crate) fn read_batch(body: &[u8]) -> Result<Batch, Reason> {
    let batch = Batch::read(body).map_err(|error| error.reason)?;
    batch.mistake().map_or(Ok(batch), Err)
}

/// What is wrong with one of a batch's payments, whatever the books say.
pub(crate) fn batch_mistake(batch: &Batch, now: DateTime<Utc>) -> Option<Reason> {
    let payments = (1..).zip(batch.payments.iter().flatten());
    let mut mistakes = payments.filter_map(|(number, payment)| {
        let reason = payment.terms(now).err()?;
        let message = format!("payment {number}: {}", reason.message);
        Some(Reason::new(reason.code, message))
    });
    mistakes.next()
}

/// What is wrong with a body. Where the id is missing, `choosing` says how often to choose one, and why.
pub(crate) fn malformed(error: &impl Display, choosing: &str) -> Reason {
    let mut message = error.to_string();
    if message.starts_with("missing field `payment_id`") {
        message += &format!("; choose a UUID (version 7 is recommended) {choosing}");
    }
    Reason::new(Code::FF01, message)
}
