//! Logs for people: `quittance logs`, and the end of a part's log. Our services write JSON lines, the servers text.

mod command;
mod files;
mod shown;

use std::path::Path;

use local::process::tail;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::print;

pub(crate) use command::{Options, run};

/// A line of one of our services.
#[derive(Deserialize)]
struct Line {
    timestamp: String,
    level: String,
    fields: Map<String, Value>,
}

/// The last lines of a log and where it is.
pub(crate) fn last_words(log: &Path) -> String {
    format!("the end of {}:\n{}", log.display(), tail(log).trim_end())
}

/// `18:02:58 ERROR the sentence name=value`; a line that is no JSON stays as it is.
pub(crate) fn readable(line: &str) -> String {
    let Ok(Line {
        timestamp,
        level,
        mut fields,
    }) = serde_json::from_str(line)
    else {
        return print::lines(line);
    };
    let plain = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let message = fields
        .remove("message")
        .as_ref()
        .map(plain)
        .unwrap_or_default();
    let time = timestamp.get(11..19).unwrap_or(&timestamp);
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("  {name}={}", plain(value)))
        .collect();
    // A field may quote what a stranger wrote.
    print::lines(&format!("  {time} {level:<5} {message}{}", fields.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_as_a_sentence() {
        let json = r#"{"timestamp":"2026-11-23T18:02:58.443914Z","level":"INFO","fields":{"message":"leading","cursor":20},"target":"ledger::engine"}"#;
        assert_eq!(readable(json), "  18:02:58 INFO  leading  cursor=20");
        assert_eq!(readable("  LOG: ready"), "  LOG: ready");
        let json = r#"{"timestamp":"2026-11-23T18:02:58.4Z","level":"WARN","fields":{"message":"a","name":"\u001b[2J"}}"#;
        assert_eq!(readable(json), r"  18:02:58 WARN  a  name=\u001b[2J");
        assert_eq!(readable("LOG: \u{1b}[2J"), r"LOG: \u001b[2J");
    }
}
