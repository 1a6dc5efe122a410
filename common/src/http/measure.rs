//! How often each route is asked, how it answers, and how long that takes.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use metrics::{Counter, Histogram, counter, histogram};

use crate::service::ids_of;

/// What is asked for at a path that no route has. A client may make up any number of those.
const NO_ROUTE: &str = "none";

/// Where the answers of one route with one method and status are counted.
#[derive(Clone)]
struct Measured {
    answers: Counter,
    seconds: Histogram,
}

type ByMethodAndStatus = HashMap<(&'static str, u16), Measured>;

/// Of the routes that were answered so far: a later request looks its counters up and makes nothing.
static ROUTES: LazyLock<RwLock<HashMap<String, ByMethodAndStatus>>> =
    LazyLock::new(RwLock::default);

/// Measures a request, whatever becomes of it, by its route and not by its path: paths hold ids.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = name_of(request.method());
    let began = Instant::now();
    // What is logged on the way carries the names that the request has.
    let response = match ids_of(request.headers()) {
        Some(ids) => ids.scope(next.run(request)).await,
        None => next.run(request).await,
    };
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    note(route, method, response.status().as_u16(), began.elapsed());
    response
}

fn note(route: &str, method: &'static str, status: u16, took: Duration) {
    let measured = known(route, method, status).unwrap_or_else(|| {
        let measured = Measured {
            answers: counter!(
                "quittance_http_requests_total",
                "route" => route.to_owned(), "method" => method, "status" => status.to_string()
            ),
            seconds: histogram!(
                "quittance_http_request_seconds", "route" => route.to_owned(), "method" => method
            ),
        };
        let mut routes = ROUTES.write().unwrap_or_else(PoisonError::into_inner);
        let answers = routes.entry(route.to_owned()).or_default();
        answers.insert((method, status), measured.clone());
        measured
    });
    measured.answers.increment(1);
    measured.seconds.record(took);
}

/// A function of its own, so that the lock is free again when it returns.
fn known(route: &str, method: &'static str, status: u16) -> Option<Measured> {
    let routes = ROUTES.read().unwrap_or_else(PoisonError::into_inner);
    routes.get(route)?.get(&(method, status)).cloned()
}

/// A client may make up methods too.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
