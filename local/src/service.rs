//! One running service: `quittance serve <service>` as a process of its own.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::home::Home;
use crate::http;
use crate::part::Service;
use crate::ports::{self, loopback};
use crate::process::{Process, Program};
use crate::servers::Servers;

/// A service migrates, connects, makes streams or reads what it missed.
pub(crate) const READY_LIMIT: Duration = Duration::from_secs(60);

/// One running service.
#[derive(Debug)]
pub struct ServiceProcess {
    pub(crate) service: Service,
    pub(crate) port: u16,
    pub(crate) process: Process,
}

/// What the command line of a service ends with.
pub(crate) fn command(service: Service) -> String {
    format!("serve {service}")
}

impl ServiceProcess {
    /// Starts one service alone, on a free port: for servers that got what they hold from elsewhere, before any service
    /// saw it. Migrates it first; returns before it is ready.
    pub async fn start(servers: &Servers, program: &Path, service: Service) -> Result<Self> {
        servers.migrate(program, service).await?;
        let port = ports::free()?;
        let environment = servers.service_env(service, port);
        let name = service.name();
        Self::spawn(servers.home(), program, service, name, port, environment)
    }

    pub(crate) fn spawn(
        home: &Home,
        program: &Path,
        service: Service,
        name: &'static str,
        port: u16,
        environment: Vec<(String, String)>,
    ) -> Result<Self> {
        let program = Program {
            name,
            path: program,
            arguments: vec![OsStr::new("serve"), OsStr::new(service.name())],
            environment,
            log: home.path().join("logs").join(format!("{name}.log")),
            pid_file: home.pid_file(name),
        };
        let process = Process::service(&program)?;
        Ok(Self {
            service,
            port,
            process,
        })
    }

    /// Which service it is.
    #[must_use]
    pub fn service(&self) -> Service {
        self.service
    }

    /// Where it answers: `http://127.0.0.1:8082`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", loopback(self.port))
    }

    /// Does it say that it is ready?
    pub async fn is_ready(&self) -> bool {
        http::says_ok(self.port, "/health/ready").await
    }

    /// Waits until it says that it is ready; fails, quoting its log, when it ends or takes too long.
    pub async fn wait_until_ready(&mut self) -> Result<()> {
        let port = self.port;
        let ready = async || http::says_ok(port, "/health/ready").await;
        self.process.wait_until_ready(READY_LIMIT, ready).await
    }

    /// Its process: to kill it, to stop it, to ask how it ended.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
