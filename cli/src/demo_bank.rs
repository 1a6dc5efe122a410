//! The bank that `quittance up` opens: a member of staff, two customers with 1000.00 EUR each, and a shop.
//!
//! Every id is a constant and everything is asked for by its id first, so that a start that was killed half-way is
//! completed by the next one, and a start that finds all of it changes nothing. Users are made in auth's database, as
//! its administrator would; the rest goes over HTTP like everybody's requests.

use std::str::FromStr as _;

use anyhow::{Context as _, Result, ensure};
use auth::directory::{self, Role};
use clap::ValueEnum;
use common::ids::{AccountId, ClientId, PaymentId};
use common::kinds::account::{Category, OpenAccount};
use common::kinds::payment::PaymentRequest;
use local::{Bank, Demo, DemoCustomer, DemoLogin, DemoProducer, DemoServiceAccount, Service};
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::client::{Client, Login};

/// The service account, and the NATS login of the same shop.
pub(crate) const SHOP: &str = "demo-shop";
/// A platform that pays for its customers and looks at what became of it.
const SHOP_SCOPES: &str = "payments:submit-any payments:read accounts:read";
const CURRENCY: &str = "EUR";
const DEPOSIT: &str = "1000.00";
/// How long one deposit may take.
const DEPOSIT_WAIT_SECONDS: u64 = 20;

/// The bank's own cash, from which all money of the demo comes.
pub(crate) const CASH: AccountId = account(0xca54, 1);
/// Ada's account.
pub(crate) const ADA: AccountId = account(0xada0, 2);
/// Grace's account.
pub(crate) const GRACE: AccountId = account(0x96ac, 3);

const NAMED_ACCOUNTS: [(&str, AccountId); 3] = [("cash", CASH), ("ada", ADA), ("grace", GRACE)];

/// A version 7 UUID of 2024 that is recognised at a glance.
const fn account(word: u128, number: u128) -> AccountId {
    AccountId(Uuid::from_u128(
        0x0190_0000_0000_7000_8000_0000_0000_0000 | word << 80 | number,
    ))
}

/// The payment that funds an account: the same id at every start, so that it pays once.
fn deposit_id(account: AccountId) -> PaymentId {
    PaymentId(Uuid::from_u128(account.0.as_u128() | 0xf00))
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
    pub(crate) fn of_account(account: AccountId) -> Self {
        match account {
            GRACE => Self::Grace,
            CASH => Self::Staff,
            _ => Self::Ada,
        }
    }

    /// What this person logs in with.
    pub(crate) fn login(self, demo: &Demo) -> Result<Login> {
        let customer = |number: usize| -> Result<Login> {
            let customer = demo
                .customers
                .get(number)
                .context("there is no such customer")?;
            Ok(Login::Person {
                email: customer.email.clone(),
                password: customer.password.clone(),
            })
        };
        match self {
            Self::Staff => Ok(Login::Person {
                email: demo.staff.email.clone(),
                password: demo.staff.password.clone(),
            }),
            Self::Ada => customer(0),
            Self::Grace => customer(1),
            Self::Shop => Ok(Login::Program {
                client_id: demo.service_account.client_id.clone(),
                client_secret: demo.service_account.client_secret.clone(),
            }),
        }
    }
}

/// An account as it may be typed: its id, or the name of one of the demo's.
pub(crate) fn parse_account(text: &str) -> Result<AccountId, String> {
    let named = NAMED_ACCOUNTS.iter().find(|(name, _)| *name == text);
    named.map_or_else(
        || AccountId::from_str(text).map_err(|_| "neither ada, grace, cash nor a UUID".to_owned()),
        |(_, id)| Ok(*id),
    )
}

/// An account as people call it.
pub(crate) fn account_name(id: AccountId) -> String {
    let named = NAMED_ACCOUNTS.iter().find(|(_, named)| *named == id);
    named.map_or_else(|| id.to_string(), |(name, _)| (*name).to_owned())
}

/// Makes sure that everything of the demo is there.
pub(crate) async fn seed(bank: &Bank) -> Result<Demo> {
    let secrets = &bank.home().secrets().demo;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect(&bank.servers().database_url(Service::Auth))
        .await
        .context("auth's database does not let us in")?;
    let person = async |name: &str, password: &str, role: Role| -> Result<(DemoLogin, Uuid)> {
        let email = format!("{name}@demo.quittance");
        let id = directory::ensure_user(&pool, &email, password, role).await?;
        let password = password.to_owned();
        Ok((DemoLogin { email, password }, id))
    };
    let (staff, _) = person("staff", &secrets.staff, Role::Staff).await?;
    let (ada, ada_id) = person("ada", &secrets.ada, Role::Customer).await?;
    let (grace, grace_id) = person("grace", &secrets.grace, Role::Customer).await?;
    let shop: ClientId = SHOP.parse()?;
    directory::ensure_service_account(&pool, &shop, &secrets.shop, SHOP_SCOPES).await?;
    pool.close().await;

    let client = Client::new(&bank.status(None))?;
    let token = client
        .token(&Login::Person {
            email: staff.email.clone(),
            password: staff.password.clone(),
        })
        .await?;
    let staff_client = StaffClient { client, token };
    staff_client
        .ensure_account(CASH, "bank", "Cash", Category::Asset)
        .await?;
    for (id, owner, name) in [(ADA, ada_id, "Ada"), (GRACE, grace_id, "Grace")] {
        let owner = owner.to_string();
        staff_client
            .ensure_account(id, &owner, name, Category::Liability)
            .await?;
        staff_client.ensure_deposit(id).await?;
    }

    let customer = |login: DemoLogin, account: AccountId| DemoCustomer {
        email: login.email,
        password: login.password,
        account: account.to_string(),
    };
    Ok(Demo {
        staff,
        customers: vec![customer(ada, ADA), customer(grace, GRACE)],
        service_account: DemoServiceAccount {
            client_id: SHOP.to_owned(),
            client_secret: secrets.shop.clone(),
        },
        producer: DemoProducer {
            user: SHOP.to_owned(),
            password: bank.servers().nats_password(SHOP).to_owned(),
        },
    })
}

/// What the staff does to open the bank.
struct StaffClient {
    client: Client,
    token: String,
}

impl StaffClient {
    async fn ensure_account(
        &self,
        id: AccountId,
        owner: &str,
        name: &str,
        category: Category,
    ) -> Result<()> {
        if self.client.account(&self.token, id).await?.is_some() {
            return Ok(());
        }
        let account = OpenAccount {
            account_id: id,
            owner: owner.to_owned(),
            currency: CURRENCY.to_owned(),
            category,
            name: Some(name.to_owned()),
            overdraft_limit: None,
        };
        let opened = self.client.open_account(&self.token, &account).await;
        opened.with_context(|| format!("{name}'s account can't be opened"))?;
        Ok(())
    }

    async fn ensure_deposit(&self, account: AccountId) -> Result<()> {
        let payment_id = deposit_id(account);
        if self
            .client
            .payment(&self.token, payment_id)
            .await?
            .is_some()
        {
            return Ok(());
        }
        let payment = PaymentRequest {
            payment_id,
            debtor_account: CASH,
            creditor_account: account,
            amount: DEPOSIT.to_owned(),
            currency: CURRENCY.to_owned(),
            reference: Some("Opening deposit".to_owned()),
            effective_date: None,
            metadata: std::collections::BTreeMap::new(),
        };
        let wait = Some(DEPOSIT_WAIT_SECONDS);
        let answer = self.client.pay(&self.token, &payment, wait).await;
        let answer = answer.with_context(|| format!("no deposit for {}", account_name(account)))?;
        ensure!(
            answer["status"] == "settled",
            "the deposit for {} is {}",
            account_name(account),
            answer["status"]
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demos_ids_are_version_7_and_differ() {
        for (name, id) in NAMED_ACCOUNTS {
            assert_eq!(id.0.get_version_num(), 7, "{name}");
            assert_eq!(deposit_id(id).0.get_version_num(), 7, "{name}");
            assert_ne!(deposit_id(id).0, id.0);
            assert_eq!(parse_account(name), Ok(id));
            assert_eq!(parse_account(&id.to_string()), Ok(id));
        }
        assert!(parse_account("eve").is_err());
    }
}
