//! The console: `quittance serve console`, which needs the services' addresses, and the broker to know who is there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::home::Home;
use crate::http;
use crate::part::Part;
use crate::ports::loopback;
use crate::process::{Process, Program, run_to_the_end, stop_leftover};
use crate::service::READY_LIMIT;

/// What the command line of the console ends with.
const COMMAND: &str = "serve console";

/// Where the console finds the services.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    pub(crate) auth: String,
    pub(crate) ledger: String,
    pub(crate) payments: String,
    pub(crate) nats: String,
    /// The gateway's certificate, if it has one.
    pub(crate) certificate: Option<PathBuf>,
}

/// The console of one bank.
#[derive(Debug)]
pub(crate) struct Console {
    program: PathBuf,
    environment: Vec<(String, String)>,
    log: PathBuf,
    pid_file: PathBuf,
    pub(crate) port: u16,
    pub(crate) process: Process,
}

impl Console {
    /// Starts it and waits until it answers.
    pub(crate) async fn start(
        program: &Path,
        home: &Home,
        port: u16,
        addresses: Addresses,
    ) -> Result<Self> {
        let pid_file = home.pid_file(Part::Console.name());
        stop_leftover(&pid_file, COMMAND)?;
        let environment = [
            ("QUITTANCE_LISTEN", loopback(port).to_string()),
            ("QUITTANCE_AUTH_URL", addresses.auth),
            ("QUITTANCE_LEDGER_URL", addresses.ledger),
            ("QUITTANCE_PAYMENTS_URL", addresses.payments),
            ("QUITTANCE_NATS_URL", addresses.nats),
            (
                "QUITTANCE_NATS_PASSWORD",
                home.secrets().nats["console"].clone(),
            ),
        ];
        let certificate = addresses.certificate.map(|file| file.display().to_string());
        let certificate = certificate.map(|file| ("QUITTANCE_CERTIFICATES", file));
        let environment: Vec<_> = environment
            .into_iter()
            .chain(certificate)
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let log = home.log(Part::Console);
        let process = spawn(program, &environment, &log, &pid_file)?;
        let mut console = Self {
            program: program.to_owned(),
            environment,
            log,
            pid_file,
            port,
            process,
        };
        console.wait_until_ready().await?;
        Ok(console)
    }

    /// Starts it again on the same port. Whoever was signed in signs in again.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.process.stop();
        self.process = spawn(&self.program, &self.environment, &self.log, &self.pid_file)?;
        self.wait_until_ready().await
    }

    /// Where it answers: `http://127.0.0.1:8084`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", loopback(self.port))
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let port = self.port;
        let ready = async || http::says_ok(port, "/health/ready").await;
        self.process.wait_until_ready(READY_LIMIT, ready).await
    }
}

/// Writes the files that its pages need to where the gateway serves them.
pub(crate) async fn write_assets(program: &Path, directory: &Path) -> Result<()> {
    let mut command = tokio::process::Command::new(program);
    command.arg("static").arg(directory);
    run_to_the_end(&mut command, "the console's files can't be written").await
}

fn spawn(
    program: &Path,
    environment: &[(String, String)],
    log: &Path,
    pid_file: &Path,
) -> Result<Process> {
    Process::service(&Program {
        name: Part::Console.name(),
        path: program,
        arguments: vec![OsStr::new("serve"), OsStr::new("console")],
        environment: environment.to_vec(),
        log: log.to_owned(),
        pid_file: pid_file.to_owned(),
    })
}
