//! The pages, one file each, and their paths.
//!
//! A new page is a file here with its handler and its template, a line in [`routes`], and, if it has a section of its own, a
//! line in `page.rs`.

mod accounts;
mod audit;
mod batch;
mod controls;
mod files;
mod held;
mod history;
mod keys;
mod log;
mod logs;
mod overview;
mod payment;
mod payments;
mod people;
mod posted;
mod programs;
mod receipt;
mod search;
mod services;
mod sessions;
mod sign_in;
mod statement;
mod subscribers;
mod trial_balance;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{get, post};

use crate::app::App;
use crate::assets;
use crate::failure::Failure;
use crate::guard::guard;
use crate::operator::Operator;
use crate::prefix::Prefix;

/// A form of ours has some dozen short fields; a list of people that are acted on has a hundred ids.
const BODY_BYTES_MAX: usize = 64 * 1024;

pub(crate) fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(overview::show))
        .route("/live/overview", get(overview::live))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/search", get(search::search))
        .route("/payments", get(payments::list))
        .route("/payments/{id}", get(payment::show).post(payment::act))
        .route("/live/payments", get(payments::live))
        .route("/live/payments/{seq}", get(payment::live))
        .route("/batches/{id}", get(batch::show))
        .route("/receipts/{seq}", get(receipt::show))
        .route("/receipts/{seq}/file", get(receipt::file))
        .route("/accounts", get(accounts::list).post(accounts::open))
        .route("/accounts/new", get(accounts::new))
        .route("/accounts/{id}", get(accounts::show).post(controls::act))
        .route("/accounts/{id}/pay", post(accounts::pay))
        .route("/accounts/{id}/statement", get(statement::show))
        .route(
            "/accounts/{id}/statement/{format}",
            get(statement::download),
        )
        .route("/accounts/{id}/balance", get(statement::balance))
        .route("/trial-balance", get(trial_balance::show))
        .route("/log", get(log::list))
        .route("/live/log", get(log::live))
        .route("/log/{seq}", get(log::show))
        .route("/logs", get(logs::list))
        .route("/subscribers", get(subscribers::list))
        .route("/services", get(services::list))
        .route("/metrics/targets", get(services::targets))
        .route("/people", get(people::list).post(people::act))
        .route("/programs", get(programs::list).post(programs::act))
        .route("/keys", get(keys::list).post(keys::act))
        .route("/audit", get(audit::show).post(audit::start))
        .route("/live/audit", get(audit::live))
        .route("/history", get(history::list))
        .route("/files", get(files::list).post(files::act))
        .route("/files/{id}/content", get(files::content))
        .route("/live/files", get(files::live))
        .route("/sessions", get(sessions::list).post(sessions::end))
        .route("/{*rest}", get(nothing_here))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(guard))
        .with_state(app)
        .route("/static/{name}", get(assets::serve))
}

async fn nothing_here(_who: Operator) -> Failure {
    Failure::not_found("There is no such page.", &Prefix::here())
}
