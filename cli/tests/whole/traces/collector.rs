//! A collector of traces: takes OTLP over HTTP, decodes it, and keeps it; or refuses, or never answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::bank::PATIENCE;

/// What a collector does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Takes,
    /// 500.
    Refuses,
    NeverAnswers,
}

/// A span, and the service that made it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) resource: Vec<KeyValue>,
    pub(super) span: Span,
}

impl Seen {
    pub(super) fn service(&self) -> String {
        text(&self.resource, "service.name").unwrap_or_default()
    }

    pub(super) fn id(&self) -> String {
        hex(&self.span.span_id)
    }

    pub(super) fn trace(&self) -> String {
        hex(&self.span.trace_id)
    }

    pub(super) fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }

    /// An attribute, as text.
    pub(super) fn attribute(&self, key: &str) -> Option<String> {
        text(&self.span.attributes, key)
    }
}

/// The value of an attribute, as text.
pub(super) fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Debug, Default)]
struct Kept {
    spans: Vec<Seen>,
    bodies: Vec<Bytes>,
    /// What was no OTLP over HTTP.
    broken: Vec<String>,
}

/// A collector, which ends when it is dropped.
pub(super) struct Collector {
    pub(super) url: String,
    kept: Arc<Mutex<Kept>>,
    serving: JoinHandle<()>,
}

impl Collector {
    pub(super) async fn start(mood: Mood) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let kept = Arc::<Mutex<Kept>>::default();
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state((mood, kept.clone()));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Ok(Self { url, kept, serving })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests came.
    pub(super) fn requests(&self) -> usize {
        self.kept().bodies.len()
    }

    /// Everything that came, as bytes.
    pub(super) fn bodies(&self) -> Vec<Bytes> {
        self.kept().bodies.clone()
    }

    /// The spans of a trace so far.
    pub(super) fn of(&self, trace: &str) -> Vec<Seen> {
        let kept = self.kept();
        let spans = kept.spans.iter();
        spans
            .filter(|seen| seen.trace() == trace)
            .cloned()
            .collect()
    }

    /// The one span of this name in a trace, once it has come.
    pub(super) async fn span(&self, trace: &str, name: &str) -> Result<Seen> {
        let began = Instant::now();
        loop {
            let spans = self.of(trace);
            let mut named = spans.iter().filter(|seen| seen.span.name == name);
            if let Some(seen) = named.next() {
                ensure!(named.next().is_none(), "two {name}: {spans:#?}");
                ensure!(self.kept().broken.is_empty(), "{:?}", self.kept().broken);
                return Ok(seen.clone());
            }
            ensure!(began.elapsed() < PATIENCE, "no {name} in {spans:#?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(
    State((mood, kept)): State<(Mood, Arc<Mutex<Kept>>)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        match spans_of(&headers, &body) {
            Ok(spans) => kept.spans.extend(spans),
            Err(error) => kept.broken.push(format!("{error:#}")),
        }
        kept.bodies.push(body);
    }
    match mood {
        Mood::Takes => StatusCode::OK,
        Mood::Refuses => StatusCode::INTERNAL_SERVER_ERROR,
        Mood::NeverAnswers => std::future::pending().await,
    }
}

fn spans_of(headers: &HeaderMap, body: &Bytes) -> Result<Vec<Seen>> {
    let kind = headers.get("content-type").context("no content type")?;
    ensure!(kind == "application/x-protobuf", "{kind:?}");
    let request = ExportTraceServiceRequest::decode(&body[..])?;
    let mut seen = Vec::new();
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.context("no resource")?.attributes;
        for span in of_resource
            .scope_spans
            .into_iter()
            .flat_map(|of_scope| of_scope.spans)
        {
            let resource = resource.clone();
            seen.push(Seen { resource, span });
        }
    }
    Ok(seen)
}
