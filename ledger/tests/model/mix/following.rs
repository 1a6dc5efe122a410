//! Requests about earlier ones: captures, voids, reversals.

use serde_json::{Value, json};

use super::{BANK, Follow, Mix, SENDERS};

impl Mix {
    /// The id and sender of something that was sent, mostly of one of these kinds.
    pub(super) fn known(&mut self, kinds: &[&str]) -> (Value, usize) {
        for _ in 0..20 {
            if self.sent.is_empty() {
                break;
            }
            let newest = self.sent.len().min(200);
            let (kind, sender, body) = &self.sent[self.sent.len() - 1 - self.random.below(newest)];
            let id = body["payment_id"].as_str().unwrap_or_default();
            // What was rejected, or is not answered yet, is asked about more rarely.
            if kinds.contains(kind) && (self.granted.contains(id) || self.random.one_in(8)) {
                return (json!(id), *sender);
            }
        }
        (json!(self.random.id()), 0)
    }

    pub(super) fn capture(&mut self) -> Follow {
        let (hold, sender) = self.known(&["hold"]);
        let mut body = json!({"payment_id": self.random.id(), "hold_id": hold});
        if self.random.one_in(2) {
            body["amount"] = json!(self.amount());
        }
        if self.random.one_in(3) {
            body["final"] = json!(true);
        }
        ("capture", Some(sender), body)
    }

    pub(super) fn void(&mut self) -> Follow {
        let (hold, sender) = self.known(&["hold"]);
        let mut body = json!({"payment_id": self.random.id(), "hold_id": hold});
        if self.random.one_in(2) {
            body["client_id"] = json!(SENDERS[sender].0);
        }
        ("void", Some(sender), body)
    }

    pub(super) fn reversal(&mut self) -> Follow {
        let is_of_transaction = self.random.one_in(2);
        let (reverses, sender) = if is_of_transaction {
            self.known(&["transaction"])
        } else {
            self.known(&["payment", "capture", "reversal"])
        };
        let mut body = json!({"payment_id": self.random.id(), "reverses": reverses});
        if !self.random.one_in(6) {
            body["client_id"] = json!(SENDERS[sender].0);
        }
        if self.random.one_in(if is_of_transaction { 8 } else { 2 }) {
            body["amount"] = json!(self.amount());
        }
        let by_the_bank = !self.random.one_in(3);
        ("reversal", by_the_bank.then_some(BANK), body)
    }
}
