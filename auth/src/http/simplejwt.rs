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

mod login;
pub(super) mod words;

mod answers;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, any};
use serde::Serialize;

use crate::app::Auth;

pub(super) fn routes() -> Router<Arc<Auth>> {
    // `any`: SimpleJWT words a wrong method itself.
    let views: [(&str, MethodRouter<Arc<Auth>>); 8] = [
        ("/api/token", any(obtain::obtain)),
        ("/api/token/refresh", any(refresh::refresh)),
        ("/api/token/verify", any(verify::verify)),
        ("/api/token/sliding", any(sliding::obtain)),
        ("/api/token/sliding/refresh", any(sliding::refresh)),
        ("/api/token/blacklist", any(blacklist::blacklist)),
        ("/api/users/me", any(me::me)),
        ("/health", any(health)),
    ];
    let mut router = Router::new();
    for (path, view) in views {
        // The old system redirected the one without a slash and lost the body; both serve here.
        router = router.route(path, view.clone());
        router = router.route(&format!("{path}/"), view);
    }
    router
}

/// `GET /health/`: that it runs. Whether it is ready says `/health/ready`.
async fn health() -> axum::Json<Health> {
    axum::Json(Health { status: "ok" })
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}
