//! The names that people type for those who are in the demo bank, and for their accounts.

use std::ffi::OsStr;
use std::str::FromStr as _;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::ValueEnum;
use clap::builder::{PossibleValue, TypedValueParser};
use common::account_number::{AccountName, InvalidName};
use common::ids::{AccountId, ClientId, OWNER_BANK};
use common::token::Audience;
use local::Demo;
use uuid::Uuid;

use crate::bank::Bank;
use crate::failure::{Exit, Hinted as _};
use crate::login;
use client::{Client, Login};

/// The characters of a UUID, and how many of its last ones tell it from others in a table.
const UUID_CHARS: usize = 36;
const SHORT_ID: usize = 4;

/// The service account, and the NATS login of the same shop.
pub(crate) const SHOP: &str = "demo-shop";
/// The owner of the bank's own accounts.
pub(crate) const BANK: &str = OWNER_BANK;

/// The bank's own cash, from which all money of the demo comes.
pub(crate) const CASH: AccountId = demo_account(0xca54, 1);
/// Ada's account.
pub(crate) const ADA: AccountId = demo_account(0xada0, 2);
/// Grace's account.
pub(crate) const GRACE: AccountId = demo_account(0x96ac, 3);

pub(crate) const NAMED_ACCOUNTS: [(&str, AccountId); 3] =
    [("cash", CASH), ("ada", ADA), ("grace", GRACE)];

/// A version 7 UUID of 2024 that is recognised at a glance.
const fn demo_account(word: u128, number: u128) -> AccountId {
    AccountId(Uuid::from_u128(
        0x0190_0000_0000_7000_8000_0000_0000_0000 | word << 80 | number,
    ))
}

/// The client that is meant: somebody of the demo, if it is here, or an id as it is.
pub(crate) async fn client_id(asked: &str, bank: &Bank) -> Result<String> {
    Ok(match (Person::named(asked), bank.demo()) {
        (Some(person), Some(demo)) => {
            let ids = person.ids(&bank.client(), demo).await?;
            ids.client_id.to_string()
        }
        (_, _) => asked.to_owned(),
    })
}

/// Somebody of the demo bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Person {
    /// Bank staff: may do anything with any account
    Staff,
    /// A customer: may pay from her own account
    Ada,
    /// A customer: may pay from her own account
    Grace,
    /// A program: the service account demo-shop, may pay from any customer's account
    Shop,
}

impl Person {
    /// Whose account this is; Ada's if it is nobody's of the demo.
    pub(crate) fn of_account(account: AccountName) -> Self {
        match account {
            AccountName::Id(GRACE) => Self::Grace,
            AccountName::Id(CASH) => Self::Staff,
            AccountName::Id(_) | AccountName::Number(_) => Self::Ada,
        }
    }

    /// The word for this person.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Ada => "ada",
            Self::Grace => "grace",
            Self::Shop => "shop",
        }
    }

    /// What this person logs in with at the demo bank.
    pub(crate) fn login(self, demo: Option<&Demo>) -> Result<Login> {
        let demo = demo
            .with_context(|| format!("{} is somebody of a demo bank on this machine", self.word()))
            .hint("leave --as out for whoever is logged in, or give an e-mail address")?;
        let customer = |number: usize| -> Result<Login> {
            let customer = demo
                .customers
                .get(number)
                .context("there is no such customer")?;
            login(&customer.email, customer.password.as_deref())
        };
        match self {
            Self::Staff => login(&demo.staff.email, demo.staff.password.as_deref()),
            Self::Ada => customer(0),
            Self::Grace => customer(1),
            Self::Shop => Ok(Login::Program {
                client_id: demo.service_account.client_id.clone(),
                client_secret: demo.service_account.client_secret.clone(),
                audience: Audience::Http,
            }),
        }
    }
}

impl Person {
    /// The person that a text names, whatever its case.
    pub(crate) fn named(text: &str) -> Option<Self> {
        <Self as ValueEnum>::from_str(text, true).ok()
    }

    /// The `sub` and the client id in this person's tokens.
    pub(crate) async fn ids(self, client: &Client, demo: &Demo) -> Result<Ids> {
        let token = login::token(client, &self.login(Some(demo))?).await?;
        Ids::in_token(&token).context("auth answered with a token that can't be read")
    }
}

fn login(email: &str, password: Option<&str>) -> Result<Login> {
    let password = password.with_context(|| format!("{email} has another password by now"));
    let password = password.hint("log in with `token --email` and that password")?;
    Ok(Login::person(email, password))
}

/// The `sub` that `text` means: that of somebody of the demo, if it is here, or the text itself.
pub(crate) async fn subject(text: &str, bank: &Bank) -> Result<String> {
    match (Person::named(text), bank.demo()) {
        (Some(person), Some(demo)) => Ok(person.ids(&bank.client(), demo).await?.sub),
        (_, _) => Ok(text.to_owned()),
    }
}

/// Whether tokens with this `sub` may exist, as far as we know: a user's UUID, the shop, the bank itself.
pub(crate) fn is_known_subject(text: &str) -> bool {
    text == SHOP || text == BANK || Uuid::try_parse(text).is_ok()
}

/// What a token says of its bearer.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Ids {
    /// Whose accounts it may use.
    pub(crate) sub: String,
    /// Whose payments it asks for.
    pub(crate) client_id: ClientId,
}

impl Ids {
    /// Reads a token of the bank that we asked ourselves; its signature is for others to check.
    fn in_token(token: &str) -> Result<Self> {
        let claims = token.split('.').nth(1).context("no claims")?;
        let claims = URL_SAFE_NO_PAD.decode(claims)?;
        Ok(serde_json::from_slice(&claims)?)
    }
}

/// An account as it may be typed: its number or id, or the name of one of the demo's, whatever its case.
pub(crate) fn parse_account(text: &str) -> Result<AccountName, String> {
    let mut named = NAMED_ACCOUNTS.iter();
    if let Some((_, id)) = named.find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(AccountName::Id(*id));
    }
    AccountName::from_str(text).map_err(|error| match error {
        InvalidName::Form => "neither ada, grace, cash nor an account's number or UUID".to_owned(),
        InvalidName::CheckDigits(_) => error.to_string(),
    })
}

/// The id of an account that was typed; the bank knows what a number stands for.
pub(crate) async fn account_id(
    typed: AccountName,
    client: &Client,
    token: &str,
) -> Result<AccountId> {
    let number = match typed {
        AccountName::Id(id) => return Ok(id),
        AccountName::Number(number) => number,
    };
    let id = client.account_id(token, number).await?;
    id.with_context(|| format!("there is no account {number}"))
        .exit(Exit::NotFound)
}

/// The ids of accounts that were typed.
pub(crate) async fn account_ids(
    typed: &[AccountName],
    client: &Client,
    token: &str,
) -> Result<Vec<AccountId>> {
    let mut ids = Vec::new();
    for name in typed {
        ids.push(account_id(*name, client, token).await?);
    }
    Ok(ids)
}

/// [`parse_account`] for the command line, which offers the names as completions.
pub(crate) fn account() -> impl TypedValueParser<Value = AccountName> {
    AccountParser
}

#[derive(Clone)]
struct AccountParser;

impl TypedValueParser for AccountParser {
    type Value = AccountName;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<AccountName, clap::Error> {
        parse_account.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = NAMED_ACCOUNTS.into_iter();
        Some(Box::new(names.map(|(name, _)| PossibleValue::new(name))))
    }
}

/// An account as people call it.
pub(crate) fn account_name(id: AccountId) -> String {
    known_account_name(id).map_or_else(|| id.to_string(), str::to_owned)
}

/// The same, of an account that has a name.
pub(crate) fn known_account_name(id: AccountId) -> Option<&'static str> {
    let named = NAMED_ACCOUNTS.iter().find(|(_, named)| *named == id);
    named.map(|(name, _)| *name)
}

/// The same in a few characters, for tables.
pub(crate) fn short_account_name(id: AccountId) -> String {
    let name = account_name(id);
    match name.get(name.len().saturating_sub(SHORT_ID)..) {
        Some(end) if name.len() == UUID_CHARS => format!("…{end}"),
        Some(_) | None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_names() {
        for (name, id) in NAMED_ACCOUNTS {
            for typed in [name, &name.to_uppercase(), &id.to_string()] {
                assert_eq!(parse_account(typed), Ok(id.into()));
            }
            assert_eq!(account_name(id), name);
            assert_eq!(short_account_name(id), name);
        }
        assert!(parse_account("eve").is_err());
        assert!(parse_account("QT14 0000 0000 0002").is_ok());
        let mistyped = parse_account("QT14000000000003").expect_err("another digit");
        assert!(mistyped.contains("check digits"), "{mistyped}");
        let other = AccountId(Uuid::from_u128(0xabcd));
        assert_eq!(short_account_name(other), "…abcd");
    }
}
