//! Reads a batch: what can't be read of one payment does not touch the others.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{BatchItem, PAYMENTS_MAX};
use crate::ids::{AccountId, BatchId, PaymentId};
use crate::kinds::body;
use crate::kinds::metadata::has_repeated_key;
use crate::kinds::payment::PaymentRequest;
use crate::reason::{Code, Reason};

/// A batch that has been read: what can't be read of one payment does not touch the others.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The batch's name.
    pub batch_id: BatchId,
    /// All of it is booked, or nothing.
    pub atomic: bool,
    /// The debtor that stands above, where one does.
    pub debtor_account: Option<AccountId>,
    /// The currency that stands above, where one does.
    pub currency: Option<String>,
    /// The payments in order, as if each had come alone.
    pub payments: Vec<Result<PaymentRequest, Malformed>>,
}

/// A payment of a batch that is not what `schemas/` describes; its id stays free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Its id, if that can be read.
    pub payment_id: Option<PaymentId>,
    /// FF01, and why.
    pub reason: Reason,
}

/// A batch of which nothing is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableBatch {
    /// Its id, if that can be read.
    pub batch_id: Option<BatchId>,
    /// FF01, and why.
    pub reason: Reason,
}

/// A batch whose payments are read one by one, so that one that can't be read is alone with that.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame<'b> {
    batch_id: BatchId,
    #[serde(default)]
    atomic: bool,
    #[serde(default)]
    debtor_account: Option<AccountId>,
    #[serde(default)]
    currency: Option<String>,
    #[serde(borrow)]
    payments: Vec<&'b RawValue>,
}

impl Batch {
    /// Reads a body.
    ///
    /// # Errors
    /// [`UnreadableBatch`]: the frame can't be read, there are no payments or too many, or one of an atomic batch can't be
    /// read.
    pub fn read(payload: &[u8]) -> Result<Self, UnreadableBatch> {
        let refuse = |batch_id, message: String| UnreadableBatch {
            batch_id,
            reason: Reason::new(Code::FF01, message),
        };
        let unreadable = || {
            let message = "the body is not what schemas/ describes for this subject";
            refuse(None, message.to_owned())
        };
        let frame: Frame<'_> = body::read(payload).map_err(|_| unreadable())?;
        let batch_id = Some(frame.batch_id);
        if !(1..=PAYMENTS_MAX).contains(&frame.payments.len()) {
            return Err(refuse(
                batch_id,
                format!("a batch has 1 to {PAYMENTS_MAX} payments"),
            ));
        }
        let batch = Self::of(frame);
        match batch.malformed().filter(|_| batch.atomic) {
            Some((number, _)) => {
                let message =
                    format!("payment {number} of an atomic batch is not what schemas/ describes");
                Err(refuse(batch_id, message))
            }
            None => Ok(batch),
        }
    }

    /// The first payment that can't be read, with its number from 1.
    #[must_use]
    pub fn malformed(&self) -> Option<(usize, &Malformed)> {
        let mut payments = (1..).zip(&self.payments);
        payments.find_map(|(number, payment)| Some((number, payment.as_ref().err()?)))
    }

    /// What is wrong with the form of the first payment that can't be read, and which it is.
    #[must_use]
    pub fn mistake(&self) -> Option<Reason> {
        let (number, Malformed { reason, .. }) = self.malformed()?;
        let message = format!("payment {number}: {}", reason.message);
        Some(Reason::new(reason.code, message))
    }

    fn of(frame: Frame<'_>) -> Self {
        let (debtor, currency) = (frame.debtor_account, frame.currency.as_deref());
        let read = |raw: &&RawValue| {
            let text = raw.get().as_bytes();
            let item: BatchItem = body::read(text).map_err(|_| malformed_item(text))?;
            if !item.metadata.is_empty() && has_repeated_key(text) {
                return Err(Malformed {
                    payment_id: Some(item.payment_id),
                    reason: Reason::new(Code::FF01, "metadata has a key twice"),
                });
            }
            payment(item, debtor, currency)
        };
        Self {
            batch_id: frame.batch_id,
            atomic: frame.atomic,
            debtor_account: debtor,
            payments: frame.payments.iter().map(read).collect(),
            currency: frame.currency,
        }
    }
}

fn malformed_item(text: &[u8]) -> Malformed {
    #[derive(Deserialize)]
    struct Named {
        payment_id: PaymentId,
    }
    let named = body::read::<Named>(text).ok();
    Malformed {
        payment_id: named.map(|named| named.payment_id),
        reason: Reason::new(Code::FF01, "the payment is not what schemas/ describes"),
    }
}

/// A payment as if it had come alone.
fn payment(
    item: BatchItem,
    debtor: Option<AccountId>,
    currency: Option<&str>,
) -> Result<PaymentRequest, Malformed> {
    let payment_id = item.payment_id;
    let lacks = |field: &str| Malformed {
        payment_id: Some(payment_id),
        reason: Reason::new(
            Code::FF01,
            format!("neither the payment nor the batch has a {field}"),
        ),
    };
    Ok(PaymentRequest {
        payment_id,
        debtor_account: item
            .debtor_account
            .or(debtor)
            .ok_or_else(|| lacks("debtor_account"))?,
        creditor_account: item.creditor_account,
        amount: item.amount,
        currency: item
            .currency
            .or_else(|| currency.map(str::to_owned))
            .ok_or_else(|| lacks("currency"))?,
        reference: item.reference,
        effective_date: item.effective_date,
        metadata: item.metadata,
    })
}

#[cfg(test)]
mod tests;
