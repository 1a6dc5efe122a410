//! Batches of messages and the rows that they come to.

use common::kinds::body::RequestBody as _;
use common::wire;
use serde_json::json;
use uuid::Uuid;

use super::*;

fn message(sequence: u64, subject: &str, ce_type: &str, body: &serde_json::Value) -> Stored {
    Stored {
        sequence,
        published_at: DateTime::UNIX_EPOCH,
        subject: subject.to_owned(),
        unreadable_headers: None,
        headers: [(wire::CE_TYPE, ce_type)].into_iter().collect(),
        payload: body.to_string().into(),
    }
}

fn request(sequence: u64, subject: &str, id: u128) -> Stored {
    let body = json!({
        "payment_id": Uuid::from_u128(id), "debtor_account": Uuid::nil(), "creditor_account": Uuid::max(),
        "amount": "x", "currency": "y",
    });
    message(sequence, subject, PaymentRequest::REQUESTED, &body)
}

/// `status` as on the wire, or `retryable` for a rejection that may be tried again.
fn answer(sequence: u64, client: &str, id: Option<u128>, status: &str) -> Stored {
    let is_retryable = status == "retryable";
    let status = if is_retryable { "rejected" } else { status };
    let body = json!({
        "request_seq": sequence, "payment_id": id.map(Uuid::from_u128), "client_id": client, "status": status,
        "reason": null, "debtor_account": null, "creditor_account": null, "amount": null, "currency": null,
        "reference": null, "postings": [], "original": null, "may_retry": is_retryable,
        "published_at": "2026-11-23T00:00:00Z",
    });
    message(
        sequence,
        "settlement.payment.v1.shop",
        "payment.x.v1",
        &body,
    )
}

/// `sequence client id status` of each row that the answers come to.
fn check(answers: &[(&str, Option<u128>, &str)], expected: &[&str]) {
    let batch: Vec<_> = (1..)
        .zip(answers)
        .map(|(sequence, (client, id, status))| answer(sequence, client, *id, status))
        .collect();
    let rows: Vec<_> = answered(&batch)
        .payments
        .iter()
        .map(|row| {
            let (seq, id) = (row.request_seq, row.payment_id.0.as_u128());
            format!("{seq} {} {id} {:?}", row.client_id, row.state)
        })
        .collect();
    assert_eq!(rows, expected, "{answers:?}");
}

#[test]
fn of_many_answers_to_one_payment_the_right_one_stays() {
    check(&[], &[]);
    check(
        &[("a", Some(1), "settled"), ("a", Some(1), "rejected")],
        &["1 a 1 Settled"],
    );
    check(
        &[("a", Some(1), "rejected"), ("a", Some(1), "settled")],
        &["2 a 1 Settled"],
    );
    check(
        &[("a", Some(1), "rejected"), ("a", Some(1), "rejected")],
        &["1 a 1 Rejected"],
    );
    check(
        &[("a", Some(1), "retryable"), ("a", Some(1), "retryable")],
        &["2 a 1 Retryable"],
    );
    for (decided, expected) in [("settled", "Settled"), ("rejected", "Rejected")] {
        let (decided, undecided) = (("a", Some(1), decided), ("a", Some(1), "retryable"));
        let repeated = ("a", Some(1), "duplicate");
        check(&[undecided, decided], &[&format!("2 a 1 {expected}")]);
        check(
            &[decided, undecided, repeated],
            &[&format!("1 a 1 {expected}")],
        );
    }
    check(&[("a", Some(1), "duplicate"), ("a", None, "rejected")], &[]);
    check(
        &[
            ("b", Some(1), "settled"),
            ("a", Some(2), "settled"),
            ("a", Some(1), "rejected"),
        ],
        &["3 a 1 Rejected", "2 a 2 Settled", "1 b 1 Settled"],
    );
}

#[test]
fn an_answer_in_the_wrong_place_is_passed_over() {
    let mut moved = answer(1, "a", Some(1), "settled");
    moved.sequence = 2;
    assert!(answered(&[moved]).payments.is_empty());
}

#[test]
fn the_last_request_of_a_payment_makes_its_row() {
    let mut too_long = request(6, "request.payment.v1.shop", 9);
    let blanks = vec![b' '; PaymentRequest::BYTES_MAX];
    too_long.payload = [&too_long.payload[..], &blanks].concat().into();
    let batch = [
        request(1, "request.account.v1.shop", 7),
        request(2, "request.payment.v1.shop", 7),
        request(3, "request.payment.v1.shop", 7),
        request(4, "request.payment.v1.a.b", 8),
        request(5, "request.payment.v1.till", 7),
        too_long,
    ];
    let rows = requested(&batch);
    let rows: Vec<_> = rows
        .payments
        .iter()
        .map(|row| (row.request_seq, row.client_id.as_str()))
        .collect();
    assert_eq!(rows, [(3, "shop"), (5, "till")]);
}
