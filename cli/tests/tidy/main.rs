//! The house rules as a test: what a reviewer would otherwise have to look for in every change.
//!
//! ARCHITECTURE.md says why. A rule here is a text search, so it errs on the side of being understood.

mod map;
mod rooms;
mod sources;

use sources::{assert_none, lines_where, members, read, sources};

/// A file past this is two things.
const LINES_MAX: usize = 400;
const SERVICES: [&str; 3] = ["auth", "ledger", "payments"];

#[test]
fn every_file_opens_with_its_story() {
    let silent = sources()
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "));
    assert_none(
        "open with `//!`",
        silent.map(|source| source.path).collect(),
    );
}

#[test]
fn no_file_is_too_long() {
    let lengths = sources()
        .into_iter()
        .map(|source| (source.text.lines().count(), source.path));
    let long = lengths.filter(|(lines, _)| *lines > LINES_MAX);
    let long = long.map(|(lines, path)| format!("{path}: {lines} lines"));
    assert_none("a file past 400 lines is two things", long.collect());
}

#[test]
fn sql_stands_in_the_stores() {
    // `local`, the bench and the tests look at databases from outside. Connecting is not a statement.
    let is_free = |path: &str| {
        path.ends_with("/store.rs")
            || path.contains("/src/store/")
            || path.starts_with("local/")
            || path.starts_with("bench/")
            || path.contains("/tests/")
    };
    let breaches = sources()
        .iter()
        .filter(|source| !is_free(&source.path))
        .flat_map(|source| {
            lines_where(source, |line| {
                let is_comment = line.starts_with("//");
                !is_comment && (line.contains("sqlx::query") || line.contains("sqlx::raw_sql"))
            })
        })
        .collect();
    assert_none("SQL belongs in a store.rs", breaches);
}

#[test]
fn services_meet_on_the_wire_and_not_in_code() {
    let mut breaches = Vec::new();
    for service in SERVICES {
        let manifest = read(&format!("{service}/Cargo.toml"));
        // Their tests may: `local` starts servers for them.
        let needed = manifest.split("[dev-dependencies]").next().unwrap_or("");
        for other in SERVICES.into_iter().chain(["cli", "local", "bench"]) {
            let names = |line: &str| {
                let line = line.strip_prefix(other).unwrap_or("");
                line.starts_with('.') || line.starts_with(' ')
            };
            if other != service && needed.lines().any(names) {
                breaches.push(format!("{service} depends on {other}"));
            }
        }
    }
    assert_none("services meet over NATS", breaches);
}

#[test]
fn nothing_is_left_for_later() {
    // Put together, so that this file keeps its own rule.
    let marks = [("FIX", "ME"), ("TO", "DO")].map(|(a, b)| format!("{a}{b}"));
    let code = [
        "let ", "fn ", "pub ", "use ", "if ", "for ", "match ", "return ", "}", "#[",
    ];
    let is_code = |comment: &str| {
        let starts = code.iter().any(|start| comment.starts_with(start));
        starts && (comment.ends_with(['{', ';', '}']) || comment.ends_with(')'))
    };
    let mut breaches = Vec::new();
    for source in sources() {
        breaches.extend(lines_where(&source, |line| {
            marks.iter().any(|mark| line.contains(mark.as_str()))
        }));
        breaches.extend(lines_where(&source, |line| {
            line.strip_prefix("// ").is_some_and(is_code)
        }));
    }
    assert_none("finish it or file it; history keeps old code", breaches);
}

#[test]
fn every_crate_obeys_the_lints_of_the_house() {
    let lax = members()
        .into_iter()
        .filter(|name| !read(&format!("{name}/Cargo.toml")).contains("[lints]\nworkspace = true"));
    assert_none("[lints] workspace = true", lax.collect());
}
