//! The bank that `quittance up` opens: a member of staff, two customers with 1000.00 EUR each, and a shop.
//!
//! Every id is a constant and everything is asked for by its id first, so that a start that was killed half-way is
//! completed by the next one, and a start that finds all of it changes nothing: people keep the passwords that they chose. Users are made in auth's database, as
//! its administrator would; the rest goes over HTTP like everybody's requests.

use anyhow::{Context as _, Result, ensure};
use auth::clients;
use auth::people::{self, Role};
use common::ids::{AccountId, ClientId, PaymentId};
use common::kinds::account::{Category, OpenAccount};
use common::kinds::payment::PaymentRequest;
use local::{Bank, Demo, DemoCustomer, DemoLogin, DemoProducer, DemoServiceAccount, Service};
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::failure;
use crate::login;
use crate::names::{ADA, BANK, CASH, GRACE, SHOP, account_name};
use crate::running;
use client::{Client, Login};

/// A platform that pays for its customers and looks at what became of it.
const SHOP_SCOPES: &str = "payments:submit-any payments:read accounts:read";
const CURRENCY: &str = "EUR";
const DEPOSIT: &str = "1000.00";
/// How long one deposit may take.
const DEPOSIT_WAIT_SECONDS: u64 = 20;

/// The payment that funds an account: the same id at every start, so that it pays once.
fn deposit_id(account: AccountId) -> PaymentId {
    PaymentId(Uuid::from_u128(account.0.as_u128() | 0xf00))
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
        let id = people::create_if_missing(&pool, &email, password, role).await?;
        let is_it = people::has_password(&pool, &email, password).await?;
        let password = is_it.then(|| password.to_owned());
        Ok((DemoLogin { email, password }, id))
    };
    let (staff, _) = person("staff", &secrets.staff, Role::Admin).await?;
    let (ada, ada_id) = person("ada", &secrets.ada, Role::Customer).await?;
    let (grace, grace_id) = person("grace", &secrets.grace, Role::Customer).await?;
    let shop: ClientId = SHOP.parse()?;
    clients::ensure_service_account(&pool, &shop, &secrets.shop, SHOP_SCOPES).await?;
    let can_log_in = people::needs_only_a_password(&pool, &staff.email, Role::Admin).await?;
    pool.close().await;
    // Staff that somebody has changed since has opened the accounts before.
    if let Some(password) = staff.password.as_ref().filter(|_| can_log_in) {
        let client = running::client_of(&bank.status(None));
        let token = login::token(&client, &Login::person(&staff.email, password)).await?;
        if needs_second_factor(&client, &token).await? {
            let enrol = "`quittance users second-factor enrol --as staff`";
            failure::warn(&format!(
                "the bank asks its staff for a second factor, and the demo's has none; {enrol} turns one on. \
                 Accounts of the demo that are missing stay so: a first start without that setting makes them"
            ));
        } else {
            open_accounts(&StaffClient { client, token }, ada_id, grace_id).await?;
        }
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

/// Whether the token allows little, because the person lacks a second factor that it must have.
async fn needs_second_factor(client: &Client, token: &str) -> Result<bool> {
    let state = client.second_factor_state(token).await?;
    Ok(state["is_required"] == true && state["is_on"] == false)
}

async fn open_accounts(staff: &StaffClient, ada: Uuid, grace: Uuid) -> Result<()> {
    staff
        .ensure_account(CASH, BANK, "Cash", Category::Asset)
        .await?;
    for (id, owner, name) in [(ADA, ada, "Ada"), (GRACE, grace, "Grace")] {
        let owner = owner.to_string();
        staff
            .ensure_account(id, &owner, name, Category::Liability)
            .await?;
        staff.ensure_deposit(id).await?;
    }
    Ok(())
}

/// Forgets the passwords that their people have changed since the bank was opened.
pub(crate) async fn forget_changed(demo: &mut Demo, database_url: &str) -> Result<()> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect(database_url)
        .await
        .context("auth's database does not let us in")?;
    let customers = demo.customers.iter_mut();
    let customers = customers.map(|customer| (&customer.email, &mut customer.password));
    for (email, password) in customers.chain([(&demo.staff.email, &mut demo.staff.password)]) {
        if let Some(text) = password.as_deref()
            && !people::has_password(&pool, email, text).await?
        {
            *password = None;
        }
    }
    pool.close().await;
    Ok(())
}

/// Forgets the passwords of all people.
pub(crate) fn forget_all(demo: &mut Demo) {
    demo.staff.password = None;
    for customer in &mut demo.customers {
        customer.password = None;
    }
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
        if self
            .client
            .account::<Value>(&self.token, id)
            .await?
            .is_some()
        {
            return Ok(());
        }
        let account = OpenAccount {
            account_id: id,
            owner: owner.to_owned(),
            currency: CURRENCY.to_owned(),
            category,
            name: Some(name.to_owned()),
            overdraft_limit: None,
            metadata: None,
        };
        let opened = self.client.open_account(&self.token, &account).await;
        opened.with_context(|| format!("{name}'s account can't be opened"))?;
        Ok(())
    }

    async fn ensure_deposit(&self, account: AccountId) -> Result<()> {
        let payment_id = deposit_id(account);
        if self
            .client
            .payment(&self.token, payment_id, None)
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
        let answer = answer
            .with_context(|| format!("no deposit for {}", account_name(account)))?
            .body;
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
    use crate::names::NAMED_ACCOUNTS;

    #[test]
    fn the_demos_ids_are_version_7_and_differ() {
        for (name, id) in NAMED_ACCOUNTS {
            assert_eq!(id.0.get_version_num(), 7, "{name}");
            assert_eq!(deposit_id(id).0.get_version_num(), 7, "{name}");
            assert_ne!(deposit_id(id).0, id.0);
        }
    }
}
