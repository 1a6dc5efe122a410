//! `quittance logs`: what services logged, from the stream LOGS by auth's API, and the gateway's lines from its file.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, anyhow};
use chrono::{DateTime, TimeDelta, Utc};
use client::Client;
use common::service::now;
use serde_json::Value;

use super::files::LogFile;
use super::shown::{Line, Wanted};
use crate::asking::Asking;
use crate::bank::Bank;
use crate::failure::{Hinted as _, is_silence, refusal, warn};
use crate::names::Person;
use crate::print;

/// Lines of a page.
const PAGE: usize = 500;
/// From one look for new lines to the next.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// Options of `quittance logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only of this part: auth, ledger, payments, console or gateway
    #[arg(long, value_parser = ["auth", "ledger", "payments", "console", "gateway"], value_name = "PART")]
    service: Option<String>,
    /// Only as grave as this, or graver: debug, info, warn or error
    #[arg(long, value_parser = ["debug", "info", "warn", "error"], value_name = "LEVEL")]
    level: Option<String>,
    /// Only of this trace: 32 hex digits, or a whole traceparent
    #[arg(long, value_parser = trace, value_name = "ID")]
    trace: Option<String>,
    /// Only of this payment
    #[arg(long, value_name = "ID")]
    payment: Option<uuid::Uuid>,
    /// Only since then: 15m, 2h, 1d ago, or a time like 2026-11-27T08:00:00Z
    #[arg(long, value_parser = since, value_name = "WHEN")]
    since: Option<DateTime<Utc>>,
    /// How many at most: the newest
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
    /// Go on with what comes, until Ctrl-C
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    asking: Asking,
}

fn trace(text: &str) -> Result<String, String> {
    let id = if common::wire::is_traceparent(text) {
        common::wire::trace_id(text)
    } else {
        text
    };
    let is_id = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let id = is_id.then(|| id.to_lowercase());
    id.ok_or_else(|| "neither 32 hex digits nor a traceparent".to_owned())
}

fn since(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let wrong =
        || "neither a span like 15m, 2h or 1d nor a time like 2026-11-27T08:00:00Z".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let count: i64 = text[..text.len() - unit.len_utf8()]
        .parse()
        .map_err(|_| wrong())?;
    let span = match unit {
        's' => TimeDelta::try_seconds(count),
        'm' => TimeDelta::try_minutes(count),
        'h' => TimeDelta::try_hours(count),
        'd' => TimeDelta::try_days(count),
        _ => None,
    };
    let span = span.filter(|span| *span >= TimeDelta::zero());
    span.and_then(|span| now().checked_sub_signed(span))
        .ok_or_else(wrong)
}

/// Where lines come from.
struct Sources<'r> {
    bank: &'r Bank,
    client: Client,
    options: &'r Options,
    token: String,
    wanted: Wanted,
    /// The last place of the stream that was looked at.
    last: u64,
    files: Vec<LogFile>,
    /// Of the lines that were found: the gateway's lines have them.
    traces: BTreeSet<String>,
    /// Auth answers; else the files say all that can be said.
    is_stream_there: bool,
}

pub(crate) async fn run(options: &Options, bank: &Bank) -> Result<()> {
    if let (Some("gateway"), Bank::Elsewhere(there)) = (options.service.as_deref(), bank) {
        let error = anyhow!(
            "the gateway of {} writes its lines on its own machine",
            there.name
        );
        return Err(error).hint("its owner reads them there, with the same command");
    }
    let mut sources = Sources {
        bank,
        client: bank.client(),
        options,
        token: String::new(),
        wanted: Wanted {
            service: options.service.clone(),
            level: options.level.clone(),
            trace: options.trace.clone(),
            payment: options.payment.map(|id| id.to_string()),
            since: options.since,
        },
        last: 0,
        // A bank elsewhere has its files there.
        files: match bank {
            Bank::Here(running) => vec![LogFile::of_gateway(&running.home)],
            Bank::Elsewhere(_) => Vec::new(),
        },
        traces: BTreeSet::new(),
        is_stream_there: options.service.as_deref() != Some("gateway"),
    };
    let lines = sources.newest().await?;
    let is_empty = lines.is_empty();
    show(options, lines)?;
    if is_empty && !options.follow && !options.asking.json {
        print::line("No line fits. At the default level a payment that is well writes none:")?;
        let how = "QUITTANCE_LOG=info,payment=debug has each service write one for each.";
        print::line(how)?;
    }
    if !options.follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(LOOK_PAUSE).await;
        let lines = sources.news().await?;
        show(options, lines)?;
    }
}

fn show(options: &Options, lines: Vec<Line>) -> Result<()> {
    for line in lines {
        if options.asking.json {
            print::line(&line.0.to_string())?;
        } else {
            print::line(&line.text())?;
        }
    }
    Ok(())
}

impl Sources<'_> {
    /// The newest lines, in order.
    async fn newest(&mut self) -> Result<Vec<Line>> {
        let limit = usize::from(self.options.limit);
        let mut lines = Vec::new();
        if self.is_stream_there {
            match self.read_stream(limit).await {
                Ok(found) => lines = found,
                Err(error) => {
                    let (Bank::Here(running), true) = (self.bank, is_away(&error)) else {
                        return Err(error);
                    };
                    // The files of a bank on this machine say it too.
                    let again = self.bank.invocation();
                    warn(&format!(
                        "the stream of lines can't be read, these are from the files: `{again} status` tells more"
                    ));
                    self.is_stream_there = false;
                    self.files.extend(LogFile::of_services(&running.home));
                }
            }
        }
        // Those of the services first: they tell the traces of a payment.
        for file in self.files.iter_mut().rev() {
            let found = file.lines(&self.wanted, &self.traces);
            note(&mut self.traces, &self.wanted, &found);
            lines.extend(found);
        }
        lines.sort_by_key(Line::at);
        Ok(lines.split_off(lines.len().saturating_sub(limit)))
    }

    async fn read_stream(&mut self, limit: usize) -> Result<Vec<Line>> {
        self.token = self.options.asking.token(self.bank).await?;
        let (mut lines, mut before) = (Vec::new(), None::<u64>);
        while lines.len() < limit {
            let mut query = self.wanted.query();
            query.push(("limit", (limit - lines.len()).min(PAGE).to_string()));
            query.extend(before.map(|before| ("before", before.to_string())));
            let mut page = self.client.logs(&self.token, &query).await?;
            if before.is_none() {
                self.last = page["last"].as_u64().unwrap_or_default();
            }
            before = page["first"].as_u64();
            lines.extend(lines_of(&mut page));
            if page["next"].is_null() {
                break;
            }
        }
        lines.reverse();
        note(&mut self.traces, &self.wanted, &lines);
        Ok(lines)
    }

    /// The lines that came since, in order.
    async fn news(&mut self) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        while self.is_stream_there {
            let mut query = self.wanted.query();
            query.push(("after", self.last.to_string()));
            query.push(("limit", PAGE.to_string()));
            let mut page = match self.client.logs(&self.token, &query).await {
                Ok(page) => page,
                Err(error) => {
                    let error = error.into();
                    if refusal(&error).is_some_and(|refused| refused.status == 401) {
                        let by = &self.options.asking.by;
                        let refused = Some(&*self.token);
                        self.token = by.token_after(refused, self.bank, Person::Staff).await?;
                        continue;
                    }
                    // It goes on where it was once auth and the broker are back.
                    if is_away(&error) {
                        break;
                    }
                    return Err(error);
                }
            };
            self.last = page["last"].as_u64().unwrap_or(self.last);
            lines.extend(lines_of(&mut page));
            if page["next"].is_null() {
                break;
            }
        }
        note(&mut self.traces, &self.wanted, &lines);
        for file in self.files.iter_mut().rev() {
            lines.extend(file.lines(&self.wanted, &self.traces));
        }
        lines.sort_by_key(Line::at);
        Ok(lines)
    }
}

/// Auth does not answer, or not whoever it asks.
fn is_away(error: &anyhow::Error) -> bool {
    is_silence(error) || refusal(error).is_some_and(|refused| refused.status == 503)
}

fn lines_of(page: &mut Value) -> Vec<Line> {
    let lines = page["lines"].as_array_mut().map(std::mem::take);
    lines.unwrap_or_default().into_iter().map(Line).collect()
}

/// The traces of lines about a payment lead to the gateway's lines.
fn note(traces: &mut BTreeSet<String>, wanted: &Wanted, lines: &[Line]) {
    if wanted.payment.is_some() {
        let found = lines
            .iter()
            .map(Line::trace)
            .filter(|trace| !trace.is_empty());
        traces.extend(found.map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_span_or_a_time_and_a_trace_has_32_digits() {
        for good in ["15m", "2h", "1d", "0s", "2026-11-27T08:00:00Z"] {
            assert!(since(good).unwrap() <= now(), "{good}");
        }
        for bad in ["", "m", "15", "-1m", "1y", "99999999999999999d", "é"] {
            assert!(since(bad).is_err(), "{bad}");
        }
        let id = "0af7651916cd43dd8448eb211c80319c";
        let traceparent = format!("00-{id}-b7ad6b7169203331-01");
        assert_eq!(trace(&traceparent).unwrap(), id);
        assert_eq!(trace(&id.to_uppercase()).unwrap(), id);
        assert!(trace("0af7").is_err());
    }
}
