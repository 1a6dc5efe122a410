//! Batches of payments; by rules 5.

use serde_json::{Value, json};

use crate::key::Key;

/// A request: subject, token and body.
type Row = (&'static str, Option<String>, String);

/// Behind the controls, whose limits are lifted.
pub(crate) fn rows(key: &Key) -> Vec<Row> {
    let ada = key.token("ada", "payments:submit", 0);
    let grace = key.token("grace", "payments:submit", 0);
    let row = |token: &str, body: Value| {
        (
            "payment-batch.v1.ada",
            Some(token.to_owned()),
            body.to_string(),
        )
    };
    let payment = |number: u8, amount: &str| json!({"payment_id": id(number), "creditor_account": id(3), "amount": amount});
    let batch = |number: u8, payments: Vec<Value>| {
        json!({
            "batch_id": id(number), "debtor_account": id(2), "currency": "EUR", "payments": payments,
        })
    };
    let noted = json!({
        "payment_id": id(191), "debtor_account": id(3), "creditor_account": id(2), "amount": "1", "currency": "EUR",
        "reference": "Back", "effective_date": "2026-01-01", "metadata": {"order": "9"},
    });
    let mixed = vec![
        payment(190, "1"),
        noted,
        payment(192, "1.001"),
        json!({"payment_id": id(193)}),
        json!(7),
        payment(190, "1.00"),
        payment(190, "2"),
        payment(50, "1"),
    ];
    let atomic = |number: u8, payments: Vec<Value>| {
        let mut batch = batch(number, payments);
        batch["atomic"] = json!(true);
        batch
    };
    vec![
        row(&ada, batch(230, mixed.clone())),
        row(&ada, batch(230, mixed)),
        row(&ada, atomic(231, vec![payment(194, "1"), payment(195, "2")])),
        row(&ada, atomic(232, vec![payment(196, "1"), payment(197, "100000")])),
        row(&ada, atomic(233, vec![payment(198, "1"), json!({})])),
        row(&ada, batch(234, Vec::new())),
        row(&ada, json!({"batch_id": id(235)})),
        row(&grace, batch(236, vec![payment(199, "1")])),
        (
            "payment.v1.ada",
            Some(ada.clone()),
            json!({
                "payment_id": id(194), "debtor_account": id(2), "creditor_account": id(3), "amount": "1.0",
                "currency": "EUR",
            })
            .to_string(),
        ),
        (
            "reversal.v1.grace",
            Some(grace),
            json!({"payment_id": id(200), "reverses": id(194), "client_id": "ada"}).to_string(),
        ),
    ]
}

fn id(number: u8) -> String {
    format!("00000000-0000-7000-8000-0000000000{number:02x}")
}
