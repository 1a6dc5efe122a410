//! Other people's libraries: `PyJWT`, jose and Django's `SimpleJWT` read our tokens, and we read what they sign.
//!
//! The scripts are the examples that people copy, and one that is the old system. What is Python comes by pip into a virtual
//! environment; jose by npm, where there is a Node.js.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::clients::{administrator, create};
use crate::harness::{Bank, EMAIL, PASSWORD, text};
use crate::oauth::with_shop;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

/// Runs a script against a service account that it gives its own key. It is told where auth is, and who calls.
async fn prove(bank: &Bank, script: &mut Command) {
    let admin = administrator(bank).await;
    let made = create(
        bank,
        &admin,
        &json!({"client_id": "partner", "scopes": ["payments:read"]}),
    )
    .await;
    script
        .env("QUITTANCE_AUTH", bank.at(""))
        .env("QUITTANCE_ADMIN_TOKEN", &admin)
        .env("QUITTANCE_CLIENT_ID", "partner")
        .env("QUITTANCE_CLIENT_SECRET", text(&made, "client_secret"));
    let mut command = std::mem::replace(script, Command::new("true"));
    let output = tokio::task::spawn_blocking(move || run(&mut command))
        .await
        .expect("it ran");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.trim_end().ends_with("all good"), "{said}");
}

/// A Python of this name with what this file of ours lists.
fn python(name: &str, requirements: &Path) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    local::testing::python(&place, requirements)
}

#[tokio::test]
async fn pyjwt_and_quittance_understand_each_other() {
    let (bank, _running) = with_shop().await;
    let python = python("pyjwt", &examples().join("python/requirements.txt"));
    let mut script = Command::new(python);
    script.arg(examples().join("python/verify_token.py"));
    prove(&bank, &mut script).await;
}

/// Not its rules written down, but the library itself in a Django.
#[tokio::test]
async fn the_old_django_verifier_takes_our_tokens_and_we_take_its_refresh_tokens() {
    let (bank, _running) = with_shop().await;
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/django");
    let python = python("simplejwt", &here.join("requirements.txt"));
    let mut script = Command::new(python);
    script
        .arg(here.join("verifier.py"))
        .env("QUITTANCE_EMAIL", EMAIL)
        .env("QUITTANCE_PASSWORD", PASSWORD);
    prove(&bank, &mut script).await;
}

#[tokio::test]
async fn jose_and_quittance_understand_each_other() {
    if Command::new("npm").arg("--version").output().is_err() {
        eprintln!("NOT RUN: there is no npm here, so the script in examples/node was not tried");
        return;
    }
    let (bank, _running) = with_shop().await;
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jose");
    std::fs::create_dir_all(&home).expect("a directory of ours");
    for file in ["package.json", "package-lock.json", "verify-token.mjs"] {
        std::fs::copy(examples().join("node").join(file), home.join(file)).expect("an example");
    }
    run(Command::new("npm")
        .args(["ci", "--silent", "--no-audit", "--no-fund"])
        .current_dir(&home));
    let mut script = Command::new("node");
    script.arg("verify-token.mjs").current_dir(&home);
    prove(&bank, &mut script).await;
}
