//! The form of a body that is written as this program writes: without blanks and escapes. Its parts are copied as they are.

use memchr::memchr;

use super::{FIELDS, FIELDS_OF_POSTING, FIELDS_OF_REASON};

/// How deep values may be nested; far below where the slow way gives up.
const DEPTH_MAX: u32 = 16;
/// Digits of a number that any reader takes for what it is.
const DIGITS_MAX: usize = 18;

/// The form, or `None` when the body is written in any other way, right or wrong: then the slow way decides.
pub(super) fn quick_form(body: &[u8]) -> Option<Vec<u8>> {
    str::from_utf8(body).ok()?;
    // Without an early end the whole is done many bytes at a time.
    let is_odd = |byte: &u8| *byte < b' ' || *byte == b'\\';
    if body.iter().fold(false, |any, byte| any | is_odd(byte)) {
        return None;
    }
    let mut rest = Rest(body);
    let mut fields = [None; FIELDS.len()];
    let mut postings = Vec::new();
    let mut code = None;
    rest.object(|name, rest| {
        match name {
            b"postings" => postings = rest.list_of(FIELDS_OF_POSTING)?,
            b"reason" => code = rest.picked(FIELDS_OF_REASON)?.and_then(|[code]| code),
            name => {
                let value = rest.value(DEPTH_MAX)?;
                if let Some(place) = place(FIELDS, name) {
                    fields[place] = value;
                }
            }
        }
        Some(())
    })?;
    if !rest.0.is_empty() {
        return None;
    }
    let mut form = Vec::with_capacity(body.len());
    form.push(b'{');
    write_named(&mut form, FIELDS, &fields);
    if form.len() > 1 {
        form.push(b',');
    }
    form.extend_from_slice(b"\"postings\":[");
    for (number, posting) in postings.iter().enumerate() {
        form.extend_from_slice(if number > 0 { b",{" } else { b"{" });
        write_named(&mut form, FIELDS_OF_POSTING, posting);
        form.push(b'}');
    }
    form.push(b']');
    // As the slow way, which takes a text alone for a code.
    if let Some(code) = code.filter(|code| code.starts_with(b"\"")) {
        form.extend_from_slice(b",\"reason\":");
        form.extend_from_slice(code);
    }
    form.push(b'}');
    Some(form)
}

/// A plain value as it is written; `None` for an object or a list, of which nothing is shown.
type Plain<'b> = Option<&'b [u8]>;

fn place(names: &[&str], name: &[u8]) -> Option<usize> {
    names.iter().position(|one| one.as_bytes() == name)
}

fn write_named(form: &mut Vec<u8>, names: &[&str], values: &[Plain<'_>]) {
    let mut comma: &[u8] = b"\"";
    for (name, value) in names.iter().zip(values) {
        if let Some(value) = value {
            form.extend_from_slice(comma);
            form.extend_from_slice(name.as_bytes());
            form.extend_from_slice(b"\":");
            form.extend_from_slice(value);
            comma = b",\"";
        }
    }
}

/// What is not read yet.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn next(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Takes this byte; `None` when there is another.
    fn take(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }

    fn split(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A text, without its quotes. There are no escapes.
    fn text(&mut self) -> Option<&'b [u8]> {
        self.take(b'"')?;
        let text = self.split(memchr(b'"', self.0)?)?;
        self.take(b'"')?;
        Some(text)
    }

    /// An object; `field` reads the value of each name.
    fn object(&mut self, mut field: impl FnMut(&'b [u8], &mut Self) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let name = self.text()?;
            self.take(b':')?;
            field(name, self)?;
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
        }
    }

    /// A list; `item` reads each of its values.
    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.take(b',').is_none() {
                return self.take(b']');
            }
        }
    }

    /// Any value.
    fn value(&mut self, depth: u32) -> Option<Plain<'b>> {
        let depth = depth.checked_sub(1)?;
        match self.next()? {
            b'{' => self.object(|_, rest| rest.value(depth).map(drop))?,
            b'[' => self.list(|rest| rest.value(depth).map(drop))?,
            _ => return self.plain().map(Some),
        }
        Some(None)
    }

    fn plain(&mut self) -> Option<&'b [u8]> {
        match self.next()? {
            b'"' => {
                let length = memchr(b'"', self.0.get(1..)?)? + 2;
                self.split(length)
            }
            b'0'..=b'9' => self.number(),
            _ => ["null", "true", "false"].into_iter().find_map(|word| {
                let is_it = self.0.starts_with(word.as_bytes());
                is_it.then(|| self.split(word.len()))?
            }),
        }
    }

    /// A whole number. With anything else behind its digits the slow way decides how it is written.
    fn number(&mut self) -> Option<&'b [u8]> {
        let length = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let number = self.split(length)?;
        let is_plain = length <= DIGITS_MAX && (length == 1 || number[0] != b'0');
        is_plain.then_some(number)
    }

    /// What an object has under these names; `None` for a value that is none.
    fn picked<const N: usize>(&mut self, names: &[&str; N]) -> Option<Option<[Plain<'b>; N]>> {
        if self.next()? != b'{' {
            self.value(DEPTH_MAX)?;
            return Some(None);
        }
        let mut picked = [None; N];
        self.object(|name, rest| {
            let value = rest.value(DEPTH_MAX)?;
            if let Some(place) = place(names, name) {
                picked[place] = value;
            }
            Some(())
        })?;
        Some(Some(picked))
    }

    /// What the objects of a list have under these names; whatever else is in it has nothing.
    fn list_of<const N: usize>(&mut self, names: &[&str; N]) -> Option<Vec<[Plain<'b>; N]>> {
        let mut items = Vec::new();
        if self.next()? == b'[' {
            self.list(|rest| {
                items.push(rest.picked(names)?.unwrap_or([None; N]));
                Some(())
            })?;
        } else {
            self.value(DEPTH_MAX)?;
        }
        Some(items)
    }
}
