//! One line, wherever it was read, and which are wanted.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::print;

/// Where a line goes on that is too long: below the sentence.
const INDENT: usize = 32;
/// The ids that a line may carry.
const IDS: [&str; 4] = ["request_seq", "payment_id", "trace_id", "request_id"];

/// A line as `GET /api/logs/` has it.
pub(super) struct Line(pub(super) Value);

impl Line {
    /// What a service wrote to its own file.
    pub(super) fn of_service(service: &str, text: &str) -> Option<Self> {
        let mut line: Map<String, Value> = serde_json::from_str(text).ok()?;
        let mut fields = line.remove("fields")?.as_object()?.clone();
        let mut whole = json!({
            "at": line.get("timestamp")?, "service": service, "level": line.get("level"),
            "message": fields.remove("message"), "fields": fields, "target": line.get("target"),
        });
        for name in IDS {
            whole[name] = line.remove(name).unwrap_or_default();
        }
        Some(Self(whole))
    }

    /// A request as the gateway notes it.
    pub(super) fn of_gateway(text: &str) -> Option<Self> {
        let mut line: Map<String, Value> = serde_json::from_str(text).ok()?;
        let at = DateTime::parse_from_rfc3339(line.remove("timestamp")?.as_str()?).ok()?;
        let take = |line: &mut Map<String, Value>, name| line.remove(name).unwrap_or_default();
        let (method, path) = (take(&mut line, "method"), take(&mut line, "path"));
        let (status, trace) = (take(&mut line, "status"), take(&mut line, "trace_id"));
        let request = take(&mut line, "request_id");
        let is_fault = status.as_u64().is_some_and(|status| status >= 500);
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Some(Self(json!({
            "at": common::timestamp::text(&at.to_utc()), "service": "gateway",
            "level": if is_fault { "ERROR" } else { "INFO" },
            "message": format!("{} {} {status}", word(&method), word(&path)),
            "trace_id": Some(trace).filter(|trace| *trace != ""), "request_id": request,
            "request_seq": null, "payment_id": null, "fields": line, "target": null,
        })))
    }

    fn word(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    pub(super) fn at(&self) -> Option<DateTime<Utc>> {
        let at = self.0["at"].as_str().or(self.0["received_at"].as_str())?;
        Some(DateTime::parse_from_rfc3339(at).ok()?.to_utc())
    }

    pub(super) fn trace(&self) -> &str {
        self.word("trace_id")
    }

    /// `11-28 18:02:58 WARN  payments  the sentence  name=value`
    pub(super) fn text(&self) -> String {
        let at = self.at();
        let at = at.map_or_else(String::new, |at| at.format("%m-%d %H:%M:%S").to_string());
        let plain = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let ids = IDS.iter().map(|name| (*name, &self.0[*name]));
        let fields = self.0["fields"].as_object().into_iter().flatten();
        let said = ids.chain(fields.map(|(name, value)| (name.as_str(), value)));
        let said = said.filter(|(_, value)| !value.is_null() && **value != "");
        let said: Vec<_> = said
            .map(|(name, value)| format!("  {name}={}", plain(value)))
            .collect();
        let (level, service) = (self.word("level"), self.word("service"));
        let line = format!(
            "{at} {level:<5} {service:<9} {}{}",
            self.word("message"),
            said.concat()
        );
        // A field may quote what a stranger wrote.
        print::folded(&print::readable(&line), INDENT)
    }
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) service: Option<String>,
    pub(super) level: Option<String>,
    pub(super) trace: Option<String>,
    pub(super) payment: Option<String>,
    pub(super) since: Option<DateTime<Utc>>,
}

impl Wanted {
    /// As the query of `GET /api/logs/`.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let since = self.since.as_ref().map(common::timestamp::text);
        [
            ("service", &self.service),
            ("level", &self.level),
            ("trace", &self.trace),
            ("payment", &self.payment),
            ("since", &since),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect()
    }

    /// Does a line from a file fit? The gateway knows no payments, but `traces` of lines about the payment.
    pub(super) fn fits(&self, line: &Line, traces: &BTreeSet<String>) -> bool {
        let is = |name: &str, wanted: &Option<String>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| line.word(name) == wanted)
        };
        let is_recent = self
            .since
            .is_none_or(|since| line.at().is_some_and(|at| at >= since));
        let grave = |level: &str| {
            let all = ["trace", "debug", "info", "warn", "error"];
            all.iter().position(|one| one.eq_ignore_ascii_case(level))
        };
        let least = self.level.as_deref().and_then(grave);
        is_recent
            && grave(line.word("level")) >= least
            && is("service", &self.service)
            && is("trace_id", &self.trace)
            && (is("payment_id", &self.payment) || traces.contains(line.trace()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    #[test]
    fn lines_of_files_are_as_those_of_the_stream() {
        let text = format!(
            r#"{{"timestamp":"2026-11-23T18:02:58.443914Z","level":"DEBUG","service":"ledger","trace_id":"{TRACE}","request_seq":9,"payment_id":"p","fields":{{"message":"answered","answer":"payment.settled.v1"}},"target":"payment"}}"#
        );
        let line = Line::of_service("ledger", &text).unwrap();
        let shown = line.text().replace('\n', " ");
        let shown: Vec<_> = shown.split_whitespace().collect();
        let expected = format!(
            "11-23 18:02:58 DEBUG ledger answered request_seq=9 payment_id=p trace_id={TRACE} answer=payment.settled.v1"
        );
        assert_eq!(shown.join(" "), expected);
        let text = format!(
            r#"{{"timestamp":"2026-11-23T19:02:57+01:00","method":"POST","path":"/payment/payments","status":202,"seconds":0.004,"request_id":"r","trace_id":"{TRACE}"}}"#
        );
        let gateway = Line::of_gateway(&text).unwrap();
        assert!(
            gateway
                .text()
                .starts_with("11-23 18:02:57 INFO  gateway   POST /payment/payments 202")
        );
        assert!(Line::of_service("nats", "[1] LOG ready").is_none());

        let wanted = |payment: Option<&str>, level: Option<&str>| Wanted {
            payment: payment.map(str::to_owned),
            level: level.map(str::to_owned),
            ..Wanted::default()
        };
        let (none, traces) = (BTreeSet::new(), BTreeSet::from([TRACE.to_owned()]));
        assert!(wanted(Some("p"), None).fits(&line, &none));
        assert!(!wanted(Some("q"), None).fits(&line, &none));
        assert!(!wanted(Some("p"), None).fits(&gateway, &none));
        assert!(wanted(Some("p"), None).fits(&gateway, &traces));
        assert!(!wanted(None, Some("info")).fits(&line, &none));
        assert!(wanted(None, Some("info")).fits(&gateway, &none));
    }
}
