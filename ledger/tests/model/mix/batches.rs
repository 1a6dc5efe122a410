//! Batches of payments.

use serde_json::{Value, json};

use super::Mix;

impl Mix {
    /// Some of its payments were sent before, in a batch or alone, or come twice in it; some are none.
    pub(super) fn batch(&mut self, sender: usize) -> Value {
        let mut payments = Vec::new();
        for _ in 0..=self.random.below(6) {
            let mut payment = self.movement(sender);
            if self.random.one_in(12) {
                payment["payment_id"] = self.known(&["payment", "hold"]).0;
            }
            if self.random.one_in(3) {
                payment
                    .as_object_mut()
                    .expect("it is one")
                    .remove("currency");
            }
            payments.push(payment);
        }
        if self.random.one_in(12) {
            payments.push(payments[0].clone());
        }
        if self.random.one_in(20) {
            payments.push(json!("none"));
        }
        json!({
            "batch_id": self.random.id(), "atomic": self.random.one_in(2), "currency": "EUR", "payments": payments,
        })
    }

    /// Payments of a batch may be sent again by themselves, and reversed.
    pub(super) fn note_payments(&mut self, sender: usize, batch: &Value) {
        for payment in batch["payments"].as_array().into_iter().flatten() {
            if payment.is_object() {
                let mut alone = payment.clone();
                if alone.get("currency").is_none() {
                    alone["currency"] = batch["currency"].clone();
                }
                self.sent.push(("payment", sender, alone));
            }
        }
    }
}
