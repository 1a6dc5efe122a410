//! What of a batch can be read, and what can't.

use serde_json::{Value, json};

use super::*;

const ADA: &str = "0198c0de-0000-7000-8000-00000000000a";
const BOB: &str = "0198c0de-0000-7000-8000-00000000000b";

fn item(number: usize) -> Value {
    json!({"payment_id": format!("0198c0de-0000-7000-8000-{number:012}"), "creditor_account": BOB, "amount": "1"})
}

fn batch(payments: impl IntoIterator<Item = Value>) -> Value {
    let payments: Vec<Value> = payments.into_iter().collect();
    json!({
        "batch_id": "0198c0de-0000-7000-8000-0000000000ff", "debtor_account": ADA, "currency": "EUR",
        "payments": payments,
    })
}

fn read(body: &Value) -> Result<Batch, UnreadableBatch> {
    Batch::read(body.to_string().as_bytes())
}

/// `None` for each payment that passes, or the sentence of its refusal.
#[track_caller]
fn check(payments: &[Value], expected: &[Option<&str>]) {
    let read = read(&batch(payments.to_vec())).expect("the frame is right");
    let found: Vec<_> = read
        .payments
        .iter()
        .map(|payment| {
            payment
                .as_ref()
                .err()
                .map(|error| error.reason.message.as_str())
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_payment_that_can_not_be_read_is_alone_with_that() {
    let unreadable = Some("the payment is not what schemas/ describes");
    check(&[item(1), item(2)], &[None, None]);
    check(&[item(1), json!(7), item(2)], &[None, unreadable, None]);
    let mut unknown_field = item(2);
    unknown_field["colour"] = json!("red");
    check(&[unknown_field, item(1)], &[unreadable, None]);
    let mut number = item(2);
    number["amount"] = json!(1);
    check(&[item(1), number], &[None, unreadable]);
}

#[test]
fn what_stands_above_counts_where_a_payment_says_nothing() {
    let mut own = item(2);
    own["debtor_account"] = json!(BOB);
    own["currency"] = json!("USD");
    let read = read(&batch([item(1), own])).expect("right");
    let payment = |index: usize| read.payments[index].as_ref().expect("right");
    assert_eq!(payment(0).debtor_account, ADA.parse().unwrap());
    assert_eq!(payment(0).currency, "EUR");
    assert_eq!(payment(1).debtor_account, BOB.parse().unwrap());
    assert_eq!(payment(1).currency, "USD");
    for field in ["debtor_account", "currency"] {
        let mut body = batch([item(1)]);
        body.as_object_mut().unwrap().remove(field);
        let read = Batch::read(body.to_string().as_bytes()).expect("the frame is right");
        let malformed = read.payments[0].as_ref().expect_err("it lacks a field");
        let sentence = format!("neither the payment nor the batch has a {field}");
        assert_eq!(malformed.reason.message, sentence);
        assert!(malformed.payment_id.is_some());
    }
}

#[test]
fn a_metadata_key_that_comes_twice_is_refused_in_its_payment_only() {
    let body = batch([item(1), item(2)]).to_string();
    let twice = r#""amount":"1","metadata":{"a":"1","a":"2"}"#;
    let body = body.replacen(r#""amount":"1""#, twice, 1);
    let read = Batch::read(body.as_bytes()).expect("the frame is right");
    let malformed = read.payments[0].as_ref().expect_err("a key twice");
    assert_eq!(malformed.reason.message, "metadata has a key twice");
    assert!(read.payments[1].is_ok());
}

#[test]
fn a_batch_that_is_none_is_refused_whole() {
    let refused = |body: &Value, sentence: &str| {
        let error = read(body).expect_err("refused");
        assert_eq!(error.reason.message, sentence, "{body}");
    };
    let unreadable = "the body is not what schemas/ describes for this subject";
    refused(&json!([]), unreadable);
    refused(&json!({}), unreadable);
    refused(&batch([]), "a batch has 1 to 1000 payments");
    refused(
        &batch((0..1001).map(item)),
        "a batch has 1 to 1000 payments",
    );
    assert!(read(&batch((0..1000).map(item))).is_ok());
    let mut atomic = batch([item(1), json!("x")]);
    atomic["atomic"] = json!(true);
    refused(
        &atomic,
        "payment 2 of an atomic batch is not what schemas/ describes",
    );
}
