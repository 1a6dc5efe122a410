//! Headers of requests that several operations read, to be named in `params(…)`.

use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};

use super::carry::carried;

/// `Idempotency-Key`.
pub struct IdempotencyKey;

/// `Prefer: wait=N`.
pub struct Wait;

/// `traceparent`.
pub struct Trace;

/// `If-None-Match`.
pub struct IfNoneMatch;

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "Names the payment instead of a `payment_id`: up to 255 visible characters, in quotes or without.";
        vec![header("Idempotency-Key", about, Value::Null)]
    }
}

impl IntoParams for Wait {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "`wait=5` waits up to five seconds for the decision (RFC 7240); 30 at most.";
        vec![header("Prefer", about, "wait=5".into())]
    }
}

impl IntoParams for Trace {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "The trace that the request belongs to (W3C Trace Context). It goes with the request into the log.";
        let example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        vec![header("traceparent", about, example.into())]
    }
}

impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "The `ETag` of what the caller has. `304` says that it is still the same.";
        vec![header("If-None-Match", about, Value::Null)]
    }
}

fn header(name: &str, about: &str, example: Value) -> Parameter {
    let mut parameter = json!({
        "name": name,
        "in": "header",
        "required": false,
        "description": about,
        "schema": {"type": "string"},
    });
    if !example.is_null() {
        parameter["example"] = example;
    }
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .extensions(Some(carried(parameter)))
        .build()
}
