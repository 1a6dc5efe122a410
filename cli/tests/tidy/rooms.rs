//! Which room may know which: values know no I/O, the core knows no shell, and no two files import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{Source, assert_none, lines_where, sources};

/// Rooms, and what no line of code in them may name.
const RULES: [(&[&str], &[&str]); 3] = [
    // The core of the ledger decides, and nothing else.
    (
        &["ledger/src/core/", "ledger/src/core.rs"],
        &[
            "tokio",
            "sqlx",
            "async ",
            "async_nats",
            "axum",
            "::broker",
            "::http",
            "::service",
            "crate::store",
            "crate::engine",
            "crate::audit",
        ],
    ),
    // Values and the bodies made of them.
    (
        &[
            "common/src/kinds/",
            "common/src/kinds.rs",
            "common/src/message.rs",
            "common/src/headers.rs",
            "common/src/wire.rs",
            "common/src/reason.rs",
            "common/src/timestamp.rs",
            "common/src/money.rs",
            "common/src/ids.rs",
            "common/src/token/",
        ],
        &[
            "tokio",
            "sqlx",
            "async ",
            "async_nats",
            "axum",
            "crate::broker",
            "crate::http",
            "crate::service",
        ],
    ),
    // The stores of the services serve, they do not call.
    (&["/src/store/"], &["crate::http", "axum", "async_nats"]),
];

#[test]
fn values_and_core_know_no_io() {
    let mut breaches = Vec::new();
    let mut seen = 0;
    for source in sources() {
        for (rooms, foreign) in RULES {
            if !rooms.iter().any(|room| source.path.contains(room)) {
                continue;
            }
            seen += 1;
            breaches.extend(lines_where(&source, |line| {
                !line.starts_with("//") && foreign.iter().any(|word| line.contains(word))
            }));
        }
    }
    assert!(seen > 40, "the rooms were not found");
    assert_none("a room names what it must not know", breaches);
}

#[test]
fn no_two_files_import_each_other_in_a_circle() {
    let sources = sources();
    let sources: Vec<&Source> = sources
        .iter()
        .filter(|source| source.path.contains("/src/"))
        .collect();
    let files: BTreeSet<&str> = sources.iter().map(|source| &*source.path).collect();
    let imports: BTreeMap<&str, BTreeSet<&str>> = sources
        .iter()
        .map(|source| (&*source.path, imported(source, &files)))
        .collect();
    assert!(imports.values().any(|files| files.len() > 5), "no imports");
    let circles = files
        .iter()
        .filter_map(|file| circle_through(file, &imports))
        .map(|circle| circle.join(" → "))
        .collect();
    assert_none("files import each other", circles);
}

/// The files of its crate that a source takes names from: what it only declares or hands on is no import.
fn imported<'f>(source: &'f Source, files: &BTreeSet<&'f str>) -> BTreeSet<&'f str> {
    let (root, _) = source.path.split_once("/src/").expect("below src");
    let own = module(&source.path);
    let mut found = BTreeSet::new();
    let code = source.text.split("#[cfg(test)]").next().unwrap_or_default();
    for statement in code.split(';') {
        let Some(path) = statement.trim().rsplit('\n').next().and_then(|line| {
            let line = line.trim();
            line.strip_prefix("use crate::")
                .map(|path| path.to_owned())
                .or_else(|| {
                    let path = line.strip_prefix("use super::")?;
                    let parent = own.rsplit_once("::").map_or("", |(parent, _)| parent);
                    Some(format!("{parent}::{path}"))
                })
        }) else {
            continue;
        };
        // The longest prefix that is a file: `core::book::account::Account` is in core/book/account.rs.
        let path = path.split(['{', ' ']).next().unwrap_or_default();
        let mut parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
        while !parts.is_empty() {
            let file = format!("{root}/src/{}.rs", parts.join("/"));
            if let Some(file) = files.get(&*file) {
                if *file != source.path {
                    found.insert(*file);
                }
                break;
            }
            parts.pop();
        }
    }
    found
}

/// `ledger/src/core/book.rs` is `core::book`.
fn module(path: &str) -> String {
    let (_, below) = path.split_once("/src/").expect("below src");
    below.trim_end_matches(".rs").replace('/', "::")
}

/// The way from a file back to itself, if there is one; each circle is found once, from its first file.
fn circle_through<'f>(
    file: &'f str,
    imports: &BTreeMap<&'f str, BTreeSet<&'f str>>,
) -> Option<Vec<&'f str>> {
    let mut ways = vec![vec![file]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in &imports[way[way.len() - 1]] {
            if *next == file {
                let is_first = way.iter().all(|other| *other >= file);
                return is_first.then(|| [&way[..], &[file]].concat());
            }
            if seen.insert(*next) {
                ways.push([&way[..], &[*next]].concat());
            }
        }
    }
    None
}
