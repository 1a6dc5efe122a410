//! A statement as CSV (RFC 4180): a header, the opening balance, a row per posting, the closing balance.
//!
//! Spreadsheets take a cell that begins with `=`, `+`, `-` or `@` for a formula, and the texts here are a stranger's. Such
//! a text gets an apostrophe in front, as OWASP advises ("CSV Injection"). Balances are ours and stay numbers.

use std::borrow::Cow;

use common::kinds::posting::Direction;
use common::timestamp;

use super::entry::AccountPosting;
use super::page::Statement;

/// The columns.
pub(crate) const COLUMNS: [&str; 14] = [
    "line",
    "number",
    "request_seq",
    "booked_at",
    "effective_date",
    "direction",
    "amount",
    "balance",
    "currency",
    "payment_id",
    "client_id",
    "counterparty",
    "reference",
    "counterparty_number",
];

/// The header and the opening balance.
pub(crate) fn begin(statement: &Statement) -> Vec<u8> {
    let mut rows = Rows::new();
    rows.add(COLUMNS);
    rows.balance("opening", statement);
    rows.finish()
}

/// Postings.
pub(crate) fn lines(statement: &Statement, lines: &[AccountPosting]) -> Vec<u8> {
    let mut rows = Rows::new();
    for line in lines {
        let or_empty = |id: Option<String>| id.unwrap_or_default();
        rows.add([
            "posting",
            &line.number.to_string(),
            &line.request_seq.to_string(),
            &timestamp::text(&line.booked_at),
            &line.effective_date.to_string(),
            match line.direction {
                Direction::Debit => "debit",
                Direction::Credit => "credit",
            },
            &line.amount,
            &line.balance,
            statement.opening.currency().code(),
            &or_empty(line.payment_id.map(|id| id.to_string())),
            &plain(line.client_id.as_ref().map_or("", |id| id.as_str())),
            &or_empty(line.counterparty.map(|id| id.to_string())),
            &plain(line.reference.as_deref().unwrap_or_default()),
            &or_empty(line.counterparty_number.map(|number| number.to_string())),
        ]);
    }
    rows.finish()
}

/// The closing balance.
pub(crate) fn end(statement: &Statement) -> Vec<u8> {
    let mut rows = Rows::new();
    rows.balance("closing", statement);
    rows.finish()
}

struct Rows(csv::Writer<Vec<u8>>);

impl Rows {
    fn new() -> Self {
        let mut format = csv::WriterBuilder::new();
        let writer = format.terminator(csv::Terminator::CRLF);
        Self(writer.from_writer(Vec::new()))
    }

    fn add(&mut self, cells: [&str; COLUMNS.len()]) {
        let written = self.0.write_record(cells);
        written.expect("rows of one length into memory");
    }

    fn balance(&mut self, line: &str, statement: &Statement) {
        let (day, balance) = match line {
            "opening" => (statement.days.from, statement.opening),
            _ => (statement.days.to, statement.closing),
        };
        let mut cells = [""; COLUMNS.len()];
        let (day, balance) = (day.to_string(), balance.to_string());
        cells[0] = line;
        cells[4] = &day;
        cells[7] = &balance;
        cells[8] = statement.opening.currency().code();
        self.add(cells);
    }

    fn finish(self) -> Vec<u8> {
        self.0.into_inner().expect("written into memory")
    }
}

/// A text that no spreadsheet takes for a formula. Control characters in front, and full-width signs, count too.
fn plain(text: &str) -> Cow<'_, str> {
    let is_formula = |sign: char| {
        matches!(
            sign,
            '=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}'
        )
    };
    let begins = text.chars().next().is_some_and(char::is_control)
        || text.trim_start().starts_with(is_formula);
    if begins {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula() {
        for (text, shown) in [
            ("Lunch", "Lunch"),
            ("", ""),
            ("1-2=3", "1-2=3"),
            ("=1+1", "'=1+1"),
            ("+49 30", "'+49 30"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("  =1", "'  =1"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\n", "'\n"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("'=1", "'=1"),
        ] {
            assert_eq!(plain(text), shown, "{text:?}");
        }
    }
}
