//! `ops/METRICS.md` names what the services count, all of it and nothing else; alerts have their pages, and ask for what is
//! counted.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::{read, root, yaml};

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

#[test]
fn every_alert_has_a_page_that_says_what_to_do() -> Result<()> {
    let alerts = yaml("ops/prometheus/alerts.yaml");
    let groups = alerts["groups"].as_array().expect("groups");
    let mut named = BTreeSet::new();
    for rule in groups
        .iter()
        .flat_map(|group| group["rules"].as_array().into_iter().flatten())
    {
        let alert = rule["alert"].as_str().expect("a name");
        let page = format!("ops/runbooks/{alert}.md");
        assert_eq!(rule["annotations"]["runbook"], page);
        let text = read(&page);
        for part in [
            &format!("# {alert}"),
            "**What it means.**",
            "**Look.**",
            "**Do.**",
        ] {
            assert!(text.contains(part), "{page} has no {part}");
        }
        named.insert(format!("{alert}.md"));
    }
    // Some things no metric tells: the doctor finds them, and has its pages in the program.
    let doctors = read("cli/src/doctor/runbook.rs");
    let (_, doctors) = doctors.split_once("\nrunbooks! {").expect("a list");
    let doctors = doctors
        .lines()
        .filter_map(|line| line.trim().strip_suffix(','));
    for runbook in doctors {
        let text = read(&format!("ops/runbooks/{runbook}.md"));
        assert!(text.starts_with(&format!("# {runbook}\n")), "{runbook}");
        for part in ["**What it means.**", "**Look.**", "**Do.**"] {
            assert!(text.contains(part), "{runbook} has no {part}");
        }
        named.insert(format!("{runbook}.md"));
    }
    let mut pages = BTreeSet::new();
    for entry in fs::read_dir(root().join("ops/runbooks"))? {
        pages.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    assert_eq!(named, pages);
    Ok(())
}

#[test]
fn rules_and_dashboards_ask_for_nothing_that_nobody_counts() {
    let explained = explained();
    for paper in [
        "ops/prometheus/recording.yaml",
        "ops/prometheus/alerts.yaml",
        "ops/grafana/money.json",
        "ops/grafana/machine.json",
    ] {
        let text = read(paper);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with("quittance_")) {
            let parts = ["_bucket", "_sum", "_count"];
            let whole = parts.iter().find_map(|part| word.strip_suffix(part));
            let is_known =
                explained.contains(word) || whole.is_some_and(|name| explained.contains(name));
            assert!(is_known, "{paper}: {word}");
        }
    }
}

#[test]
fn panels_have_places_of_their_own() {
    for dashboard in ["ops/grafana/money.json", "ops/grafana/machine.json"] {
        let dashboard: Value = serde_json::from_str(&read(dashboard)).expect("JSON");
        let panels = dashboard["panels"].as_array().expect("panels");
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in panels {
            assert!(ids.insert(panel["id"].as_u64()), "{}", panel["title"]);
            let [x, y, width, height] =
                ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().expect("a number"));
            assert!(x + width <= 24, "{}", panel["title"]);
            for place in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
                assert!(taken.insert(place), "{} lies on another", panel["title"]);
            }
        }
    }
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
