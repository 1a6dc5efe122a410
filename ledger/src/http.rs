//! What bank staff, customers and the other services ask the ledger.

mod app;

mod accounts;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use common::http::body::limit_body;
use common::http::describe::{self, Service};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use app::App;

const SERVICE: Service = Service {
    name: "ledger",
    title: "Quittance ledger",
    description: "The books of the bank: accounts and their balances. Amounts are decimal texts, such as `\"12.50\"`. \
                  What changes the books goes through the log, so an answer may be `202` with the request's place there.",
    answers_late_bodies: true,
    tags: &[("Accounts", "Opening accounts and looking at them.")],
};

/// The ledger's routes.
pub(crate) fn routes(app: Arc<App>) -> Router {
    describe::described(&SERVICE, api(), app)
}

/// The ledger's OpenAPI document.
#[must_use]
pub fn openapi() -> Value {
    describe::document(&SERVICE, &api())
}

fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(accounts::open, accounts::list))
        .routes(routes!(accounts::show))
        .layer(from_fn(limit_body))
}
