//! The kinds of requests and their answers, one file each: body, answer, subject and event types.
//!
//! Request bodies refuse unknown fields: the ledger must not do half of what is asked. Answers print every field of
//! their rules, `null` where there is no value.

pub mod account;
pub mod body;
pub mod bulk;
pub mod chart;
pub mod client_request;
pub mod envelope;
pub mod expiry;
pub mod form;
pub mod hold;
pub mod metadata;
pub mod payment;
pub mod posting;
pub mod reversal;
pub mod revocation;
pub mod rules;
pub mod settlement;
pub mod transaction;
pub mod trust;
pub mod unknown;

use account::{AccountAnswer, AccountRequest};
use body::{AnswerBody, RequestBody as _};
use bulk::{BatchAnswer, BatchRequest};
use chart::OpenBankAccount;
use client_request::ClientRequest;
use expiry::AnnounceExpiry;
use hold::{CaptureRequest, HoldRequest, VoidRequest};
use payment::PaymentRequest;
use reversal::ReversalRequest;
use revocation::{RevocationAnswer, Revoke};
use rules::{RaiseRules, RulesAnswer};
use settlement::PaymentAnswer;
use transaction::TransactionRequest;
use trust::{AnnounceKey, KeyAnswer};
use unknown::UnknownAnswer;

use crate::ids::ClientId;
use crate::message::Stored;
use crate::reason::Code;
use crate::wire::CE_TYPE;

/// Largest body of any kind, in bytes.
pub const BODY_BYTES_MAX: usize = largest(&[
    PaymentRequest::BYTES_MAX,
    HoldRequest::BYTES_MAX,
    CaptureRequest::BYTES_MAX,
    VoidRequest::BYTES_MAX,
    ReversalRequest::BYTES_MAX,
    TransactionRequest::BYTES_MAX,
    BatchRequest::BYTES_MAX,
    AnnounceExpiry::BYTES_MAX,
    AccountRequest::BYTES_MAX,
    OpenBankAccount::BYTES_MAX,
    AnnounceKey::BYTES_MAX,
    Revoke::BYTES_MAX,
    RaiseRules::BYTES_MAX,
]);

const fn largest(mut sizes: &[usize]) -> usize {
    let mut largest = 0;
    while let [size, rest @ ..] = sizes {
        if *size > largest {
            largest = *size;
        }
        sizes = rest;
    }
    largest
}

/// What the subject of a stored request says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A payment of this client.
    Payment(ClientId),
    /// Money is to be held, for this client.
    Hold(ClientId),
    /// A hold is to be booked.
    Capture(ClientId),
    /// A hold is to be freed.
    Void(ClientId),
    /// A payment is to be booked back.
    Reversal(ClientId),
    /// Several postings are to be booked at once, for this client.
    Transaction(ClientId),
    /// Several payments of this client.
    Bulk(ClientId),
    /// The ledger announces that a hold has ended.
    Expiry,
    /// A change to an account, asked for by this client.
    Account(ClientId),
    /// The ledger opens an account of the bank's own.
    Chart,
    /// A key announced by auth.
    Key,
    /// Tokens are revoked by auth.
    Revocation,
    /// The ledger raises its rules.
    Rules,
    /// Nothing the ledger knows; it answers with a rejection.
    Unknown,
}

impl Kind {
    /// Reads a subject of the log of requests.
    #[must_use]
    pub fn of_subject(subject: &str) -> Self {
        let client = |prefix: &str| subject.strip_prefix(prefix).and_then(|id| id.parse().ok());
        if subject == trust::SUBJECT {
            return Self::Key;
        }
        if subject == revocation::SUBJECT {
            return Self::Revocation;
        }
        if subject == rules::SUBJECT {
            return Self::Rules;
        }
        if subject == expiry::SUBJECT {
            return Self::Expiry;
        }
        if subject == chart::SUBJECT {
            return Self::Chart;
        }
        let of = |prefix: &str, kind: fn(ClientId) -> Self| client(prefix).map(kind);
        // Payments first: nearly all requests are.
        of(PaymentRequest::SUBJECT_PREFIX, Self::Payment)
            .or_else(|| of(bulk::SUBJECT_PREFIX, Self::Bulk))
            .or_else(|| of(account::SUBJECT_PREFIX, Self::Account))
            .or_else(|| of(HoldRequest::SUBJECT_PREFIX, Self::Hold))
            .or_else(|| of(CaptureRequest::SUBJECT_PREFIX, Self::Capture))
            .or_else(|| of(VoidRequest::SUBJECT_PREFIX, Self::Void))
            .or_else(|| of(ReversalRequest::SUBJECT_PREFIX, Self::Reversal))
            .or_else(|| of(TransactionRequest::SUBJECT_PREFIX, Self::Transaction))
            .unwrap_or(Self::Unknown)
    }
}

/// Longest subject of ours, in characters: a prefix and a client id take under 100. NATS accepts longer ones than it
/// can deliver with three more characters.
const SUBJECT_CHARS_MAX: usize = 200;

/// The subject of the answer to a request: the same, with `settlement` in front instead of `request`.
///
/// A subject that can't be one of ours gets a fixed answer subject.
#[must_use]
pub fn answer_subject(request_subject: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    match request_subject.strip_prefix("request.") {
        Some(rest) if rest.len() <= SUBJECT_CHARS_MAX && rest.bytes().all(is_plain) => {
            format!("settlement.{rest}")
        }
        _ => "settlement.unknown.v1".to_owned(),
    }
}

/// An answer of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To a payment request; this one is called its settlement event.
    Payment(PaymentAnswer),
    /// To a batch of payments.
    Bulk(Box<BatchAnswer>),
    /// To an account request.
    Account(AccountAnswer),
    /// To a key announcement.
    Key(KeyAnswer),
    /// To a revocation.
    Revocation(RevocationAnswer),
    /// To a raise of the rules.
    Rules(RulesAnswer),
    /// To a request of no known kind.
    Unknown(UnknownAnswer),
}

impl Answer {
    fn body(&self) -> &dyn AnswerBody {
        match self {
            Self::Payment(answer) => answer,
            Self::Bulk(answer) => &**answer,
            Self::Account(answer) => answer,
            Self::Key(answer) => answer,
            Self::Revocation(answer) => answer,
            Self::Rules(answer) => answer,
            Self::Unknown(answer) => answer,
        }
    }

    /// The answer's `ce-type`.
    #[must_use]
    pub fn ce_type(&self) -> &'static str {
        self.body().ce_type()
    }

    /// What it is about, for `ce-subject`: the payment's, account's or key's id.
    #[must_use]
    pub fn about(&self) -> Option<String> {
        self.body().about()
    }

    /// The status and the reason code, as words.
    #[must_use]
    pub fn outcome(&self) -> (&'static str, Option<Code>) {
        let (status, reason) = self.body().outcome();
        (status, reason.map(|reason| reason.code))
    }

    /// The sequence that it answers.
    #[must_use]
    pub fn request_seq(&self) -> u64 {
        self.body().request_seq()
    }

    /// The body as it is published and stored.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let json = match self {
            Self::Payment(answer) => serde_json::to_vec(answer),
            Self::Bulk(answer) => serde_json::to_vec(answer),
            Self::Account(answer) => serde_json::to_vec(answer),
            Self::Key(answer) => serde_json::to_vec(answer),
            Self::Revocation(answer) => serde_json::to_vec(answer),
            Self::Rules(answer) => serde_json::to_vec(answer),
            Self::Unknown(answer) => serde_json::to_vec(answer),
        };
        json.expect("these structs hold only texts, numbers and lists of them")
    }

    /// Reads a message of SETTLEMENTS.
    ///
    /// # Errors
    /// As [`Answer::from_json`].
    pub fn of_message(message: &Stored) -> Result<Self, serde_json::Error> {
        let ce_type = message.header(CE_TYPE).unwrap_or_default();
        Self::from_json(ce_type, &message.payload)
    }

    /// Reads a published answer: its `ce-type` and body.
    ///
    /// # Errors
    /// When the type is unknown or the body is not what the type says.
    pub fn from_json(ce_type: &str, body: &[u8]) -> Result<Self, serde_json::Error> {
        match ce_type.split_once('.').map(|(family, _)| family) {
            Some("payment") => serde_json::from_slice(body).map(Self::Payment),
            Some("payment-batch") => serde_json::from_slice(body).map(Self::Bulk),
            Some("account") => serde_json::from_slice(body).map(Self::Account),
            Some("key") => serde_json::from_slice(body).map(Self::Key),
            Some("revocation") => serde_json::from_slice(body).map(Self::Revocation),
            Some("rules") => serde_json::from_slice(body).map(Self::Rules),
            _ => serde_json::from_slice(body).map(Self::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_tells_the_kind_and_the_client() {
        let shop: ClientId = "shop".parse().unwrap();
        assert_eq!(
            Kind::of_subject("request.payment.v1.shop"),
            Kind::Payment(shop.clone())
        );
        assert_eq!(
            Kind::of_subject("request.account.v1.shop"),
            Kind::Account(shop)
        );
        assert_eq!(
            Kind::of_subject("request.reversal.v1.shop"),
            Kind::Reversal("shop".parse().unwrap())
        );
        assert_eq!(
            Kind::of_subject("request.payment-batch.v1.shop"),
            Kind::Bulk("shop".parse().unwrap())
        );
        assert_eq!(Kind::of_subject("request.expiry.v1.ledger"), Kind::Expiry);
        assert_eq!(Kind::of_subject("request.chart.v1.ledger"), Kind::Chart);
        assert_eq!(Kind::of_subject("request.auth.v1.keys"), Kind::Key);
        assert_eq!(
            Kind::of_subject("request.auth.v1.revocations"),
            Kind::Revocation
        );
        assert_eq!(Kind::of_subject("request.rules.v1.ledger"), Kind::Rules);
        for other in [
            "request.payment.v1.a.b",
            "request.payment.v1.",
            "request.payment.v2.shop",
            "request.rules.v1.shop",
            "request.expiry.v1.shop",
            "request.chart.v1.shop",
            "request.x",
            "x",
        ] {
            assert_eq!(Kind::of_subject(other), Kind::Unknown, "{other}");
        }
    }

    #[test]
    fn an_answer_stands_where_its_request_stood() {
        assert_eq!(
            answer_subject("request.payment.v1.shop"),
            "settlement.payment.v1.shop"
        );
        assert_eq!(answer_subject("request.x"), "settlement.x");
        for odd in [
            "request.payment.v1.\u{fffd}",
            "request.a b",
            "x",
            &format!("request.{}", "a".repeat(201)),
        ] {
            assert_eq!(answer_subject(odd), "settlement.unknown.v1");
        }
    }
}
