//! What a client sees: submitting a payment, reading one, and listing them.

mod activity;
mod answers;

mod repeated;

mod read;
mod submit;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use common::http::body::limit_body;

use crate::app::App;

/// The paths of this service, without the health checks.
pub(crate) fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/payments", post(submit::submit).get(read::list))
        .route("/payments/{payment_id}", get(read::show))
        .route("/activity", get(activity::show))
        .route("/activity/{request_seq}", get(activity::projected))
        .layer(from_fn(limit_body))
        .with_state(app)
}
