//! Decides about revocations, and refuses tokens that were revoked.

use common::ids::ClientId;
use common::kinds::Answer;
use common::kinds::client_request::ClientRequest;
use common::kinds::revocation::{RevocationAnswer, RevocationStatus, Revoke};
use common::reason::{Code, Reason};
use common::token::TokenError;

use super::Decision;
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::change::Change;
use crate::core::rejection;
use crate::core::verify::{Content, VerifiedRequest};

/// Answers a revocation.
pub(super) fn decide(book: &Book, at: At, request: &Revoke) -> Decision {
    let is_new = !book.revocations.covers(&request.target, at.published_at);
    let status = if is_new {
        RevocationStatus::Noted
    } else {
        RevocationStatus::Duplicate
    };
    let answer = Answer::Revocation(RevocationAnswer {
        request_seq: at.seq,
        revocation_id: Some(request.revocation_id),
        status,
        reason: None,
        target: Some(request.target.clone()),
        because: Some(request.because.clone()),
        published_at: at.published_at,
    });
    let change = || Change::Revoked(Box::new(request.target.clone()), at.published_at);
    Decision {
        answer,
        changes: is_new.then(change).into_iter().collect(),
    }
}

/// The rejection of a request whose token was revoked before it; `None` when it was not.
///
/// It is judged here and not when the batch is verified: a revocation counts for what follows it in the same batch.
pub(super) fn refused(book: &Book, request: &VerifiedRequest) -> Option<Answer> {
    let at = request.at;
    let token = request.token()?;
    if !book.revocations.has_revoked(token, at.published_at) {
        return None;
    }
    let reason = Reason::new(Code::AG01, TokenError::Revoked.to_string());
    let client = token.claims.client_id.clone();
    Some(match &request.content {
        Content::Payment(accepted) => {
            let payment = &accepted.request.request;
            Answer::Payment(rejection::payment(at, client, Some(payment), reason, true))
        }
        Content::Hold(accepted) => asked(at, client, &accepted.request.request, reason),
        Content::Capture(accepted) => asked(at, client, &accepted.request.request, reason),
        Content::Void(accepted) => asked(at, client, &accepted.request.request, reason),
        Content::Reversal(accepted) => asked(at, client, &accepted.request.request, reason),
        Content::Transaction(accepted) => asked(at, client, &accepted.request.request, reason),
        Content::Bulk(accepted) => {
            let batch_id = Some(accepted.request.batch_id);
            Answer::Bulk(Box::new(rejection::bulk(at, client, batch_id, reason)))
        }
        Content::Account(accepted) => {
            let id = accepted.request.account_id();
            Answer::Account(rejection::account(at, client, Some(id), reason))
        }
        Content::Key(accepted) => Answer::Key(rejection::key(at, Some(&accepted.request), reason)),
        Content::Revocation(accepted) => {
            Answer::Revocation(rejection::revocation(at, Some(&accepted.request), reason))
        }
        // They came under no token.
        Content::Expiry(_) | Content::Chart(_) | Content::Rules(_) | Content::Rejected(_) => {
            return None;
        }
    })
}

fn asked<R: ClientRequest>(at: At, client: ClientId, request: &R, reason: Reason) -> Answer {
    Answer::Payment(rejection::asked(at, client, Some(request), reason, true))
}
