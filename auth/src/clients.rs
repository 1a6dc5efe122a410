//! Service accounts: programs that get tokens, as an administrator makes them.
//!
//! An account has a few limits ([`terms`]), at most two living credentials ([`credentials`]), and a life
//! ([`administration`]). What ends one of them asks for a revocation in the same transaction.

pub(crate) mod administration;
pub(crate) mod credentials;
pub(crate) mod terms;

use anyhow::{Context as _, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use common::ids::ClientId;
use common::service;
use sqlx::PgPool;

use crate::store;
use credentials::{Proof, add};

/// Makes sure that this program can get tokens of these scopes (separated by spaces) with this secret and no other.
///
/// It can be repeated, and works on the database alone, as the role `auth`, while the service runs or not. The database
/// tells a running service of the new account, which makes its consumer on SETTLEMENTS within moments.
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
    ensure!(
        secret.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "the secret of {client_id} must be printable ASCII"
    );
    let now = service::now();
    let id = client_id.as_str();
    let stored = async {
        let mut tx = pool.begin().await?;
        store::clients::upsert(&mut *tx, id, scopes, now).await?;
        ensure!(
            store::clients::lock(&mut *tx, id).await?.is_some(),
            "it was deleted"
        );
        let sha256 = secret_hash(secret);
        let ended =
            store::clients::credentials::delete_other_secrets(&mut *tx, id, &sha256, now).await?;
        for ended in ended {
            credentials::ended(&mut tx, None, id, ended, now).await?;
        }
        if !store::clients::credentials::has_secret(&mut *tx, id, &sha256).await? {
            add(&mut tx, None, id, &Proof::Secret(sha256), None, now).await?;
        }
        tx.commit().await?;
        anyhow::Ok(())
    };
    stored
        .await
        .with_context(|| format!("service account {client_id} can't be stored"))
}

/// What is kept of a secret.
pub(crate) fn secret_hash(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such service account")]
    NoAccount,
    #[error("the service account has no such credential")]
    NoCredential,
    #[error("the id is taken, maybe by a deleted service account")]
    Taken,
    #[error("the service account has two credentials; delete one before you add another")]
    TwoCredentials,
    /// What was asked for breaks a rule; the text says which.
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}
