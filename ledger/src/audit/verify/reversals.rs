//! The reversals: each is that of an answer, of the payment and the amount that it says.

use std::collections::BTreeMap;

use common::kinds::Answer;
use futures::TryStreamExt as _;
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::fault;
use crate::audit::error::Stop;
use crate::store;

/// The type of an answer that booked something back.
const REVERSED: &str = "payment.reversed.v1";

/// What answers say was booked back, by the request that did.
#[derive(Debug, Default)]
pub(super) struct Reversals(BTreeMap<u64, Said>);

/// The client and the id of what was reversed, and how much of it.
type Said = (String, Uuid, Decimal);

impl Reversals {
    /// Takes in what answer `seq` says.
    pub(super) fn hear(&mut self, seq: u64, event_type: &str, body: &[u8]) {
        if event_type != REVERSED {
            return;
        }
        let Ok(Answer::Payment(answer)) = Answer::from_json(event_type, body) else {
            return;
        };
        let amount = answer.amount.as_deref().and_then(|text| text.parse().ok());
        if let (Some(of), Some(amount)) = (answer.reverses, amount) {
            let said = (of.client_id.as_str().to_owned(), of.payment_id.0, amount);
            self.0.insert(seq, said);
        }
    }

    /// Compares them with the table.
    pub(super) async fn check(mut self, db: &mut PgConnection) -> Result<(), Stop> {
        let mut rows = store::all_reversals(db);
        while let Some(row) = rows.try_next().await? {
            let seq = row.request_seq;
            let said = u64::try_from(seq).ok().and_then(|seq| self.0.remove(&seq));
            let Some((client, payment, amount)) = said else {
                return fault(format!(
                    "reversal {seq} is in the database, but answer {seq} reverses nothing"
                ));
            };
            if row.client_id.as_deref() != Some(&client) || row.payment_id != Some(payment) {
                return fault(format!(
                    "reversal {seq} is of another payment in the database than its answer says: {client}'s {payment}"
                ));
            }
            if row.amount != amount {
                let stored = row.amount;
                return fault(format!(
                    "the amount of reversal {seq} is {stored} in the database, but {amount} in its answer"
                ));
            }
        }
        match self.0.keys().next() {
            None => Ok(()),
            Some(seq) => fault(format!(
                "reversal {seq} is missing: answer {seq} says that it was booked"
            )),
        }
    }
}
