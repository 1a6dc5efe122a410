//! Decides about signing keys.

use common::kinds::Answer;
use common::kinds::trust::{AnnounceKey, KeyAnswer, KeyStatus};
use common::reason::{Code, Reason};
use common::token::Keys;

use super::Decision;
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::change::Change;

/// Answers the announcement of a key.
pub(super) fn decide(book: &Book, at: At, key: &AnnounceKey) -> Decision {
    let (status, reason) = if book.keys.contains(&key.kid) {
        // The thumbprint is the key, so only the issuer could differ; the first one stays.
        (KeyStatus::Duplicate, None)
    } else {
        match Keys::check(&key.kid, &key.n, &key.e) {
            Ok(()) => (KeyStatus::Noted, None),
            Err(error) => {
                let reason = Reason::new(Code::NARR, error.to_string());
                (KeyStatus::Rejected, Some(reason))
            }
        }
    };
    let answer = Answer::Key(KeyAnswer {
        request_seq: at.seq,
        kid: Some(key.kid.clone()),
        status,
        reason,
        issuer: Some(key.issuer.clone()),
        n: Some(key.n.clone()),
        e: Some(key.e.clone()),
        published_at: at.published_at,
    });
    let changes = match status {
        KeyStatus::Noted => vec![Change::KeyNoted(Box::new(key.clone()))],
        KeyStatus::Duplicate | KeyStatus::Rejected => Vec::new(),
    };
    Decision { answer, changes }
}
