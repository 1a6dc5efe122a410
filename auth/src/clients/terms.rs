//! What a service account may do at most: the words of an administrator in, checked terms out.

use std::collections::{BTreeMap, BTreeSet};

use common::ids::{AccountId, ClientId};
use common::money::{Currency, Money};
use common::token::{Audience, Scope};

use super::Error;

/// Currencies of a limit at most, and accounts: a token that names them all stays under 4096 bytes.
const CURRENCIES_MAX: usize = 10;
const ACCOUNTS_MAX: usize = 20;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 140;

/// Names that our own services, or the owner of the bank's own accounts, have.
const RESERVED: [&str; 5] = ["auth", "ledger", "payments", "audit", "bank"];

/// All scopes.
pub(crate) const SCOPES: [Scope; 8] = [
    Scope::PaymentsSubmit,
    Scope::PaymentsSubmitAny,
    Scope::PaymentsRead,
    Scope::AccountsRead,
    Scope::AccountsWrite,
    Scope::BankOperate,
    Scope::AuthAdmin,
    Scope::AuditRead,
];

/// What an administrator asks for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) client_id: String,
    pub(crate) name: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) audience: Option<String>,
    pub(crate) payment_max: Option<BTreeMap<String, String>>,
    pub(crate) accounts: Option<Vec<AccountId>>,
}

/// The same, checked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) client_id: ClientId,
    pub(crate) name: Option<String>,
    pub(crate) scopes: String,
    pub(crate) audience: Option<Audience>,
    pub(crate) payment_max: Option<BTreeMap<String, String>>,
    pub(crate) accounts: Option<Vec<AccountId>>,
}

impl Asked {
    /// # Errors
    /// [`Error::Invalid`] with the first rule that is broken.
    pub(crate) fn check(self) -> Result<Terms, Error> {
        let invalid = |text: &str| Err(Error::Invalid(text.to_owned()));
        let client_id: ClientId = self
            .client_id
            .parse()
            .map_err(|error| Error::Invalid(format!("client_id: {error}")))?;
        let id = client_id.as_str();
        if id.starts_with("user-") || RESERVED.contains(&id) || is_uuid(id) {
            return invalid(
                "client_id: user-…, UUIDs, auth, ledger, payments, audit and bank are others' names",
            );
        }
        if let Some(name) = &self.name {
            let length = name.chars().count();
            if !(1..=NAME_CHARS_MAX).contains(&length) || name.chars().any(char::is_control) {
                return invalid("name: 1 to 140 characters, none of them a control character");
            }
        }
        let scopes: BTreeSet<&str> = self.scopes.iter().map(String::as_str).collect();
        let known = SCOPES.map(Scope::as_str);
        if scopes.is_empty() || !scopes.iter().all(|scope| known.contains(scope)) {
            return Err(Error::Invalid(format!(
                "scopes: one or more of {}",
                known.join(", ")
            )));
        }
        let audience = match self.audience.as_deref().map(Audience::from_word) {
            None => None,
            Some(Some(audience)) => Some(audience),
            Some(None) => {
                return invalid("audience: quittance (for HTTP) or quittance-log (for messages)");
            }
        };
        check_limits(self.payment_max.as_ref(), self.accounts.as_deref())?;
        Ok(Terms {
            scopes: scopes.into_iter().collect::<Vec<_>>().join(" "),
            client_id,
            name: self.name,
            audience,
            payment_max: self.payment_max,
            accounts: self.accounts,
        })
    }
}

/// A person's `sub`, however it is written.
fn is_uuid(id: &str) -> bool {
    uuid::Uuid::try_parse(id).is_ok()
}

/// Checks what a token may do at most.
///
/// # Errors
/// [`Error::Invalid`] with the first rule that is broken.
pub(crate) fn check_limits(
    payment_max: Option<&BTreeMap<String, String>>,
    accounts: Option<&[AccountId]>,
) -> Result<(), Error> {
    if let Some(maxima) = payment_max {
        check_maxima(maxima)?;
    }
    if let Some(accounts) = accounts {
        let different: BTreeSet<_> = accounts.iter().collect();
        if !(1..=ACCOUNTS_MAX).contains(&accounts.len()) || different.len() < accounts.len() {
            return Err(Error::Invalid(
                "accounts: 1 to 20 different ones".to_owned(),
            ));
        }
    }
    Ok(())
}

fn check_maxima(maxima: &BTreeMap<String, String>) -> Result<(), Error> {
    if !(1..=CURRENCIES_MAX).contains(&maxima.len()) {
        return Err(Error::Invalid("payment_max: 1 to 10 currencies".to_owned()));
    }
    for (code, amount) in maxima {
        let currency = Currency::from_code(code)
            .filter(|currency| !currency.is_withdrawn())
            .ok_or_else(|| Error::Invalid(format!("payment_max: {code:?} is no currency")))?;
        Money::positive(amount, currency)
            .map_err(|error| Error::Invalid(format!("payment_max: {code}: {error}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Asked {
        Asked {
            client_id: "shop".to_owned(),
            scopes: vec!["payments:submit".to_owned()],
            ..Asked::default()
        }
    }

    fn maxima(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
        let pairs = pairs.iter();
        Some(
            pairs
                .map(|(code, amount)| ((*code).to_owned(), (*amount).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn good_terms_pass() {
        let asked = Asked {
            name: Some("The shop".to_owned()),
            scopes: vec!["payments:submit".to_owned(), "accounts:read".to_owned()],
            audience: Some("quittance-log".to_owned()),
            payment_max: maxima(&[("EUR", "250.00"), ("JPY", "30000")]),
            accounts: Some(vec![AccountId(uuid::Uuid::from_u128(1))]),
            ..shop()
        };
        let terms = asked.check().expect("good terms");
        assert_eq!(terms.scopes, "accounts:read payments:submit");
        assert_eq!(terms.audience, Some(Audience::Log));
    }

    #[test]
    fn every_broken_rule_is_named() {
        let id = |id: &str| Asked {
            client_id: id.to_owned(),
            ..shop()
        };
        let max = |pairs: &[(&str, &str)]| Asked {
            payment_max: maxima(pairs),
            ..shop()
        };
        let accounts = |count: u128| Asked {
            accounts: Some(
                (0..count)
                    .map(|n| AccountId(uuid::Uuid::from_u128(n % 20)))
                    .collect(),
            ),
            ..shop()
        };
        let many: Vec<_> = [
            "AED", "AUD", "CAD", "CHF", "EUR", "GBP", "JPY", "NOK", "RWF", "SEK", "USD",
        ]
        .map(|code| (code, "1"))
        .to_vec();
        for (asked, field) in [
            (id("a.b"), "client_id"),
            (id(""), "client_id"),
            (id("user-1"), "client_id"),
            (id("bank"), "client_id"),
            (id("ledger"), "client_id"),
            (id("019000000000-7000-8000-000000000001"), "scopes"),
            (id("01900000-0000-7000-8000-000000000001"), "client_id"),
            (id("01900000000070008000000000000001"), "client_id"),
            (
                Asked {
                    name: Some(String::new()),
                    ..shop()
                },
                "name",
            ),
            (
                Asked {
                    name: Some("a\nb".to_owned()),
                    ..shop()
                },
                "name",
            ),
            (
                Asked {
                    scopes: vec![],
                    ..shop()
                },
                "scopes",
            ),
            (
                Asked {
                    scopes: vec!["payments".to_owned()],
                    ..shop()
                },
                "scopes",
            ),
            (
                Asked {
                    audience: Some("all".to_owned()),
                    ..shop()
                },
                "audience",
            ),
            (max(&[]), "payment_max"),
            (max(&many), "payment_max"),
            (max(&[("EUR", "0")]), "payment_max"),
            (max(&[("EUR", "1.001")]), "payment_max"),
            (max(&[("eur", "1")]), "payment_max"),
            (accounts(0), "accounts"),
            (accounts(21), "accounts"),
        ] {
            if field == "scopes"
                && asked
                    .scopes
                    .first()
                    .is_some_and(|scope| scope == "payments:submit")
            {
                // Almost a UUID is a name like any other.
                assert!(asked.check().is_ok());
                continue;
            }
            let text = format!("{asked:?}");
            match asked.check() {
                Err(Error::Invalid(error)) => assert!(error.starts_with(field), "{text}: {error}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
