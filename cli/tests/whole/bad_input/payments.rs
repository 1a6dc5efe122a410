//! The payment that every row begins with: a good one, with one thing changed.

use serde_json::Value;

use crate::bank::{TestBank, payment};

/// Ada pays Grace a euro.
pub(crate) fn good(test: &TestBank) -> Value {
    payment(test.adas, test.graces, "1.00")
}

/// The same with one field changed.
pub(crate) fn with(test: &TestBank, name: &str, value: Value) -> Value {
    let mut payment = good(test);
    payment[name] = value;
    payment
}
