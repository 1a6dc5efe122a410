//! Batches: each payment as if it had come alone; of an atomic one all are booked, or none.

use serde_json::Value;

use super::{Asked, Expected, Key, Reference, Refused, Used, payments};

/// What becomes of one payment of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) original: Option<(u64, String, Option<String>)>,
    pub(crate) may_retry: bool,
}

impl Item {
    fn of(answer: &Expected) -> Self {
        Self {
            status: answer.status.to_owned(),
            reason: answer.reason.map(str::to_owned),
            original: answer.original.clone(),
            may_retry: answer.may_retry,
        }
    }

    fn is_settled(&self) -> bool {
        self.status == "settled"
    }
}

/// The payments as if each had come alone; `None` for what is none.
fn payments_of(batch: &Value) -> Vec<Option<Value>> {
    let payments = batch["payments"].as_array().into_iter().flatten();
    let alone = payments.map(|payment| {
        let mut alone = payment.as_object()?.clone();
        for field in ["debtor_account", "currency"] {
            let above = batch.get(field).cloned();
            if let (false, Some(above)) = (alone.contains_key(field), above) {
                alone.insert(field.to_owned(), above);
            }
        }
        Some(Value::Object(alone))
    });
    alone.collect()
}

/// An atomic batch in which something is no payment.
pub(super) fn is_broken(batch: &Value) -> bool {
    batch["atomic"] == true && payments_of(batch).iter().any(Option::is_none)
}

impl Reference {
    pub(super) fn batch(&mut self, asked: &Asked<'_>) -> Expected {
        let payments = payments_of(asked.body);
        let is_atomic = asked.body["atomic"] == true;
        let accounts = self.accounts.clone();
        let mut fresh = Vec::new();
        let mut items: Vec<Item> = Vec::new();
        for payment in &payments {
            let Some(payment) = payment else {
                let unreadable = Expected {
                    may_retry: true,
                    ..Expected::rejected("FF01")
                };
                items.push(Item::of(&unreadable));
                continue;
            };
            let key = key_of(asked, payment);
            if !self.used.contains_key(&key) {
                fresh.push(key);
            }
            let asked = Asked {
                body: payment,
                ..*asked
            };
            items.push(Item::of(&self.once("payment", &asked)));
        }
        let is_mixed = items.iter().any(Item::is_settled) && !items.iter().all(Item::is_settled);
        if is_atomic && is_mixed {
            self.accounts = accounts;
            for key in fresh {
                self.used.remove(&key);
            }
            let payments = payments.iter().flatten();
            items = payments
                .zip(items)
                .map(|(payment, tried)| self.refuse(asked, payment, &tried))
                .collect();
        }
        Expected {
            items,
            ..Expected::status("answered")
        }
    }

    /// Uses up the id of a payment that is not booked, for a reason of its own or for another's sake.
    fn refuse(&mut self, asked: &Asked<'_>, payment: &Value, tried: &Item) -> Item {
        let key = key_of(asked, payment);
        let content = payments::content("payment", payment);
        if let Some(again) = self.repeated(&key, &content) {
            return Item::of(&again);
        }
        let reason: Refused = match tried.reason.as_deref() {
            Some(reason) => crate::REASONS
                .into_iter()
                .find(|known| *known == reason)
                .expect("one of the codes"),
            None => "NARR",
        };
        let used = Used {
            seq: asked.seq,
            content,
            status: "rejected",
            reason: Some(reason),
            booked: None,
            reversed: 0,
        };
        self.used.insert(key, used);
        Item::of(&Expected::rejected(reason))
    }
}

fn key_of(asked: &Asked<'_>, payment: &Value) -> Key {
    let id = payment["payment_id"].as_str().unwrap_or_default();
    (asked.claims.client_id.clone(), id.to_owned())
}
