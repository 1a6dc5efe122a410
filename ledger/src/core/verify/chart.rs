//! Verifies the opening of one of the bank's own accounts. It comes under no token: only the ledger may publish there.

use common::ids::ClientId;
use common::kinds::Answer;
use common::kinds::chart::{OpenBankAccount, REQUESTED};
use common::message::Stored;
use common::money::Currency;
use common::reason::{Code, Reason};

use super::envelope::{body, envelope};
use crate::core::at::At;
use crate::core::rejection;

/// The account that is to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BankAccount {
    /// What it is for.
    pub purpose: common::kinds::chart::Purpose,
    /// Its currency.
    pub currency: Currency,
}

/// What is to be opened, or the rejection.
pub(super) fn verify(message: &Stored, at: At) -> Result<BankAccount, Box<Answer>> {
    let rejected = |id, reason| {
        let answer = rejection::account(at, ClientId::ledger(), id, reason);
        Box::new(Answer::Account(answer))
    };
    let request: OpenBankAccount = body(message).map_err(|reason| rejected(None, reason))?;
    let id = request.account_id;
    envelope(message, at.rules, REQUESTED, &id.to_string())
        .map_err(|reason| rejected(Some(id), reason))?;
    let currency = Currency::from_code(&request.currency)
        .filter(|currency| request == OpenBankAccount::of(request.purpose, *currency));
    let currency = currency.ok_or_else(|| {
        let reason = Reason::new(Code::FF01, "purpose, currency and account do not fit");
        rejected(Some(id), reason)
    })?;
    Ok(BankAccount {
        purpose: request.purpose,
        currency,
    })
}
