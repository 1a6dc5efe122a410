//! Writes the offline query data of every service: `cargo run -p local --example prepare`.
//!
//! SQL is checked against a real database when a service is compiled. So that nobody needs one to
//! compile, what the database said is committed in `<service>/.sqlx`. This makes it anew: start the
//! servers, apply the service's migrations, compile the service (and its tests) against them.
//! With `--check` nothing is written, and a difference from what is committed is an error.
//! Names of services behind it (`… --example prepare ledger`) leave the others out.

#![expect(clippy::print_stderr, reason = "a tool for the terminal")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use local::{Servers, Service, testing};
use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let only_check = arguments.iter().any(|argument| argument == "--check");
    let named: Vec<&String> = arguments
        .iter()
        .filter(|argument| *argument != "--check")
        .collect();
    if let Some(unknown) = named.iter().find(|name| {
        !Service::ALL
            .iter()
            .any(|service| service.name() == name.as_str())
    }) {
        bail!("prepare takes --check and names of services, not {unknown}");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("no workspace")?;
    let servers = testing::servers().await;
    let mut outdated = Vec::new();
    for service in Service::ALL {
        if !named.is_empty() && !named.iter().any(|name| *name == service.name()) {
            continue;
        }
        let directory = root.join(service.name());
        if !directory.join("migrations").is_dir() {
            eprintln!("{service}: no migrations");
            continue;
        }
        let described = describe(&servers, service, &directory).await?;
        let committed = directory.join(".sqlx");
        if described == read(&committed)? {
            eprintln!("{service}: {} queries, as committed", described.len());
        } else if only_check {
            outdated.push(service.name());
        } else {
            write(&committed, &described)?;
            eprintln!("{service}: {} queries written", described.len());
        }
    }
    ensure!(
        outdated.is_empty(),
        "the query data of {} differ from the code; run `cargo run -p local --example prepare`",
        outdated.join(", ")
    );
    Ok(())
}

/// Compiles a service against its migrated database. The query data by file name.
async fn describe(
    servers: &Servers,
    service: Service,
    directory: &Path,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let url = servers.owner_database_url(service);
    let migrator = Migrator::new(directory.join("migrations")).await?;
    let mut connection = PgConnection::connect(&url).await?;
    migrator
        .run(&mut connection)
        .await
        .with_context(|| format!("the migrations of {service}"))?;
    connection.close().await?;

    // Cargo does not know that the database changed: only a newer file makes it compile again.
    let touched = Command::new("touch").args(sources(directory)?).status();
    ensure!(
        touched.context("cannot run touch")?.success(),
        "touch failed"
    );
    let output = servers.home().path().join(format!("queries-{service}"));
    fs::create_dir(&output).with_context(|| format!("cannot make {}", output.display()))?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let compiled = Command::new(cargo)
        .args([
            "check",
            "--quiet",
            "--package",
            service.name(),
            "--lib",
            "--tests",
        ])
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", &output)
        .env("DATABASE_URL", &url)
        .env(
            format!("{}_DATABASE_URL", service.name().to_uppercase()),
            &url,
        )
        .status();
    ensure!(
        compiled.context("cannot run cargo")?.success(),
        "{service} does not compile"
    );
    read(&output)
}

/// The files that a crate and its tests start from.
fn sources(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = vec![directory.join("src/lib.rs")];
    if let Ok(tests) = fs::read_dir(directory.join("tests")) {
        for test in tests {
            let path = test?.path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    Ok(files)
}

fn read(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    if !directory.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("query-") {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(files)
}

fn write(directory: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    fs::create_dir_all(directory)?;
    for name in read(directory)?
        .into_keys()
        .filter(|name| !files.contains_key(name))
    {
        fs::remove_file(directory.join(name))?;
    }
    for (name, content) in files {
        fs::write(directory.join(name), content)?;
    }
    Ok(())
}
