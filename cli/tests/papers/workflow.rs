//! `.github`: one truth about what is checked, actions that can't change under us, and no rights without a need.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::compose::containers;
use crate::{read, root, strings, yaml};

const WORKFLOWS: [&str; 2] = ["ci.yml", "release.yml"];

fn workflow(name: &str) -> Value {
    yaml(&format!(".github/workflows/{name}"))
}

/// Each job of a workflow by name.
fn jobs(workflow: &Value) -> Vec<(&String, &Value)> {
    let jobs = workflow["jobs"].as_object();
    jobs.expect("jobs by name").iter().collect()
}

fn steps(job: &Value) -> impl Iterator<Item = &Value> {
    job["steps"].as_array().into_iter().flatten()
}

#[test]
fn the_workflow_runs_what_people_run() {
    assert_eq!(
        workflow("ci.yml")["concurrency"]["cancel-in-progress"],
        true
    );
    // No test here knows a workflow that it does not look at.
    let files = std::fs::read_dir(root().join(".github/workflows")).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let expected = WORKFLOWS.map(str::to_owned).into();
    assert_eq!(files.collect::<BTreeSet<_>>(), expected);
    for name in WORKFLOWS {
        let workflow = workflow(name);
        let check = &workflow["jobs"]["check"];
        assert!(steps(check).any(|step| step["run"] == ".ci/run"), "{name}");
        let version = workflow["env"]["RUST_VERSION"].clone();
        let version = format!("rust-version = \"{}\"", version.as_str().unwrap());
        assert!(read("Cargo.toml").contains(&version), "{name}");
    }
}

#[test]
fn every_action_is_pinned_by_its_commit_and_leaves_no_token_behind() {
    for name in WORKFLOWS {
        let workflow = workflow(name);
        let mut pins = BTreeSet::new();
        for step in jobs(&workflow).into_iter().flat_map(|(_, job)| steps(job)) {
            let Some(action) = step["uses"].as_str() else {
                continue;
            };
            let (action, commit) = action.split_once('@').unwrap();
            let is_commit = commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
            assert!(is_commit, "{action}@{commit}");
            // GitHub's own; whatever else is needed is a plain command.
            assert!(action.starts_with("actions/"), "{action}");
            pins.insert((action.to_owned(), commit.to_owned()));
            if action == "actions/checkout" {
                assert_eq!(step["with"]["persist-credentials"], false, "{name}");
            }
        }
        let actions: BTreeSet<_> = pins.iter().map(|(action, _)| action).collect();
        assert_eq!(
            actions.len(),
            pins.len(),
            "one action, two commits: {pins:?}"
        );
    }
    let text = read(".github/workflows/release.yml");
    let pinned = text.lines().filter(|line| line.contains("uses: actions/"));
    // Somebody who reads a hash wants to know the version.
    assert!(pinned.into_iter().all(|line| line.contains(" # v")));
    // What an attacker put into a cache must not come into a release.
    assert!(!text.contains("actions/cache"));
}

#[test]
fn a_job_may_write_what_it_publishes_and_nothing_else() {
    assert_eq!(
        workflow("ci.yml")["permissions"],
        json!({ "contents": "read" })
    );
    let release = workflow("release.yml");
    assert_eq!(release["permissions"], json!({}));
    let attests = json!({ "id-token": "write", "attestations": "write" });
    for (name, job) in jobs(&release) {
        let mut allowed = match name.as_str() {
            "publish" => json!({ "contents": "write" }),
            "images" | "image" => json!({ "contents": "read", "packages": "write" }),
            _ => json!({ "contents": "read" }),
        };
        let mut uses = steps(job).filter_map(|step| step["uses"].as_str());
        if uses.any(|action| action.starts_with("actions/attest@")) {
            let more = attests.as_object().unwrap().clone();
            allowed.as_object_mut().unwrap().extend(more);
        }
        assert_eq!(job["permissions"], allowed, "{name}");
        for step in steps(job) {
            // What a person wrote into a tag reaches a shell as a variable only.
            let script = step["run"].as_str().unwrap_or_default();
            assert!(!script.contains("${{"), "{name}: {script}");
        }
    }
    for name in WORKFLOWS {
        for (job, body) in jobs(&workflow(name)) {
            assert!(
                body["timeout-minutes"].is_u64(),
                "{name}: {job} may run for ever"
            );
        }
    }
}

#[test]
fn a_release_waits_for_every_check_and_has_every_platform() {
    let release = workflow("release.yml");
    assert_eq!(release["on"], json!({ "push": { "tags": ["v*"] } }));
    let jobs = &release["jobs"];
    let needs = strings(&jobs["publish"]["needs"]);
    assert_eq!(needs, ["check", "programs", "parts", "image"]);
    assert_eq!(jobs["image"]["needs"], "images");
    let before_images = strings(&jobs["images"]["needs"]);
    assert_eq!(before_images, ["notes", "check", "programs", "parts"]);
    let matrix = |job: &str, key: &str| {
        let rows = jobs[job]["strategy"]["matrix"]["include"].as_array();
        let values = rows.unwrap().iter().map(|row| row[key].as_str().unwrap());
        values.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let targets = [
        "aarch64-apple-darwin",
        "aarch64-unknown-linux-gnu",
        "x86_64-apple-darwin",
        "x86_64-unknown-linux-gnu",
    ];
    assert_eq!(
        matrix("programs", "target"),
        targets.map(str::to_owned).into()
    );
    assert_eq!(
        matrix("images", "platform"),
        ["amd64", "arm64"].map(str::to_owned).into()
    );
}

#[test]
fn what_workflows_name_exists() {
    for name in WORKFLOWS {
        let workflow = workflow(name);
        for step in jobs(&workflow).into_iter().flat_map(|(_, job)| steps(job)) {
            let script = step["run"].as_str().unwrap_or_default();
            let words: Vec<&str> = script.split_whitespace().collect();
            for word in words.iter().filter(|word| word.starts_with(".ci/")) {
                let file = std::fs::metadata(root().join(word)).unwrap();
                assert!(
                    file.permissions().mode() & 0o111 != 0,
                    "{word} can't be run"
                );
            }
            for pair in words.windows(2) {
                match pair {
                    ["--package", package] => {
                        let manifest = read(&format!("{package}/Cargo.toml"));
                        assert!(manifest.contains(&format!("name = \"{package}\"")));
                    }
                    ["--manifest-path", path] => assert!(root().join(path).exists(), "{path}"),
                    ["--target", stage] if script.contains("docker build") => {
                        let stage = format!(" AS {stage}\n");
                        assert!(read("Dockerfile").contains(&stage), "{stage}");
                    }
                    _ => {}
                }
            }
        }
    }
    // The images of a release are those that compose builds.
    let script = read(".ci/release-images");
    let images = script
        .lines()
        .find_map(|line| line.strip_prefix("images=\""));
    let images: BTreeSet<_> = images.unwrap().trim_end_matches('"').split(' ').collect();
    let built: BTreeSet<String> = containers()
        .values()
        .filter(|container| container["build"].is_object())
        .map(|container| {
            let image = container["image"].as_str().unwrap();
            let name = image.strip_suffix(":local").unwrap();
            format!("{}:{name}", container["build"]["target"].as_str().unwrap())
        })
        .collect();
    assert_eq!(images, built.iter().map(String::as_str).collect());
}

fn release_notes(tag: &str) -> Output {
    let mut script = Command::new(root().join(".ci/release-notes"));
    script.arg(tag).output().expect("a shell")
}

#[test]
fn the_changelog_has_a_section_for_this_version_and_a_wrong_tag_stops_a_release() {
    let version = env!("CARGO_PKG_VERSION");
    let notes = release_notes(&format!("v{version}"));
    assert!(notes.status.success(), "{notes:?}");
    let notes = String::from_utf8(notes.stdout).unwrap();
    assert!(notes.trim().lines().count() > 1, "{notes}");
    assert!(
        !notes.contains("## "),
        "the notes of another version: {notes}"
    );
    for tag in ["v99.0.0", "v", "v0.1", ""] {
        let refused = release_notes(tag);
        assert!(
            !refused.status.success() && refused.stdout.is_empty(),
            "{tag}"
        );
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
