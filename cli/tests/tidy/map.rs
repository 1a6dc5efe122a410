//! What ARCHITECTURE.md names exists.

use std::fs;

use crate::sources::{Source, assert_none, members, read, root, sources};

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_map_names_functions_that_exist() {
    let mut seen = 0;
    let mut breaches = Vec::new();
    for row in read("ARCHITECTURE.md")
        .lines()
        .filter(|line| line.starts_with('|'))
    {
        let words = quoted(row);
        let Some(file) = words.iter().find(|word| word.ends_with(".rs")) else {
            continue;
        };
        for path in words.iter().filter(|word| word.contains("::")) {
            seen += 1;
            let name = path.rsplit("::").next().unwrap_or(path);
            let Ok(text) = fs::read_to_string(root().join(file)) else {
                breaches.push(format!("`{path}`: there is no {file}"));
                continue;
            };
            let is_there = ["(", "<"].map(|next| text.contains(&format!("fn {name}{next}")));
            if !is_there.contains(&true) {
                breaches.push(format!("`{path}` is not in {file}"));
            }
        }
    }
    assert!(seen >= 8, "the table of ARCHITECTURE.md was not understood");
    assert_none("ARCHITECTURE.md", breaches);
}

#[test]
fn the_map_names_files_and_directories_that_exist() {
    let rooms = members();
    let is_path = |word: &str| {
        let room = word.split('/').next().unwrap_or(word);
        let plain = word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
        let is_room = rooms.iter().any(|name| name == room)
            || ["nats", "gateway", "schemas", "deploy", "examples", "ops"].contains(&room);
        plain && is_room && word.contains('/')
    };
    let text = read("ARCHITECTURE.md");
    let missing = quoted(&text)
        .into_iter()
        .filter(|word| is_path(word) && !root().join(word).exists())
        // A test without its extension: `cli/tests/whole`.
        .filter(|word| !root().join(format!("{word}.rs")).exists());
    assert_none("ARCHITECTURE.md", missing.map(str::to_owned).collect());
}

#[test]
fn every_threat_has_tests_that_exist() {
    let text = read("ARCHITECTURE.md");
    let section = text.split("## What an attacker meets").nth(1);
    let section = section.and_then(|rest| rest.split("\n## ").next());
    let rows = section.expect("the table of threats").lines();
    let sources = sources();
    let (mut seen, mut breaches) = (0, Vec::new());
    for row in rows.filter(|line| line.starts_with("| ") && !line.contains("| test |")) {
        let tests = row.trim_end_matches('|').rsplit('|').next();
        let tests = quoted(tests.unwrap_or_default());
        if tests.is_empty() {
            breaches.push(format!("without a test: {row}"));
        }
        for test in tests {
            seen += 1;
            let is_there = |source: &Source| source.text.contains(&format!("fn {test}("));
            if !sources.iter().any(is_there) {
                breaches.push(format!("there is no test `{test}`"));
            }
        }
    }
    assert!(seen >= 20, "the table of threats was not understood");
    assert_none("ARCHITECTURE.md", breaches);
}
