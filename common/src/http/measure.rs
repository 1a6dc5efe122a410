//! How often each route is asked, how it answers, and how long that takes: for metrics, and for traces where there are any.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{Counter, Histogram, counter, histogram};

use crate::service::ids_of;
use crate::service::traces::{Span, SpanKind, is_tracing};
use crate::wire::TRACEPARENT;

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
pub(super) async fn measure(mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = name_of(request.method());
    let began = Instant::now();
    let mut span = Span::default();
    if is_tracing() {
        let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
        span = span_of(method, route, request.headers_mut());
    }
    // What is logged on the way carries the names that the request has.
    let response = match ids_of(request.headers()) {
        Some(ids) => ids.scope(next.run(request)).await,
        None => next.run(request).await,
    };
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let status = response.status();
    note(route, method, status.as_u16(), began.elapsed());
    span.note("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail("the service could not answer");
    }
    response
}

/// Begins the span of a request. Whatever is done for it carries that span from here on, as it carries a caller's
/// `traceparent` where nothing is traced.
fn span_of(method: &'static str, route: &str, headers: &mut HeaderMap) -> Span {
    let traceparent = headers.get(TRACEPARENT);
    let traceparent = traceparent.and_then(|value| value.to_str().ok());
    let mut span = Span::begin(SpanKind::Server, format!("{method} {route}"), traceparent);
    span.note("http.request.method", method);
    span.note("http.route", route.to_owned());
    let carried = span.traceparent().map(HeaderValue::try_from);
    if let Some(Ok(carried)) = carried {
        headers.insert(TRACEPARENT, carried);
    }
    span
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
