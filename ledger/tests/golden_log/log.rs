//! Makes a log with every kind of answer in it.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::key::{Key, NOW};
use crate::{Message, bulk, held, opened, revoked};

/// A log with every kind of answer in it.
#[expect(clippy::too_many_lines, reason = "one row per request")]
pub(crate) fn new() -> Vec<Message> {
    let key = Key::new();
    let id = |number: u8| format!("00000000-0000-7000-8000-0000000000{number:02x}");
    let account = |number: u8, owner: &str, currency: &str, category: &str| {
        json!({"action": "open", "account_id": id(number), "owner": owner, "currency": currency, "category": category}).to_string()
    };
    let payment = |number: u8, from: u8, to: u8, amount: &str| json!({"payment_id": id(number), "debtor_account": id(from), "creditor_account": id(to), "amount": amount, "currency": "EUR"});
    let with = |number: u8, name: &str, value: Value| {
        let mut changed = payment(number, 2, 3, "1.00");
        changed[name] = value;
        changed.to_string()
    };
    let staff = key.token("staff", "bank:operate", 0);
    let ada = key.token("ada", "payments:submit accounts:write", 0);
    let shop = key.token("shop", "payments:submit-any", 0);
    let late = key.token("ada", "payments:submit", -2000);
    let early = key.token_since("ada", "payments:submit", 62, 100);
    let old = key.token_since("ada", "payments:submit", 0, 31);
    let announcement = key.announcement();
    let first = key.with("auth", "auth:admin", json!({"aud": "quittance"}));
    let auth = key.token("auth", "auth:admin", 0);
    let rows: Vec<(&str, Option<&str>, String)> = vec![
        (
            "payment.v1.ada",
            Some(&ada),
            payment(50, 2, 3, "1").to_string(),
        ),
        ("auth.v1.keys", Some(&ada), announcement.clone()),
        (
            "auth.v1.revocations",
            Some(&first),
            json!({"revocation_id": id(90), "target": {"kind": "session", "sid": "too early"}, "because": "x"}).to_string(),
        ),
        ("auth.v1.keys", Some(&first), announcement.clone()),
        ("auth.v1.keys", Some(&first), announcement.clone()),
        ("hold.v1.ada", Some(&ada), payment(51, 2, 3, "1").to_string()),
        ("rules.v1.ledger", None, r#"{"rules":6}"#.to_owned()),
        ("auth.v1.keys", Some(&first), announcement.clone()),
        ("auth.v1.keys", Some(&auth), announcement),
        (
            "rules.v1.ledger",
            None,
            r#"{"rules":1,"why":"older"}"#.to_owned(),
        ),
        ("rules.v1.ledger", None, r#"{"rules":0}"#.to_owned()),
        ("rules.v1.ledger", None, "[]".to_owned()),
        (
            "account.v1.staff",
            Some(&staff),
            account(1, "bank", "EUR", "asset"),
        ),
        (
            "account.v1.ada",
            Some(&ada),
            account(2, "ada", "EUR", "liability"),
        ),
        (
            "account.v1.staff",
            Some(&staff),
            account(3, "grace", "EUR", "liability"),
        ),
        (
            "account.v1.staff",
            Some(&staff),
            account(4, "yuki", "JPY", "liability"),
        ),
        (
            "account.v1.staff",
            Some(&staff),
            account(4, "yuki", "JPY", "liability"),
        ),
        (
            "account.v1.staff",
            Some(&staff),
            account(4, "thief", "JPY", "liability"),
        ),
        (
            "account.v1.staff",
            Some(&staff),
            account(
                7,
                "0198C0DE-0000-7000-8000-0000000000AD",
                "EUR",
                "liability",
            ),
        ),
        (
            "account.v1.staff",
            Some(&staff),
            account(8, "a b", "EUR", "liability"),
        ),
        (
            "account.v1.staff",
            Some(&staff),
            account(9, "zora", "HRK", "liability"),
        ),
        (
            "account.v1.ada",
            Some(&ada),
            account(5, "grace", "EUR", "liability"),
        ),
        (
            "account.v1.staff",
            Some(&staff),
            account(6, "x", "XXX", "liability"),
        ),
        ("account.v1.staff", Some(&staff), "{}".to_owned()),
        (
            "payment.v1.staff",
            Some(&staff),
            payment(60, 1, 2, "100.00").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            payment(61, 2, 3, "30").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            payment(61, 2, 3, "30.00").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            payment(61, 2, 3, "31").to_string(),
        ),
        (
            "payment.v1.shop",
            Some(&shop),
            payment(62, 3, 2, "0.01").to_string(),
        ),
        (
            "payment.v1.shop",
            Some(&shop),
            payment(63, 1, 2, "1").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            payment(64, 3, 2, "1").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            payment(65, 2, 3, "1000").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            payment(66, 2, 4, "1").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            payment(67, 2, 9, "1").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            payment(68, 9, 2, "1").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            payment(69, 2, 2, "1").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            payment(70, 2, 3, "1.001").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            payment(71, 2, 3, "0").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            with(81, "currency", json!("XXZ")),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            with(82, "effective_date", json!("2999-01-01")),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            with(85, "effective_date", json!("2026-11-01")),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            with(86, "metadata", json!({"order": "77", "a": "\u{1F980}"})),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            with(86, "metadata", json!({"order": "78"})),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            with(89, "metadata", json!({"order": "79"}))
                .replace(r#""order":"79""#, r#""order":"79","order":"80""#),
        ),
        (
            "payment.v1.shop",
            Some(&shop),
            payment(87, 2, 3, "5000").to_string(),
        ),
        (
            "payment.v1.staff",
            Some(&staff),
            payment(88, 2, 3, "5000").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            with(83, "reference", json!("x".repeat(141))),
        ),
        (
            "payment.v1.ada",
            Some(&ada),
            with(84, "unheard_of", json!(1)),
        ),
        ("payment.v1.ada", Some(&ada), "no JSON".to_owned()),
        (
            "payment.v1.ada",
            Some(&late),
            payment(72, 2, 3, "1").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&early),
            payment(76, 2, 3, "1").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&old),
            payment(77, 2, 3, "1").to_string(),
        ),
        (
            "payment.v1.ada",
            Some(&staff),
            payment(73, 2, 3, "1").to_string(),
        ),
        (
            "payment.v1.ada",
            Some("x.y.z"),
            payment(74, 2, 3, "1").to_string(),
        ),
        ("payment.v1.ada", None, payment(75, 2, 3, "1").to_string()),
        ("nothing.known", None, "{}".to_owned()),
        ("payment.v1.a b", None, "{}".to_owned()),
    ];
    let late = TimeDelta::minutes(1);
    let [held, later] = held::rows(&key, &(NOW + late).to_rfc3339());
    let count_before = rows.len() + held.len();
    let rows = rows
        .into_iter()
        .map(|(subject, token, body)| (subject, token.map(str::to_owned), body))
        .chain(held)
        .chain(later)
        .chain(bulk::rows(&key))
        .chain(opened::rows(&key))
        .chain(revoked::rows(&key))
        .enumerate()
        .map(|(index, (subject, token, body))| Message {
            subject: format!("request.{subject}"),
            published_at: NOW
                + TimeDelta::milliseconds(i64::try_from(index).expect("a short log"))
                + if index < count_before {
                    TimeDelta::zero()
                } else {
                    late
                },
            headers: token
                .map(|token| ("Authorization".to_owned(), format!("Bearer {token}")))
                .into_iter()
                .collect(),
            body,
            answer: String::new(),
            answer_subject: String::new(),
            chain: String::new(),
        });
    rows.collect()
}
