//! The broker: the committed configuration of `nats/`, with this bank's passwords and ports.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::disk::Room;
use crate::home::{Home, make_private};
use crate::http;
use crate::install::Found;
use crate::part::Part;
use crate::ports::{Ports, loopback};
use crate::process::{Farewell, Process, Program, stop_leftover};
use crate::producer::{Producer, Way};
use crate::secrets::write_private;
use crate::staging::Staging;

const CONFIGURATION: &str = include_str!("../../nats/nats-server.conf");
/// The door's login, and one producer, `demo-shop`: the pattern for all.
const PRODUCERS: &str = include_str!("../../nats/producers.conf");
/// No producer; the same pattern.
const DIRECT: &str = include_str!("../../nats/direct.conf");
/// Under this name a home notes the port of the monitoring page.
pub(crate) const MONITOR: &str = "nats-monitor";
/// Streams are read again after a crash, gigabytes of them at worst.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// The broker of one bank.
#[derive(Debug)]
pub(crate) struct Nats {
    pub(crate) found: Found,
    directory: PathBuf,
    store: PathBuf,
    environment: Vec<(String, String)>,
    log: PathBuf,
    pid_file: PathBuf,
    pub(crate) port: u16,
    pub(crate) monitor_port: u16,
    health_path: String,
    pub(crate) process: Process,
    /// Behind the process: dropped after it.
    staging: Option<Staging>,
}

impl Nats {
    /// Writes the configuration, starts the server and waits until its streams are there.
    pub(crate) async fn start(
        found: Found,
        home: &Home,
        producers: &[Producer],
        ports: Ports,
    ) -> Result<Self> {
        let directory = home.path().join("nats");
        make_private(&directory)?;
        let pid_file = home.pid_file(Part::Nats.name());
        stop_leftover(&pid_file, &directory.display().to_string())?;
        write_private(
            &directory.join("nats-server.conf"),
            CONFIGURATION.as_bytes(),
        )?;
        for (file, way) in [("producers.conf", Way::Door), ("direct.conf", Way::Direct)] {
            let text = render_producers(home, producers, way)?;
            write_private(&directory.join(file), text.as_bytes())?;
        }
        let port = home.pick_port(Part::Nats.name(), ports, 4222)?;
        let monitor_port = home.pick_port(MONITOR, ports, 8222)?;
        let environment = environment(home, port, monitor_port);
        let log = home.log(Part::Nats);
        // Without such memory batches are staged on disk: slower, and otherwise the same.
        let staging = Staging::start(&home.broker_store(), home.path(), home.is_temporary()).ok();
        let process = spawn(&found, &directory, &environment, &log, &pid_file)?;
        let mut nats = Self {
            found,
            directory,
            store: home.broker_store(),
            environment,
            log,
            pid_file,
            port,
            monitor_port,
            health_path: format!("/{}/healthz", home.secrets().monitor),
            process,
            staging,
        };
        nats.wait_until_ready().await?;
        Ok(nats)
    }

    /// Starts it again on the same port and the same data.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.process.stop();
        if let Some(staging) = &self.staging {
            staging.look();
        }
        let (found, directory) = (&self.found, &self.directory);
        self.process = spawn(
            found,
            directory,
            &self.environment,
            &self.log,
            &self.pid_file,
        )?;
        self.wait_until_ready().await
    }

    /// What the server says when it can't store any more; it does not recover from that by itself.
    pub(crate) async fn store_failure(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Health {
            error: String,
        }
        // Only without parameters does it speak of the disk.
        let complaint = http::complaint(self.monitor_port, &self.health_path).await?;
        let health: Health = serde_json::from_str(&complaint).ok()?;
        health.error.contains("write error").then_some(health.error)
    }

    /// Whether there is room again where it stores.
    pub(crate) fn has_room(&self) -> bool {
        Room::at(&self.store).is_ok_and(|room| !room.is_full)
    }

    /// Where it stores.
    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", loopback(self.port))
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let (port, path) = (self.monitor_port, &self.health_path);
        self.process
            .wait_until_ready(READY_LIMIT, async || http::says_ok(port, path).await)
            .await
    }
}

fn spawn(
    found: &Found,
    directory: &Path,
    environment: &[(String, String)],
    log: &Path,
    pid_file: &Path,
) -> Result<Process> {
    let configuration = directory.join("nats-server.conf");
    let program = Program {
        name: Part::Nats.name(),
        path: &found.path,
        arguments: vec![OsStr::new("-c"), configuration.as_os_str()],
        environment: environment.to_vec(),
        log: log.to_owned(),
        pid_file: pid_file.to_owned(),
    };
    Process::server(&program, None, Farewell::Interrupt)
}

/// What the configuration takes from its environment, see its head.
fn environment(home: &Home, port: u16, monitor_port: u16) -> Vec<(String, String)> {
    let logins = home.secrets().nats.iter();
    let passwords = logins.map(|(user, password)| {
        (
            format!("NATS_PASSWORD_{}", user.to_uppercase()),
            password.clone(),
        )
    });
    let places = [
        ("NATS_LISTEN", loopback(port).to_string()),
        ("NATS_MONITOR", loopback(monitor_port).to_string()),
        ("NATS_MONITOR_PATH", format!("/{}", home.secrets().monitor)),
        ("NATS_STORE_DIR", home.broker_store().display().to_string()),
    ];
    // In quotes: the server parses a value as it parses its file.
    places
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .chain(passwords)
        .map(|(name, value)| (name, format!("\"{value}\"")))
        .collect()
}

/// `producers.conf` or `direct.conf` with an entry for each producer of this way, made from the committed one.
fn render_producers(home: &Home, producers: &[Producer], way: Way) -> Result<String> {
    let start = PRODUCERS
        .find("  { user: \"demo-shop\"")
        .context("producers.conf has no demo-shop")?;
    let (head, rest) = PRODUCERS.split_at(start);
    let (entry, foot) = rest
        .split_once("\n]")
        .context("producers.conf has no end of users")?;
    let mut text = match way {
        Way::Door => head.to_owned(),
        Way::Direct => {
            let head = DIRECT.strip_suffix("]\n");
            head.context("direct.conf has users")?.to_owned() + "\n"
        }
    };
    for Producer { client_id, .. } in producers.iter().filter(|producer| producer.way == way) {
        // It becomes part of subjects and of this file.
        let is_plain = client_id
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        ensure!(
            is_plain && !client_id.is_empty(),
            "{client_id:?} cannot be a producer's id"
        );
        let password = &home.secrets().producers[client_id];
        let entry = entry.replace("demo-shop", client_id);
        text += &entry.replace("$NATS_PASSWORD_DEMO_SHOP", &format!("\"{password}\""));
        text += "\n";
    }
    Ok(text + "]" + foot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_producer_has_an_entry_of_its_own() {
        let mut home = Home::temporary().unwrap();
        let producers = [
            Producer::new("shop-a"),
            Producer::new("shop-b"),
            Producer::direct("treasury"),
        ];
        home.add_producers(&producers).unwrap();
        let direct = render_producers(&home, &producers, Way::Direct).unwrap();
        assert_eq!(direct.matches("user: ").count(), 1);
        assert!(direct.contains("\"request.payment.v1.treasury\""));
        let text = render_producers(&home, &producers, Way::Door).unwrap();
        assert_eq!(text.matches("user: ").count(), 3);
        assert!(text.contains("request.*.v1.* door") && !direct.contains("payments-door"));
        assert!(text.contains("\"request.payment.v1.shop-a\""));
        assert!(text.contains("\"_INBOX_shop-b.>\""));
        assert!(!text.contains("demo-shop") && !text.contains("$NATS_PASSWORD_DEMO_SHOP"));
    }

    #[test]
    fn a_producer_cannot_smuggle_in_a_wildcard() {
        let home = Home::temporary().unwrap();
        for id in ["*", "a.b"] {
            assert!(render_producers(&home, &[Producer::new(id)], Way::Door).is_err());
        }
    }
}
