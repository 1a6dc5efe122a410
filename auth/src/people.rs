//! People: who can log in, as an administrator makes them.
//!
//! Everything here can be repeated. It works on the database alone, as the role `auth`, while the service runs or not.

pub(crate) mod import;

use anyhow::{Context as _, ensure};
use common::service;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{passwords, store};

/// Longest e-mail address. Source: RFC 5321 §4.5.3.1.3, without its brackets.
const EMAIL_BYTES_MAX: usize = 254;

/// What a person is to the bank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Has accounts and pays from them.
    #[default]
    Customer,
    /// Works at the bank: opens accounts, takes deposits.
    Staff,
    /// Works at the bank, and decides who else does.
    Admin,
}

impl Role {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
            Self::Admin => "admin",
        }
    }

    /// The role of this word.
    pub(crate) fn named(word: &str) -> Option<Self> {
        [Self::Customer, Self::Staff, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == word)
    }

    /// What somebody new may do.
    #[must_use]
    pub fn scopes(self) -> &'static str {
        match self {
            Self::Customer => "payments:submit payments:read accounts:read",
            Self::Staff => {
                "bank:operate accounts:write accounts:read payments:submit payments:read audit:read"
            }
            Self::Admin => {
                "bank:operate accounts:write accounts:read payments:submit payments:read audit:read auth:admin"
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
    if let Some(user) = store::people::user_by_email(pool, &email).await? {
        let (password, hash) = (password.to_owned(), user.password_hash);
        let is_right =
            tokio::task::spawn_blocking(move || passwords::is_password_of(&password, &hash));
        if is_right.await? && user.role == role.as_str() {
            return Ok(user.id);
        }
    }
    let (username, _) = email.split_once('@').context("just normalized")?;
    let user = store::people::NewUser {
        id: Uuid::now_v7(),
        email: &email,
        username,
        password_hash: &passwords::hash(password.to_owned()).await?,
        is_staff: role != Role::Customer,
        role: role.as_str(),
        scopes: role.scopes(),
    };
    store::people::upsert_user(pool, &user, service::now())
        .await
        .with_context(|| format!("user {email} can't be stored"))
}

/// Makes this person, unless somebody has the address: whoever exists stays as they are. Who it is.
///
/// # Errors
/// When the database refuses, or the e-mail address is not one.
pub async fn create_if_missing(
    pool: &PgPool,
    email: &str,
    password: &str,
    role: Role,
) -> anyhow::Result<Uuid> {
    match store::people::user_by_email(pool, &normalized(email)?).await? {
        Some(user) => Ok(user.id),
        None => ensure_user(pool, email, password, role).await,
    }
}

/// Whether this is the person's password.
///
/// # Errors
/// When the database does not answer.
pub async fn has_password(pool: &PgPool, email: &str, password: &str) -> anyhow::Result<bool> {
    let Some(user) = store::people::user_by_email(pool, email).await? else {
        return Ok(false);
    };
    let (password, hash) = (password.to_owned(), user.password_hash);
    let judged = tokio::task::spawn_blocking(move || passwords::is_password_of(&password, &hash));
    Ok(judged.await?)
}

/// Whether the person may log in with a password alone, and has this role.
///
/// # Errors
/// When the database does not answer.
pub async fn needs_only_a_password(pool: &PgPool, email: &str, role: Role) -> anyhow::Result<bool> {
    let Some(user) = store::people::user_by_email(pool, email).await? else {
        return Ok(false);
    };
    let has_second_factor = store::second_factors::is_on(pool, user.id).await?;
    Ok(user.is_active && user.role == role.as_str() && !has_second_factor)
}

/// The address with its domain in lower case, as Django keeps it.
pub(crate) fn normalized(email: &str) -> anyhow::Result<String> {
    let email = email.trim();
    let (local, domain) = email
        .rsplit_once('@')
        .filter(|(local, domain)| !local.is_empty() && !domain.is_empty())
        .with_context(|| format!("{email:?} is no e-mail address"))?;
    ensure!(
        email.len() <= EMAIL_BYTES_MAX,
        "an e-mail address has at most {EMAIL_BYTES_MAX} bytes"
    );
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
