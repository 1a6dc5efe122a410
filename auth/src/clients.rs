//! Service accounts: programs that get tokens, as an administrator makes them.
//!
//! Everything here can be repeated. It works on the database alone, as the role `auth`, while the service runs or not:
//! the database notifies a running service of a new account (`notify`), and the service makes the account's consumer.

use anyhow::{Context as _, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use common::ids::ClientId;
use common::service;
use sqlx::PgPool;

use crate::store;

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
    store::clients::upsert_service_account(
        pool,
        client_id.as_str(),
        &secret_hash(secret),
        scopes,
        now,
    )
    .await
    .with_context(|| format!("service account {client_id} can't be stored"))
}

/// What is kept of a secret.
pub(crate) fn secret_hash(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}
