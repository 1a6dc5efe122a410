//! What the commands print with: lines, tables and JSON on standard output.
//!
//! A reader that has seen enough (`quittance watch | head`) closes the pipe. That is no failure: see [`is_closed_pipe`].

use std::io::{self, Write as _};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

/// Prints one line, or several.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{}", lines(text))
}

/// What a stranger wrote, on one line: a terminal obeys control characters, and marks of direction change the order of what
/// stands behind them, so they are escaped, as JSON does it.
pub(crate) fn readable(text: &str) -> String {
    escaped(text, |_| false)
}

/// The same for text that has lines of its own.
pub(crate) fn lines(text: &str) -> String {
    escaped(text, |character| matches!(character, '\n' | '\t'))
}

fn escaped(text: &str, is_wanted: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let is_obeyed = character.is_control() || gives_direction(character);
        if is_obeyed && !is_wanted(character) {
            out += &format!("\\u{:04x}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

/// Marks that a bidirectional text is ordered by.
fn gives_direction(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Columns of a terminal that nobody has widened.
pub(crate) const WIDTH: usize = 80;

/// A line that goes on below itself, `indent` columns in, where it would be longer than a terminal's.
pub(crate) fn folded(line: &str, indent: usize) -> String {
    let mut lines = vec![String::new()];
    // Blanks stay with the word before them, and go where a line ends.
    for word in line.split_inclusive(' ') {
        let mut word = word.to_owned();
        loop {
            let used = lines.last().map_or(0, |line| line.chars().count());
            let is_empty = used == 0 || (lines.len() > 1 && used == indent);
            let fits = used + word.trim_end().chars().count() <= WIDTH;
            if fits || (is_empty && used >= WIDTH) {
                break;
            }
            let rest = if is_empty {
                let at = word.char_indices().nth(WIDTH - used);
                at.map_or_else(String::new, |(at, _)| word.split_off(at))
            } else {
                std::mem::take(&mut word)
            };
            lines.last_mut().expect("never empty").push_str(&word);
            lines.push(" ".repeat(indent));
            word = rest;
        }
        lines.last_mut().expect("never empty").push_str(&word);
    }
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n")
}

/// A path in so many columns: where it is longer, its last parts behind an ellipsis.
pub(crate) fn path_in(columns: usize, path: &str) -> String {
    let count = path.chars().count();
    if count <= columns {
        return path.to_owned();
    }
    let end: String = path.chars().skip(count - columns + 1).collect();
    let whole_parts = end.find('/').map_or(&*end, |at| &end[at..]);
    format!("…{whole_parts}")
}

/// Prints a document, indented.
pub(crate) fn json<T: Serialize>(value: &T) -> io::Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// Whether this error is our reader's leaving.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A table without lines; the header may be empty.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !header.is_empty() {
        table.set_header(header);
    }
    table
}

/// Lets these columns end below each other: amounts.
pub(crate) fn align_right(table: &mut Table, columns: std::ops::RangeInclusive<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// The table as text, indented by two, with two spaces between columns.
pub(crate) fn text(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((2, 0));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The lines three further in: under the number of a step.
pub(crate) fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("   {line}")).collect();
    lines.join("\n")
}

/// A table of names and values.
pub(crate) fn pairs(rows: &[(&str, String)]) -> String {
    let mut pairs = table(&[]);
    for (name, value) in rows {
        pairs.add_row([*name, value.as_str()]);
    }
    text(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_does_not_command_the_terminal() {
        // Clears the screen, sets the title, and the same with C1 characters; a line of its own.
        let text = "a\u{1b}[2J\u{7f}\u{9b}2J\r\n\u{7}";
        let expected = r"a\u001b[2J\u007f\u009b2J\u000d\u000a\u0007";
        assert_eq!(readable(text), expected);
        assert_eq!(
            readable("a\u{202e}b\u{2066}\u{200f}\u{61c}é"),
            r"a\u202eb\u2066\u200f\u061cé"
        );
        assert_eq!(lines("a\n\tb\u{1b}c\r\n"), "a\n\tb\\u001bc\\u000d\n");
        // In JSON it means the same character.
        let json = lines("\"\u{9b}\"");
        assert_eq!(
            serde_json::from_str::<String>(&json).expect("JSON"),
            "\u{9b}"
        );
    }

    #[test]
    fn a_long_line_goes_on_below_itself() {
        let line = format!(
            "#7  {} {} {}",
            "a".repeat(40),
            "b".repeat(50),
            "c".repeat(200)
        );
        let text = folded(&line, 10);
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        let joined: String = text.split_whitespace().collect();
        assert_eq!(joined, line.replace(' ', ""));
        assert_eq!(text.lines().count(), 5, "{text}");
        assert!(
            text.lines()
                .skip(1)
                .all(|line| line.starts_with("          "))
        );
        assert_eq!(folded("short  line", 10), "short  line");
    }

    #[test]
    fn a_long_path_keeps_its_end() {
        let path = "/home/somebody/.local/state/quittance/main-1a2b3c4d";
        for (columns, shown) in [
            (51, path),
            (46, "…/.local/state/quittance/main-1a2b3c4d"),
            (26, "…/quittance/main-1a2b3c4d"),
            (25, "…/quittance/main-1a2b3c4d"),
            (24, "…/main-1a2b3c4d"),
            (9, "…1a2b3c4d"),
        ] {
            assert_eq!(path_in(columns, path), shown, "{columns}");
        }
    }

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = table(&["account", "held"]);
        table.add_row(["ada", "970.00"]);
        table.add_row(["grace", "1030.00"]);
        align_right(&mut table, 1..=1);
        assert_eq!(
            text(table),
            "  account     held\n  ada       970.00\n  grace    1030.00"
        );
    }
}
