//! What a client sees: submitting a payment, reading one, and listing them.

mod activity;
mod answers;

mod repeated;

mod keyed;

mod submit;

mod actions;
mod batches;
mod pay;
mod read;
mod transactions;

mod follow_ups;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use common::http::body::limit_body;
use common::http::describe::{self, Service};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

const SERVICE: Service = Service {
    name: "payments",
    title: "Quittance payments",
    description: "Submitting payments and seeing what became of them. Amounts are decimal texts, such as `\"12.50\"`. \
                  The `payment_id` that the caller chooses makes a payment that is sent twice the same payment.",
    answers_late_bodies: true,
    tags: &[
        (
            "Payments",
            "Submitting payments, and seeing what became of them.",
        ),
        ("Activity", "What happens now, for people who watch."),
    ],
};

/// The paths of this service, without the health checks.
pub(crate) fn routes(app: Arc<App>) -> Router {
    describe::described(&SERVICE, api(), app)
}

/// The OpenAPI document of payments.
#[must_use]
pub fn openapi() -> Value {
    describe::document(&SERVICE, &api())
}

fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(pay::submit, read::list))
        .routes(routes!(read::show))
        .routes(routes!(follow_ups::follow_ups))
        .routes(routes!(actions::capture))
        .routes(routes!(actions::void))
        .routes(routes!(actions::reverse))
        .routes(routes!(transactions::book))
        .routes(routes!(batches::pay_many, batches::list_batches))
        .routes(routes!(batches::show_batch))
        .routes(routes!(activity::show))
        .routes(routes!(activity::projected))
        .layer(from_fn(limit_body))
}
