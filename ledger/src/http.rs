//! What bank staff, customers and the other services ask the ledger.

mod app;

mod accounts;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use common::http::body::limit_body;

pub(crate) use app::App;

/// The ledger's routes.
pub(crate) fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/accounts", post(accounts::open).get(accounts::list))
        .route("/accounts/{id}", get(accounts::show))
        .layer(from_fn(limit_body))
        .with_state(app)
}
