//! JSON as YAML that people read: keys and lists on lines of their own. Texts stay in quotes, as YAML takes JSON's.

use std::fmt::Write as _;

use serde_json::Value;

pub(crate) fn of(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text
}

fn write(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let name = if is_plain(name) {
                    name.clone()
                } else {
                    quoted(name)
                };
                write!(text, "{indent}{name}:").expect("a string takes everything");
                after(text, member, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                write!(text, "{indent}-").expect("a string takes everything");
                after(text, item, depth);
            }
        }
        scalar => writeln!(text, "{indent}{scalar}").expect("a string takes everything"),
    }
}

/// What stands behind a name or a dash: a scalar on the same line, everything else below.
fn after(text: &mut String, value: &Value, depth: usize) {
    let is_block = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        text.push('\n');
        write(text, value, depth + 1);
    } else {
        writeln!(text, " {value}").expect("a string takes everything");
    }
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn quoted(name: &str) -> String {
    Value::from(name).to_string()
}
