//! The papers that no compiler reads: `compose.yaml` with what is laid over it, the `Dockerfile`, what its servers start with, and the workflow.
//!
//! Nothing here needs a container engine. What a container would be given (environment, secrets, scripts) is given to
//! the same programs without one.

mod compose;
mod gateway;
mod image;
mod kubernetes;
mod logs;
mod metrics;
mod openapi;
mod servers;
mod tls;
mod workflow;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The root of the repository.
fn root() -> PathBuf {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    this.parent()
        .expect("this crate is in the root")
        .to_path_buf()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A YAML file, its merge keys merged.
fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The strings of a list; none when there is no list.
fn strings(list: &Value) -> Vec<&str> {
    let list = list.as_array().into_iter().flatten();
    list.map(|item| item.as_str().expect("a list of strings"))
        .collect()
}
