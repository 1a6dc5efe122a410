//! What is asked about accounts.

use serde_json::{Value, json};

use super::{ACCOUNTS, Mix};

impl Mix {
    pub(super) fn account_action(&mut self) -> Value {
        let account = self.account();
        let side = ["debit", "credit", "both"][self.random.below(3)];
        match self.random.below(12) {
            0 => json!({"action": "freeze", "account_id": account, "side": side}),
            1..7 => json!({"action": "unfreeze", "account_id": account, "side": side}),
            7 => json!({"action": "close", "account_id": account}),
            8 => {
                let (owner, currency, category) = ACCOUNTS[self.random.below(ACCOUNTS.len())];
                let id = if self.random.one_in(2) {
                    account
                } else {
                    self.random.id()
                };
                json!({"action": "open", "account_id": id, "owner": owner, "currency": currency, "category": category})
            }
            _ => json!({"action": "limit", "account_id": account, "limits": self.limits()}),
        }
    }

    fn limits(&mut self) -> Value {
        let mut limits = json!({});
        for (name, most) in [
            ("overdraft_limit", 50),
            ("minimum_balance", 30),
            ("maximum_balance", 2000),
            ("day_amount_max", 5000),
            ("month_amount_max", 9000),
        ] {
            if self.random.one_in(4) {
                limits[name] = json!(self.random.below(most).to_string());
            }
        }
        for name in ["day_count_max", "month_count_max"] {
            if self.random.one_in(4) {
                limits[name] = json!(self.random.below(300));
            }
        }
        limits
    }
}
