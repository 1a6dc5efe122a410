//! Whether a stored message has the form that its kind has: what its schema in `schemas/` says.

use serde::de::DeserializeOwned;

use super::account::AccountRequest;
use super::body::read;
use super::bulk::Batch;
use super::chart::OpenBankAccount;
use super::expiry::AnnounceExpiry;
use super::hold::{CaptureRequest, HoldRequest, VoidRequest};
use super::payment::PaymentRequest;
use super::reversal::ReversalRequest;
use super::revocation::Revoke;
use super::rules::RaiseRules;
use super::transaction::TransactionRequest;
use super::trust::AnnounceKey;
use super::{Answer, Kind};
use crate::message::Stored;

/// What a message's form was compared with, and how that went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Its schema, without the file's ending: `payment.requested.v1`. `None` for a kind that nobody knows.
    pub schema: Option<&'static str>,
    /// What does not fit.
    pub mismatch: Option<String>,
}

impl Form {
    /// Of a message of REQUESTS.
    #[must_use]
    pub fn of_request(stored: &Stored) -> Self {
        let body = &stored.payload;
        match Kind::of_subject(&stored.subject) {
            Kind::Payment(_) => Self::read::<PaymentRequest>("payment.requested.v1", body),
            Kind::Hold(_) => Self::read::<HoldRequest>("hold.requested.v1", body),
            Kind::Capture(_) => Self::read::<CaptureRequest>("capture.requested.v1", body),
            Kind::Void(_) => Self::read::<VoidRequest>("void.requested.v1", body),
            Kind::Reversal(_) => Self::read::<ReversalRequest>("reversal.requested.v1", body),
            Kind::Transaction(_) => {
                Self::read::<TransactionRequest>("transaction.requested.v1", body)
            }
            Kind::Bulk(_) => Self {
                schema: Some("payment-batch.requested.v1"),
                mismatch: batch_mismatch(body),
            },
            Kind::Chart => Self::read::<OpenBankAccount>("chart.requested.v1", body),
            Kind::Expiry => Self::read::<AnnounceExpiry>("expiry.requested.v1", body),
            Kind::Account(_) => Self::read::<AccountRequest>("account.requested.v1", body),
            Kind::Key => Self::read::<AnnounceKey>("key.requested.v1", body),
            Kind::Revocation => Self::read::<Revoke>("revocation.requested.v1", body),
            Kind::Rules => Self::read::<RaiseRules>("rules.requested.v1", body),
            Kind::Unknown => Self {
                schema: None,
                mismatch: Some("its subject is of no known kind".to_owned()),
            },
        }
    }

    /// Of a message of SETTLEMENTS.
    #[must_use]
    pub fn of_answer(stored: &Stored) -> Self {
        match Answer::of_message(stored) {
            Ok(answer) => Self {
                schema: Some(match answer {
                    Answer::Payment(_) => "payment.answered.v1",
                    Answer::Bulk(_) => "payment-batch.answered.v1",
                    Answer::Account(_) => "account.answered.v1",
                    Answer::Key(_) => "key.answered.v1",
                    Answer::Revocation(_) => "revocation.answered.v1",
                    Answer::Rules(_) => "rules.answered.v1",
                    Answer::Unknown(_) => "request.rejected.v1",
                }),
                mismatch: None,
            },
            Err(error) => Self {
                schema: None,
                mismatch: Some(error.to_string()),
            },
        }
    }

    fn read<T: DeserializeOwned>(schema: &'static str, body: &[u8]) -> Self {
        Self {
            schema: Some(schema),
            mismatch: read::<T>(body).err().map(|error| error.to_string()),
        }
    }
}

/// What does not fit of a batch, or of its first payment that does not.
fn batch_mismatch(body: &[u8]) -> Option<String> {
    let mistake = match Batch::read(body) {
        Ok(batch) => batch.mistake(),
        Err(error) => Some(error.reason),
    };
    mistake.map(|reason| reason.message)
}
