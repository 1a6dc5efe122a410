//! The bank's own accounts in a currency, opened by the ledger itself so that every bank has them from the start.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::AccountId;
use crate::kinds::account::Category;
use crate::kinds::body::RequestBody;
use crate::money::Currency;

/// The `ce-type` of such a request.
pub const REQUESTED: &str = "chart.requested.v1";
/// Where the ledger asks for it.
pub const SUBJECT: &str = "request.chart.v1.ledger";

/// Opens one of the bank's own accounts; opened before, it stays as it is. Subject `request.chart.v1.ledger`; only the
/// ledger may publish there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "chart.requested.v1")]
pub struct OpenBankAccount {
    /// Follows from what it is for and its currency.
    pub account_id: AccountId,
    /// What it is for.
    pub purpose: Purpose,
    /// ISO 4217 code.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
}

impl RequestBody for OpenBankAccount {}

impl OpenBankAccount {
    /// The request for an account.
    #[must_use]
    pub fn of(purpose: Purpose, currency: Currency) -> Self {
        Self {
            account_id: purpose.account_id(currency),
            purpose,
            currency: currency.code().to_owned(),
        }
    }
}

/// What an account of the bank's own is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Notes and coins: deposits and withdrawals at the counter.
    Cash,
    /// What the bank has at other banks: money that comes and goes by transfer.
    Nostro,
    /// Fees earned.
    Fees,
    /// What is lost or won when an exchange is rounded.
    Rounding,
}

impl Purpose {
    /// All of them, in the order in which they are opened.
    pub const ALL: [Self; 4] = [Self::Cash, Self::Nostro, Self::Fees, Self::Rounding];

    /// Its place in the bank's books.
    #[must_use]
    pub fn category(self) -> Category {
        match self {
            Self::Cash | Self::Nostro => Category::Asset,
            Self::Fees => Category::Income,
            Self::Rounding => Category::Expense,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cash => "Cash",
            Self::Nostro => "Nostro",
            Self::Fees => "Fees",
            Self::Rounding => "Rounding differences",
        }
    }

    /// How far below zero it may go, in whole units of its currency: rounding is won as often as it is lost.
    #[must_use]
    pub fn overdraft_limit(self) -> &'static str {
        match self {
            Self::Cash | Self::Nostro | Self::Fees => "0",
            Self::Rounding => "1000",
        }
    }

    /// Its id: a UUID of version 7 of 2024 that is recognised at a glance, with the currency's letters at its end.
    #[must_use]
    pub fn account_id(self, currency: Currency) -> AccountId {
        let word: u128 = match self {
            Self::Cash => 0xca54,
            Self::Nostro => 0x0057,
            Self::Fees => 0xfee5,
            Self::Rounding => 0x0c75,
        };
        let letters = currency.code().bytes();
        let letters = letters.fold(0, |all, letter| all << 8 | u128::from(letter));
        AccountId(Uuid::from_u128(
            0x0190_0000_0000_7000_8000_0000_0000_0000 | word << 80 | letters,
        ))
    }

    /// What an account with this id is for, and in which currency, if it is one of the bank's.
    #[must_use]
    pub fn of_account(id: AccountId) -> Option<(Self, Currency)> {
        let [.., first, second, third] = id.0.into_bytes();
        let letters = [first, second, third];
        let currency = Currency::from_code(std::str::from_utf8(&letters).ok()?)?;
        let mut all = Self::ALL.into_iter();
        let purpose = all.find(|purpose| purpose.account_id(currency) == id)?;
        Some((purpose, currency))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_purpose_and_currency_has_an_account_of_its_own() {
        let currencies = ["EUR", "USD", "JPY"].map(|code| Currency::from_code(code).unwrap());
        let mut ids = HashSet::new();
        for purpose in Purpose::ALL {
            for currency in currencies {
                let id = purpose.account_id(currency);
                assert_eq!(id.0.get_version_num(), 7);
                assert!(ids.insert(id), "{purpose:?} {}", currency.code());
                assert_eq!(Purpose::of_account(id), Some((purpose, currency)));
            }
        }
        for other in [
            "01900000-ca54-7000-8000-000000000001",
            "01900000-ca54-7000-8000-000000585858",
            "01900000-ca54-7000-8000-000001455552",
        ] {
            let id = AccountId(other.parse().unwrap());
            assert_eq!(Purpose::of_account(id), None, "{other}");
        }
        let cash = Purpose::Cash.account_id(currencies[0]).to_string();
        assert_eq!(cash, "01900000-ca54-7000-8000-000000455552");
    }
}
