//! Controls, holds, reversals and transactions; by rules 5, reversals of transactions by rules 6.

use serde_json::{Value, json};

use crate::key::Key;

/// A request: subject, token and body.
type Row = (&'static str, Option<String>, String);

/// The requests, and behind them those that come a minute later, when a hold has ended.
#[expect(clippy::too_many_lines, reason = "one row per request")]
pub(crate) fn rows(key: &Key, ends_at: &str) -> [Vec<Row>; 2] {
    let staff = key.token("staff", "bank:operate", 0);
    let ada = key.token("ada", "payments:submit accounts:write", 0);
    let grace = key.token("grace", "payments:submit", 0);
    // Whoever owns the bank's cash, without the right to operate the bank.
    let bank = key.token("bank", "bank:operate", 0);
    let owner = key.token("bank", "payments:submit", 0);
    let row = |subject: &'static str, token: &str, body: Value| {
        (subject, Some(token.to_owned()), body.to_string())
    };
    let hold = |number: u8, amount: &str, expires_at: Value| {
        json!({
            "payment_id": id(number), "debtor_account": id(2), "creditor_account": id(3), "amount": amount,
            "currency": "EUR", "reference": "A room", "expires_at": expires_at,
        })
    };
    let of = |number: u8, hold: u8, more: Value| {
        with(json!({"payment_id": id(number), "hold_id": id(hold)}), more)
    };
    let reversal = |number: u8, of: u8, more: Value| {
        with(json!({"payment_id": id(number), "reverses": id(of)}), more)
    };
    let control =
        |action: &str, more: Value| with(json!({"action": action, "account_id": id(2)}), more);
    let payment = |number: u8, amount: &str| {
        json!({
            "payment_id": id(number), "debtor_account": id(2), "creditor_account": id(3), "amount": amount,
            "currency": "EUR",
        })
    };
    let transaction = |number: u8, postings: [(&str, u8, &str); 3]| {
        let posting = |(direction, account, amount): (&str, u8, &str)| json!({"account": id(account), "direction": direction, "amount": amount, "currency": "EUR"});
        json!({
            "payment_id": id(number), "postings": postings.map(posting),
            "rates": [{"from": "EUR", "to": "USD", "rate": "1.0812"}], "metadata": {"order": "9"},
        })
    };
    let to_cash = |number: u8| with(payment(number, "1"), json!({"creditor_account": id(1)}));
    let limits = |limits: Value| control("limit", json!({"limits": limits}));
    let now = vec![
        row("hold.v1.ada", &ada, hold(140, "10", Value::Null)),
        row("hold.v1.ada", &ada, hold(140, "10.00", Value::Null)),
        row("hold.v1.ada", &ada, hold(141, "10", json!(ends_at))),
        row(
            "hold.v1.ada",
            &ada,
            hold(142, "10", json!("2999-01-01T00:00:00Z")),
        ),
        row("hold.v1.ada", &ada, hold(143, "10000", Value::Null)),
        row("hold.v1.grace", &grace, hold(144, "1", Value::Null)),
        row("hold.v1.ada", &ada, json!({})),
        row("hold.v1.ada", &grace, hold(145, "1", Value::Null)),
        row("capture.v1.ada", &ada, of(150, 140, json!({"amount": "4"}))),
        row("capture.v1.ada", &ada, of(151, 140, json!({"amount": "7"}))),
        row(
            "capture.v1.ada",
            &ada,
            of(152, 140, json!({"final": true, "amount": "1"})),
        ),
        row("capture.v1.ada", &ada, of(153, 140, json!({}))),
        row("void.v1.ada", &ada, of(154, 140, json!({}))),
        row("void.v1.ada", &ada, of(155, 99, json!({}))),
        row("hold.v1.ada", &ada, hold(146, "2", Value::Null)),
        row(
            "void.v1.grace",
            &grace,
            of(156, 146, json!({"client_id": "ada"})),
        ),
        row(
            "void.v1.staff",
            &staff,
            of(157, 146, json!({"client_id": "ada"})),
        ),
        row(
            "reversal.v1.grace",
            &grace,
            reversal(
                160,
                61,
                json!({"client_id": "ada", "amount": "5", "reason": "Sorry"}),
            ),
        ),
        row(
            "reversal.v1.staff",
            &staff,
            reversal(161, 61, json!({"client_id": "ada"})),
        ),
        row(
            "reversal.v1.staff",
            &staff,
            reversal(162, 61, json!({"client_id": "ada"})),
        ),
        row("reversal.v1.ada", &ada, reversal(163, 61, json!({}))),
        row(
            "reversal.v1.ada",
            &ada,
            reversal(164, 160, json!({"client_id": "grace"})),
        ),
        row(
            "reversal.v1.staff",
            &staff,
            reversal(165, 150, json!({"client_id": "ada"})),
        ),
        row(
            "transaction.v1.ada",
            &ada,
            transaction(
                180,
                [
                    ("debit", 2, "3"),
                    ("credit", 3, "2.50"),
                    ("credit", 3, "0.50"),
                ],
            ),
        ),
        row(
            "transaction.v1.ada",
            &ada,
            transaction(
                180,
                [
                    ("debit", 2, "3.0"),
                    ("credit", 3, "2.5"),
                    ("credit", 3, "0.50"),
                ],
            ),
        ),
        row(
            "transaction.v1.ada",
            &ada,
            transaction(
                181,
                [("debit", 2, "3"), ("credit", 3, "2"), ("credit", 3, "0.50")],
            ),
        ),
        row(
            "transaction.v1.ada",
            &ada,
            transaction(
                182,
                [("debit", 2, "3"), ("credit", 3, "2"), ("credit", 1, "1")],
            ),
        ),
        row("reversal.v1.ada", &ada, reversal(174, 180, json!({}))),
        row(
            "reversal.v1.staff",
            &staff,
            reversal(175, 180, json!({"client_id": "ada", "amount": "3"})),
        ),
        row(
            "reversal.v1.staff",
            &staff,
            reversal(
                166,
                180,
                json!({"client_id": "ada", "reason": "Posted twice"}),
            ),
        ),
        row(
            "reversal.v1.staff",
            &staff,
            reversal(
                166,
                180,
                json!({"client_id": "ada", "reason": "Posted twice"}),
            ),
        ),
        row(
            "reversal.v1.staff",
            &staff,
            reversal(176, 180, json!({"client_id": "ada"})),
        ),
        row("reversal.v1.staff", &staff, reversal(177, 166, json!({}))),
        row(
            "transaction.v1.ada",
            &ada,
            transaction(
                183,
                [("debit", 2, "5"), ("credit", 2, "1"), ("credit", 3, "4")],
            ),
        ),
        row(
            "reversal.v1.staff",
            &staff,
            reversal(178, 183, json!({"client_id": "ada"})),
        ),
        row(
            "reversal.v1.grace",
            &grace,
            reversal(179, 183, json!({"client_id": "ada"})),
        ),
        row("payment.v1.bank", &bank, to_cash(184)),
        row("reversal.v1.bank", &owner, reversal(185, 184, json!({}))),
        row("payment.v1.staff", &staff, to_cash(186)),
        row(
            "reversal.v1.bank",
            &owner,
            reversal(187, 186, json!({"client_id": "staff"})),
        ),
        row("account.v1.ada", &ada, control("freeze", json!({}))),
        row(
            "account.v1.staff",
            &staff,
            control("freeze", json!({"side": "debit"})),
        ),
        row(
            "account.v1.staff",
            &staff,
            control("freeze", json!({"side": "debit"})),
        ),
        row("payment.v1.ada", &ada, payment(170, "1")),
        row("account.v1.staff", &staff, control("unfreeze", json!({}))),
        row("account.v1.staff", &staff, control("close", json!({}))),
        row(
            "account.v1.staff",
            &staff,
            limits(json!({"minimum_balance": "20", "day_amount_max": "5", "month_count_max": 3})),
        ),
        row(
            "account.v1.staff",
            &staff,
            limits(json!({"maximum_balance": "1"})),
        ),
        row("payment.v1.ada", &ada, payment(171, "3")),
        row("payment.v1.ada", &ada, payment(172, "3")),
        row("payment.v1.ada", &ada, payment(173, "900")),
        (
            "expiry.v1.ledger",
            None,
            json!({"client_id": "ada", "hold_id": id(141)}).to_string(),
        ),
        (
            "expiry.v1.ledger",
            None,
            json!({"client_id": "ada"}).to_string(),
        ),
    ];
    let later = vec![
        row("capture.v1.ada", &ada, of(158, 141, json!({}))),
        (
            "expiry.v1.ledger",
            None,
            json!({"client_id": "ada", "hold_id": id(141)}).to_string(),
        ),
        (
            "expiry.v1.ledger",
            None,
            json!({"client_id": "ada", "hold_id": id(141)}).to_string(),
        ),
        row("account.v1.staff", &staff, limits(json!({}))),
    ];
    [now, later]
}

fn id(number: u8) -> String {
    format!("00000000-0000-7000-8000-0000000000{number:02x}")
}

fn with(mut body: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        panic!("what is added is an object")
    };
    for (name, value) in more {
        body[name] = value;
    }
    body
}
