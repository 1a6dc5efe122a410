//! What a batch of a log changes: messages in, rows out. Pure.
//!
//! By the rules of [`crate::state::next`], the order between the two logs does not matter, and a duplicate changes
//! nothing. Within a batch they are applied here, against the rows of earlier batches in [`crate::store`].

use std::collections::BTreeMap;

use common::ids::{ClientId, PaymentId};
use common::kinds::Answer;
use common::kinds::Kind;
use common::kinds::body;
use common::kinds::client_request::ClientRequest;
use common::kinds::hold::{CaptureRequest, HoldRequest, VoidRequest};
use common::kinds::payment::PaymentRequest;
use common::kinds::reversal::ReversalRequest;
use common::kinds::revocation::{RevocationAnswer, RevocationStatus};
use common::kinds::rules::{NEWEST, RulesStatus};
use common::kinds::transaction::TransactionRequest;
use common::kinds::trust::{KeyAnswer, KeyStatus};
use common::message::Stored;

use super::heard::{decided, kind_of, later};
use crate::state::{Heard, State, next};
use crate::store::{
    DecidedRow, ProgressRow, RaisedRow, RequestedRow, RevokedRow, RowKind, SigningKey,
};

/// What a batch changes in the database.
pub(crate) enum Changes {
    Requested(Vec<RequestedRow>),
    Answered(Answered),
}

/// What answers change.
pub(crate) struct Answered {
    pub(crate) payments: Vec<DecidedRow>,
    /// What became later of holds and payments that were granted.
    pub(crate) progress: Vec<ProgressRow>,
    pub(crate) keys: Vec<SigningKey>,
    pub(crate) revocations: Vec<RevokedRow>,
    /// The newest rules among them.
    pub(crate) raised: Option<RaisedRow>,
    /// The last answer that names no payment; its request may have no row. 0 when there is none.
    pub(crate) nameless_last: u64,
    /// The first raise to rules whose answers this program may not be able to read.
    pub(crate) newer_rules: Option<NewerRules>,
}

impl Answered {
    /// Whether the keys, the revocations or the rules change.
    pub(crate) fn changes_trust(&self) -> bool {
        !self.keys.is_empty() || !self.revocations.is_empty() || self.raised.is_some()
    }
}

/// Answers behind this one may say what this program can't read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "answer {seq} raises the rules to version {rules}, and this program knows none after {NEWEST}: start the version of \
     quittance that raised them, or a newer one"
)]
pub(crate) struct NewerRules {
    seq: u64,
    rules: u32,
}

/// A payment's key in the projection. Both logs' rows are written in its order, so that their transactions can't
/// wait for each other in a circle.
type PaymentKey = (ClientId, PaymentId);

/// The pending rows of a batch of REQUESTS: the last request of each payment.
pub(crate) fn requested(batch: &[Stored]) -> Vec<RequestedRow> {
    let mut rows = BTreeMap::<PaymentKey, RequestedRow>::new();
    for message in batch {
        let read = match Kind::of_subject(&message.subject) {
            Kind::Payment(client) => read::<PaymentRequest>(message, client, None),
            Kind::Hold(client) => read::<HoldRequest>(message, client, Some(RowKind::Hold)),
            Kind::Capture(client) => {
                read::<CaptureRequest>(message, client, Some(RowKind::Capture))
            }
            Kind::Void(client) => read::<VoidRequest>(message, client, Some(RowKind::Void)),
            Kind::Reversal(client) => {
                read::<ReversalRequest>(message, client, Some(RowKind::Reversal))
            }
            Kind::Transaction(client) => {
                read::<TransactionRequest>(message, client, Some(RowKind::Transaction))
            }
            Kind::Account(_)
            | Kind::Key
            | Kind::Revocation
            | Kind::Rules
            | Kind::Expiry
            | Kind::Unknown => continue,
        };
        let Some(row) = read else {
            tracing::debug!(seq = message.sequence, "a request can't be read");
            continue;
        };
        let key = (row.client_id.clone(), row.payment_id);
        let known = rows.get(&key).map(|_| State::Pending);
        if next(known, Heard::Requested).is_ok() {
            rows.insert(key, row);
        }
    }
    rows.into_values().collect()
}

/// The row of a request; `None` when it can't be read.
fn read<R: ClientRequest>(
    message: &Stored,
    client_id: ClientId,
    kind: Option<RowKind>,
) -> Option<RequestedRow> {
    // The ledger refuses a longer one, without looking for its id.
    if message.payload.len() > R::BYTES_MAX {
        return None;
    }
    let request = body::read::<R>(&message.payload).ok()?;
    Some(RequestedRow {
        client_id,
        payment_id: request.id(),
        request_seq: message.sequence,
        published_at: message.published_at,
        kind,
        json: text(&message.payload),
    })
}

/// A body that has been read as JSON, which is UTF-8.
fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

/// The decided rows, the noted keys and the noted revocations of a batch of SETTLEMENTS.
pub(crate) fn answered(batch: &[Stored]) -> Answered {
    let mut payments = BTreeMap::<PaymentKey, DecidedRow>::new();
    let mut progress = BTreeMap::<PaymentKey, ProgressRow>::new();
    let (mut keys, mut revocations) = (Vec::new(), Vec::new());
    let mut nameless_last = 0;
    let (mut raised, mut newer_rules) = (None, None);
    for message in batch {
        match Answer::of_message(message) {
            Ok(answer) if answer.request_seq() != message.sequence => {
                let (seq, claimed) = (message.sequence, answer.request_seq());
                tracing::error!(
                    seq,
                    claimed,
                    "an answer says that it is another's, passing over it"
                );
                nameless_last = message.sequence;
            }
            Ok(Answer::Payment(answer)) => {
                if answer.payment_id.is_none() {
                    nameless_last = message.sequence;
                }
                if let Some(row) = later(&answer) {
                    progress.insert((row.client_id.clone(), row.payment_id), row);
                }
                let kind = kind_of(&message.subject);
                let Some((heard, mut row)) =
                    decided(answer, kind, &message.payload, message.published_at)
                else {
                    continue;
                };
                let key = (row.client_id.clone(), row.payment_id);
                let known = payments.get(&key).map(|known| known.state);
                if let Ok(state) = next(known, heard) {
                    row.state = state;
                    payments.insert(key, row);
                }
            }
            Ok(Answer::Key(answer)) => keys.extend(noted(answer)),
            Ok(Answer::Revocation(answer)) => revocations.extend(revoked(answer)),
            Ok(Answer::Rules(answer)) if answer.rules > NEWEST => {
                let (seq, rules) = (message.sequence, answer.rules);
                newer_rules = newer_rules.or(Some(NewerRules { seq, rules }));
            }
            Ok(Answer::Rules(answer)) if answer.status == RulesStatus::Raised => {
                raised = Some(RaisedRow {
                    request_seq: message.sequence,
                    version: answer.rules,
                });
            }
            Ok(Answer::Account(_) | Answer::Rules(_) | Answer::Unknown(_)) => {}
            Err(error) => {
                tracing::error!(%error, seq = message.sequence, "an answer can't be read, passing over it");
                nameless_last = message.sequence;
            }
        }
    }
    Answered {
        payments: payments.into_values().collect(),
        progress: progress.into_values().collect(),
        keys,
        revocations,
        raised,
        nameless_last,
        newer_rules,
    }
}

fn noted(answer: KeyAnswer) -> Option<SigningKey> {
    match answer.status {
        KeyStatus::Noted => Some(SigningKey {
            kid: answer.kid?,
            issuer: answer.issuer?,
            n: answer.n?,
            e: answer.e?,
        }),
        KeyStatus::Rejected | KeyStatus::Duplicate => None,
    }
}

fn revoked(answer: RevocationAnswer) -> Option<RevokedRow> {
    match answer.status {
        RevocationStatus::Noted => Some(RevokedRow {
            request_seq: answer.request_seq,
            target: answer.target?,
            published_at: answer.published_at,
        }),
        RevocationStatus::Rejected | RevocationStatus::Duplicate => None,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use common::kinds::body::RequestBody as _;
    use common::wire;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn message(sequence: u64, subject: &str, ce_type: &str, body: &serde_json::Value) -> Stored {
        Stored {
            sequence,
            published_at: DateTime::UNIX_EPOCH,
            subject: subject.to_owned(),
            unreadable_headers: None,
            headers: [(wire::CE_TYPE, ce_type)].into_iter().collect(),
            payload: body.to_string().into(),
        }
    }

    fn request(sequence: u64, subject: &str, id: u128) -> Stored {
        let body = json!({
            "payment_id": Uuid::from_u128(id), "debtor_account": Uuid::nil(), "creditor_account": Uuid::max(),
            "amount": "x", "currency": "y",
        });
        message(sequence, subject, PaymentRequest::REQUESTED, &body)
    }

    /// `status` as on the wire, or `retryable` for a rejection that may be tried again.
    fn answer(sequence: u64, client: &str, id: Option<u128>, status: &str) -> Stored {
        let is_retryable = status == "retryable";
        let status = if is_retryable { "rejected" } else { status };
        let body = json!({
            "request_seq": sequence, "payment_id": id.map(Uuid::from_u128), "client_id": client, "status": status,
            "reason": null, "debtor_account": null, "creditor_account": null, "amount": null, "currency": null,
            "reference": null, "postings": [], "original": null, "may_retry": is_retryable,
            "published_at": "2026-11-23T00:00:00Z",
        });
        message(
            sequence,
            "settlement.payment.v1.shop",
            "payment.x.v1",
            &body,
        )
    }

    /// `sequence client id status` of each row that the answers come to.
    fn check(answers: &[(&str, Option<u128>, &str)], expected: &[&str]) {
        let batch: Vec<_> = (1..)
            .zip(answers)
            .map(|(sequence, (client, id, status))| answer(sequence, client, *id, status))
            .collect();
        let rows: Vec<_> = answered(&batch)
            .payments
            .iter()
            .map(|row| {
                let (seq, id) = (row.request_seq, row.payment_id.0.as_u128());
                format!("{seq} {} {id} {:?}", row.client_id, row.state)
            })
            .collect();
        assert_eq!(rows, expected, "{answers:?}");
    }

    #[test]
    fn of_many_answers_to_one_payment_the_right_one_stays() {
        check(&[], &[]);
        check(
            &[("a", Some(1), "settled"), ("a", Some(1), "rejected")],
            &["1 a 1 Settled"],
        );
        check(
            &[("a", Some(1), "rejected"), ("a", Some(1), "settled")],
            &["2 a 1 Settled"],
        );
        check(
            &[("a", Some(1), "rejected"), ("a", Some(1), "rejected")],
            &["1 a 1 Rejected"],
        );
        check(
            &[("a", Some(1), "retryable"), ("a", Some(1), "retryable")],
            &["2 a 1 Retryable"],
        );
        for (decided, expected) in [("settled", "Settled"), ("rejected", "Rejected")] {
            let (decided, undecided) = (("a", Some(1), decided), ("a", Some(1), "retryable"));
            let repeated = ("a", Some(1), "duplicate");
            check(&[undecided, decided], &[&format!("2 a 1 {expected}")]);
            check(
                &[decided, undecided, repeated],
                &[&format!("1 a 1 {expected}")],
            );
        }
        check(&[("a", Some(1), "duplicate"), ("a", None, "rejected")], &[]);
        check(
            &[
                ("b", Some(1), "settled"),
                ("a", Some(2), "settled"),
                ("a", Some(1), "rejected"),
            ],
            &["3 a 1 Rejected", "2 a 2 Settled", "1 b 1 Settled"],
        );
    }

    #[test]
    fn an_answer_in_the_wrong_place_is_passed_over() {
        let mut moved = answer(1, "a", Some(1), "settled");
        moved.sequence = 2;
        assert!(answered(&[moved]).payments.is_empty());
    }

    #[test]
    fn the_last_request_of_a_payment_makes_its_row() {
        let mut too_long = request(6, "request.payment.v1.shop", 9);
        let blanks = vec![b' '; PaymentRequest::BYTES_MAX];
        too_long.payload = [&too_long.payload[..], &blanks].concat().into();
        let batch = [
            request(1, "request.account.v1.shop", 7),
            request(2, "request.payment.v1.shop", 7),
            request(3, "request.payment.v1.shop", 7),
            request(4, "request.payment.v1.a.b", 8),
            request(5, "request.payment.v1.till", 7),
            too_long,
        ];
        let rows = requested(&batch);
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row.request_seq, row.client_id.as_str()))
            .collect();
        assert_eq!(rows, [(3, "shop"), (5, "till")]);
    }
}
