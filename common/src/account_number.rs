//! The number of an account for people: what they read out, type and print beside the UUID.
//!
//! It is made like an IBAN (ISO 13616): `QT`, two check digits by ISO 7064 MOD 97-10, and at least twelve digits. Those are
//! the sequence of the request that opened the account, so the log says it, it never changes, and old accounts have one
//! too. ISO 3166 leaves `QT` to its users: no country's IBAN begins with it.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::ids::AccountId;

/// What every number begins with.
const PREFIX: &str = "QT";
/// `QT00`, with A as 10 to Z as 35: what the check digits are computed with behind the other digits.
const PREFIX_AS_DIGITS: u128 = 26_29_00;
/// Six digits.
const SHIFT: u128 = 1_000_000;
const MODULUS: u128 = 97;
/// Digits behind the check digits. More follow when the log has more requests than they can count.
const DIGITS_MIN: usize = 12;
/// The check digits end here.
const HEAD: usize = 4;

/// The number of an account. Shown without spaces; with spaces, and in lower case, it is understood too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^QT[0-9]{14,21}$"))]
pub struct AccountNumber {
    opened_seq: u64,
}

impl AccountNumber {
    /// The number of the account that this request opened.
    #[must_use]
    pub fn of(opened_seq: u64) -> Self {
        Self { opened_seq }
    }

    /// The request that opened the account.
    #[must_use]
    pub fn opened_seq(self) -> u64 {
        self.opened_seq
    }

    fn check_digits(self) -> u128 {
        MODULUS + 1 - (u128::from(self.opened_seq) * SHIFT + PREFIX_AS_DIGITS) % MODULUS
    }
}

impl fmt::Display for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (check, seq) = (self.check_digits(), self.opened_seq);
        write!(f, "{PREFIX}{check:02}{seq:0DIGITS_MIN$}")
    }
}

impl Serialize for AccountNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text names no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It is written as a number, but mistyped.
    #[error("{0} is no account number: its check digits do not fit, so one of its digits is wrong")]
    CheckDigits(String),
    /// It is nothing that names an account.
    #[error(
        "an account is named by its number, such as {}, or by its UUID",
        AccountNumber::of(2)
    )]
    Form,
}

impl FromStr for AccountNumber {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let mut plain: String = text.chars().filter(|c| *c != ' ').collect();
        plain.make_ascii_uppercase();
        let digits = plain.strip_prefix(PREFIX).ok_or(InvalidName::Form)?;
        let is_long_enough = plain.len() >= HEAD + DIGITS_MIN;
        if !is_long_enough || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(InvalidName::Form);
        }
        let number = plain.get(HEAD..).and_then(|digits| digits.parse().ok());
        let number = number.map(Self::of).ok_or(InvalidName::Form)?;
        if number.to_string() == plain {
            Ok(number)
        } else {
            Err(InvalidName::CheckDigits(plain))
        }
    }
}

impl TryFrom<String> for AccountNumber {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

/// An account as a person names it: by its number or by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum AccountName {
    /// By its id.
    Id(AccountId),
    /// By its number.
    Number(AccountNumber),
}

impl From<AccountId> for AccountName {
    fn from(id: AccountId) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl FromStr for AccountName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.trim().parse::<Uuid>() {
            Ok(id) => Ok(Self::Id(AccountId(id))),
            Err(_) => text.parse().map(Self::Number),
        }
    }
}

impl TryFrom<String> for AccountName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// ISO 13616's rule, by its words: the first four characters go to the end, letters become numbers, the remainder is 1.
    fn remainder(text: &str) -> u32 {
        let (head, tail) = text.split_at(HEAD);
        let digits = tail.chars().chain(head.chars()).flat_map(|c| {
            let value = c.to_digit(36).expect("a letter or a digit");
            value.to_string().into_bytes()
        });
        digits.fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97)
    }

    #[test]
    fn a_number_is_read_as_people_write_it() {
        let number = AccountNumber::of(2);
        assert_eq!(number.to_string(), "QT14000000000002");
        for text in [
            "QT14000000000002",
            "QT14 0000 0000 0002",
            " qt14 0000 00000002",
        ] {
            assert_eq!(text.parse(), Ok(number), "{text}");
        }
        let id = AccountId(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse(), Ok(AccountName::Id(id)));
        for text in [
            "",
            "QT",
            "QT14",
            "QT1400000000002",
            "QT14-000000000002",
            "QT14999999999999999999999",
            "DE87000000000002",
            "Ä",
        ] {
            assert_eq!(
                text.parse::<AccountName>(),
                Err(InvalidName::Form),
                "{text}"
            );
        }
        let padded = "QT140000000000002".parse::<AccountNumber>();
        assert!(matches!(padded, Err(InvalidName::CheckDigits(_))));
    }

    proptest! {
        #[test]
        fn check_digits_are_those_of_iso_13616(seq: u64) {
            let text = AccountNumber::of(seq).to_string();
            prop_assert_eq!(remainder(&text), 1);
            prop_assert_eq!(text.parse(), Ok(AccountNumber::of(seq)));
        }

        #[test]
        fn one_wrong_digit_and_two_that_changed_places_are_noticed(
            seq in 0_u64..1_000_000_000_000, place in 2_usize..15, digit in 0_u8..10,
        ) {
            let text = AccountNumber::of(seq).to_string();
            let mut wrong = text.clone().into_bytes();
            wrong[place] = b'0' + digit;
            let mut swapped = text.clone().into_bytes();
            swapped.swap(place, place + 1);
            for other in [wrong, swapped] {
                let other = String::from_utf8(other).expect("digits");
                prop_assert!(other == text || other.parse::<AccountNumber>().is_err(), "{}", other);
            }
        }
    }
}
