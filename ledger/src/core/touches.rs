//! Step 2, its question: what must the book hold before a batch is decided?

use common::ids::{AccountId, PaymentId};

use crate::core::book::usage::PaymentKey;
use crate::core::decide::{original_key, void_key};
use crate::core::verify::{Accepted, Content, VerifiedRequest};

/// What a batch of requests may look at or change.
#[derive(Debug, Default)]
pub struct Touched {
    /// Accounts, as far as they exist.
    pub accounts: Vec<AccountId>,
    /// Payment ids that may be used up.
    pub payments: Vec<PaymentKey>,
    /// Holds, as far as they exist, with their accounts.
    pub holds: Vec<PaymentKey>,
    /// Payments and transactions that may be reversed, with their accounts.
    pub originals: Vec<PaymentKey>,
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
        Content::Hold(accepted) => {
            let hold = &accepted.request.request;
            touched
                .accounts
                .extend([hold.debtor_account, hold.creditor_account]);
            touched.payments.push(key(accepted, hold.payment_id));
        }
        Content::Capture(accepted) => {
            let capture = &accepted.request.request;
            touched.payments.push(key(accepted, capture.payment_id));
            touched.holds.push(key(accepted, capture.hold_id));
        }
        Content::Void(accepted) => {
            let void = &accepted.request.request;
            touched.payments.push(key(accepted, void.payment_id));
            touched.holds.push(void_key(&accepted.token.claims, void));
        }
        Content::Reversal(accepted) => {
            let reversal = &accepted.request.request;
            let original = original_key(&accepted.token.claims, reversal);
            touched.payments.push(key(accepted, reversal.payment_id));
            // Only what was booked has an original; this says what became of the rest.
            touched.payments.push(original.clone());
            touched.originals.push(original);
        }
        Content::Transaction(accepted) => {
            let transaction = &accepted.request.request;
            touched.payments.push(key(accepted, transaction.payment_id));
            let accounts = transaction.postings.iter().map(|posting| posting.account);
            touched.accounts.extend(accounts);
        }
        Content::Bulk(accepted) => {
            for payment in accepted.request.readable() {
                let request = &payment.request;
                touched
                    .accounts
                    .extend([request.debtor_account, request.creditor_account]);
                touched.payments.push(key(accepted, request.payment_id));
            }
        }
        Content::Expiry(expiry) => {
            let key = (expiry.client_id.clone(), expiry.hold_id);
            touched.holds.push(key);
        }
        Content::Account(accepted) => touched.accounts.push(accepted.request.account_id()),
        Content::Chart(asked) => {
            touched
                .accounts
                .push(asked.purpose.account_id(asked.currency));
        }
        Content::Key(_) | Content::Revocation(_) | Content::Rules(_) | Content::Rejected(_) => {}
    }
}

fn key<R>(accepted: &Accepted<R>, id: PaymentId) -> PaymentKey {
    (accepted.token.claims.client_id.clone(), id)
}
