//! Who is known: people and service accounts, made by an administrator.
//!
//! Everything here can be repeated. It works on the database alone, as the role `auth`, while the service runs or not:
//! the database notifies a running service of a new account (`notify`), and the service makes the account's consumer.

use anyhow::{Context as _, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use common::ids::ClientId;
use common::service;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{passwords, store};

/// What a person is to the bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Has accounts and pays from them.
    Customer,
    /// Works at the bank: opens accounts, takes deposits.
    Staff,
}

impl Role {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
        }
    }

    /// What somebody new may do.
    #[must_use]
    pub fn scopes(self) -> &'static str {
        match self {
            Self::Customer => "payments:submit payments:read accounts:read",
            Self::Staff => {
                "bank:operate accounts:write accounts:read payments:submit payments:read audit:read"
            }
        }
    }
}

/// Makes sure that this person can log in with this password, and returns who it is.
///
/// A person who exists keeps the id, and stays inactive if inactive; password and role become these.
///
/// # Errors
/// When the database refuses, or the e-mail address is not one.
pub async fn ensure_user(
    pool: &PgPool,
    email: &str,
    password: &str,
    role: Role,
) -> anyhow::Result<Uuid> {
    let email = normalized(email)?;
    ensure!(!password.trim().is_empty(), "a password may not be blank");
    if let Some(user) = store::user_by_email(pool, &email).await? {
        let (password, hash) = (password.to_owned(), user.password_hash);
        let is_right =
            tokio::task::spawn_blocking(move || passwords::is_password_of(&password, &hash));
        if is_right.await? && user.role == role.as_str() {
            return Ok(user.id);
        }
    }
    let (username, _) = email.split_once('@').context("just normalized")?;
    let user = store::NewUser {
        id: Uuid::now_v7(),
        email: &email,
        username,
        password_hash: &passwords::hash(password.to_owned()).await?,
        is_staff: role == Role::Staff,
        role: role.as_str(),
        scopes: role.scopes(),
    };
    store::upsert_user(pool, &user, service::now())
        .await
        .with_context(|| format!("user {email} can't be stored"))
}

/// Makes sure that this program can get tokens of these scopes (separated by spaces) with this secret.
///
/// Its consumer on SETTLEMENTS is made by the running service within moments.
///
/// # Errors
/// When the database refuses, the secret is short, or a scope is not one.
pub async fn ensure_service_account(
    pool: &PgPool,
    client_id: &ClientId,
    secret: &str,
    scopes: &str,
) -> anyhow::Result<()> {
    // 256 bits are 43 characters of base64; shorter ones were chosen by somebody.
    ensure!(
        secret.len() >= 32,
        "the secret of {client_id} must be random and have at least 32 characters"
    );
    let now = service::now();
    store::upsert_service_account(pool, client_id.as_str(), &secret_hash(secret), scopes, now)
        .await
        .with_context(|| format!("service account {client_id} can't be stored"))
}

/// What is kept of a secret.
pub(crate) fn secret_hash(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}

/// The address with its domain in lower case, as Django keeps it.
fn normalized(email: &str) -> anyhow::Result<String> {
    let email = email.trim();
    let (local, domain) = email
        .rsplit_once('@')
        .filter(|(local, domain)| !local.is_empty() && !domain.is_empty())
        .with_context(|| format!("{email:?} is no e-mail address"))?;
    Ok(format!("{local}@{}", domain.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_domain_of_an_address_loses_its_case() {
        assert_eq!(
            normalized(" Ada@Demo.Quittance ").unwrap(),
            "Ada@demo.quittance"
        );
        for bad in ["", "ada", "@demo", "ada@"] {
            assert!(normalized(bad).is_err(), "{bad:?}");
        }
    }
}
