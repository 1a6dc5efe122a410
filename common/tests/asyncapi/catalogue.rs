//! The kinds of messages: their subjects, their schemas, who sends and who reads them, and an example of each.

use std::fs;
use std::path::Path;

use common::kinds::account::{AccountAnswer, AccountRequest};
use common::kinds::payment::{PaymentAnswer, PaymentRequest};
use common::kinds::{revocation, rules, trust};
use common::wire::{AUTHORIZATION, CE_ID, CE_SOURCE, CE_SPECVERSION, CE_TIME, CE_TYPE, CHAIN};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A kind of request and its answer.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) subject: &'static str,
    /// The schema of the request; none for what is no known request.
    pub(crate) request: Option<&'static str>,
    pub(crate) answer: &'static str,
    pub(crate) needs_token: bool,
    pub(crate) asks: &'static str,
    pub(crate) answers: &'static str,
    pub(crate) sender: &'static str,
    pub(crate) readers: &'static str,
}

const OWN: &str = "the client that asked, payments and auditors";
const ALL: &str = "auth, payments and auditors";

pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: "payment",
        title: "Payments",
        subject: "request.payment.v1.{client_id}",
        request: Some("payment.requested.v1"),
        answer: "payment.answered.v1",
        needs_token: true,
        asks: "Pay",
        answers: "What became of a payment",
        sender: "producers, and by payments for those who pay over HTTP",
        readers: OWN,
    },
    Kind {
        name: "account",
        title: "Accounts",
        subject: "request.account.v1.{client_id}",
        request: Some("account.requested.v1"),
        answer: "account.answered.v1",
        needs_token: true,
        asks: "Open an account",
        answers: "What became of an account",
        sender: "the ledger, for those who open accounts over HTTP",
        readers: OWN,
    },
    Kind {
        name: "key",
        title: "Signing keys",
        subject: trust::SUBJECT,
        request: Some("key.requested.v1"),
        answer: "key.answered.v1",
        needs_token: true,
        asks: "Trust a signing key",
        answers: "Whether a key is trusted",
        sender: "auth",
        readers: ALL,
    },
    Kind {
        name: "revocation",
        title: "Revocations",
        subject: revocation::SUBJECT,
        request: Some("revocation.requested.v1"),
        answer: "revocation.answered.v1",
        needs_token: true,
        asks: "Refuse tokens from now on",
        answers: "Whether tokens are refused",
        sender: "auth",
        readers: ALL,
    },
    Kind {
        name: "rules",
        title: "Rules of the ledger",
        subject: rules::SUBJECT,
        request: Some("rules.requested.v1"),
        answer: "rules.answered.v1",
        needs_token: false,
        asks: "Decide by newer rules from here on",
        answers: "Which rules hold",
        sender: "the ledger",
        readers: "auditors",
    },
    Kind {
        name: "unknown",
        title: "Anything else",
        subject: "request.unknown.v1",
        request: None,
        answer: "request.rejected.v1",
        needs_token: false,
        asks: "",
        answers: "That a request is of no kind that the ledger knows",
        sender: "",
        readers: "auditors",
    },
];

pub(crate) fn read_schema(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../schemas/{name}.json"));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).expect("a schema is JSON")
}

/// The `ce-type`s of an answer, as the type's title lists them.
pub(crate) fn types_of(schema: &str) -> Vec<String> {
    let schema = read_schema(schema);
    let title = schema["title"].as_str().expect("a title");
    title.split(", ").map(str::to_owned).collect()
}

const ADA: &str = "01900000-ada0-7000-8000-000000000002";
const GRACE: &str = "01900000-96ac-7000-8000-000000000003";
const PAYMENT: &str = "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a10";
const PUBLISHED: &str = "2026-11-27T08:00:00.000000Z";

/// Headers and payload of a message, through the type, so that an example is what the type reads and writes.
pub(crate) fn example(ce_type: &str) -> Option<(Value, Value)> {
    let payment = |status: &str, reason: Value, postings: Value, original: Value| {
        through::<PaymentAnswer>(json!({
            "request_seq": 42, "payment_id": PAYMENT, "client_id": "demo-shop", "status": status, "reason": reason,
            "debtor_account": ADA, "creditor_account": GRACE, "amount": "12.50", "currency": "EUR",
            "reference": "Lunch", "effective_date": "2026-11-27", "metadata": {}, "postings": postings,
            "original": original, "may_retry": false, "published_at": PUBLISHED,
        }))
    };
    let payload = match ce_type {
        "payment.requested.v1" => {
            through::<PaymentRequest>(read_schema("payment.requested.v1")["examples"][0].clone())
        }
        "payment.settled.v1" => payment(
            "settled",
            Value::Null,
            json!([
                {"account": ADA, "direction": "debit", "amount": "12.50", "balance": "87.50"},
                {"account": GRACE, "direction": "credit", "amount": "12.50", "balance": null},
            ]),
            Value::Null,
        ),
        "payment.rejected.v1" => {
            let reason =
                json!({"code": "AM04", "message": "the account holds 5.00 EUR, 12.50 EUR needed"});
            payment("rejected", reason, json!([]), Value::Null)
        }
        "payment.duplicate.v1" => {
            let original = json!({"request_seq": 40, "status": "settled", "reason": null});
            payment("duplicate", Value::Null, json!([]), original)
        }
        "account.requested.v1" => through::<AccountRequest>(json!({
            "action": "open", "account_id": ADA, "owner": "01900000-0000-7000-8000-00000000ada0",
            "currency": "EUR", "category": "liability", "name": "Ada",
        })),
        "account.opened.v1" => through::<AccountAnswer>(json!({
            "request_seq": 7, "account_id": ADA, "client_id": "user-01900000-0000-7000-8000-0000000057af",
            "status": "opened", "reason": null, "owner": "01900000-0000-7000-8000-00000000ada0",
            "currency": "EUR", "category": "liability", "name": "Ada", "overdraft_limit": "0.00",
            "published_at": PUBLISHED,
        })),
        _ => return None,
    };
    let headers = if ce_type.contains(".requested.") {
        json!({
            AUTHORIZATION: "Bearer eyJ…", CE_SPECVERSION: "1.0", CE_TYPE: ce_type,
            CE_ID: PAYMENT, CE_SOURCE: "/clients/demo-shop",
        })
    } else {
        json!({
            CE_SPECVERSION: "1.0", CE_TYPE: ce_type, CE_ID: payload["request_seq"].to_string(), CE_TIME: PUBLISHED,
            CHAIN: "3f0c…",
        })
    };
    Some((headers, payload))
}

fn through<T: DeserializeOwned + Serialize>(json: Value) -> Value {
    let value: T = serde_json::from_value(json).expect("an example is one of its type");
    serde_json::to_value(value).expect("messages are JSON")
}
