//! The bank's own accounts, and accounts with metadata; by rules 5.

use common::kinds::chart::{OpenBankAccount, Purpose};
use common::money::Currency;
use serde_json::{Value, json};

use crate::key::Key;

/// A request: subject, token and body.
type Row = (&'static str, Option<String>, String);

pub(crate) fn rows(key: &Key) -> Vec<Row> {
    let staff = key.token("staff", "bank:operate", 0);
    let open = |number: u8, metadata: Value| {
        let body = json!({
            "action": "open", "account_id": id(number), "owner": "grace", "currency": "EUR", "metadata": metadata,
        });
        ("account.v1.staff", Some(staff.clone()), body.to_string())
    };
    let own = |request: &Value| ("chart.v1.ledger", None, request.to_string());
    let euro = Currency::from_code("EUR").expect("a currency");
    let cash = OpenBankAccount::of(Purpose::Cash, euro);
    let cash = serde_json::to_value(cash).expect("texts are JSON");
    let mut another = cash.clone();
    another["account_id"] = json!(id(240));
    vec![
        open(241, json!({"branch": "North"})),
        open(241, json!({"branch": "North"})),
        open(241, json!({"branch": "South"})),
        open(242, Value::Null),
        own(&cash),
        own(&cash),
        own(&another),
        own(&json!({})),
    ]
}

fn id(number: u8) -> String {
    format!("00000000-0000-7000-8000-0000000000{number:02x}")
}
