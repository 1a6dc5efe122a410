//! Money is a decimal with its currency: parsed once at the edge, added with checks, never a float.
//!
//! [`Money::positive`] is the only way an amount from outside comes in, so inside there is no amount with too many
//! decimals, of an unknown currency, or beyond [`AMOUNT_DIGITS_MAX`].

use std::fmt;

use rust_decimal::Decimal;

use crate::currencies::{CURRENCIES, WITHDRAWN};

/// An amount has at most 15 digits before the point: with 4 decimals that leaves room, in the 28 digits of a
/// [`Decimal`], for the sum of a thousand million payments of the largest amount.
pub const AMOUNT_DIGITS_MAX: usize = 15;

/// A currency of ISO 4217 that has a minor unit. Gold, test codes and the like have none and are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency {
    code: &'static str,
    exponent: u32,
}

impl Currency {
    /// The currency of a code such as `EUR`; `None` when there is no such money.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        CURRENCIES.iter().find_map(|(exponent, codes)| {
            let known = codes.iter().find(|known| **known == code)?;
            Some(Self {
                code: known,
                exponent: *exponent,
            })
        })
    }

    /// Three capital letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.code
    }

    /// ISO 4217 has withdrawn it.
    #[must_use]
    pub fn is_withdrawn(self) -> bool {
        WITHDRAWN.contains(&self.code)
    }

    /// Decimals of the minor unit: 2 for EUR, 0 for JPY, 3 for KWD. Source: ISO 4217.
    #[must_use]
    pub fn exponent(self) -> u32 {
        self.exponent
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount or a balance in one currency. A balance may be negative, an amount from outside is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

/// Why a text is no amount.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidAmount {
    /// Not digits with an optional point: a sign, a space, an exponent or a comma also land here.
    #[error(
        "the amount is a decimal such as \"12.50\", of at most {AMOUNT_DIGITS_MAX} digits before the point"
    )]
    NotDecimal,
    /// Finer than the currency's minor unit.
    #[error("the amount has {scale} decimals, {currency} has {exponent}")]
    TooManyDecimals {
        /// Decimals that were given.
        scale: usize,
        /// The currency.
        currency: Currency,
        /// Decimals that it has.
        exponent: u32,
    },
    /// Zero or negative.
    #[error("the amount must be above zero")]
    NotPositive,
    /// Negative, where zero would do.
    #[error("a limit is zero or above")]
    Negative,
}

impl Money {
    /// No money in this currency.
    #[must_use]
    pub fn zero(currency: Currency) -> Self {
        Self {
            amount: Decimal::ZERO,
            currency,
        }
    }

    /// An amount that somebody sent: above zero and as fine as the currency allows.
    ///
    /// # Errors
    /// [`InvalidAmount`], in the order of its variants except that a minus sign is reported as not positive.
    pub fn positive(text: &str, currency: Currency) -> Result<Self, InvalidAmount> {
        let money = Self::not_negative(text, currency).map_err(|error| match error {
            InvalidAmount::Negative => InvalidAmount::NotPositive,
            other => other,
        })?;
        if money.amount.is_zero() {
            Err(InvalidAmount::NotPositive)
        } else {
            Ok(money)
        }
    }

    /// A limit that somebody sent: as [`Money::positive`], but zero is fine.
    ///
    /// # Errors
    /// [`InvalidAmount`].
    pub fn not_negative(text: &str, currency: Currency) -> Result<Self, InvalidAmount> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", text),
        };
        let (whole, fraction) = digits
            .split_once('.')
            .map_or((digits, None), |(w, f)| (w, Some(f)));
        let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !are_digits(whole) || whole.len() > AMOUNT_DIGITS_MAX || !fraction.is_none_or(are_digits)
        {
            return Err(InvalidAmount::NotDecimal);
        }
        if !sign.is_empty() {
            return Err(InvalidAmount::Negative);
        }
        let scale = fraction.map_or(0, str::len);
        let exponent = currency.exponent();
        if u32::try_from(scale).is_ok_and(|scale| scale > exponent) || scale > 28 {
            return Err(InvalidAmount::TooManyDecimals {
                scale,
                currency,
                exponent,
            });
        }
        let amount = digits.parse().map_err(|_| InvalidAmount::NotDecimal)?;
        Ok(Self { amount, currency })
    }

    /// A value that this system itself stored, negative ones too.
    #[must_use]
    pub fn stored(amount: Decimal, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// The number alone, for the database.
    #[must_use]
    pub fn amount(self) -> Decimal {
        self.amount
    }

    /// The currency alone.
    #[must_use]
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// The same amount on the other side of zero.
    #[must_use]
    pub fn negated(self) -> Self {
        Self {
            amount: -self.amount,
            ..self
        }
    }

    /// Below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.amount.is_sign_negative() && !self.amount.is_zero()
    }

    /// The sum; `None` when the currencies differ or 28 digits don't hold it.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let amount = self.amount.checked_add(other.amount)?;
        (self.currency == other.currency).then_some(Self { amount, ..self })
    }

    /// The difference; `None` when the currencies differ or 28 digits don't hold it.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let amount = self.amount.checked_sub(other.amount)?;
        (self.currency == other.currency).then_some(Self { amount, ..self })
    }
}

/// The number with all decimals of its currency and no currency: `30.00`. This is the form on the wire.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut amount = self.amount;
        amount.rescale(self.currency.exponent());
        if amount.is_zero() {
            amount.set_sign_positive(true);
        }
        amount.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, code: &str, expected: &str) {
        let currency = Currency::from_code(code).expect("a currency of the table");
        let got = Money::positive(text, currency)
            .map_or_else(|error| format!("{error:?}"), |money| money.to_string());
        assert!(
            got.starts_with(expected),
            "{text} {code}: {got}, expected {expected}"
        );
    }

    #[test]
    fn only_plain_decimals_as_fine_as_the_currency_are_amounts() {
        check("30", "EUR", "30.00");
        check("30.5", "EUR", "30.50");
        check("0.01", "EUR", "0.01");
        check("007", "JPY", "7");
        check("1.234", "KWD", "1.234");
        check("999999999999999.99", "EUR", "999999999999999.99");
        check("1.234", "EUR", "TooManyDecimals");
        check("1.0", "JPY", "TooManyDecimals");
        check(
            "1.00000000000000000000000000000000000",
            "EUR",
            "TooManyDecimals",
        );
        check("0", "EUR", "NotPositive");
        check("0.00", "EUR", "NotPositive");
        check("-5", "EUR", "NotPositive");
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "+1",
            "1e3",
            "1,5",
            " 1",
            "1 ",
            "NaN",
            "--1",
            "1_000",
            "1000000000000000",
            "١",
        ] {
            check(text, "EUR", "NotDecimal");
        }
    }

    #[test]
    fn gold_and_unknown_codes_are_no_currency() {
        for code in ["XAU", "XXX", "eur", "EURO", "", "ZZZ"] {
            assert!(Currency::from_code(code).is_none(), "{code}");
        }
    }

    #[test]
    fn currencies_do_not_mix() {
        let euro = Money::positive("1", Currency::from_code("EUR").unwrap()).unwrap();
        let yen = Money::positive("1", Currency::from_code("JPY").unwrap()).unwrap();
        assert_eq!(euro.checked_add(yen), None);
        assert_eq!(euro.checked_sub(yen), None);
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(minor in 1_u64..10_u64.pow(17)) {
            let currency = Currency::from_code("EUR").unwrap();
            let money = Money::stored(Decimal::new(i64::try_from(minor).unwrap(), 2), currency);
            prop_assert_eq!(Money::positive(&money.to_string(), currency), Ok(money));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let currency = Currency::from_code("EUR").unwrap();
            if let Ok(money) = Money::positive(&text, currency) {
                prop_assert!(!money.is_negative());
            }
        }
    }
}
