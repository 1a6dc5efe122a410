//! Bodies, statuses and texts of Django REST framework, as recorded from the system before this one: a body in, its
//! fields or a refusal in DRF's words out.

use axum::body::Body as HttpBody;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Form, FromRequest as _, Multipart, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};

pub(super) use super::answers::{GET, Refusal, ok, ok_allowing};

/// The body as axum hands it over: all of it, or why not.
pub(crate) type Body = Result<Bytes, BytesRejection>;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

/// An endpoint that takes texts.
pub(super) struct View {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) fields: &'static [Field],
}

/// A text that is required.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// White space around it is none of it.
    pub(super) is_trimmed: bool,
}

/// What a request comes to, before anything is looked up.
pub(super) enum Read<Fields> {
    Fields(Fields),
    /// It asked about the endpoint only.
    Answer(Response),
}

/// The fields of a request as they came.
pub(super) struct Given(Map<String, Value>);

impl Given {
    /// A text that may be missing.
    pub(super) fn optional(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            given @ Some(_) => text(given, true)
                .map(Some)
                .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, &json!({ name: [error] }))),
        }
    }
}

impl View {
    /// Reads a request: first its method, then its type, its syntax, its fields, in the view's order.
    pub(super) async fn read<const N: usize>(
        &self,
        method: &Method,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Read<[String; N]>, Refusal> {
        match self.given(method, headers, body).await? {
            Read::Fields(given) => self.texts(&given).map(Read::Fields),
            Read::Answer(answer) => Ok(Read::Answer(answer)),
        }
    }

    /// What OPTIONS tells.
    pub(super) fn described(&self) -> impl Serialize {
        Metadata::of(self)
    }

    /// The same as far as the syntax.
    pub(super) async fn given(
        &self,
        method: &Method,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Read<Given>, Refusal> {
        if method == Method::OPTIONS {
            return Ok(Read::Answer(ok(&self.described())));
        }
        if method != Method::POST {
            return Err(Refusal::method_not_allowed(method));
        }
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Refusal::detail(StatusCode::PAYLOAD_TOO_LARGE, "Request body is too large.")
            }
            _ => Refusal::detail(StatusCode::BAD_REQUEST, "Request body can't be read."),
        })?;
        let fields = parse(headers, body).await?;
        Ok(Read::Fields(Given(fields)))
    }

    /// The fields' texts, or everything that is wrong with them.
    pub(super) fn texts<const N: usize>(&self, given: &Given) -> Result<[String; N], Refusal> {
        let (mut texts, mut wrong) = (Vec::with_capacity(N), Map::new());
        for field in self.fields {
            match text(given.0.get(field.name), field.is_trimmed) {
                Ok(text) => texts.push(text),
                Err(error) => drop(wrong.insert(field.name.to_owned(), json!([error]))),
            }
        }
        if !wrong.is_empty() {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, &wrong));
        }
        Ok(texts
            .try_into()
            .expect("the caller takes as many texts as the view has fields"))
    }
}

/// A `CharField`: never blank; numbers are texts too.
fn text(value: Option<&Value>, is_trimmed: bool) -> Result<String, &'static str> {
    let text = match value {
        None => return Err("This field is required."),
        Some(Value::Null) => return Err("This field may not be null."),
        Some(Value::String(text)) if is_trimmed => text.trim().to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            return Err("Not a valid string.");
        }
    };
    if text.is_empty() {
        return Err("This field may not be blank.");
    }
    // PostgreSQL takes none either.
    if text.contains('\0') {
        return Err("Null characters are not allowed.");
    }
    Ok(text)
}

async fn parse(headers: &HeaderMap, body: Bytes) -> Result<Map<String, Value>, Refusal> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case(FORM) {
        let pairs = form(body)
            .await
            .ok_or_else(|| Refusal::detail(StatusCode::BAD_REQUEST, "Form data can't be read."))?;
        // Of several values the last one counts, as in Django's `QueryDict`.
        return Ok(pairs
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect());
    }
    if media_type.eq_ignore_ascii_case(MULTIPART) {
        return multipart(content_type, body).await.ok_or_else(|| {
            Refusal::detail(
                StatusCode::BAD_REQUEST,
                "Multipart form data can't be read.",
            )
        });
    }
    if !media_type.eq_ignore_ascii_case(JSON) {
        let text = format!("Unsupported media type \"{content_type}\" in request.");
        return Err(Refusal::detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, &text));
    }
    let of = match serde_json::from_slice(&body) {
        Ok(Value::Object(fields)) => return Ok(fields),
        Ok(Value::Null) => return Err(Refusal::non_field("No data provided")),
        Ok(Value::Array(_)) => "list",
        Ok(Value::String(_)) => "str",
        Ok(Value::Bool(_)) => "bool",
        Ok(Value::Number(number)) if number.is_f64() => "float",
        Ok(Value::Number(_)) => "int",
        Err(error) => {
            let text = format!("JSON parse error - {}", in_pythons_words(&error, &body));
            return Err(Refusal::detail(StatusCode::BAD_REQUEST, &text));
        }
    };
    Err(Refusal::non_field(&format!(
        "Invalid data. Expected a dictionary, but got {of}."
    )))
}

/// The fields of a multipart form. A file is no text.
async fn multipart(content_type: &str, body: Bytes) -> Option<Map<String, Value>> {
    let request = Request::post("/")
        .header(header::CONTENT_TYPE, content_type)
        .body(HttpBody::from(body))
        .ok()?;
    let mut parts = Multipart::from_request(request, &()).await.ok()?;
    let mut fields = Map::new();
    while let Some(part) = parts.next_field().await.ok()? {
        let name = part.name()?.to_owned();
        let value = if part.file_name().is_some() {
            Value::Array(Vec::new())
        } else {
            part.text().await.ok()?.into()
        };
        fields.insert(name, value);
    }
    Some(fields)
}

/// The pairs of a form, in order.
pub(crate) async fn form(body: Bytes) -> Option<Vec<(String, String)>> {
    let request = Request::post("/")
        .header(header::CONTENT_TYPE, FORM)
        .body(HttpBody::from(body))
        .ok()?;
    let Form(pairs) = Form::from_request(request, &()).await.ok()?;
    Some(pairs)
}

/// What Python's `json` says about the common mistakes; its texts are not a contract, their beginning is.
fn in_pythons_words(error: &serde_json::Error, body: &[u8]) -> String {
    let said = error.to_string();
    let says = |words: &str| said.starts_with(words);
    let what = if says("key must be a string")
        || says("trailing comma")
        || says("EOF while parsing an object")
    {
        "Expecting property name enclosed in double quotes"
    } else if says("expected `:`") {
        "Expecting ':' delimiter"
    } else if says("expected `,`") {
        "Expecting ',' delimiter"
    } else if says("trailing characters") {
        "Extra data"
    } else if says("EOF while parsing a string") {
        "Unterminated string starting at"
    } else {
        "Expecting value"
    };
    let before: usize = body
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let column = error.column().max(1);
    format!(
        "{what}: line {} column {column} (char {})",
        error.line(),
        before + column - 1
    )
}

/// The answer to OPTIONS.
#[derive(Serialize)]
struct Metadata<'a> {
    name: &'static str,
    description: &'static str,
    renders: [&'static str; 1],
    parses: [&'static str; 3],
    #[serde(skip_serializing_if = "Option::is_none")]
    actions: Option<Actions<'a>>,
}

#[derive(Serialize)]
struct Actions<'a> {
    #[serde(rename = "POST", serialize_with = "in_order")]
    post: &'a [Field],
}

fn in_order<S: serde::Serializer>(fields: &[Field], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct About {
        #[serde(rename = "type")]
        kind: &'static str,
        required: bool,
        read_only: bool,
        label: &'static str,
    }
    serializer.collect_map(fields.iter().map(|field| {
        let about = About {
            kind: "string",
            required: true,
            read_only: false,
            label: field.label,
        };
        (field.name, about)
    }))
}

impl<'a> Metadata<'a> {
    fn of(view: &'a View) -> Self {
        Self {
            name: view.name,
            description: view.description,
            renders: [JSON],
            parses: [JSON, FORM, MULTIPART],
            actions: (!view.fields.is_empty()).then_some(Actions { post: view.fields }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_json_is_told_in_pythons_words() {
        for (body, expected) in [
            ("", "Expecting value: line 1 column 1 (char 0)"),
            ("oops", "Expecting value: line 1 column 1 (char 0)"),
            (
                "{oops",
                "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
            ),
            (
                "{\n oops",
                "Expecting property name enclosed in double quotes: line 2 column 2 (char 3)",
            ),
            (
                "{\"a\" 1}",
                "Expecting ':' delimiter: line 1 column 6 (char 5)",
            ),
            (
                "{\"a\": 1 2}",
                "Expecting ',' delimiter: line 1 column 9 (char 8)",
            ),
            ("{} {}", "Extra data: line 1 column 4 (char 3)"),
        ] {
            let error = serde_json::from_str::<Value>(body).unwrap_err();
            assert_eq!(
                in_pythons_words(&error, body.as_bytes()),
                expected,
                "{body}"
            );
        }
    }
}
