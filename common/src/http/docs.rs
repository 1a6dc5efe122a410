//! What a service says about itself to people: `/docs`, its document at `/openapi.json`, and a page for each problem.
//!
//! Nothing here comes from elsewhere: pages, styles and scripts (Swagger UI's too) are in the binary.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::describe::answers::{Page, Problems, Reply};
use super::prefix;
use super::problem::Problem;
use super::problem::pages::{self, Catalogue, Explained, PAGE_POLICY, escaped};

/// The document of a service.
#[derive(Debug)]
pub(super) struct Docs {
    title: &'static str,
    document: Value,
}

impl Docs {
    pub(super) fn new(title: &'static str, document: Value) -> Arc<Self> {
        Arc::new(Self { title, document })
    }
}

pub(super) fn described() -> OpenApiRouter<Arc<Docs>> {
    OpenApiRouter::new()
        .routes(routes!(openapi))
        .routes(routes!(problems))
        .routes(routes!(problem))
        // Pages and files for browsers are no operations.
        .route("/docs", get(page))
        .route("/docs/{file}", get(file))
}

/// This document
///
/// Behind the gateway, `servers` and the address for tokens are those of the gateway.
#[utoipa::path(get, path = "/openapi.json", tag = "Service", responses(Reply<200, Value>))]
async fn openapi(State(docs): State<Arc<Docs>>) -> Json<Value> {
    let mut document = docs.document.clone();
    let prefix = prefix::here();
    if !prefix.is_empty() {
        document["servers"] = json!([{"url": prefix}]);
        let schemes = &mut document["components"]["securitySchemes"];
        schemes["client_credentials"]["flows"]["clientCredentials"]["tokenUrl"] =
            "/auth/oauth2/token".into();
    }
    Json(document)
}

/// Every problem
///
/// Each `type` that a problem document may have, with what happened and what to do. HTML, JSON or text, by `Accept`.
#[utoipa::path(get, path = "/problems", tag = "Service", responses(Page<200, Catalogue>))]
async fn problems(headers: HeaderMap) -> Response {
    pages::list(&headers)
}

/// One problem
///
/// The `type` of a problem document is this path.
#[utoipa::path(
    get,
    path = "/problems/{name}",
    tag = "Service",
    params(("name" = String, Path, description = "The last part of a `type`.", example = "insufficient-funds")),
    responses(Page<200, Explained>, Problems<404>)
)]
async fn problem(
    axum::extract::Path(name): axum::extract::Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    pages::show(&name, &headers)
}

/// From the documents of one service to the others', at the gateway.
const NAV: &str = "<nav><a href=\"/auth/docs\">auth</a> · <a href=\"/bank/docs\">ledger</a> · \
                   <a href=\"/payment/docs\">payments</a> · <a href=\"/problems\">problems</a></nav>";

/// The document as a page to read and to try.
async fn page(State(docs): State<Arc<Docs>>) -> Response {
    let (title, prefix) = (escaped(docs.title), prefix::here());
    // Alone, a service knows of no other.
    let nav = if prefix.is_empty() { "" } else { NAV };
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <link rel=\"icon\" href=\"{prefix}/docs/favicon-32x32.png\">\
         <link rel=\"stylesheet\" href=\"{prefix}/docs/swagger-ui.css\">\
         <link rel=\"stylesheet\" href=\"{prefix}/docs/docs.css\"></head><body>\
         <noscript><main>Without scripts, read <a href=\"{prefix}/openapi.json\">the document</a>.</main></noscript>\
         {nav}<div id=\"swagger-ui\"></div><script src=\"{prefix}/docs/swagger-ui-bundle.js\"></script>\
         <script src=\"{prefix}/docs/start.js\"></script></body></html>"
    );
    ([PAGE_POLICY], Html(page)).into_response()
}

/// What the pages load. Names never change what they stand for within one version of ours.
async fn file(axum::extract::Path(name): axum::extract::Path<String>) -> Response {
    const CACHED: (HeaderName, HeaderValue) = (
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=3600"),
    );
    let of_kind = |kind| {
        [
            CACHED,
            (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        ]
    };
    match name.as_str() {
        "docs.css" => (of_kind("text/css"), include_str!("docs/docs.css")).into_response(),
        "start.js" => (of_kind("text/javascript"), include_str!("docs/start.js")).into_response(),
        "swagger-ui.css" => (of_kind("text/css"), swagger(&name)).into_response(),
        "swagger-ui-bundle.js" => (of_kind("text/javascript"), swagger(&name)).into_response(),
        "favicon-32x32.png" => (of_kind("image/png"), swagger(&name)).into_response(),
        _ => Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path").into_response(),
    }
}

/// A file of Swagger UI, from the crate that carries it.
fn swagger(name: &str) -> Vec<u8> {
    let file = utoipa_swagger_ui::serve(name, Arc::default());
    file.ok()
        .flatten()
        .map(|file| file.bytes.into_owned())
        .unwrap_or_default()
}
