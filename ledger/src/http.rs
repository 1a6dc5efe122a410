//! What bank staff, customers and the other services ask the ledger.

mod app;

mod accounts;
mod books;
mod log;
mod postings;
mod replays;
mod subscribers;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use common::http::body::limit_body;

pub(crate) use app::App;
pub(crate) use replays::Replaying;

/// The ledger's routes.
pub(crate) fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/accounts", post(accounts::open).get(accounts::list))
        .route("/accounts/{id}", get(accounts::show))
        .route("/accounts/{id}/postings", get(postings::list))
        .route("/checkpoint", get(books::checkpoint))
        .route("/trial-balance", get(books::trial_balance))
        .route("/log", get(log::list))
        .route("/log/{seq}", get(log::show))
        .route("/subscribers", get(subscribers::list))
        .route("/audit/replays", post(replays::start).get(replays::list))
        .layer(from_fn(limit_body))
        .with_state(app)
}
