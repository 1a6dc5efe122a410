//! The last steps to a document: what is the same for every operation, and everything that was carried through utoipa.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use super::Service;
use super::answers::{name_of, problems};
use super::carry::{BODY, CARRIED, DEFINITIONS};
use crate::token::Scope;

/// Where programs get tokens on a bank as `quittance up` starts it. Behind a gateway the document names its path there.
pub(in crate::http) const TOKEN_URL: &str = "http://127.0.0.1:8081/oauth2/token";

pub(super) fn finish(service: &Service, api: &OpenApi) -> Value {
    let mut document = serde_json::to_value(api).expect("a document is JSON");
    let mut schemas = Map::new();
    unpack(&mut document, &mut schemas);
    document["openapi"] = json!("3.1.0");
    document["info"] = json!({
        "title": service.title,
        "description": format!("{}\n\n{ABOUT_PROBLEMS}", service.description),
        "version": env!("CARGO_PKG_VERSION"),
        "license": {"name": "MIT", "identifier": "MIT"},
    });
    document["servers"] = json!([{"url": "/"}]);
    let tags = service.tags.iter().chain(OWN_TAGS);
    let tags = tags.map(|(name, description)| json!({"name": name, "description": description}));
    document["tags"] = tags.collect();
    let mut statuses = BTreeSet::new();
    document["paths"] = without_rests(document["paths"].take());
    for (path, item) in document["paths"].as_object_mut().expect("paths") {
        for (method, operation) in item.as_object_mut().expect("a path item") {
            complete(service, operation, &mut statuses);
            let (tag, handler) = (&operation["tags"][0], &operation["operationId"]);
            let (Some(tag), Some(handler)) = (tag.as_str(), handler.as_str()) else {
                panic!("{method} {path} has no tag");
            };
            let id = format!("{}_{handler}", tag.to_lowercase().replace([' ', '-'], "_"));
            operation["operationId"] = id.into();
        }
    }
    let mut responses = Map::new();
    for status in statuses {
        let mut response = problems(status);
        unpack(&mut response, &mut schemas);
        responses.insert(name_of(status), response);
    }
    document["components"] = json!({
        "schemas": schemas,
        "responses": responses,
        "securitySchemes": security_schemes(),
    });
    document
}

const ABOUT_PROBLEMS: &str = "What goes wrong is told as a problem document (RFC 9457). Its `type` is the path of a page that \
                              says what happened and what to do; `/problems` lists them all.";

/// Tags of what every service serves.
const OWN_TAGS: &[(&str, &str)] = &[(
    "Service",
    "Whether the service runs, and what it says about itself.",
)];

/// `{*rest}` is the router's word for a parameter with slashes in it; OpenAPI knows `{rest}` only.
fn without_rests(paths: Value) -> Value {
    let Value::Object(paths) = paths else {
        return paths;
    };
    let paths = paths.into_iter();
    paths
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect()
}

/// Replaces what was carried by what it stands for, and collects the schemas that it refers to.
fn unpack(value: &mut Value, schemas: &mut Map<String, Value>) {
    if let Some(carried) = value.get_mut(CARRIED).map(Value::take) {
        *value = carried;
    }
    match value {
        Value::Object(members) => {
            if let Some(Value::Object(definitions)) = members.remove(DEFINITIONS) {
                for (name, mut schema) in definitions {
                    unpack(&mut schema, schemas);
                    let known = schemas
                        .entry(name.clone())
                        .or_insert_with(|| schema.clone());
                    assert_eq!(
                        *known, schema,
                        "two types are called {name}, or it is read and written differently"
                    );
                }
            }
            for member in members.values_mut() {
                unpack(member, schemas);
            }
        }
        Value::Array(items) => {
            for item in items {
                unpack(item, schemas);
            }
        }
        _ => {}
    }
}

/// Adds the answers that an operation has in common with others like it, unless it says itself what they are.
fn complete(service: &Service, operation: &mut Value, statuses: &mut BTreeSet<u16>) {
    let parameters = operation["parameters"].as_array_mut();
    let body = parameters.and_then(|parameters| {
        let body = parameters
            .iter()
            .position(|parameter| parameter[BODY].is_object());
        body.map(|at| parameters.remove(at)[BODY].take())
    });
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    // utoipa says of a `u64` that it is an `i64` which is not negative.
    for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
        let schema = &mut parameter["schema"];
        if schema["format"] == "int64" && schema["minimum"] == 0 {
            schema["format"] = "uint64".into();
        }
    }
    let security = operation["security"].as_array();
    let is_secured = security.is_some_and(|all| all.iter().any(|one| one["bearer"].is_array()));
    let has_body = operation["requestBody"].is_object();
    let mut common = vec![400, 500];
    if is_secured {
        common.extend([401, 403, 503]);
        with_both_schemes(&mut operation["security"]);
    }
    if has_body {
        common.extend([413, 415]);
        if service.answers_late_bodies {
            common.push(408);
        }
    }
    let responses = operation["responses"].as_object_mut().expect("responses");
    for status in common {
        let reference = json!({"$ref": format!("#/components/responses/{}", name_of(status))});
        responses.entry(status.to_string()).or_insert(reference);
    }
    let referring = responses
        .iter()
        .filter(|(_, response)| response["$ref"].is_string());
    statuses.extend(referring.filter_map(|(status, _)| status.parse::<u16>().ok()));
    for member in ["security", "requestBody", "parameters"] {
        if operation[member].is_null() {
            drop(
                operation
                    .as_object_mut()
                    .map(|members| members.remove(member)),
            );
        }
    }
}

/// A scope is had with a person's token or with a program's.
fn with_both_schemes(security: &mut Value) {
    let alternatives = security.as_array_mut().expect("an array");
    let programs: Vec<_> = alternatives
        .iter()
        .filter(|alternative| alternative["bearer"].is_array())
        .map(|alternative| json!({"client_credentials": alternative["bearer"]}))
        .collect();
    alternatives.extend(programs);
}

fn security_schemes() -> Value {
    let scopes: Map<String, Value> = Scope::ALL
        .iter()
        .map(|scope| (scope.as_str().to_owned(), about(*scope).into()))
        .collect();
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token with the audience `quittance`. People get one from `POST /api/token/` at auth.",
        },
        "client": {
            "type": "http",
            "scheme": "basic",
            "description": "A service account's id and secret. They may stand in the body instead.",
        },
        "client_credentials": {
            "type": "oauth2",
            "description": "A service account gets its token with its id and secret.",
            "flows": {"clientCredentials": {"tokenUrl": TOKEN_URL, "scopes": scopes}},
        },
    })
}

fn about(scope: Scope) -> &'static str {
    match scope {
        Scope::PaymentsSubmit => "Pay from accounts that the caller owns.",
        Scope::PaymentsSubmitAny => "Pay from any account.",
        Scope::PaymentsRead => "See the caller's payments.",
        Scope::AccountsRead => "See the caller's accounts.",
        Scope::AccountsWrite => "Open accounts.",
        Scope::BankOperate => "Work for the bank: see and change what is anybody's.",
        Scope::AuthAdmin => "Administer people, service accounts and keys.",
        Scope::AuditRead => "Read what happened.",
    }
}
