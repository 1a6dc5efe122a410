//! Requests under tokens for another audience, with limits of their own, and revoked; by rules 4.

use serde_json::{Value, json};

use crate::key::{Key, NOW};

/// Subject, token and body of each.
#[expect(clippy::too_many_lines, reason = "one row per request")]
pub(crate) fn rows(key: &Key) -> Vec<(&'static str, Option<String>, String)> {
    let id = |number: u8| format!("00000000-0000-7000-8000-0000000000{number:02x}");
    let payment = |number: u8, from: u8, to: u8, amount: &str| {
        json!({
            "payment_id": id(number), "debtor_account": id(from), "creditor_account": id(to), "amount": amount,
            "currency": "EUR",
        })
        .to_string()
    };
    let auth = key.token("auth", "auth:admin", 0);
    let staff = key.token("staff", "bank:operate", 0);
    let ada = key.token("ada", "payments:submit accounts:write", 0);
    let shop = key.token("shop", "payments:submit-any", 0);
    let over_http = key.with("ada", "payments:submit", json!({"aud": "quittance"}));
    let login = |sid: &str| {
        key.with(
            "ada",
            "payments:submit accounts:write",
            json!({"sid": sid, "jti": sid}),
        )
    };
    let (one, other) = (login("one login"), login("another login"));
    let limited = key.with(
        "shop",
        "payments:submit-any",
        json!({"payment_max": {"EUR": "0.50"}, "accounts": [id(2)]}),
    );
    let without_euros = key.with("shop", "payments:submit-any", json!({"payment_max": {}}));
    let revocation = |number: u8, target: Value| {
        json!({"revocation_id": id(number), "target": target, "because": "logged_out"}).to_string()
    };
    let until = |seconds: i64| NOW.timestamp() - 30 + seconds;
    let (again, following) = (key.announcement(), Key::new());
    let next = following.announcement();
    let next_auth = following.token("auth", "auth:admin", 0);
    let next_staff = following.token("staff", "bank:operate", 0);
    let rows: Vec<(&str, Option<&str>, String)> = vec![
        ("payment.v1.ada", Some(&over_http), payment(100, 2, 3, "1")),
        (
            "payment.v1.shop",
            Some(&limited),
            payment(101, 2, 3, "0.50"),
        ),
        (
            "payment.v1.shop",
            Some(&limited),
            payment(102, 2, 3, "0.51"),
        ),
        (
            "payment.v1.shop",
            Some(&limited),
            payment(103, 3, 2, "0.50"),
        ),
        (
            "payment.v1.shop",
            Some(&without_euros),
            payment(104, 2, 3, "0.01"),
        ),
        ("payment.v1.ada", Some(&one), payment(105, 2, 3, "0.01")),
        (
            "auth.v1.revocations",
            Some(&auth),
            revocation(91, json!({"kind": "session", "sid": "one login"})),
        ),
        (
            "auth.v1.revocations",
            Some(&auth),
            revocation(91, json!({"kind": "session", "sid": "one login"})),
        ),
        ("payment.v1.ada", Some(&one), payment(106, 2, 3, "0.01")),
        (
            "account.v1.ada",
            Some(&one),
            json!({"action": "open", "account_id": id(10), "owner": "ada", "currency": "EUR"})
                .to_string(),
        ),
        ("payment.v1.ada", Some(&other), payment(106, 2, 3, "0.01")),
        (
            "auth.v1.revocations",
            Some(&auth),
            revocation(92, json!({"kind": "token", "jti": "another login"})),
        ),
        ("payment.v1.ada", Some(&other), payment(107, 2, 3, "0.01")),
        (
            "auth.v1.revocations",
            Some(&auth),
            revocation(
                93,
                json!({"kind": "subject", "sub": "ada", "issued_until": until(-1)}),
            ),
        ),
        ("payment.v1.ada", Some(&ada), payment(107, 2, 3, "0.01")),
        (
            "auth.v1.revocations",
            Some(&auth),
            revocation(
                94,
                json!({"kind": "subject", "sub": "ada", "issued_until": until(0)}),
            ),
        ),
        ("payment.v1.ada", Some(&ada), payment(108, 2, 3, "0.01")),
        (
            "auth.v1.revocations",
            Some(&auth),
            revocation(
                95,
                json!({"kind": "client", "client_id": "shop", "issued_until": until(0)}),
            ),
        ),
        ("payment.v1.shop", Some(&shop), payment(109, 2, 3, "0.01")),
        (
            "auth.v1.revocations",
            Some(&auth),
            revocation(
                96,
                json!({"kind": "client", "client_id": "staff", "issued_until": until(90)}),
            ),
        ),
        (
            "auth.v1.revocations",
            Some(&staff),
            revocation(97, json!({"kind": "session", "sid": "x"})),
        ),
        (
            "auth.v1.revocations",
            Some(&auth),
            revocation(98, json!({"kind": "session", "sid": "a\u{0}b"})),
        ),
        ("auth.v1.revocations", Some(&auth), "{}".to_owned()),
        (
            "auth.v1.revocations",
            Some(&auth),
            revocation(99, json!({"kind": "key", "kid": key.kid})),
        ),
        ("payment.v1.staff", Some(&staff), payment(110, 2, 3, "0.01")),
        (
            "auth.v1.revocations",
            Some(&auth),
            revocation(100, json!({"kind": "session", "sid": "y"})),
        ),
        ("auth.v1.keys", Some(&auth), again),
        ("auth.v1.keys", Some(&next_auth), next),
        (
            "payment.v1.staff",
            Some(&next_staff),
            payment(110, 2, 3, "0.01"),
        ),
    ];
    rows.into_iter()
        .map(|(subject, token, body)| (subject, token.map(str::to_owned), body))
        .collect()
}
