//! nginx alone, in front of what a test puts behind it.

use std::fs;
use std::path::PathBuf;

use crate::home::Home;
use crate::install::{self, Kept};
use crate::nginx::{Behind, Gateway, GatewayOptions};
use crate::part::Part;
use crate::ports::Ports;
use crate::progress::silent;
use crate::servers;

/// A gateway without a bank. Dropping it stops it.
#[derive(Debug)]
pub struct Front {
    gateway: Gateway,
    home: Home,
}

impl Front {
    /// Starts nginx in front of these ports. Panics when it can't: a test has nothing else to do then.
    pub async fn start(behind: Behind, options: GatewayOptions) -> Self {
        let start = async {
            let home = Home::temporary()?;
            let found = servers::find(&install::NGINX, Kept::NOTHING, &silent()).await?;
            let gateway = Gateway::start(found, &home, behind, Ports::Free, options).await?;
            anyhow::Ok(Self { gateway, home })
        };
        let started = start.await;
        started.unwrap_or_else(|error| panic!("no gateway for this test: {error:#}"))
    }

    /// The same, with other words in `nginx.conf`: shorter times, smaller numbers.
    pub async fn start_with(behind: Behind, edits: &[(&str, &str)]) -> Self {
        let mut this = Self::start(behind, GatewayOptions::default()).await;
        let file = this.directory().join("nginx.conf");
        let mut text = fs::read_to_string(&file).expect("it was written a moment ago");
        for (from, to) in edits {
            assert!(text.contains(from), "nginx.conf has no {from:?}");
            text = text.replace(from, to);
        }
        fs::write(&file, text).expect("it was written a moment ago");
        let restarted = this.gateway.restart().await;
        restarted.unwrap_or_else(|error| panic!("no gateway for this test: {error:#}"));
        this
    }

    /// Where it listens, on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.gateway.port
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> String {
        self.gateway.url()
    }

    /// nginx' own directory: its configuration, and what it writes.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.home.path().join("gateway")
    }

    /// The directory of `/static/`.
    #[must_use]
    pub fn static_files(&self) -> PathBuf {
        self.home.static_files()
    }

    /// What it wrote: requests as JSON, and its own lines.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.log(Part::Gateway)).unwrap_or_default()
    }

    /// Major and minor.
    #[must_use]
    pub fn version(&self) -> (u32, u32) {
        self.gateway.found().version
    }

    /// Looks for another certificate, as a running bank does each second.
    pub fn renew(&mut self) {
        let renewed = self.gateway.renew();
        renewed.unwrap_or_else(|error| panic!("no other certificate: {error:#}"));
    }

    /// Has it read its configuration again.
    pub fn reload(&mut self) {
        self.gateway.process.reload();
    }
}
