//! Answers that change nothing.

use common::ids::{AccountId, BatchId, ClientId};
use common::kinds::Answer;
use common::kinds::account::{AccountAnswer, AccountStatus};
use common::kinds::bulk::{BatchAnswer, BatchStatus};
use common::kinds::client_request::ClientRequest;
use common::kinds::expiry::AnnounceExpiry;
use common::kinds::payment::{PaymentAnswer, PaymentRequest};
use common::kinds::revocation::{RevocationAnswer, RevocationStatus, Revoke};
use common::kinds::rules::{RulesAnswer, RulesStatus};
use common::kinds::trust::{AnnounceKey, KeyAnswer, KeyStatus};
use common::kinds::unknown::{RejectedStatus, UnknownAnswer};
use common::reason::{Code, Reason};

use crate::core::at::At;

/// An answer of the payments' family that says nothing yet.
pub(crate) fn blank(at: At, client: ClientId) -> PaymentAnswer {
    PaymentAnswer {
        request_seq: at.seq,
        published_at: at.published_at,
        ..PaymentAnswer::nothing(client)
    }
}

/// An answer that repeats what a request says.
pub(crate) fn repeating<R: ClientRequest>(at: At, client: ClientId, request: &R) -> PaymentAnswer {
    let mut answer = blank(at, client);
    answer.payment_id = Some(request.id());
    request.describe(&mut answer);
    answer
}

/// Rejects one of the rarer requests of clients. With `may_retry` the payment id stays free.
pub(crate) fn asked<R: ClientRequest>(
    at: At,
    client: ClientId,
    request: Option<&R>,
    reason: Reason,
    may_retry: bool,
) -> PaymentAnswer {
    let answer = match request {
        Some(request) => repeating(at, client, request),
        None => blank(at, client),
    };
    PaymentAnswer {
        reason: Some(reason),
        may_retry,
        ..answer
    }
}

/// Rejects the announcement of an expiry.
pub(crate) fn expiry(at: At, request: Option<&AnnounceExpiry>, reason: Reason) -> PaymentAnswer {
    let client = request.map(|request| request.client_id.clone());
    let client = client.unwrap_or_else(|| "ledger".parse().expect("a constant of letters"));
    PaymentAnswer {
        payment_id: request.map(|request| request.hold_id),
        reason: Some(reason),
        may_retry: true,
        ..blank(at, client)
    }
}

/// Rejects a payment. With `may_retry` the payment id stays free.
pub(crate) fn payment(
    at: At,
    client: ClientId,
    request: Option<&PaymentRequest>,
    reason: Reason,
    may_retry: bool,
) -> PaymentAnswer {
    PaymentAnswer {
        payment_id: request.map(|request| request.payment_id),
        reason: Some(reason),
        debtor_account: request.map(|request| request.debtor_account),
        creditor_account: request.map(|request| request.creditor_account),
        amount: request.map(|request| request.amount.clone()),
        currency: request.map(|request| request.currency.clone()),
        reference: request.and_then(|request| request.reference.clone()),
        effective_date: at
            .rules
            .carry_value_date_and_metadata()
            .then(|| request.and_then(|request| request.effective_date.clone())),
        metadata: at.rules.carry_value_date_and_metadata().then(|| {
            request
                .map(|request| request.metadata.clone())
                .unwrap_or_default()
        }),
        may_retry,
        ..blank(at, client)
    }
}

/// The answer to a batch that says nothing yet.
pub(crate) fn blank_bulk(at: At, client: ClientId, batch_id: Option<BatchId>) -> BatchAnswer {
    BatchAnswer {
        request_seq: at.seq,
        batch_id,
        client_id: client,
        status: BatchStatus::Rejected,
        reason: None,
        atomic: false,
        settled: 0,
        rejected: 0,
        duplicates: 0,
        debtor_account: None,
        currency: None,
        payments: Vec::new(),
        may_retry: true,
        published_at: at.published_at,
    }
}

/// Rejects a batch without a look at its payments, whose ids stay free.
pub(crate) fn bulk(
    at: At,
    client: ClientId,
    batch_id: Option<BatchId>,
    reason: Reason,
) -> BatchAnswer {
    BatchAnswer {
        reason: Some(reason),
        ..blank_bulk(at, client, batch_id)
    }
}

/// Rejects an account request.
pub(crate) fn account(
    at: At,
    client: ClientId,
    id: Option<AccountId>,
    reason: Reason,
) -> AccountAnswer {
    AccountAnswer {
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
        side: None,
        limits: None,
        metadata: None,
        published_at: at.published_at,
    }
}

/// Rejects a key announcement.
pub(crate) fn key(at: At, request: Option<&AnnounceKey>, reason: Reason) -> KeyAnswer {
    KeyAnswer {
        request_seq: at.seq,
        kid: request.map(|request| request.kid.clone()),
        status: KeyStatus::Rejected,
        reason: Some(reason),
        issuer: None,
        n: None,
        e: None,
        published_at: at.published_at,
    }
}

/// Rejects a revocation.
pub(crate) fn revocation(at: At, request: Option<&Revoke>, reason: Reason) -> RevocationAnswer {
    RevocationAnswer {
        request_seq: at.seq,
        revocation_id: request.map(|request| request.revocation_id),
        status: RevocationStatus::Rejected,
        reason: Some(reason),
        target: request.map(|request| request.target.clone()),
        because: request.map(|request| request.because.clone()),
        published_at: at.published_at,
    }
}

/// Rejects a raise of the rules.
pub(crate) fn rules(at: At, reason: Reason) -> RulesAnswer {
    RulesAnswer {
        request_seq: at.seq,
        rules: at.rules.number(),
        status: RulesStatus::Rejected,
        reason: Some(reason),
        published_at: at.published_at,
    }
}

/// Rejects a request whose subject is no known kind.
pub(crate) fn unknown(at: At) -> Answer {
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
