//! `quittance audit events`: who did what in auth and at the ledger, and which logins failed.

use anyhow::{Context as _, Result};
use clap::Args;
use client::{Before, Event, EventQuery};
use common::timestamp;

use crate::asking::Asking;
use crate::bank::Bank;
use crate::print;

/// Options of `quittance audit events`.
#[derive(Debug, Args)]
pub(crate) struct Events {
    #[command(flatten)]
    asking: Asking,
    /// Only about this person, program, key, session, replay or file, by its id
    #[arg(long, value_name = "ID")]
    about: Option<String>,
    /// Only what this client did
    #[arg(long, value_name = "CLIENT")]
    actor: Option<String>,
    /// Only this, such as `user.login_failed`
    #[arg(long, value_name = "EVENT")]
    what: Option<String>,
    /// Only from this time on, such as 2026-11-27T08:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only those before this place, as the end of a list says it
    #[arg(long, value_name = "PLACE")]
    before: Option<Before>,
    /// How many at most
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
}

pub(super) async fn run(options: &Events, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let token = options.asking.token(bank).await?;
    let query = EventQuery {
        about: options.about.clone(),
        actor: options.actor.clone(),
        what: options.what.clone(),
        from: options.from.clone(),
        limit: options.limit,
        before: options.before.unwrap_or_default(),
    };
    let page = client.events(&token, &query).await?;
    if options.asking.json {
        print::json(&page)?;
    } else {
        show(&page)?;
    }
    // A script shall not take a part for the whole.
    match page.missing {
        Some(error) => Err(error).context("a part of what happened is missing"),
        None => Ok(()),
    }
}

fn show(page: &client::Events) -> Result<()> {
    if page.events.is_empty() && page.missing.is_none() {
        print::line("No events.")?;
    }
    for event in &page.events {
        print::line(&told(event))?;
    }
    if let Some(before) = page.next {
        print::line(&format!("\nOlder ones: the same with `--before={before}`."))?;
    }
    Ok(())
}

/// One event: number, time and name, then what it is about.
fn told(event: &Event) -> String {
    let at = timestamp::text(&event.at);
    let head = format!("{:>6}  {at}  ", event.id);
    let (actor, about) = (event.actor.as_deref(), event.about.as_deref());
    // A person's client is called after the person.
    let about = about.filter(|about| actor.is_none_or(|actor| !actor.ends_with(about)));
    let named = [("by", actor), ("about", about)];
    let named = named
        .into_iter()
        .filter_map(|(word, who)| Some(format!("{word} {}", who?)));
    let more: Vec<_> = named
        .chain(event.details())
        .map(|text| print::readable(&text))
        .collect();
    let line = format!(
        "{head}{}  {}",
        print::readable(&event.what),
        more.join(", ")
    );
    print::folded(&line, 8)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_fits_a_terminal_and_commands_none() {
        let event = json!({
            "id": 12, "at": "2026-11-27T08:00:00.000000Z", "what": "user.login_failed", "actor": null,
            "about": "01939000-0000-7000-8000-000000000000",
            "detail": {"address": "192.0.2.1\u{1b}[2J", "count": 3, "other": null},
        });
        let event = Event::deserialize(event).unwrap();
        assert_eq!(
            told(&event),
            "    12  2026-11-27T08:00:00.000000Z  user.login_failed  about\n        \
             01939000-0000-7000-8000-000000000000, address 192.0.2.1\\u001b[2J, count\n        3"
        );
    }
}
