//! The way of spans to the collector: a queue of fixed size, and an exporter that counts what gets through and what does not.

use std::env;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use metrics::{Counter, counter};
use opentelemetry::Context;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, ResponseBodyTooLarge};
use opentelemetry_otlp::{
    OTEL_EXPORTER_OTLP_TIMEOUT, OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT,
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, Protocol, SpanExporter, WithExportConfig as _,
    WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanProcessor};
use reqwest::Url;
use tokio::runtime::Handle;

/// A line says what was lost, and the next one not before this.
const SAID_AGAIN: Duration = Duration::from_secs(60);
/// A collector says at most which spans it did not take.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What gets through and what does not.
pub(super) struct Losses {
    exported: Counter,
    lost: Counter,
    /// Spans that are neither.
    waiting: AtomicUsize,
    /// Lost since the last line that said so.
    unsaid: AtomicU64,
    said_at: Mutex<Option<Instant>>,
}

impl Default for Losses {
    fn default() -> Self {
        Self {
            exported: counter!("quittance_spans_exported_total"),
            lost: counter!("quittance_spans_lost_total"),
            waiting: AtomicUsize::new(0),
            unsaid: AtomicU64::new(0),
            said_at: Mutex::default(),
        }
    }
}

impl std::fmt::Debug for Losses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Losses").finish_non_exhaustive()
    }
}

impl Losses {
    /// One more waits, if there is room.
    fn begin(&self, waiting_max: usize) -> bool {
        let room = |waiting: usize| (waiting < waiting_max).then_some(waiting + 1);
        let relaxed = Ordering::Relaxed;
        self.waiting.fetch_update(relaxed, relaxed, room).is_ok()
    }

    fn end(&self, count: usize) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
    }

    fn lost(&self, count: usize, why: &dyn Display) {
        let count = as_count(count);
        self.lost.increment(count);
        self.unsaid.fetch_add(count, Ordering::Relaxed);
        // Whoever finds it locked leaves the line to the other one.
        let Ok(mut said_at) = self.said_at.try_lock() else {
            return;
        };
        if said_at.is_none_or(|at| at.elapsed() >= SAID_AGAIN) {
            *said_at = Some(Instant::now());
            let lost = self.unsaid.swap(0, Ordering::Relaxed);
            tracing::warn!(lost, %why, "spans of traces were lost");
        }
    }

    /// The process ends: says what no line has said.
    pub(super) fn finish(&self, is_over: bool) {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let left = if is_over { 0 } else { as_count(waiting) };
        let lost = left + self.unsaid.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "spans of traces were lost before the end");
        }
    }
}

fn as_count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Counts what finds no room, which the library's own queue behind it only drops.
#[derive(Debug)]
pub(super) struct Queue {
    exporting: BatchSpanProcessor,
    waiting_max: usize,
    losses: Arc<Losses>,
}

impl Queue {
    pub(super) fn before(
        exporting: BatchSpanProcessor,
        waiting_max: usize,
        losses: Arc<Losses>,
    ) -> Self {
        Self {
            exporting,
            waiting_max,
            losses,
        }
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.exporting.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.losses.begin(self.waiting_max) {
            self.exporting.on_end(span);
        } else {
            self.losses
                .lost(1, &"the collector takes fewer than there are");
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporting.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporting.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporting.set_resource(resource);
    }
}

/// Exports, from the library's own thread, and counts.
#[derive(Debug)]
pub(super) struct Counting {
    exporter: SpanExporter,
    losses: Arc<Losses>,
}

impl Counting {
    pub(super) fn to(url: &Url, losses: Arc<Losses>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            // The image has no authorities: asking for them would be an error.
            .tls_certs_only([])
            .timeout(timeout())
            .build()?;
        let client = OnRuntime {
            http,
            runtime: Handle::try_current()?,
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url.as_str())
            .build()?;
        Ok(Self { exporter, losses })
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Counting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let exported = self.exporter.export(batch).await;
        self.losses.end(count);
        match &exported {
            Ok(()) => self.losses.exported.increment(as_count(count)),
            // The library's errors name no address and no header.
            Err(error) => self.losses.lost(count, error),
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// How long the collector may take for one request, as the library reads it for all of its tries.
fn timeout() -> Duration {
    let of = |variable| env::var(variable).ok()?.parse().ok();
    let milliseconds =
        of(OTEL_EXPORTER_OTLP_TRACES_TIMEOUT).or_else(|| of(OTEL_EXPORTER_OTLP_TIMEOUT));
    milliseconds.map_or(OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT, Duration::from_millis)
}

/// Sends in the service's runtime: the thread that exports has none.
#[derive(Debug)]
struct OnRuntime {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        self.runtime.spawn(send(self.http.clone(), request)).await?
    }
}

async fn send(
    http: reqwest::Client,
    request: reqwest::Request,
) -> Result<Response<Bytes>, HttpError> {
    let mut answer = http.execute(request).await?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Box::new(ResponseBodyTooLarge::new()));
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(body.into());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}
