//! The sources of the workspace, and how a breach of a rule is shown.

use std::fs;
use std::path::{Path, PathBuf};

/// A Rust file: its path from the root, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    this.parent()
        .expect("this crate is in the root")
        .to_path_buf()
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The crates, as the workspace lists them.
pub(crate) fn members() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let members = manifest
        .lines()
        .find_map(|line| line.strip_prefix("members = "));
    serde_json::from_str(members.expect("the members stand on one line")).expect("a list of names")
}

/// Every Rust file of the workspace.
pub(crate) fn sources() -> Vec<Source> {
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
pub(crate) fn assert_none(rule: &str, breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}

/// The lines that break a rule, as `file:line: text`.
pub(crate) fn lines_where(source: &Source, breaks: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = source.text.lines().enumerate();
    let breaches = lines.filter(|(_, line)| breaks(line.trim()));
    breaches
        .map(|(number, line)| format!("{}:{}: {}", source.path, number + 1, line.trim()))
        .collect()
}
