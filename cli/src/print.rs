//! What the commands print with: lines, tables and JSON on standard output.
//!
//! A reader that has seen enough (`quittance watch | head`) closes the pipe. That is no failure: see [`is_closed_pipe`].

use std::io::{self, Write as _};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

/// Prints one line, or several.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
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
