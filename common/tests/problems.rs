//! The catalogue of problems is what the sources say, and every `type` has its page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use axum::http::{HeaderMap, StatusCode, header};
use common::http::problem::kinds::{Kind, PREFIX};
use common::http::problem::pages;
use common::reason::Code;
use common::token::TokenError;

/// The sources of everything that answers over HTTP, without the catalogue itself.
fn sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut texts = Vec::new();
    for service in ["common", "auth", "ledger", "payments"] {
        collect(&root.join(service).join("src"), &mut texts);
    }
    assert!(texts.len() > 100, "the sources were not found");
    texts
}

fn collect(directory: &PathBuf, texts: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, texts);
        } else if !path.ends_with("problem/kinds.rs") {
            texts.push(fs::read_to_string(&path).expect("a source"));
        }
    }
}

/// The names behind a mark, as in `StatusCode::NOT_FOUND`.
fn named(texts: &[String], mark: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = texts.iter().flat_map(|text| text.split(mark).skip(1));
    names
        .map(|rest| rest.chars().take_while(|c| is_name(*c)).collect())
        .collect()
}

/// The refusals that the sources name: every constant of `StatusCode` from 400 on.
fn refusals(texts: &[String]) -> BTreeSet<StatusCode> {
    let names = named(texts, "StatusCode::");
    let statuses = (400..600).filter_map(|number| StatusCode::from_u16(number).ok());
    statuses
        .filter(|status| {
            let name = status.canonical_reason().unwrap_or_default();
            let name = name.to_uppercase().replace([' ', '-'], "_");
            // Two have other names in the library than in the RFC.
            let name = match name.as_str() {
                "UNPROCESSABLE_CONTENT" => "UNPROCESSABLE_ENTITY".to_owned(),
                "CONTENT_TOO_LARGE" => "PAYLOAD_TOO_LARGE".to_owned(),
                _ => name,
            };
            names.contains(&name)
        })
        .collect()
}

#[test]
fn every_refusal_in_the_sources_has_a_type_of_its_own() {
    let refusals = refusals(&sources());
    assert!(refusals.len() > 8, "{refusals:?}");
    for status in refusals {
        let kind = Kind::of_status(status);
        let kind = kind.unwrap_or_else(|| panic!("{status} is in no entry of the catalogue"));
        assert!(kind.statuses().contains(&status.as_u16()), "{kind:?}");
    }
}

#[test]
fn every_type_of_the_catalogue_is_used() {
    let texts = sources();
    let by_status = refusals(&texts).into_iter().filter_map(Kind::of_status);
    let by_code = Code::ALL.iter().map(|code| Kind::of_code(*code));
    let tokens = [
        TokenError::Missing,
        TokenError::Expired,
        TokenError::Revoked,
        TokenError::Malformed,
    ];
    let by_token = tokens.into_iter().map(Kind::of_token);
    let used: Vec<_> = by_status.chain(by_code).chain(by_token).collect();
    let named = named(&texts, "Kind::");
    for kind in Kind::ALL.iter().filter(|kind| !kind.is_of_gateway()) {
        let is_used = used.contains(kind) || named.contains(&format!("{kind:?}"));
        assert!(is_used, "nothing answers {kind:?}");
    }
}

#[test]
fn the_gateway_has_the_types_of_the_catalogue_and_no_others() {
    let gateway = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway");
    let files = ["problems.conf", "errors.conf"].map(|file| gateway.join(file));
    let texts = files.map(|file| fs::read_to_string(file).expect("the gateway's configuration"));
    let sent: BTreeSet<_> = texts
        .iter()
        .flat_map(|text| text.split("${problem_types}").skip(1))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let known = Kind::ALL.iter().filter(|kind| kind.is_of_gateway());
    let known: BTreeSet<_> = known.map(|kind| kind.name()).collect();
    assert_eq!(sent, known);
    assert!(
        texts[0].contains(&format!("default \"{PREFIX}\"")),
        "types are paths of pages"
    );
}

#[tokio::test]
async fn every_type_is_the_path_of_a_page_in_each_form() {
    let mut names = BTreeSet::new();
    for kind in Kind::ALL {
        assert!(
            names.insert(kind.name()),
            "{} stands there twice",
            kind.name()
        );
        assert_eq!(kind.uri(), format!("{PREFIX}{}", kind.name()));
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
            ("application/json", "application/json"),
            ("*/*", "text/plain"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().expect("a header"));
            let page = pages::show(kind.name(), &headers).expect("there is a page");
            let content_type = page.headers()[header::CONTENT_TYPE].to_str().expect("text");
            assert!(
                content_type.starts_with(expected),
                "{accept}: {content_type}"
            );
            let body = axum::body::to_bytes(page.into_body(), usize::MAX).await;
            let body = String::from_utf8(body.expect("a page").to_vec()).expect("text");
            assert!(body.contains(kind.uri()), "{body}");
        }
    }
    assert!(pages::show("no-such-problem", &HeaderMap::new()).is_err());
}
