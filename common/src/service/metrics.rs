//! What a service counts, as Prometheus reads it at `/metrics`.

use std::sync::LazyLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The counters of this process. The first use installs them, so that a counter made before it counts nothing.
static COUNTERS: LazyLock<PrometheusHandle> = LazyLock::new(|| {
    let handle = PrometheusBuilder::new()
        .install_recorder()
        .expect("nothing else installs one");
    let version = env!("CARGO_PKG_VERSION");
    metrics::gauge!("quittance_build_info", "version" => version).set(1.0);
    handle
});

/// Begins to count. Called once, before a service starts.
pub fn start_metrics() {
    LazyLock::force(&COUNTERS);
}

/// Everything that was counted, as text.
pub(crate) fn rendered() -> String {
    COUNTERS.render()
}
