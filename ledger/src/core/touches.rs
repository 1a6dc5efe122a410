//! Step 2, its question: what must the book hold before a batch is decided?

use common::ids::AccountId;
use common::kinds::account::AccountRequest;

use crate::core::book::usage::PaymentKey;
use crate::core::verify::{Content, VerifiedRequest};

/// What a batch of requests may look at or change.
#[derive(Debug, Default)]
pub struct Touched {
    /// Accounts, as far as they exist.
    pub accounts: Vec<AccountId>,
    /// Payment ids that may be used up.
    pub payments: Vec<PaymentKey>,
}

/// Adds what a request may look at or change.
pub fn touches(request: &VerifiedRequest, touched: &mut Touched) {
    match &request.content {
        Content::Payment(accepted) => {
            let payment = &accepted.request.request;
            touched
                .accounts
                .extend([payment.debtor_account, payment.creditor_account]);
            let client = &accepted.token.claims.client_id;
            touched.payments.push((client.clone(), payment.payment_id));
        }
        Content::Account(accepted) => {
            let AccountRequest::Open(open) = &accepted.request;
            touched.accounts.push(open.account_id);
        }
        Content::Key(_) | Content::Revocation(_) | Content::Rules(_) | Content::Rejected(_) => {}
    }
}
