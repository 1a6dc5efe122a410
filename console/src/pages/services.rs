//! The parts of the bank, how they do, and where their documents are.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::State as Shown;

/// One service.
pub(super) struct Part {
    pub(super) name: &'static str,
    /// What it is there for.
    pub(super) does: &'static str,
    pub(super) url: String,
    pub(super) state: Shown,
    /// What is wrong or late.
    pub(super) detail: String,
}

/// Asks every service how it does.
pub(super) async fn parts(app: &App) -> Vec<Part> {
    let addresses = app.client.addresses();
    let ask = async |name, does, url: &str| {
        let (state, detail) = match app.client.readiness(url).await {
            Ok(said) if said == "ready" => (Shown::new("ready"), String::new()),
            Ok(late) => (Shown::new("degraded"), late),
            Err(trouble) => (Shown::new("DOWN"), trouble),
        };
        Part {
            name,
            does,
            url: url.to_owned(),
            state,
            detail,
        }
    };
    let (auth, ledger, payments) = tokio::join!(
        ask(
            "auth",
            "logs people and programs in, and signs their tokens",
            &addresses.auth
        ),
        ask("ledger", "decides and books", &addresses.ledger),
        ask(
            "payments",
            "takes payments, and tells what became of them",
            &addresses.payments
        ),
    );
    vec![auth, ledger, payments]
}

#[derive(Template)]
#[template(path = "services.html")]
struct ServicesPage {
    frame: Frame,
    parts: Vec<Part>,
    version: &'static str,
}

pub(super) async fn list(State(app): State<Arc<App>>, who: Operator) -> Response {
    html(&ServicesPage {
        frame: who.frame("Services", "Services"),
        parts: parts(&app).await,
        version: env!("CARGO_PKG_VERSION"),
    })
}
