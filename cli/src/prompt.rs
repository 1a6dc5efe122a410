//! A question to whoever sits at the terminal. Scripts are never asked: they would hang.

use std::env;
use std::io::{self, BufRead, IsTerminal as _, Read as _, Write as _};
use std::process::exit;

use anyhow::{Context as _, Result};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

/// Longest answer.
const ANSWER_BYTES_MAX: usize = 4096;
/// What a shell shows for a program that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

/// A code of the second factor: from `QUITTANCE_OTP`, else asked for. `None` when nobody sits there, or nothing is typed. It
/// passes once, so it may be seen.
pub(crate) fn code() -> Result<Option<String>> {
    if let Ok(code) = env::var("QUITTANCE_OTP") {
        return Ok(Some(code));
    }
    line("Code of the second factor: ")
}

/// An answer that may be seen. `None` when nobody sits there, or nothing is typed.
pub(crate) fn line(question: &str) -> Result<Option<String>> {
    if !is_somebody_there() {
        return Ok(None);
    }
    ask(question)?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let answer = line.trim();
    Ok((!answer.is_empty()).then(|| answer.to_owned()))
}

/// An answer that the terminal does not show. `None` when nobody sits there, or nothing is typed.
pub(crate) fn hidden(question: &str) -> Result<Option<String>> {
    if !is_somebody_there() {
        return Ok(None);
    }
    ask(question)?;
    let terminal = io::stdin();
    let before = tcgetattr(&terminal).context("the terminal does not say how it is")?;
    let mut quiet = before.clone();
    // Ctrl-C comes as a character, so that nobody is left with a terminal that shows nothing.
    quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
    quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
    quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
    tcsetattr(&terminal, OptionalActions::Now, &quiet)
        .context("the terminal shows what is typed")?;
    let typed = typed(&mut terminal.lock());
    tcsetattr(&terminal, OptionalActions::Now, &before).context("the terminal stays silent")?;
    writeln!(io::stderr())?;
    match typed? {
        Typed::Line(line) => Ok((!line.is_empty()).then_some(line)),
        Typed::Interrupt => exit(INTERRUPTED),
    }
}

fn is_somebody_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn ask(question: &str) -> Result<()> {
    write!(io::stderr(), "{question}")?;
    Ok(io::stderr().flush()?)
}

#[derive(Debug, PartialEq, Eq)]
enum Typed {
    Line(String),
    /// Ctrl-C.
    Interrupt,
}

/// What is typed up to Enter or Ctrl-D, at a terminal that corrects nothing by itself.
fn typed(keys: &mut impl BufRead) -> Result<Typed> {
    let mut line = Vec::new();
    for key in keys.bytes().take(ANSWER_BYTES_MAX) {
        match key? {
            b'\n' | b'\r' | 0x04 => break,
            0x03 => return Ok(Typed::Interrupt),
            // Backspace takes a whole character.
            0x08 | 0x7f => while line.pop().is_some_and(|byte: u8| byte & 0xc0 == 0x80) {},
            // Ctrl-U begins anew.
            0x15 => line.clear(),
            byte => line.push(byte),
        }
    }
    let line = String::from_utf8(line)
        .ok()
        .context("what was typed is no text")?;
    Ok(Typed::Line(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_can_be_corrected_and_given_up() {
        let typed = |keys: &str| typed(&mut keys.as_bytes()).unwrap();
        let line = |text: &str| Typed::Line(text.to_owned());
        assert_eq!(typed("secret\nrest"), line("secret"));
        assert_eq!(typed("secrét\x7f\x7fet\r"), line("secret"));
        assert_eq!(typed("wrong\x15right\n"), line("right"));
        assert_eq!(typed("secret\x04"), line("secret"));
        assert_eq!(typed("secr\x03et\n"), Typed::Interrupt);
        assert_eq!(typed(""), line(""));
    }
}
