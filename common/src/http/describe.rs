//! OpenAPI: what a service says about itself, made from its routes and its types.
//!
//! `#[utoipa::path]` above a handler says what people read: summary, description, parameters, answers. `routes!` puts the
//! handler into the router and its description into the document, so no route can be missing. The schemas are those that
//! `schemars` makes of the same types as for `schemas/`: [`Of`] hands them on. What is the same for every operation, such
//! as 401 where a token is needed, is added when the document is finished (`finish`).

pub mod answers;
mod carry;
mod finish;
pub mod headers;

use axum::Router;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;

pub use carry::{Body, Form, MaybeBody, Of};

use super::docs;
use super::serve::probes;

/// What stands at the top of a document.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// `auth`, `ledger` or `payments`.
    pub name: &'static str,
    /// As in `Quittance ledger`.
    pub title: &'static str,
    /// What the service is for, in Markdown.
    pub description: &'static str,
    /// Whether a body that does not come in time is answered with 408, as `limit_body` does.
    pub answers_late_bodies: bool,
    /// What each tag stands for.
    pub tags: &'static [(&'static str, &'static str)],
}

/// The document of these routes, and of what every service serves.
#[must_use]
pub fn document<S>(service: &Service, routes: &OpenApiRouter<S>) -> Value
where
    S: Clone + Send + Sync + 'static,
{
    let mut all = routes.get_openapi().clone();
    all.merge(probes().into_openapi());
    all.merge(docs::described().into_openapi());
    finish::finish(service, &all)
}

/// The routes, and at `/openapi.json`, `/docs` and `/problems` what is said about them.
pub fn described<S>(service: &Service, routes: OpenApiRouter<S>, state: S) -> Router
where
    S: Clone + Send + Sync + 'static,
{
    let document = document(service, &routes);
    let docs = docs::described().with_state(docs::Docs::new(service.title, document));
    let routes: Router = routes.with_state(state).into();
    routes.merge(Router::from(docs))
}
