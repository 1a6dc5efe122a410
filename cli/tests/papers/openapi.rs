//! The files in `schemas/openapi/` are what the services say of themselves at `/openapi.json`.
//!
//! `UPDATE_SCHEMAS=1 cargo test -p cli --test papers openapi` writes them.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use serde_json::Value;

use crate::root;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn documents() -> [(&'static str, Value); 3] {
    [
        ("auth", auth::openapi()),
        ("ledger", ledger::openapi()),
        ("payments", payments::openapi()),
    ]
}

#[test]
fn a_document_is_the_same_each_time_it_is_made() {
    // An id that is made for a default would be another one each time.
    assert!(documents() == documents(), "a document says what changes");
}

#[test]
fn the_documents_are_what_the_routes_and_types_say() {
    for (service, document) in documents() {
        let text = serde_json::to_string_pretty(&document).expect("a document is JSON") + "\n";
        let file = root().join(format!("schemas/openapi/{service}.json"));
        if env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::create_dir_all(file.parent().expect("a directory"))
                .expect("schemas/ can be written");
            fs::write(&file, &text).expect("schemas/ can be written");
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            committed, text,
            "{service}.json is outdated; UPDATE_SCHEMAS=1 cargo test -p cli --test papers openapi writes it"
        );
    }
}

/// Operations as `(service, "get /path", operation)`.
fn operations() -> Vec<(&'static str, String, Value)> {
    let mut found = Vec::new();
    for (service, document) in documents() {
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("a path item") {
                assert!(METHODS.contains(&method.as_str()), "{method} {path}");
                found.push((service, format!("{method} {path}"), operation.clone()));
            }
        }
    }
    found
}

#[test]
fn every_operation_says_what_it_does_with_what_and_what_comes_of_it() {
    let mut lacks = Vec::new();
    let mut ids = BTreeSet::new();
    for (service, name, operation) in operations() {
        let mut lack = |what: String| lacks.push(format!("{service}: {name}: {what}"));
        for member in ["summary", "description"] {
            if operation[member].as_str().is_none_or(str::is_empty) {
                lack(format!("no {member}"));
            }
        }
        if !ids.insert(format!("{service} {}", operation["operationId"])) {
            lack("another operation has its id".to_owned());
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if parameter["description"].as_str().is_none() {
                lack(format!("{} has no description", parameter["name"]));
            }
            if parameter["in"] == "path" && parameter["example"].is_null() {
                lack(format!("{} has no example", parameter["name"]));
            }
        }
        for place in name.split('{').skip(1) {
            let place = place.split('}').next().unwrap_or_default();
            let parameters = operation["parameters"].as_array();
            if !parameters.is_some_and(|all| all.iter().any(|one| one["name"] == place)) {
                lack(format!("{place} is not described"));
            }
        }
        for (kind, content) in operation["requestBody"]["content"]
            .as_object()
            .into_iter()
            .flatten()
        {
            if content["example"].is_null() {
                lack(format!("the {kind} body has no example"));
            }
        }
        let responses = operation["responses"].as_object().expect("responses");
        if !responses
            .keys()
            .any(|status| status.starts_with(['2', '3']))
        {
            lack("no good end".to_owned());
        }
    }
    assert!(lacks.is_empty(), "{lacks:#?}");
}

/// The sources of a service's HTTP side, as `(path, text)`.
fn sources(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            let text = fs::read_to_string(&path).expect("a source");
            found.push((path.display().to_string(), text));
        }
    }
    found
}

#[test]
fn every_route_is_in_the_document_and_every_described_handler_is_routed() {
    for (service, document) in documents() {
        let http = sources(&root().join(service).join("src"));
        let beside = http.iter().filter(|(path, text)| {
            // SimpleJWT's paths are served without their slash too.
            text.contains(".route(") && !path.ends_with("http/simplejwt.rs")
        });
        let beside: Vec<_> = beside.map(|(path, _)| path).collect();
        assert!(
            beside.is_empty(),
            "routed past the document, without routes!: {beside:?}"
        );
        let described = http
            .iter()
            .map(|(_, text)| text.matches("#[utoipa::path(").count());
        let described: usize = described.sum();
        let paths = document["paths"].as_object().expect("paths").values();
        let operations = paths.flat_map(|item| item.as_object().expect("a path item").values());
        // What every service serves is described in `common`, under the tag Service.
        let own = operations.filter(|operation| {
            operation["tags"][0] != "Service" || operation["operationId"] == "service_health"
        });
        assert_eq!(own.count(), described, "{service}");
    }
}
