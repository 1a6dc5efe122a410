//! `quittance invite-admin`: the first administrator of a bank in containers, which has nobody who could log in.
//!
//! It works on auth's database with the login of the service, and does nothing once there is an administrator.

use anyhow::{Context as _, Result};
use common::service::Database;
use sqlx::postgres::PgPoolOptions;

use crate::print;

/// Options of `quittance invite-admin`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The e-mail address to log in with
    email: String,
    #[command(flatten)]
    database: Database,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options.database.options()?)
        .await
        .context("auth's database does not let us in")?;
    let code = auth::invitations::invite_first_admin(&pool, &options.email).await?;
    pool.close().await;
    let code = code.context("there is an administrator already, who can invite others")?;
    Ok(print::line(&format!(
        "{code}\n\nIt makes {} an administrator, once, within 72 hours: POST {{\"code\": …, \"password\": …}} to auth's \
         /api/users/accept.",
        print::readable(&options.email)
    ))?)
}
