//! What a benchmark found, as JSON and as text.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use ledger::audit::Summary;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::figure::Figure;
use crate::latency::Latency;
use crate::machine::{Machine, Settings, Versions};
use crate::numbers::grouped;

/// Up to this share of CPU time used by others, the figures stay within their own spread.
const QUIET: f64 = 0.05;

/// What the check at the end of each bank found. Without it there is no report.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Which bank.
    pub bank: String,
    /// Requests, each with one answer, each answer what a replay gives.
    pub requests: u64,
    /// Settled payments among them.
    pub settled: u64,
    /// Accounts with the balances that a replay gives.
    pub accounts: usize,
    /// Sum of all money per currency.
    pub sums: BTreeMap<String, String>,
}

impl Check {
    /// What a replay of the log of this bank agreed on.
    pub(crate) fn of(bank: &str, summary: Summary) -> Self {
        Self {
            bank: bank.to_owned(),
            requests: summary.requests,
            settled: summary.settled,
            accounts: summary.accounts,
            sums: summary.sums,
        }
    }
}

/// All that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether it was the quick one: fewer and shorter runs.
    pub quick: bool,
    /// How long all of it took.
    pub took_s: f64,
    /// The share of the machine's CPU time that others used meanwhile. A figure needs a quiet machine.
    pub cpu_used_by_others: f64,
    /// Where.
    pub machine: Machine,
    /// With what.
    pub versions: Versions,
    /// How durable.
    pub settings: Settings,
    /// The figures, in the order in which they were asked for.
    pub figures: Vec<Figure>,
    /// Latency against offered load.
    pub latencies: Vec<Latency>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// What must be known to read the figures.
    pub notes: Vec<String>,
}

impl Report {
    /// A figure by its key.
    #[must_use]
    pub fn figure(&self, key: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.key == key)
    }

    /// Everything, with each figure's median under its own key at the top.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut document = Map::new();
        for figure in &self.figures {
            document.insert(figure.key.clone(), rounded(figure.spread.median));
        }
        let whole = serde_json::to_value(self).expect("numbers and texts are JSON");
        if let Value::Object(fields) = whole {
            document.extend(fields);
        }
        for key in [
            "end_to_end_over_broker_limit",
            "end_to_end_per_s",
            "p99_ms_at_5000_per_s",
        ] {
            // `null` says "not measured in this run"; a missing field would not.
            document.entry(key).or_insert(Value::Null);
        }
        Value::Object(document)
    }

    /// The same for a terminal or a README.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (machine, versions, settings) = (&self.machine, &self.versions, &self.settings);
        let mut text = format!(
            "quittance bench{}, {:.0} s\n\
             {} cores, {:.0} GiB, {}, {}; fsync {:.2} ms (median of {}; {:.2} to {:.2})\n\
             quittance {}, nats-server {}, PostgreSQL {}, {}\n\
             sync_interval {}, fsync {}, synchronous_commit {}, full_page_writes {}, \
             batches up to {}; a request has {} bytes, an answer {}\n\n",
            if self.quick { " --quick" } else { "" },
            self.took_s,
            machine.cores,
            machine.memory_gib,
            machine.cpu,
            machine.kernel,
            machine.fsync_ms.median,
            machine.fsync_ms.runs,
            machine.fsync_ms.min,
            machine.fsync_ms.max,
            versions.quittance,
            versions.nats_server,
            versions.postgresql,
            versions.rustc,
            settings.nats_sync_interval,
            settings.fsync,
            settings.synchronous_commit,
            settings.full_page_writes,
            settings.batch_messages_max,
            settings.request_bytes,
            settings.answer_bytes,
        );
        if self.cpu_used_by_others > QUIET {
            text += &format!(
                "NOT A QUIET MACHINE: others used {:.0} % of its CPU time meanwhile; these figures are too low\n\n",
                self.cpu_used_by_others * 100.0
            );
        }
        for table in [self.figures(), self.costs(), self.latencies()]
            .into_iter()
            .flatten()
        {
            text += &format!("{table}\n\n");
        }
        for check in &self.checks {
            let sums: Vec<String> = check
                .sums
                .iter()
                .map(|(currency, sum)| format!("{sum} {currency}"))
                .collect();
            text += &format!(
                "checked, {}: {} requests have one answer each, a replay gives the same answers, chain and \
                 {} balances; {} payments settled; all money sums to {}\n",
                check.bank,
                check.requests,
                check.accounts,
                check.settled,
                sums.join(", "),
            );
        }
        for note in &self.notes {
            text += &format!("note: {note}\n");
        }
        text
    }

    fn figures(&self) -> Option<Table> {
        let mut table = table(&["figure", "unit", "min", "median", "max", "runs"]);
        for figure in &self.figures {
            let spread = figure.spread;
            table.add_row([
                figure.title.clone(),
                figure.unit.to_owned(),
                grouped(spread.min),
                grouped(spread.median),
                grouped(spread.max),
                spread.runs.to_string(),
            ]);
        }
        right(&mut table, 2..=5);
        (!self.figures.is_empty()).then_some(table)
    }

    fn costs(&self) -> Option<Table> {
        const PARTS: [&str; 7] = [
            "nats", "ledger", "postgres", "payments", "auth", "gateway", "load",
        ];
        let mut header = vec!["CPU µs per payment · memory MiB"];
        header.extend(PARTS);
        let mut table = table(&header);
        for figure in self
            .figures
            .iter()
            .filter(|figure| !figure.costs.is_empty())
        {
            let costs = PARTS.iter().map(|part| {
                figure.costs.get(part).map_or_else(String::new, |cost| {
                    format!("{:.1} · {:.0}", cost.cpu_us_per_payment, cost.memory_mib)
                })
            });
            table.add_row(std::iter::once(figure.title.clone()).chain(costs));
        }
        right(&mut table, 1..=PARTS.len());
        (table.row_count() > 0).then_some(table)
    }

    fn latencies(&self) -> Option<Table> {
        let mut table = table(&[
            "open loop, latency in ms",
            "offered/s",
            "answered/s",
            "p50",
            "p99",
            "p99.9",
            "max",
            "accepted p50",
            "p99",
            "refused",
        ]);
        for latency in &self.latencies {
            let all = latency.end_to_end;
            table.add_row([
                latency.entrance.name().to_owned(),
                grouped(f64::from(latency.offered_per_s)),
                if latency.kept_up {
                    grouped(latency.answered_per_s.round())
                } else {
                    format!(
                        "{} (did not keep up)",
                        grouped(latency.answered_per_s.round())
                    )
                },
                format!("{:.1}", all.p50_ms),
                format!("{:.1}", all.p99_ms),
                format!("{:.1}", all.p999_ms),
                format!("{:.1}", all.max_ms),
                format!("{:.1}", latency.accepted.p50_ms),
                format!("{:.1}", latency.accepted.p99_ms),
                latency.refused.to_string(),
            ]);
        }
        right(&mut table, 1..=9);
        (!self.latencies.is_empty()).then_some(table)
    }
}

fn rounded(number: f64) -> Value {
    json!((number * 1000.0).round() / 1000.0)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(header);
    table
}

fn right(table: &mut Table, columns: std::ops::RangeInclusive<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
