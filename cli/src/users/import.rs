//! `quittance users import`: the people of a Django system, from what its `dumpdata` wrote.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{caller, dumpdata};
use crate::asking::Asking;
use crate::bank::Bank;
use crate::failure::{Exit, Hinted as _};
use crate::print;
use crate::progress;

/// What auth takes in one request.
const CHUNK_ROWS: usize = 500;
const SHARED: &str = "another object has this e-mail address, but for upper and lower case";

/// Options of `quittance users import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// What `manage.py dumpdata` wrote
    file: PathBuf,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
    /// The model of the people, as in auth.user; without it the one with an email and a password
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

/// What came of a person, as auth says it.
#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum CameTo {
    Created { has_password: bool },
    AlreadyThere,
    Refused { reason: String },
}

#[derive(Debug, Default)]
struct Report {
    created: usize,
    without_password: usize,
    already_there: usize,
    /// Key, address and reason.
    refused: Vec<(String, String, String)>,
}

/// Imports everybody who can be; a repeat creates nobody twice.
pub(super) async fn run(options: &Import, bank: &Bank) -> Result<()> {
    let people = dumpdata::read(&options.file, options.model.as_deref())?;
    let total = people.len();
    let (client, token) = caller(&options.asking, bank).await?;
    let (people, mut report) = without_shared(people);
    let bar = progress::spinner("import");
    for (at, chunk) in people.chunks(CHUNK_ROWS).enumerate() {
        bar.set_message(format!("{} of {total}", at * CHUNK_ROWS));
        let body = json!({"people": chunk, "dry_run": options.dry_run});
        let answer = client.import_users(&token, &body).await;
        let answer = answer.hint("the same again goes on where it ended: nobody is created twice");
        report.add(&answer.inspect_err(|_| bar.finish_and_clear())?)?;
    }
    bar.finish_and_clear();
    if options.asking.json {
        print::json(&report.json(options.dry_run))?;
    } else {
        print::line(&report.text(options.dry_run))?;
    }
    match report.refused.len() {
        0 => Ok(()),
        refused => Err(anyhow!("{refused} of {total} people were refused")).exit(Exit::Rejected),
    }
}

/// Two people whose addresses differ in case only are one to auth: which of them is meant, a person must decide.
fn without_shared(people: Vec<Value>) -> (Vec<Value>, Report) {
    let address = |row: &Value| {
        row["email"]
            .as_str()
            .unwrap_or_default()
            .trim()
            .to_lowercase()
    };
    let mut counts: HashMap<String, usize> = HashMap::new();
    for row in &people {
        *counts.entry(address(row)).or_default() += 1;
    }
    let (people, shared) = people
        .into_iter()
        .partition::<Vec<_>, _>(|row| counts[&address(row)] == 1);
    let mut report = Report::default();
    for row in shared {
        report.refuse(&row["id"], &row["email"], SHARED.to_owned());
    }
    (people, report)
}

impl Report {
    fn add(&mut self, answer: &Value) -> Result<()> {
        let people = answer["people"].as_array();
        for person in people.context("auth answered in an unknown form")? {
            let came_to = CameTo::deserialize(person);
            match came_to.context("auth answered in an unknown form")? {
                CameTo::Created { has_password } => {
                    self.created += 1;
                    self.without_password += usize::from(!has_password);
                }
                CameTo::AlreadyThere => self.already_there += 1,
                CameTo::Refused { reason } => {
                    self.refuse(&person["key"], &person["email"], reason);
                }
            }
        }
        Ok(())
    }

    fn refuse(&mut self, key: &Value, email: &Value, reason: String) {
        let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        let email = email.as_str().unwrap_or_default().to_owned();
        self.refused.push((key, email, reason));
    }

    fn json(&self, is_dry: bool) -> Value {
        let refused = self.refused.iter();
        let refused: Vec<_> = refused
            .map(|(key, email, reason)| json!({"key": key, "email": email, "reason": reason}))
            .collect();
        json!({
            "dry_run": is_dry,
            "created": self.created,
            "without_password": self.without_password,
            "already_there": self.already_there,
            "refused": refused,
        })
    }

    fn text(&self, is_dry: bool) -> String {
        let created = if is_dry {
            "would be created"
        } else {
            "created"
        };
        let mut counts = print::table(&[]);
        for (what, count) in [
            (created, self.created),
            ("  of them without a password", self.without_password),
            ("already there", self.already_there),
            ("refused", self.refused.len()),
        ] {
            counts.add_row([what.to_owned(), count.to_string()]);
        }
        print::align_right(&mut counts, 1..=1);
        let mut text = print::text(counts);
        if !self.refused.is_empty() {
            text += "\n\nRefused:";
        }
        for (key, email, reason) in &self.refused {
            let who = format!("  {}  {}", print::readable(email), print::readable(key));
            text += &format!("\n{}\n    {reason}", print::folded(&who, 4));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_fits_a_terminal_and_names_who_is_refused() {
        let row = |id: u32, email: &str| json!({"id": id, "email": email});
        let (people, mut report) = without_shared(vec![
            row(1, "ada@example.com"),
            row(2, "Grace@example.com"),
            row(3, "grace@Example.com"),
        ]);
        assert_eq!(people, [row(1, "ada@example.com")]);
        let long = format!("{}\u{1b}[2J@example.com", "a".repeat(90));
        let answer = json!({"people": [
            {"key": 1, "email": "ada@example.com", "outcome": "created", "id": "…", "has_password": false},
            {"key": 4, "email": "b@example.com", "outcome": "already_there", "id": "…"},
            {"key": "x", "email": long, "outcome": "refused", "reason": "this is no e-mail address"},
        ]});
        report.add(&answer).expect("known outcomes");
        let text = report.text(false);
        assert!(
            text.lines()
                .all(|line| line.chars().count() <= print::WIDTH),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
        let head: Vec<_> = text.lines().take(10).collect();
        assert_eq!(
            head.join("\n"),
            "  created                       1
    of them without a password  1
  already there                 1
  refused                       3

Refused:
  Grace@example.com  2
    another object has this e-mail address, but for upper and lower case
  grace@Example.com  3
    another object has this e-mail address, but for upper and lower case"
        );
    }
}
