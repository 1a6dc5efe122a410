//! `ops/METRICS.md` names what the services count, all of it and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::{read, root};

/// The names on the page.
fn explained() -> BTreeSet<String> {
    read("ops/METRICS.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `quittance_")?.split('`').next())
        .map(|rest| format!("quittance_{rest}"))
        .collect()
}

#[test]
fn every_metric_is_explained_and_every_explained_one_exists() -> Result<()> {
    let explained = explained();
    let mut counted = BTreeSet::new();
    for service in ["auth", "common", "console", "ledger", "payments"] {
        collect(&root().join(service).join("src"), &mut counted)?;
    }
    assert_eq!(counted, explained);
    Ok(())
}

/// The names in `counter!`, `gauge!` and `histogram!` of all sources below `directory`.
fn collect(directory: &Path, counted: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, counted)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path)?;
            for of in ["counter!(", "gauge!(", "histogram!("] {
                for call in source.split(of).skip(1) {
                    let name = call.trim_start().strip_prefix('"');
                    counted.extend(name.and_then(|name| Some(name.split_once('"')?.0.to_owned())));
                }
            }
        }
    }
    Ok(())
}
