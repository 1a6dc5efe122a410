//! A payment as it comes in, by whichever entrance: who may send one, and how it is read.

use common::kinds::body;
use common::kinds::metadata::has_repeated_key;
use common::kinds::payment::PaymentRequest;
use common::reason::{Code, Reason};
use common::token::Scope;

/// Each of them lets its owner send payments.
pub(crate) const SUBMITTERS: &[Scope] = &[
    Scope::PaymentsSubmit,
    Scope::PaymentsSubmitAny,
    Scope::BankOperate,
];

/// Reads a body.
///
/// # Errors
/// FF01, with what is wrong.
pub(crate) fn read(body: &[u8]) -> Result<PaymentRequest, Reason> {
    let request: PaymentRequest = body::read(body).map_err(|error| {
        let mut message = error.to_string();
        if message.starts_with("missing field `payment_id`") {
            message += "; choose a UUID (version 7 is recommended) once per payment, \
                        so that sending it again never pays twice";
        }
        Reason::new(Code::FF01, message)
    })?;
    if !request.metadata.is_empty() && has_repeated_key(body) {
        return Err(Reason::new(Code::FF01, "metadata has a key twice"));
    }
    Ok(request)
}
