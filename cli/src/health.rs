//! `quittance health`: the question a container asks about the service in it, where there is neither shell nor curl.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// A container that needs longer to answer is not well.
const PATIENCE: Duration = Duration::from_secs(4);

/// Options of `quittance health`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where the service listens
    #[arg(env = "QUITTANCE_LISTEN", value_name = "HOST:PORT")]
    listen: SocketAddr,
}

/// Succeeds when the service says that it is ready.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let mut address = options.listen;
    // A service that listens on every address is asked on loopback.
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let client = reqwest::Client::builder()
        .no_proxy()
        // The image has no authorities: asking for them would be an error.
        .tls_certs_only([])
        .timeout(PATIENCE)
        .build()?;
    let response = client
        .get(format!("http://{address}/health/ready"))
        .send()
        .await
        .with_context(|| format!("nothing answers on {address}"))?;
    let status = response.status();
    ensure!(
        status.is_success(),
        "the service on {address} is not ready: {status}"
    );
    Ok(())
}
