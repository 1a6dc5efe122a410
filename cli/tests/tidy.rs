//! The house rules as a test: what a reviewer would otherwise have to look for in every change.
//!
//! ARCHITECTURE.md says why. A rule here is a text search, so it errs on the side of being understood.

use std::fs;
use std::path::{Path, PathBuf};

/// A file past this is two things.
const LINES_MAX: usize = 500;
const SERVICES: [&str; 3] = ["auth", "ledger", "payments"];

/// A Rust file: its path from the root, and its text.
struct Source {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    this.parent()
        .expect("this crate is in the root")
        .to_path_buf()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The crates, as the workspace lists them.
fn members() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let members = manifest
        .lines()
        .find_map(|line| line.strip_prefix("members = "));
    serde_json::from_str(members.expect("the members stand on one line")).expect("a list of names")
}

/// Every Rust file of the workspace.
fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    let mut directories: Vec<PathBuf> = members().iter().map(|name| root().join(name)).collect();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of the workspace") {
            let path = entry.expect("an entry of it").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let path = path.strip_prefix(root()).expect("below the root");
                let path = path.display().to_string();
                sources.push(Source { path, text });
            }
        }
    }
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

/// Fails with all that break a rule, not with the first.
fn assert_none(rule: &str, breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}

/// The lines that break a rule, as `file:line: text`.
fn lines_where(source: &Source, breaks: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = source.text.lines().enumerate();
    let breaches = lines.filter(|(_, line)| breaks(line.trim()));
    breaches
        .map(|(number, line)| format!("{}:{}: {}", source.path, number + 1, line.trim()))
        .collect()
}

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
    assert_none("a file past 500 lines is two things", long.collect());
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
        let is_room = rooms.iter().any(|name| name == room) || ["nats", "schemas"].contains(&room);
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
fn every_crate_obeys_the_lints_of_the_house() {
    let lax = members()
        .into_iter()
        .filter(|name| !read(&format!("{name}/Cargo.toml")).contains("[lints]\nworkspace = true"));
    assert_none("[lints] workspace = true", lax.collect());
}
