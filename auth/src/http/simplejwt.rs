//! SimpleJWT's surface (`/api/token/…`, `/api/users/me/`, `/health/`), as recorded from the system before this one.
//!
//! A request comes in as bytes; [`words`] reads it and words what is wrong with it. What happens in between is in one file
//! for each endpoint: look somebody up, check, write, sign.
//!
//! Left out: the session cookie, and HTML.

mod obtain;
mod refresh;
mod sliding;
mod verify;

mod blacklist;
mod me;

mod described;
mod login;
pub(super) mod words;

mod answers;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::http::Method;
use axum::routing::any;
use common::http::describe::answers::Reply;
use schemars::JsonSchema;
use serde::Serialize;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::app::Auth;

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    // `any`: SimpleJWT words a wrong method itself.
    let views: [UtoipaMethodRouter<Arc<Auth>>; 8] = [
        routes!(obtain::obtain).map(|_| any(obtain::obtain)),
        routes!(refresh::refresh).map(|_| any(refresh::refresh)),
        routes!(verify::verify).map(|_| any(verify::verify)),
        routes!(sliding::obtain).map(|_| any(sliding::obtain)),
        routes!(sliding::refresh).map(|_| any(sliding::refresh)),
        routes!(blacklist::blacklist).map(|_| any(blacklist::blacklist)),
        routes!(me::me).map(|_| any(me::me)),
        routes!(health).map(|_| any(health)),
    ];
    let mut router = OpenApiRouter::new();
    for (schemas, paths, view) in views {
        // The old system redirected the one without a slash and lost the body; both serve here.
        for path in paths.paths.keys() {
            router = router.route(path.trim_end_matches('/'), view.clone());
        }
        router = router.routes((schemas, paths, view));
    }
    router
}

/// It runs
///
/// Whether it is ready says `/health/ready`.
#[utoipa::path(get, path = "/health/", tag = "Service", responses(Reply<200, Health>))]
async fn health(method: Method) -> Result<axum::Json<Health>, words::Refusal> {
    if method == Method::GET || method == Method::HEAD {
        return Ok(axum::Json(Health { status: "ok" }));
    }
    Err(words::Refusal::method_not_allowed(&method).allowing(words::GET))
}

/// That it runs.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Running")]
struct Health {
    status: &'static str,
}
