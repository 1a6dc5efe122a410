//! What a service counts, as Prometheus reads it at `/metrics`. `ops/METRICS.md` explains every one.

use std::sync::LazyLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Edges of times in seconds: from a step of a small batch to what people give up waiting for.
const SECONDS: [f64; 15] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// Edges of sizes of batches, which have 1 to 1000 messages.
const MESSAGES: [f64; 10] = [1.0, 2.0, 4.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];
/// What was measured waits in memory until it is sorted into its histogram.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The counters of this process. The first use installs them, so that a counter made before it counts nothing.
static COUNTERS: LazyLock<PrometheusHandle> = LazyLock::new(|| {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_messages".to_owned()), &MESSAGES)
        })
        .expect("the edges are there")
        .install_recorder()
        .expect("nothing else installs one");
    let version = env!("CARGO_PKG_VERSION");
    metrics::gauge!("quittance_build_info", "version" => version).set(1.0);
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let kept = handle.clone();
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP_INTERVAL).await;
                kept.run_upkeep();
            }
        });
    }
    handle
});

/// Begins to count. Called before a service makes its counters.
pub fn start_metrics() {
    LazyLock::force(&COUNTERS);
}

/// Everything that was counted, as text.
pub(crate) fn rendered() -> String {
    COUNTERS.render()
}

/// A count as Prometheus has it: exact up to 2⁵³, which no sequence reaches.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a gauge is a float"
)]
#[must_use]
pub fn as_gauge(count: u64) -> f64 {
    count as f64
}
