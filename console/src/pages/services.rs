//! The parts of the bank, how they do, and where their documents are.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use common::service::{Instance, Targets};

use crate::app::App;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::{Source, State as Shown, Time, Trouble};

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
    /// What runs, several of one service perhaps; `None` where the console has no broker.
    instances: Option<Source<Vec<Running>>>,
    version: &'static str,
}

/// One that answers at the broker.
struct Running {
    instance: Instance,
    since: Time,
    state: Shown,
}

fn running(instance: Instance) -> Running {
    Running {
        since: Time::maybe(instance.since),
        state: Shown::new(&instance.status),
        instance,
    }
}

pub(super) async fn list(State(app): State<Arc<App>>, who: Operator) -> Response {
    let (parts, instances) = tokio::join!(parts(&app), app.instances.all());
    let instances = instances.map(|found| match found {
        Ok(all) => Ok(all.into_iter().map(running).collect()),
        Err(sentence) => Err(Trouble::of(sentence)),
    });
    html(&ServicesPage {
        frame: who.frame("Services", "Services"),
        parts,
        instances,
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Where metrics are, for Prometheus' `http_sd`. As `/metrics` itself, it is not reached through the gateway, and needs nobody
/// signed in. Without an answer of the broker it is an error, and Prometheus goes on with what it knew.
pub(super) async fn targets(State(app): State<Arc<App>>) -> Response {
    match app.instances.all().await {
        Some(Ok(all)) => {
            Json(all.iter().filter_map(Targets::of).collect::<Vec<_>>()).into_response()
        }
        Some(Err(sentence)) => (StatusCode::SERVICE_UNAVAILABLE, sentence).into_response(),
        None => {
            let sentence = "the console was started without a broker, see QUITTANCE_NATS_URL";
            (StatusCode::NOT_FOUND, sentence).into_response()
        }
    }
}
