//! SimpleJWT's surface (`/api/token/…`), as recorded from the system before this one.
//!
//! A request comes in as bytes; [`words`] reads it and words what is wrong with it. What happens in between is in one file
//! for each endpoint: look somebody up, check, write, sign.
//!
//! Left out: multipart bodies, the session cookie, and HTML.

mod obtain;
mod refresh;

pub(super) mod words;

use std::sync::Arc;

use axum::Router;
use axum::routing::any;

use crate::app::Auth;

/// The old system had one path for each and redirected the one without a slash; both serve here.
const OBTAIN_PATHS: [&str; 2] = ["/api/token/", "/api/token"];
const REFRESH_PATHS: [&str; 2] = ["/api/token/refresh/", "/api/token/refresh"];

pub(super) fn routes() -> Router<Arc<Auth>> {
    let mut router = Router::new();
    for path in OBTAIN_PATHS {
        // `any`: SimpleJWT words a wrong method itself.
        router = router.route(path, any(obtain::obtain));
    }
    for path in REFRESH_PATHS {
        router = router.route(path, any(refresh::refresh));
    }
    router
}
