//! The form against a slow one made as its description says, for any JSON.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// The form as a reader of its description would make it.
fn by_the_book(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let picked = |object: &Value, names: &[&str]| {
        let fields = names.iter().filter_map(|name| {
            let value = object.get(name)?;
            let is_plain = !value.is_object() && !value.is_array();
            is_plain.then(|| ((*name).to_owned(), value.clone()))
        });
        fields.collect::<Map<String, Value>>()
    };
    let mut parts: Vec<String> = picked(&body, FIELDS)
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    let postings = body["postings"].as_array().into_iter().flatten();
    let postings = postings.map(|posting| Value::Object(picked(posting, FIELDS_OF_POSTING)));
    parts.push(format!("\"postings\":{}", Value::Array(postings.collect())));
    if let Some(code) = body["reason"]["code"].as_str() {
        parts.push(format!("\"reason\":{}", json!(code)));
    }
    format!("{{{}}}", parts.join(","))
}

fn form(body: &[u8]) -> String {
    String::from_utf8(shared_form(body)).unwrap()
}

#[test]
fn the_shared_form_has_what_both_sides_know_and_nothing_else() {
    let body = r#"{"request_seq":7,"payment_id":"p","client_id":"shop","status":"rejected",
        "reason":{"code":"AM04","message":"5.00 available"},"reference":null,"metadata":{"a":"b"},
        "postings":[{"account":"x","direction":"debit","amount":"1.00","balance":"9.00"}],
        "amount":{"later":"an object"},"original":null,"may_retry":false,"limit_left":"3.00"}"#;
    assert_eq!(
        form(body.as_bytes()),
        r#"{"client_id":"shop","payment_id":"p","reference":null,"request_seq":7,"status":"rejected","postings":[{"account":"x","amount":"1.00","direction":"debit"}],"reason":"AM04"}"#
    );
    for strange in [
        &b""[..],
        b"\xff",
        b"[]",
        b"7",
        b"{\"postings\":3,\"reason\":4}",
        b"{} {}",
    ] {
        assert_eq!(form(strange), r#"{"postings":[]}"#);
    }
}

#[test]
fn the_quick_way_reads_what_is_usual_and_leaves_the_rest() {
    let usual = r#"{"request_seq":7,"status":"settled","reference":"Müller, 1","metadata":{"a":[1,{"b":null}]},"postings":[{"account":"x","amount":"1.00","balance":"9.00"}],"reason":{"code":"AM04","message":"no"},"may_retry":false}"#;
    let form = quick::quick_form(usual.as_bytes());
    assert_eq!(form, Some(slow_form(usual.as_bytes())));
    for other in [
        r#"{"amount": "1"}"#,
        r#"{"amount":"a\"}"#,
        r#"{"amount":-1}"#,
        r#"{"amount":1.5}"#,
        r#"{"amount":1e3}"#,
        r#"{"amount":01}"#,
        r#"{"amount":12345678901234567890}"#,
        r#"{"amount":tru}"#,
        r#"{"amount":"1","#,
        r#"{"amount":"1"}}"#,
        r#"{"amount":"1"} "#,
        r#"{"amount":"1",}"#,
        "{\"amount\":\"\t\"}",
        "[]",
        "",
    ] {
        assert_eq!(quick::quick_form(other.as_bytes()), None, "{other}");
    }
}

/// Any JSON with our names in it at any place.
fn any_value() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[\\x00-\\x7f]{0,6}".prop_map(Value::from),
    ];
    plain.prop_recursive(4, 48, 8, |inner| {
        let known = [FIELDS, FIELDS_OF_POSTING, &["postings", "reason", "code"]].concat();
        let name = prop_oneof![
            8 => prop::sample::select(known).prop_map(str::to_owned),
            1 => "\\PC{0,4}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..9)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_the_body_is_the_form_is_that_of_its_description(body in any_value()) {
        for text in [body.to_string(), format!("{body:#}")] {
            prop_assert_eq!(form(text.as_bytes()), by_the_book(text.as_bytes()));
        }
    }

    /// A byte more, less or another makes a body that is none, or another one; the quick way may only give up.
    #[test]
    fn a_damaged_body_has_the_form_that_the_slow_way_makes(
        body in any_value(), place in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..4,
    ) {
        let mut text = body.to_string().into_bytes();
        let place = place.index(text.len());
        match how {
            0 => text[place] = byte,
            1 => text[place] ^= 1 << (byte % 8),
            2 => text.insert(place, byte),
            _ => drop(text.remove(place)),
        }
        if let Some(form) = quick::quick_form(&text) {
            prop_assert_eq!(form, slow_form(&text), "{}", String::from_utf8_lossy(&text));
        }
    }
}
