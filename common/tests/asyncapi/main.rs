//! `schemas/asyncapi.yaml` is what the kinds of messages say: AsyncAPI 3.0 over the committed JSON Schemas.
//!
//! `UPDATE_SCHEMAS=1 cargo test -p common --test asyncapi` writes it. `.ci/run` gives it to AsyncAPI's own parser.

mod catalogue;
mod yaml;

use std::path::Path;
use std::{env, fs};

use catalogue::{KINDS, Kind, read_schema};
use common::kinds::answer_subject;
use common::wire::{
    AUTHORIZATION, CE_ID, CE_SOURCE, CE_SPECVERSION, CE_SUBJECT, CE_TIME, CE_TYPE, CHAIN,
    TRACEPARENT,
};
use serde_json::{Map, Value, json};

/// Stands for the part of a subject that differs from client to client.
const CLIENT: &str = "{client_id}";

#[test]
fn the_description_of_the_logs_is_what_the_kinds_say() {
    let text = format!(
        "# Made from the types in common/src/kinds: UPDATE_SCHEMAS=1 cargo test -p common --test asyncapi\n{}",
        yaml::of(&document())
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/asyncapi.yaml");
    if env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&file, &text).expect("schemas/ can be written");
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        committed, text,
        "asyncapi.yaml is outdated; UPDATE_SCHEMAS=1 cargo test -p common --test asyncapi writes it"
    );
}

#[test]
fn every_schema_of_a_message_is_in_the_description() {
    let described: Vec<_> = KINDS
        .iter()
        .flat_map(|kind| kind.request.into_iter().chain([kind.answer]))
        .collect();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
    for entry in fs::read_dir(directory).expect("schemas/ is there") {
        let name = entry.expect("a file").file_name();
        let name = name.to_string_lossy();
        if let Some(schema) = name.strip_suffix(".json") {
            assert!(described.contains(&schema), "{schema} is in no channel");
        }
    }
}

fn document() -> Value {
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for kind in KINDS {
        let answer_channel = format!("{}Settlements", kind.name);
        if let Some(schema) = kind.request {
            let channel = format!("{}Requests", kind.name);
            let types = [schema.to_owned()];
            channels.insert(
                channel.clone(),
                channel_of(kind, kind.subject, &types, "REQUESTS"),
            );
            operations.insert(
                format!("receive{}", upper(&channel)),
                json!({
                    "action": "receive",
                    "channel": {"$ref": format!("#/channels/{channel}")},
                    "summary": kind.asks,
                    "description": format!("Sent by {}; read by the ledger, in order.", kind.sender),
                    "reply": {"channel": {"$ref": format!("#/channels/{answer_channel}")}},
                }),
            );
            messages.insert(
                schema.to_owned(),
                message(schema, schema, &request_headers(kind)),
            );
        }
        let types = catalogue::types_of(kind);
        let subject = answer_subject(&kind.subject.replace(CLIENT, "CLIENT"));
        let subject = subject.replace("CLIENT", CLIENT);
        channels.insert(
            answer_channel.clone(),
            channel_of(kind, &subject, &types, "SETTLEMENTS"),
        );
        operations.insert(
            format!("send{}", upper(&answer_channel)),
            json!({
                "action": "send",
                "channel": {"$ref": format!("#/channels/{answer_channel}")},
                "summary": kind.answers,
                "description": format!("Sent by the ledger; read by {}.", kind.readers),
            }),
        );
        for ce_type in types {
            messages.insert(
                ce_type.clone(),
                message(&ce_type, kind.answer, &answer_headers()),
            );
        }
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Quittance: requests and settlements",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Message N of the stream SETTLEMENTS answers message N of the stream REQUESTS: exactly one answer to \
                            each, in its place. `receive` and `send` are seen from the bank. schemas/README.md says more.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "bank": {
                "host": "127.0.0.1:4222",
                "protocol": "nats",
                "description": "The broker of a bank as `quittance up` starts it.",
            },
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    })
}

fn upper(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}

fn channel_of(kind: &Kind, subject: &str, types: &[String], stream: &str) -> Value {
    let messages: Map<String, Value> = types
        .iter()
        .map(|ce_type| {
            let reference = json!({"$ref": format!("#/components/messages/{ce_type}")});
            (ce_type.clone(), reference)
        })
        .collect();
    let mut channel = json!({
        "address": subject,
        "title": kind.title,
        "description": format!("Stored in the stream {stream}."),
        "messages": messages,
    });
    if subject.contains(CLIENT) {
        channel["parameters"] = json!({"client_id": {
            "description": "Who asks: a service account's id, or `user-<uuid>` for a person.",
            "examples": ["demo-shop"],
        }});
    }
    channel
}

fn message(ce_type: &str, schema: &str, headers: &Value) -> Value {
    let of_file = read_schema(schema);
    let about = of_file["description"].as_str().unwrap_or_default();
    let mut message = json!({
        "name": ce_type,
        "title": ce_type,
        "summary": about.split("\n\n").next(),
        "contentType": "application/json",
        "headers": headers,
        "payload": {"$ref": format!("./{schema}.json")},
    });
    if let Some((example_headers, payload)) = catalogue::example(ce_type) {
        message["examples"] =
            json!([{"name": "demo", "headers": example_headers, "payload": payload}]);
    }
    message
}

fn text(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

fn request_headers(kind: &Kind) -> Value {
    let mut headers = json!({
        "type": "object",
        "properties": {
            CE_SPECVERSION: {"type": "string", "const": "1.0"},
            CE_ID: text("The id of what is asked for."),
            CE_TYPE: {"type": "string", "const": kind.request},
            CE_SOURCE: text("`/clients/<client_id>`; may be missing, must not contradict the token."),
            TRACEPARENT: text("W3C Trace Context; copied to the answer."),
        },
    });
    if kind.needs_token {
        headers["properties"][AUTHORIZATION] =
            text("`Bearer` and an access token with the audience `quittance-log`.");
        headers["required"] = json!([AUTHORIZATION]);
    }
    headers
}

fn answer_headers() -> Value {
    json!({
        "type": "object",
        "properties": {
            CE_SPECVERSION: {"type": "string", "const": "1.0"},
            CE_ID: text("The sequence of the answer, and of the request that it answers."),
            CE_TYPE: text("What happened."),
            CE_SOURCE: text("Who answers."),
            CE_SUBJECT: text("What it is about."),
            CE_TIME: text("When the request was published and judged."),
            TRACEPARENT: text("As in the request."),
            CHAIN: text("The head of the hash chain after this answer."),
        },
        "required": [CE_SPECVERSION, CE_ID, CE_TYPE, CE_TIME, CHAIN],
    })
}
