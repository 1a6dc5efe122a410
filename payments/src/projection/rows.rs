//! What a batch of a log changes: messages in, rows out. Pure.
//!
//! By the rules of [`crate::state::next`], the order between the two logs does not matter, and a duplicate changes
//! nothing. Within a batch they are applied here, against the rows of earlier batches in [`crate::store`].

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use common::ids::{ClientId, PaymentId};
use common::kinds::Answer;
use common::kinds::Kind;
use common::kinds::body;
use common::kinds::client_request::ClientRequest;
use common::kinds::hold::{CaptureRequest, HoldRequest, VoidRequest};
use common::kinds::payment::{PaymentAnswer, PaymentRequest, PaymentStatus};
use common::kinds::reversal::ReversalRequest;
use common::kinds::revocation::{RevocationAnswer, RevocationStatus};
use common::kinds::rules::{NEWEST, RulesStatus};
use common::kinds::transaction::TransactionRequest;
use common::kinds::trust::{KeyAnswer, KeyStatus};
use common::message::{Stored, text};

use super::batches::Batches;
use super::progress;
use crate::state::{Heard, State, next};
use crate::store::{
    AnsweredBatch, DecidedRow, FollowUpRow, ProgressRow, RaisedRow, RequestedBatch, RequestedRow,
    RevokedRow, RowKind, SigningKey,
};

/// What a batch changes in the database.
pub(crate) enum Changes {
    Requested(Requested),
    Answered(Answered),
}

/// What requests change.
#[derive(Default)]
pub(crate) struct Requested {
    pub(crate) payments: Vec<RequestedRow>,
    pub(crate) batches: Vec<RequestedBatch>,
}

/// What answers change.
pub(crate) struct Answered {
    pub(crate) payments: Vec<DecidedRow>,
    pub(crate) batches: Vec<AnsweredBatch>,
    /// What became later of holds and payments that were granted.
    pub(crate) progress: Vec<ProgressRow>,
    /// Which captures, voids and reversals that was.
    pub(crate) follow_ups: Vec<FollowUpRow>,
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
pub(crate) fn requested(batch: &[Stored]) -> Requested {
    let mut batches = Batches::<RequestedBatch>::default();
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
            Kind::Bulk(client) => {
                batches.note(message, client);
                continue;
            }
            Kind::Account(_)
            | Kind::Key
            | Kind::Revocation
            | Kind::Rules
            | Kind::Expiry
            | Kind::Chart
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
    Requested {
        payments: rows.into_values().collect(),
        batches: batches.into_rows(),
    }
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
        json: text(&message.payload).into_owned(),
    })
}

/// The decided rows, the noted keys and the noted revocations of a batch of SETTLEMENTS.
pub(crate) fn answered(batch: &[Stored]) -> Answered {
    let mut payments = Decided::default();
    let mut batches = Batches::<AnsweredBatch>::default();
    let mut progress = BTreeMap::<PaymentKey, ProgressRow>::new();
    let mut follow_ups = Vec::new();
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
                if let Some(row) = progress::of(&answer) {
                    progress.insert((row.client_id.clone(), row.payment_id), row);
                }
                follow_ups.extend(progress::follow_up(&answer));
                let kind = kind_of(&message.subject);
                let json = text(&message.payload).into_owned();
                payments.note(answer, kind, json, message.published_at);
            }
            Ok(Answer::Bulk(answer)) => {
                if answer.batch_id.is_none() {
                    nameless_last = message.sequence;
                }
                batches.note(message, &answer);
                for item in &answer.payments {
                    let payment = answer.payment(item);
                    let json = serde_json::to_string(&payment).expect("texts are JSON");
                    payments.note(payment, None, json, message.published_at);
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
        payments: payments.0.into_values().collect(),
        batches: batches.into_rows(),
        progress: progress.into_values().collect(),
        follow_ups,
        keys,
        revocations,
        raised,
        nameless_last,
        newer_rules,
    }
}

/// The rows of decided payments, one for each.
#[derive(Default)]
struct Decided(BTreeMap<PaymentKey, DecidedRow>);

impl Decided {
    fn note(
        &mut self,
        answer: PaymentAnswer,
        kind: Option<RowKind>,
        json: String,
        decided_at: DateTime<Utc>,
    ) {
        let Some((heard, mut row)) = decided(answer, kind, json, decided_at) else {
            return;
        };
        let key = (row.client_id.clone(), row.payment_id);
        let known = self.0.get(&key).map(|known| known.state);
        if let Ok(state) = next(known, heard) {
            row.state = state;
            self.0.insert(key, row);
        }
    }
}

/// What was asked for, by the subject of its answer.
fn kind_of(subject: &str) -> Option<RowKind> {
    match subject.split('.').nth(1) {
        Some("hold") => Some(RowKind::Hold),
        Some("capture") => Some(RowKind::Capture),
        Some("void") => Some(RowKind::Void),
        Some("reversal") => Some(RowKind::Reversal),
        Some("transaction") => Some(RowKind::Transaction),
        _ => None,
    }
}

/// What an answer says and the row that it may lead to; `None` when it is a duplicate, names no payment, or announces
/// what becomes of another one.
fn decided(
    answer: PaymentAnswer,
    kind: Option<RowKind>,
    json: String,
    decided_at: DateTime<Utc>,
) -> Option<(Heard, DecidedRow)> {
    let heard = match answer.status {
        // The id in the answer to an announcement is the hold's.
        PaymentStatus::Rejected if answer.payment_id.is_none() => return None,
        PaymentStatus::Duplicate | PaymentStatus::Expired => return None,
        PaymentStatus::Rejected if answer.may_retry => Heard::PassedOver,
        PaymentStatus::Rejected => Heard::Rejected,
        PaymentStatus::Settled => Heard::Settled,
        PaymentStatus::Authorised => Heard::Authorised,
        PaymentStatus::Captured => Heard::Captured,
        PaymentStatus::Voided => Heard::Voided,
        PaymentStatus::Reversed => Heard::Reversed,
    };
    let row = DecidedRow {
        client_id: answer.client_id,
        payment_id: answer.payment_id?,
        request_seq: answer.request_seq,
        state: State::Pending,
        published_at: answer.published_at,
        decided_at,
        kind,
        json,
    };
    Some((heard, row))
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
mod tests;
