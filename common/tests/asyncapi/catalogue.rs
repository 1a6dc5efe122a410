//! The kinds of messages: their subjects, their schemas, who sends and who reads them, and an example of each.

use std::fs;
use std::path::Path;

use common::kinds::account::{AccountAnswer, AccountRequest};
use common::kinds::bulk::{BatchAnswer, BatchRequest};
use common::kinds::hold::{CaptureRequest, HoldRequest, VoidRequest};
use common::kinds::payment::{PaymentAnswer, PaymentRequest};
use common::kinds::reversal::ReversalRequest;
use common::kinds::transaction::TransactionRequest;
use common::kinds::{chart, expiry, revocation, rules, trust};
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
    /// The outcomes of this kind, where several kinds share the schema of their answers; else all of the schema's.
    pub(crate) outcomes: &'static [&'static str],
    pub(crate) needs_token: bool,
    pub(crate) asks: &'static str,
    pub(crate) answers: &'static str,
    pub(crate) sender: &'static str,
    pub(crate) readers: &'static str,
}

const OWN: &str = "the client that asked, payments and auditors";
const PAYERS: &str = "producers, and by payments for those who pay over HTTP";
const ALL: &str = "auth, payments and auditors";

pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: "payment",
        title: "Payments",
        subject: "request.payment.v1.{client_id}",
        request: Some("payment.requested.v1"),
        answer: "payment.answered.v1",
        outcomes: &["settled", "rejected", "duplicate"],
        needs_token: true,
        asks: "Pay",
        answers: "What became of a payment",
        sender: PAYERS,
        readers: OWN,
    },
    Kind {
        name: "hold",
        title: "Holds",
        subject: "request.hold.v1.{client_id}",
        request: Some("hold.requested.v1"),
        answer: "payment.answered.v1",
        outcomes: &["authorised", "rejected", "duplicate"],
        needs_token: true,
        asks: "Hold money",
        answers: "What became of a hold",
        sender: PAYERS,
        readers: OWN,
    },
    Kind {
        name: "capture",
        title: "Captures of holds",
        subject: "request.capture.v1.{client_id}",
        request: Some("capture.requested.v1"),
        answer: "payment.answered.v1",
        outcomes: &["captured", "rejected", "duplicate"],
        needs_token: true,
        asks: "Book what is held",
        answers: "What became of a capture",
        sender: PAYERS,
        readers: OWN,
    },
    Kind {
        name: "void",
        title: "Voids of holds",
        subject: "request.void.v1.{client_id}",
        request: Some("void.requested.v1"),
        answer: "payment.answered.v1",
        outcomes: &["voided", "rejected", "duplicate"],
        needs_token: true,
        asks: "Free what is held",
        answers: "What became of a void",
        sender: PAYERS,
        readers: OWN,
    },
    Kind {
        name: "reversal",
        title: "Reversals",
        subject: "request.reversal.v1.{client_id}",
        request: Some("reversal.requested.v1"),
        answer: "payment.answered.v1",
        outcomes: &["reversed", "rejected", "duplicate"],
        needs_token: true,
        asks: "Book a payment back",
        answers: "What became of a reversal",
        sender: PAYERS,
        readers: OWN,
    },
    Kind {
        name: "transaction",
        title: "Transactions",
        subject: "request.transaction.v1.{client_id}",
        request: Some("transaction.requested.v1"),
        answer: "payment.answered.v1",
        outcomes: &["settled", "rejected", "duplicate"],
        needs_token: true,
        asks: "Book several postings at once",
        answers: "What became of a transaction",
        sender: PAYERS,
        readers: OWN,
    },
    Kind {
        name: "batch",
        title: "Batches of payments",
        subject: "request.payment-batch.v1.{client_id}",
        request: Some("payment-batch.requested.v1"),
        answer: "payment-batch.answered.v1",
        outcomes: &["answered", "rejected"],
        needs_token: true,
        asks: "Pay many at once",
        answers: "What became of each payment of a batch",
        sender: PAYERS,
        readers: OWN,
    },
    Kind {
        name: "expiry",
        title: "Ends of holds",
        subject: expiry::SUBJECT,
        request: Some("expiry.requested.v1"),
        answer: "payment.answered.v1",
        outcomes: &["expired", "rejected", "duplicate"],
        needs_token: false,
        asks: "Say that a hold has ended by time",
        answers: "That a hold has ended",
        sender: "the ledger",
        readers: "the client whose hold it was, payments and auditors",
    },
    Kind {
        name: "account",
        title: "Accounts",
        subject: "request.account.v1.{client_id}",
        request: Some("account.requested.v1"),
        answer: "account.answered.v1",
        outcomes: &[],
        needs_token: true,
        asks: "Open, freeze, unfreeze, close or limit an account",
        answers: "What became of an account",
        sender: "the ledger, for those who ask for it over HTTP",
        readers: OWN,
    },
    Kind {
        name: "chart",
        title: "The bank's own accounts",
        subject: chart::SUBJECT,
        request: Some("chart.requested.v1"),
        answer: "account.answered.v1",
        outcomes: &["opened", "rejected", "duplicate"],
        needs_token: false,
        asks: "Open an account of the bank's own",
        answers: "What became of it",
        sender: "the ledger, when it begins to lead and the account is missing",
        readers: "payments and auditors",
    },
    Kind {
        name: "key",
        title: "Signing keys",
        subject: trust::SUBJECT,
        request: Some("key.requested.v1"),
        answer: "key.answered.v1",
        outcomes: &[],
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
        outcomes: &[],
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
        outcomes: &[],
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
        outcomes: &[],
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

/// The `ce-type`s of a kind's answers, as the type's title lists them.
pub(crate) fn types_of(kind: &Kind) -> Vec<String> {
    let schema = read_schema(kind.answer);
    let title = schema["title"].as_str().expect("a title");
    let is_of_kind = |ce_type: &&str| {
        let outcome = ce_type.split('.').nth(1);
        kind.outcomes.is_empty() || outcome.is_some_and(|outcome| kind.outcomes.contains(&outcome))
    };
    title
        .split(", ")
        .filter(is_of_kind)
        .map(str::to_owned)
        .collect()
}

const ADA: &str = "01900000-ada0-7000-8000-000000000002";
const GRACE: &str = "01900000-96ac-7000-8000-000000000003";
const PAYMENT: &str = "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a10";
const HOLD: &str = "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a0f";
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
        "hold.requested.v1" => through::<HoldRequest>(json!({
            "payment_id": HOLD, "debtor_account": ADA, "creditor_account": GRACE, "amount": "80.00", "currency": "EUR",
            "reference": "A room", "expires_at": "2026-12-04T08:00:00Z",
        })),
        "payment.authorised.v1" => later(
            "authorised",
            HOLD,
            json!({"amount": "80.00", "remaining": "80.00", "expires_at": "2026-12-04T08:00:00.000000Z"}),
        ),
        "capture.requested.v1" => through::<CaptureRequest>(json!({
            "payment_id": PAYMENT, "hold_id": HOLD, "amount": "72.50", "final": true,
        })),
        "payment.captured.v1" => later(
            "captured",
            PAYMENT,
            json!({"hold_id": HOLD, "amount": "72.50", "remaining": "0.00", "postings": [
                {"account": ADA, "direction": "debit", "amount": "72.50", "balance": "27.50"},
                {"account": GRACE, "direction": "credit", "amount": "72.50", "balance": null},
            ]}),
        ),
        "void.requested.v1" => {
            through::<VoidRequest>(json!({"payment_id": PAYMENT, "hold_id": HOLD}))
        }
        "payment.voided.v1" => later(
            "voided",
            PAYMENT,
            json!({"hold_id": HOLD, "amount": "80.00"}),
        ),
        "payment.expired.v1" => later("expired", HOLD, json!({"amount": "80.00"})),
        "reversal.requested.v1" => through::<ReversalRequest>(json!({
            "payment_id": HOLD, "reverses": PAYMENT, "client_id": "demo-shop", "amount": "2.50", "reason": "Too much",
        })),
        "payment.reversed.v1" => later(
            "reversed",
            HOLD,
            json!({"amount": "2.50", "remaining": "10.00", "reference": "Too much", "debtor_account": GRACE,
                "creditor_account": ADA, "reverses": {"client_id": "demo-shop", "payment_id": PAYMENT}, "postings": [
                {"account": GRACE, "direction": "debit", "amount": "2.50", "balance": "10.00"},
                {"account": ADA, "direction": "credit", "amount": "2.50", "balance": null},
            ]}),
        ),
        "transaction.requested.v1" => through::<TransactionRequest>(
            read_schema("transaction.requested.v1")["examples"][0].clone(),
        ),
        "payment-batch.requested.v1" => through::<BatchRequest>(
            read_schema("payment-batch.requested.v1")["examples"][0].clone(),
        ),
        "payment-batch.answered.v1" => batch_answer(),
        "account.requested.v1" => through::<AccountRequest>(json!({
            "action": "open", "account_id": ADA, "owner": "01900000-0000-7000-8000-00000000ada0",
            "currency": "EUR", "category": "liability", "name": "Ada",
        })),
        "account.opened.v1" => account_opened(),
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

/// The answer to an account that is opened.
fn account_opened() -> Value {
    through::<AccountAnswer>(json!({
        "request_seq": 7, "account_id": ADA, "client_id": "user-01900000-0000-7000-8000-0000000057af",
        "status": "opened", "reason": null, "owner": "01900000-0000-7000-8000-00000000ada0",
        "currency": "EUR", "category": "liability", "name": "Ada", "overdraft_limit": "0.00",
        "published_at": PUBLISHED,
    }))
}

/// An answer to a batch of which one payment is not booked.
fn batch_answer() -> Value {
    through::<BatchAnswer>(json!({
        "request_seq": 44, "batch_id": HOLD, "client_id": "demo-shop", "status": "answered", "reason": null,
        "atomic": false, "settled": 1, "rejected": 1, "duplicates": 0, "debtor_account": ADA, "currency": "EUR",
        "payments": [
            {"payment_id": PAYMENT, "status": "settled", "creditor_account": GRACE, "amount": "1.50"},
            {"payment_id": HOLD, "status": "rejected", "creditor_account": GRACE, "amount": "900.00",
             "reason": {"code": "AM04", "message": "the account holds 5.00 EUR, 900.00 EUR needed"}},
        ],
        "may_retry": false, "published_at": PUBLISHED,
    }))
}

/// An answer to what is asked for later than, or instead of, a payment.
fn later(status: &str, id: &str, more: Value) -> Value {
    let mut answer = json!({
        "request_seq": 43, "payment_id": id, "client_id": "demo-shop", "status": status, "reason": null,
        "debtor_account": ADA, "creditor_account": GRACE, "amount": null, "currency": "EUR", "reference": "A room",
        "effective_date": "2026-11-27", "metadata": {}, "postings": [], "original": null, "may_retry": false,
        "published_at": PUBLISHED,
    });
    let Value::Object(more) = more else {
        panic!("what is added is an object")
    };
    for (name, value) in more {
        answer[name] = value;
    }
    through::<PaymentAnswer>(answer)
}

fn through<T: DeserializeOwned + Serialize>(json: Value) -> Value {
    let value: T = serde_json::from_value(json).expect("an example is one of its type");
    serde_json::to_value(value).expect("messages are JSON")
}
