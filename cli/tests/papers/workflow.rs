//! `.github`: one truth about what is checked, actions that can't change under us, and no rights.

use serde_json::json;

use crate::{read, yaml};

#[test]
fn the_workflow_runs_what_people_run() {
    let workflow = yaml(".github/workflows/ci.yml");
    let steps = workflow["jobs"]["check"]["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["run"] == ".ci/run"));
    assert_eq!(workflow["permissions"], json!({ "contents": "read" }));
    assert_eq!(workflow["concurrency"]["cancel-in-progress"], true);
    let manifest = read("Cargo.toml");
    let version = workflow["env"]["RUST_VERSION"].as_str().unwrap();
    assert!(manifest.contains(&format!("rust-version = \"{version}\"")));
}

#[test]
fn every_action_is_pinned_by_its_commit() {
    let workflow = yaml(".github/workflows/ci.yml");
    let jobs = workflow["jobs"].as_object().unwrap();
    for step in jobs
        .values()
        .flat_map(|job| job["steps"].as_array().unwrap())
    {
        let Some(action) = step["uses"].as_str() else {
            continue;
        };
        let commit = action.split_once('@').unwrap().1;
        let is_commit = commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
        assert!(is_commit, "{action}");
    }
}

#[test]
fn dependabot_looks_at_what_there_is() {
    let updates = yaml(".github/dependabot.yml")["updates"].clone();
    let updates = updates.as_array().unwrap();
    for wanted in ["cargo", "github-actions", "docker", "docker-compose"] {
        let mut ecosystems = updates.iter().map(|update| &update["package-ecosystem"]);
        assert!(ecosystems.any(|ecosystem| ecosystem == wanted), "{wanted}");
    }
}
