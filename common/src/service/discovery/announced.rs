//! A service at the broker, in the words of NATS' services API.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::anyhow;
use async_nats::Client;
use async_nats::service::ServiceExt as _;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Place, health};
use crate::broker;
use crate::service::Readiness;

/// Between two tries, when the broker is away or does not know the login yet.
const RETRY_DELAY: Duration = Duration::from_secs(10);

/// Answers whoever asks who is there, until `stop`.
pub(super) async fn announce(
    place: &Place,
    broker: &broker::Config,
    readiness: &Readiness,
    stop: &CancellationToken,
) {
    let announcing = async {
        let mut is_told = false;
        loop {
            let error = match broker::connect(broker).await {
                Ok(client) => answer(place, &client, readiness).await,
                Err(error) => anyhow!(error),
            };
            if !std::mem::replace(&mut is_told, true) {
                tracing::warn!(%error, "others can't find this service at the broker, trying again");
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    };
    // The subscriptions end with the connection: whoever asks then gets no answer from here.
    stop.run_until_cancelled(announcing).await;
}

async fn answer(place: &Place, client: &Client, readiness: &Readiness) -> anyhow::Error {
    let parts = readiness.clone();
    let started = client
        .service_builder()
        .description("a service of Quittance")
        .metadata(HashMap::from([(
            "address".to_owned(),
            place.address.clone(),
        )]))
        .stats_handler(move |_, _| said(&parts))
        .start(place.service, place.version)
        .await;
    let service = match started {
        Ok(service) => service,
        Err(error) => return anyhow!("{error}"),
    };
    let subject = format!("discovery.{}.health", place.service);
    let endpoint = service.endpoint_builder().name("health").add(subject).await;
    let mut endpoint = match endpoint {
        Ok(endpoint) => endpoint,
        Err(error) => return anyhow!("{error}"),
    };
    while let Some(request) = endpoint.next().await {
        let answer = said(readiness).to_string();
        if let Err(error) = request.respond(Ok(answer.into())).await {
            return anyhow!(error);
        }
    }
    anyhow!("the connection has ended")
}

/// How it does, as the statistics of its endpoint `health` and as the answer there.
fn said(readiness: &Readiness) -> Value {
    let (status, detail) = health(&readiness.parts());
    json!({"status": status, "detail": detail})
}
