//! Traces: spans go to a collector, by OTLP over HTTP, where `OTEL_EXPORTER_OTLP_ENDPOINT` names one.
//!
//! Without it nothing is made, and whoever asks looks at one cell. With it, nobody waits for the collector: spans wait in a
//! queue of fixed size, a thread exports them, and what finds no room or no collector is counted and lost.
//!
//! A trace follows the `traceparent` of messages and of requests over HTTP, as lines of the log do. Its spans are recorded
//! where its first one was: each service goes by the flag in the `traceparent`.

mod export;
mod span;

use std::env;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, OTEL_BSP_MAX_QUEUE_SIZE, SdkTracerProvider,
};
use reqwest::Url;
use uuid::Uuid;

pub use opentelemetry::KeyValue;
pub use opentelemetry::trace::SpanKind;
pub use span::{Parent, Past, Span, is_tracing, messaging_in_batch, seq};

use export::{Counting, Losses, Queue};
use span::GivenIds;

/// The variables of OpenTelemetry that are read here; its library reads those of samplers, headers and the queue.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
/// Of what is exported, below the endpoint. Source: the OTLP specification, "OTLP/HTTP Request".
const PATH: &str = "v1/traces";
/// Spans that wait, unless `OTEL_BSP_MAX_QUEUE_SIZE` says otherwise: those of two of the ledger's largest batches, 8 MB.
const WAITING_MAX: usize = 8192;
/// How long the last spans of a service that stops may take.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Where spans go.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Traces {
    /// A collector that takes traces by OTLP over HTTP, such as `http://collector:4318`; without one nothing is traced.
    #[arg(
        long = "otlp-endpoint",
        value_name = "URL",
        env = ENDPOINT,
        global = true,
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub endpoint: String,
}

/// The address of a collector, or `None` where the text is empty, as OpenTelemetry has it. It may hold a password: errors
/// don't quote it, so the parser of options, which does, is not asked.
fn endpoint(variable: &str, text: &str) -> anyhow::Result<Option<Url>> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = text.parse::<Url>().ok();
    let url = url.filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
    let Some(url) = url else {
        bail!("{variable} is no address of a collector: it is like http://collector:4318");
    };
    ensure!(
        url.scheme() == "http",
        "{variable} asks for TLS, which is not spoken here: name a collector nearby, by http://"
    );
    Ok(Some(url))
}

impl Traces {
    /// Traces from here on, if there is a collector. Call it once, in the runtime that serves.
    ///
    /// # Errors
    /// When a setting of OpenTelemetry can't be used. A collector that does not answer is none.
    pub fn start(self, service: &'static str) -> anyhow::Result<Option<Tracing>> {
        let Some(base) = endpoint(ENDPOINT, &self.endpoint)? else {
            return Ok(None);
        };
        let of_traces = env::var(TRACES_ENDPOINT).unwrap_or_default();
        let url = match endpoint(TRACES_ENDPOINT, &of_traces)? {
            Some(url) => url,
            None => below(&base),
        };
        let losses = Arc::new(Losses::default());
        let exporter = Counting::to(&url, losses.clone())
            .context("traces can't be exported with these settings of OpenTelemetry")?;
        let waiting_max = env::var(OTEL_BSP_MAX_QUEUE_SIZE)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(WAITING_MAX);
        let settings = BatchConfigBuilder::default().with_max_queue_size(waiting_max);
        let exporting = BatchSpanProcessor::builder(exporter)
            .with_batch_config(settings.build())
            .build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(service))
            .with_id_generator(GivenIds::default())
            .with_span_processor(Queue::before(exporting, waiting_max, losses.clone()))
            .build();
        ensure!(
            span::trace_with(provider.tracer("quittance")),
            "this process traces already"
        );
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default();
        tracing::info!(host, port, "traces go to a collector");
        Ok(Some(Tracing { provider, losses }))
    }
}

/// The export of this process' spans.
#[derive(Debug)]
#[must_use]
pub struct Tracing {
    provider: SdkTracerProvider,
    losses: Arc<Losses>,
}

impl Tracing {
    /// Exports the last spans, for a moment.
    pub async fn finish(self) {
        let Self { provider, losses } = self;
        let ending =
            tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(END_PATIENCE));
        let is_over = matches!(ending.await, Ok(Ok(())));
        losses.finish(is_over);
    }
}

/// What spans are exported under: ours, unless OpenTelemetry's variables say otherwise.
fn resource(service: &str) -> Resource {
    let ours = [
        KeyValue::new("service.namespace", "quittance"),
        KeyValue::new("service.name", format!("quittance-{service}")),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
    ];
    let resource = Resource::builder_empty()
        .with_attributes(ours)
        .with_detectors(&[
            Box::new(TelemetryResourceDetector),
            Box::new(EnvResourceDetector::new()),
        ]);
    match env::var(SERVICE_NAME) {
        Ok(name) if !name.is_empty() => resource.with_service_name(name).build(),
        Ok(_) | Err(_) => resource.build(),
    }
}

/// Where a collector at this address takes traces.
fn below(base: &Url) -> Url {
    let mut url = base.clone();
    let path = format!("{}/{PATH}", base.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_collector_nothing_is_made() {
        assert!(Traces::default().start("ledger").unwrap().is_none());
        assert!(!is_tracing());
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut span = Span::publish(Some(traceparent), "an id");
        span.note("a", 1_i64);
        assert!(span.traceparent().is_none());
        assert!(Parent::of(traceparent).is_none());
        // Not even a box: a payment carries one through the door.
        assert_eq!(size_of::<Span>(), size_of::<usize>());
    }

    #[test]
    fn an_address_is_refused_by_the_name_of_its_variable_and_without_its_password() {
        for (text, expected) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            ("http://[::1]:4318/a/", "http://[::1]:4318/a/v1/traces"),
        ] {
            let url = endpoint(ENDPOINT, text).unwrap().unwrap();
            assert_eq!(below(&url).as_str(), expected);
        }
        for bad in [
            "collector:4318",
            "nonsense",
            "http://",
            "grpc://collector:4317",
            "http://user:s3cret@collector:port",
            "https://user:s3cret@collector",
        ] {
            let said = endpoint(ENDPOINT, bad).unwrap_err().to_string();
            assert!(
                said.starts_with(ENDPOINT) && !said.contains("s3cret"),
                "{said}"
            );
        }
    }

    #[test]
    fn spans_are_a_services_own() {
        let resource = resource("ledger");
        let of = |key: &'static str| {
            let value = resource.get(&key.into()).expect("an attribute");
            value.to_string()
        };
        assert_eq!(of("service.name"), "quittance-ledger");
        assert_eq!(of("service.version"), env!("CARGO_PKG_VERSION"));
        assert!(of("service.instance.id").parse::<Uuid>().is_ok());
    }
}
