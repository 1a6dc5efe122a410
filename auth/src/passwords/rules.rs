//! Which passwords people may set: the rules of NIST SP 800-63B-4 §3.1.1.2. Pure, and asks no service of others.
//!
//! Long ones, not those that many people have, not one's own name. No rule asks for digits or signs, none for a new password
//! each quarter. Who has a password of before keeps it: it is judged only when it is set.

use std::borrow::Cow;
use std::sync::LazyLock;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// Fewest characters where the password alone opens the door, and where a second factor is asked for too. Source: NIST.
const CHARS_MIN: usize = 15;
const CHARS_MIN_WITH_SECOND_FACTOR: usize = 8;
/// Most characters. NIST asks for 64 at least; all of them count.
const CHARS_MAX: usize = 128;
/// So many characters must be left when one's own names are taken out of a password.
const OWN_CHARS_MIN: usize = 8;
/// A name as short as this may stand in a password by chance.
const NAME_CHARS_MIN: usize = 4;
/// A password may not be a piece as short as this again and again.
const REPEATED_CHARS_MAX: usize = 4;

/// Passwords that many people have, in lower case and sorted. Source and licence: `common.md`.
static COMMON: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("common.txt").lines().collect());

/// Whose password it is going to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'c> {
    pub(crate) email: &'c str,
    pub(crate) username: &'c str,
    /// Whether logging in takes more than this password.
    pub(crate) has_second_factor: bool,
}

/// A rule that a password breaks. Its text is for the person who chose the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rule {
    #[error("a password has at least {min} characters; several words make a good one")]
    TooShort { min: usize },
    #[error("a password has at most {CHARS_MAX} characters")]
    TooLong,
    #[error("a password holds no control characters, such as a line break")]
    Control,
    #[error(
        "many people have this password, so it is tried first; several words of yours make a better one"
    )]
    Common,
    #[error("this password is little more than your name or e-mail address")]
    OwnName,
}

/// Judges a password that somebody wants to set.
///
/// # Errors
/// The first rule that it breaks.
pub(crate) fn check(password: &str, context: &Context<'_>) -> Result<(), Rule> {
    let password = normalized(password);
    let min = if context.has_second_factor {
        CHARS_MIN_WITH_SECOND_FACTOR
    } else {
        CHARS_MIN
    };
    let length = password.chars().count();
    if length < min {
        return Err(Rule::TooShort { min });
    }
    if length > CHARS_MAX {
        return Err(Rule::TooLong);
    }
    if password.chars().any(char::is_control) {
        return Err(Rule::Control);
    }
    let lower = password.to_lowercase();
    if is_common(&lower) {
        return Err(Rule::Common);
    }
    if is_own_name(&lower, context) {
        return Err(Rule::OwnName);
    }
    Ok(())
}

/// The form in which a password is hashed: the same letters typed on another machine may come in other code points.
///
/// NFC, as NIST recommends: hardly any keyboard sends anything else, so hashes of before stay good.
pub(crate) fn normalized(password: &str) -> Cow<'_, str> {
    if is_nfc(password) {
        Cow::Borrowed(password)
    } else {
        Cow::Owned(password.nfc().collect())
    }
}

/// One that is in the list, or such a one or a short piece again and again.
fn is_common(lower: &str) -> bool {
    let is_listed = |text: &str| COMMON.binary_search(&text).is_ok();
    let piece = repeated_piece(lower);
    is_listed(lower)
        || is_listed(piece)
        || (piece.len() < lower.len() && piece.chars().count() <= REPEATED_CHARS_MAX)
}

/// The shortest piece that gives the text when it is repeated; the last time it may be cut off.
fn repeated_piece(text: &str) -> &str {
    let mut ends = text.char_indices().map(|(at, _)| at).skip(1);
    let is_repeated = |end: &usize| {
        *end * 2 <= text.len() && text.as_bytes()[*end..] == text.as_bytes()[..text.len() - end]
    };
    let end = ends.find(is_repeated);
    &text[..end.unwrap_or(text.len())]
}

/// Whether little is left of it without the person's names.
fn is_own_name(lower: &str, context: &Context<'_>) -> bool {
    let (email, username) = (
        context.email.to_lowercase(),
        context.username.to_lowercase(),
    );
    let (local, domain) = email.rsplit_once('@').unwrap_or((&email, ""));
    // The longest first: a shorter one may be a part of it.
    let mut names = [&*email, &*username, local, domain];
    names.sort_unstable_by_key(|name| std::cmp::Reverse(name.len()));
    let mut left = lower.to_owned();
    let mut is_named = false;
    for name in names {
        if name.chars().count() >= NAME_CHARS_MIN && left.contains(name) {
            left = left.replace(name, "");
            is_named = true;
        }
    }
    is_named && left.chars().count() < OWN_CHARS_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_as_ada(password: &str, has_second_factor: bool, expected: Result<(), Rule>) {
        let context = Context {
            email: "Ada.Lovelace@demo.quittance",
            username: "lovelace",
            has_second_factor,
        };
        assert_eq!(check(password, &context), expected, "{password:?}");
    }

    #[test]
    fn a_password_is_long_and_nobodys_and_that_is_all() {
        let short = Err(Rule::TooShort { min: 15 });
        let long = "x1 y2 z3".repeat(17);
        for (password, expected) in [
            ("", short),
            ("fourteen chars", short),
            ("fifteen charact", Ok(())),
            ("correct horse battery staple", Ok(())),
            ("onlylowercaseletters", Ok(())),
            ("éééé wörter und ßtraße", Ok(())),
            ("我的密碼是一個很長的句子而且好記", Ok(())),
            (&long[..CHARS_MAX], Ok(())),
            (&long[..=CHARS_MAX], Err(Rule::TooLong)),
            ("fifteen\ncharact", Err(Rule::Control)),
            ("  spaces count  ", Ok(())),
            ("1q2w3e4r5t6y7u8i", Err(Rule::Common)),
            ("1Q2W3E4R5T6Y7U8I", Err(Rule::Common)),
            ("ManchesterUnited", Err(Rule::Common)),
            ("passwordpassword", Err(Rule::Common)),
            ("PasswordPasswordPass", Err(Rule::Common)),
            ("aaaaaaaaaaaaaaaa", Err(Rule::Common)),
            ("ab1!ab1!ab1!ab1!", Err(Rule::Common)),
            ("Ada.Lovelace@demo.quittance", Err(Rule::OwnName)),
            ("ada.lovelace@demo.quittance1", Err(Rule::OwnName)),
            ("ada.lovelace2026", Err(Rule::OwnName)),
            ("lovelaceLOVELACE", Err(Rule::OwnName)),
            ("lovelace counts on engines", Ok(())),
        ] {
            check_as_ada(password, false, expected);
        }
    }

    #[test]
    fn a_second_factor_allows_a_shorter_one() {
        for (password, expected) in [
            ("7 chars", Err(Rule::TooShort { min: 8 })),
            ("8 chars!", Ok(())),
            ("password", Err(Rule::Common)),
            ("P@ssw0rd", Err(Rule::Common)),
            ("lovelace", Err(Rule::OwnName)),
        ] {
            check_as_ada(password, true, expected);
        }
    }

    #[test]
    fn characters_count_however_they_are_written() {
        // An e and its accent are one character.
        let (composed, decomposed) = ("\u{e9}".repeat(14), "e\u{301}".repeat(14));
        assert_eq!(normalized(&decomposed), composed);
        check_as_ada(&decomposed, false, Err(Rule::TooShort { min: 15 }));
    }

    #[test]
    fn every_rule_has_a_sentence() {
        let text = Rule::TooShort { min: 15 }.to_string();
        assert_eq!(
            text,
            "a password has at least 15 characters; several words make a good one"
        );
        assert!(Rule::TooLong.to_string().contains("128"));
    }

    #[test]
    fn the_list_is_sorted_and_in_lower_case() {
        assert!(COMMON.is_sorted() && COMMON.len() > 19_000);
        assert!(
            COMMON
                .iter()
                .all(|password| *password == password.to_lowercase())
        );
    }
}
