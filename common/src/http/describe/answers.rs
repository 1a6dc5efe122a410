//! The answers of operations, to be named in `responses(…)`.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde_json::{Map, Value, json};
use utoipa::IntoResponses;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{Ref, RefOr};

use super::carry::{DEFINITIONS, carried, written};
use crate::http::problem::Problem;
use crate::http::problem::kinds::Kind;
use crate::reason::Reason;

/// Answers by status.
pub type Responses = BTreeMap<String, RefOr<Response>>;

/// JSON of a type. `Reply<204, ()>` has no body.
pub struct Reply<const STATUS: u16, T>(PhantomData<T>);

/// As [`Reply`], with the new thing's path in `Location`.
pub struct Located<const STATUS: u16, T>(PhantomData<T>);

/// As [`Located`], with what a client hears about preferences and repetition.
pub struct Submission<const STATUS: u16, T>(PhantomData<T>);

/// As [`Reply`], with the `ETag` that `If-None-Match` is compared with.
pub struct Tagged<const STATUS: u16, T>(PhantomData<T>);

/// As [`Reply`], or a page or a text about the same, by `Accept`.
pub struct Page<const STATUS: u16, T>(PhantomData<T>);

/// As [`Reply`], or the same as a file that other programs read: CSV or XML.
pub struct Written<const STATUS: u16, T>(PhantomData<T>);

/// Text that is no JSON.
pub struct Text<const STATUS: u16>;

/// Bytes that are no text.
pub struct Bytes<const STATUS: u16>;

/// A file that was asked for before: CSV, XML or lines of JSON.
pub struct File<const STATUS: u16>;

/// Every problem that goes with a status.
pub struct Problems<const STATUS: u16>;

impl<const STATUS: u16, T: JsonSchema + 'static> IntoResponses for Reply<STATUS, T> {
    fn responses() -> Responses {
        of_status(STATUS, answer::<T>(STATUS))
    }
}

impl<const STATUS: u16, T: JsonSchema + 'static> IntoResponses for Located<STATUS, T> {
    fn responses() -> Responses {
        let mut answer = answer::<T>(STATUS);
        answer["headers"]["Location"] = header("Its path at this service.", "string");
        of_status(STATUS, answer)
    }
}

impl<const STATUS: u16, T: JsonSchema + 'static> IntoResponses for Submission<STATUS, T> {
    fn responses() -> Responses {
        let mut answer = answer::<T>(STATUS);
        answer["headers"] = json!({
            "Location": header("Its path at this service.", "string"),
            "Preference-Applied": header("The `wait` that was applied, if the caller asked for one.", "string"),
            "Idempotency-Replayed": header("`true` when the same payment was sent before.", "string"),
        });
        of_status(STATUS, answer)
    }
}

impl<const STATUS: u16, T: JsonSchema + 'static> IntoResponses for Tagged<STATUS, T> {
    fn responses() -> Responses {
        let mut answer = answer::<T>(STATUS);
        answer["headers"]["ETag"] = header("Changes with the body.", "string");
        of_status(STATUS, answer)
    }
}

impl<const STATUS: u16, T: JsonSchema + 'static> IntoResponses for Page<STATUS, T> {
    fn responses() -> Responses {
        let mut answer = answer::<T>(STATUS);
        for kind in ["text/html", "text/plain"] {
            answer["content"][kind] = json!({"schema": {"type": "string"}});
        }
        of_status(STATUS, answer)
    }
}

impl<const STATUS: u16, T: JsonSchema + 'static> IntoResponses for Written<STATUS, T> {
    fn responses() -> Responses {
        let mut answer = answer::<T>(STATUS);
        for kind in ["text/csv", "application/xml"] {
            answer["content"][kind] = json!({"schema": {"type": "string"}});
        }
        answer["headers"]["Content-Disposition"] = header("The name of the file.", "string");
        of_status(STATUS, answer)
    }
}

impl<const STATUS: u16> IntoResponses for Text<STATUS> {
    fn responses() -> Responses {
        let content = json!({"text/plain": {"schema": {"type": "string"}}});
        of_status(STATUS, json!({"description": "Text.", "content": content}))
    }
}

impl<const STATUS: u16> IntoResponses for Bytes<STATUS> {
    fn responses() -> Responses {
        let content = json!({"application/octet-stream": {}});
        of_status(STATUS, json!({"description": "Bytes.", "content": content}))
    }
}

impl<const STATUS: u16> IntoResponses for File<STATUS> {
    fn responses() -> Responses {
        let text = json!({"schema": {"type": "string"}});
        let content: Map<String, Value> = ["text/csv", "application/xml", "application/x-ndjson"]
            .into_iter()
            .map(|kind| (kind.to_owned(), text.clone()))
            .collect();
        let mut answer = json!({"description": "The file.", "content": content});
        answer["headers"]["Content-Disposition"] = header("The name of the file.", "string");
        of_status(STATUS, answer)
    }
}

impl<const STATUS: u16> IntoResponses for Problems<STATUS> {
    fn responses() -> Responses {
        let reference = Ref::from_response_name(name_of(STATUS));
        BTreeMap::from([(STATUS.to_string(), RefOr::Ref(reference))])
    }
}

/// Several answers as one.
#[must_use]
pub fn all<const N: usize>(answers: [Responses; N]) -> Responses {
    answers.into_iter().flatten().collect()
}

fn of_status(status: u16, response: Value) -> Responses {
    let response = ResponseBuilder::new().extensions(Some(carried(response)));
    BTreeMap::from([(status.to_string(), RefOr::T(response.build()))])
}

/// Under which name the problems with a status stand in the components.
pub(super) fn name_of(status: u16) -> String {
    format!("Problem{status}")
}

pub(super) fn header(description: &str, kind: &str) -> Value {
    json!({"description": description, "schema": {"type": kind}})
}

fn phrase(status: u16) -> &'static str {
    StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("An answer")
}

fn answer<T: JsonSchema>(status: u16) -> Value {
    let schema = written::<T>();
    if schema["type"] == "null" {
        let mut answer = json!({"description": phrase(status)});
        add_headers(status, &mut answer);
        return answer;
    }
    let name = T::schema_name();
    let of_type = &schema[DEFINITIONS][&*name];
    let about = of_type["description"].as_str();
    let about = about.and_then(|text| text.split("\n\n").next());
    let mut answer = json!({
        "description": about.unwrap_or_else(|| phrase(status)),
    });
    if of_type["properties"]["next"].is_object() {
        answer["headers"]["Link"] = header(
            "Where the list goes on, as `<…>; rel=\"next\"`; absent at its end.",
            "string",
        );
    }
    answer["content"]["application/json"]["schema"] = schema;
    add_headers(status, &mut answer);
    answer
}

/// What is said of the problems with a status. It stands once in a document, under `components`.
pub(super) fn problems(status: u16) -> Value {
    let kinds: Vec<Kind> = of(status).collect();
    let types: Vec<_> = kinds.iter().map(|kind| kind.uri()).collect();
    let lines: Vec<_> = kinds.iter().map(|kind| line(*kind)).collect();
    let mut schema = written::<Problem>();
    let problem = schema
        .as_object_mut()
        .and_then(|schema| schema.remove("$ref"));
    let mut narrowed =
        json!({"properties": {"type": {"enum": types}, "status": {"const": status}}});
    if kinds.iter().any(|kind| kind.has_reason()) {
        narrowed["properties"]["reason"] = written::<Reason>();
    }
    schema["allOf"] = json!([{"$ref": problem}, narrowed]);
    let examples: Map<String, Value> = kinds
        .iter()
        .map(|kind| (kind.name().to_owned(), example(*kind, status)))
        .collect();
    let mut response = json!({
        "description": lines.join("\n\n"),
        "content": {"application/problem+json": {"schema": schema, "examples": examples}},
    });
    add_headers(status, &mut response);
    response
}

/// What goes with a status, whatever its body.
fn add_headers(status: u16, response: &mut Value) {
    match status {
        304 => {
            response["headers"]["ETag"] = header("Names what the caller has.", "string");
        }
        401 => {
            response["headers"]["WWW-Authenticate"] = header("How to prove who calls.", "string");
        }
        429 | 503 => {
            response["headers"]["Retry-After"] = header(
                "After how many seconds the request may be sent again.",
                "integer",
            );
        }
        _ => {}
    }
}

fn of(status: u16) -> impl Iterator<Item = Kind> {
    let kinds = Kind::ALL.iter().copied();
    kinds.filter(move |kind| !kind.is_of_gateway() && kind.statuses().contains(&status))
}

fn line(kind: Kind) -> String {
    format!("`{}`: {}", kind.uri(), kind.happened())
}

fn example(kind: Kind, status: u16) -> Value {
    let detail = kind.happened();
    let problem =
        json!({"type": kind.uri(), "title": kind.title(), "status": status, "detail": detail});
    json!({"summary": kind.title(), "value": problem})
}
