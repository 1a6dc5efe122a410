//! Verifies an account request.

use common::ids::ClientId;
use common::kinds::Answer;
use common::kinds::account::{AccountRequest, REQUESTED};
use common::kinds::metadata::has_repeated_key;
use common::message::Stored;
use common::reason::{Code, Reason};
use common::token::Scope;

use super::accepted::Accepted;
use super::envelope::{Known, allowed, body, envelope, unreadable};
use crate::core::at::At;
use crate::core::rejection;

/// The token and the request, or the rejection.
pub(super) fn verify(
    message: &Stored,
    at: At,
    client: ClientId,
    known: &mut Known<'_>,
) -> Result<Accepted<AccountRequest>, Box<Answer>> {
    let rejected =
        |client, id, reason| Box::new(Answer::Account(rejection::account(at, client, id, reason)));
    let request: AccountRequest = match body(message) {
        Ok(request) => request,
        Err(reason) => return Err(rejected(client, None, reason)),
    };
    let metadata = match &request {
        AccountRequest::Open(open) => open.metadata.as_ref(),
        _ => None,
    };
    let is_plain = matches!(request, AccountRequest::Open(_)) && metadata.is_none();
    if !is_plain && !at.rules.control_accounts() {
        return Err(rejected(client, None, unreadable()));
    }
    let id = request.account_id();
    if metadata.is_some() && has_repeated_key(&message.payload) {
        let reason = Reason::new(Code::FF01, "metadata has a key twice");
        return Err(rejected(client, Some(id), reason));
    }
    let scopes = [Scope::AccountsWrite, Scope::BankOperate];
    let verdict = envelope(message, at.rules, REQUESTED, &id.to_string())
        .and_then(|()| allowed(message, at.rules, &client, &scopes, known));
    match verdict {
        Ok(token) => Ok(Accepted { token, request }),
        Err(reason) => Err(rejected(client, Some(id), reason)),
    }
}
