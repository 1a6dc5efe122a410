//! Services say that they are there, at the broker and at a Consul agent, and that they are not when they stop.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use async_nats::Client;
use common::broker;
use common::service::{Instance, instances};
use local::{Part, Service};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::bank::{PATIENCE, TestBank};

async fn asking(test: &TestBank) -> Result<Client> {
    Ok(broker::connect(&test.config("audit").discovery()).await?)
}

/// Waits until those that are found are as expected.
async fn until(client: &Client, is_it: impl Fn(&[Instance]) -> bool) -> Result<Vec<Instance>> {
    let began = Instant::now();
    loop {
        let found = instances(client).await.map_err(anyhow::Error::from_boxed)?;
        if is_it(&found) {
            return Ok(found);
        }
        ensure!(began.elapsed() < PATIENCE, "{found:?}");
    }
}

fn of<'a>(found: &'a [Instance], service: &str) -> Vec<&'a Instance> {
    found.iter().filter(|one| one.service == service).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_is_found_and_whoever_stops_is_not() -> Result<()> {
    let mut test = TestBank::start_behind_gateway(local::Tls::Off).await?;
    let client = asking(&test).await?;
    let all_ready =
        |found: &[Instance]| found.len() == 4 && found.iter().all(|one| one.status == "ready");
    let found = until(&client, all_ready).await?;
    let console = test.bank.console_url().context("a console")?;
    let expected = [
        ("auth", test.bank.url(Service::Auth)),
        ("console", console.clone()),
        ("ledger", test.bank.url(Service::Ledger)),
        ("payments", test.bank.url(Service::Payments)),
    ];
    for (one, (service, address)) in found.iter().zip(&expected) {
        ensure!(
            (one.service.as_str(), &one.address) == (*service, address),
            "{one:?}"
        );
        ensure!(one.version == env!("CARGO_PKG_VERSION") && one.since.is_some());
    }

    // What Prometheus reads.
    let targets = async || -> Result<Value> {
        let url = format!("{console}/metrics/targets");
        Ok(test.http.get(url).send().await?.json().await?)
    };
    let begun = Instant::now();
    let listed = loop {
        let listed = targets().await?;
        // Who answers late is not seen by one look.
        if listed.as_array().is_some_and(|listed| listed.len() == 4) {
            break listed;
        }
        ensure!(begun.elapsed() < PATIENCE, "{listed}");
    };
    let listed = listed.as_array().context("a list")?;
    for ((service, address), target) in expected.iter().zip(listed) {
        let host = address.strip_prefix("http://").context("HTTP")?;
        ensure!(
            target["targets"] == json!([host]) && target["labels"]["service"] == *service,
            "{target}"
        );
        let metrics = test.http.get(format!("{address}/metrics")).send().await?;
        ensure!(metrics.text().await?.contains("quittance_build_info"));
    }
    let gateway = test.bank.gateway_url().context("a gateway")?;
    let outside = test
        .http
        .get(format!("{gateway}/admin/metrics/targets"))
        .send()
        .await?;
    ensure!(outside.status() == 404, "{}", outside.status());

    // A standby is one more of the same service.
    let standby = test.bank.spawn_second(Service::Ledger, "standby", &[])?;
    let found = until(&client, |found| of(found, "ledger").len() == 2).await?;
    let ledgers = of(&found, "ledger");
    ensure!(ledgers[0].id != ledgers[1].id && ledgers[0].address != ledgers[1].address);
    drop(standby);
    until(&client, |found| of(found, "ledger").len() == 1).await?;

    // How it does is asked each time.
    test.bank.freeze(Part::Postgres);
    let found = until(&client, |found| {
        let ledgers = of(found, "ledger");
        ledgers.len() == 1 && ledgers[0].status == "DOWN"
    })
    .await?;
    test.bank.thaw(Part::Postgres);
    ensure!(of(&found, "ledger")[0].detail.contains("PostgreSQL"));
    test.bank.stop_part(Part::Payments);
    until(&client, |found| {
        of(found, "payments").is_empty() && of(found, "auth").len() == 1
    })
    .await?;

    // A broker that was away changes nothing but the connection.
    test.bank.start_part(Part::Payments).await?;
    test.bank.kill(Part::Nats);
    test.bank.start_part(Part::Nats).await?;
    let client = asking(&test).await?;
    until(&client, all_ready).await.map(drop)
}

/// A request as a Consul agent gets it.
#[derive(Debug, Clone)]
struct Heard {
    line: String,
    token: Option<String>,
    body: Value,
}

/// Takes what an agent takes, and remembers it.
struct Agent {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Agent {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let hearing = heard.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let hearing = hearing.clone();
                tokio::spawn(async move { hear(socket, &hearing).await });
            }
        });
        Ok(Self { address, heard })
    }

    async fn until(&self, start: &str) -> Result<Heard> {
        let began = Instant::now();
        loop {
            let heard = self
                .heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            if let Some(found) = heard.iter().find(|one| one.line.starts_with(start)) {
                return Ok(found.clone());
            }
            ensure!(began.elapsed() < PATIENCE, "no {start}: {heard:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

async fn hear(socket: TcpStream, heard: &Mutex<Vec<Heard>>) -> Result<()> {
    let mut socket = BufReader::new(socket);
    loop {
        let (mut line, mut token, mut length) = (String::new(), None, 0);
        if socket.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        loop {
            let mut header = String::new();
            socket.read_line(&mut header).await?;
            let Some((name, value)) = header.trim_end().split_once(": ") else {
                break;
            };
            match name.to_lowercase().as_str() {
                "x-consul-token" => token = Some(value.to_owned()),
                "content-length" => length = value.parse()?,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        socket.read_exact(&mut body).await?;
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let line = line.trim_end().to_owned();
        heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Heard { line, token, body });
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_registered_with_consul_and_deregistered_when_it_stops() -> Result<()> {
    let mut test = TestBank::start().await?;
    let agent = Agent::start().await?;
    let at = agent.address.to_string();
    for (name, value) in [
        ("CONSUL_HTTP_ADDR", at.as_str()),
        ("CONSUL_HTTP_TOKEN", "t0k3n"),
    ] {
        test.bank.set_env(Service::Ledger, name, Some(value));
    }
    test.bank.start_part(Part::Ledger).await?;
    let url = test.bank.url(Service::Ledger);
    let port = url.rsplit(':').next().context("a port")?.to_owned();
    let registered = agent
        .until("PUT /v1/agent/service/register HTTP/1.1")
        .await?;
    let id = format!("quittance-ledger-127.0.0.1-{port}");
    // As Consul documents it: names in its own case, durations as Go writes them.
    let expected = json!({
        "ID": id,
        "Name": "quittance-ledger",
        "Address": "127.0.0.1",
        "Port": port.parse::<u16>()?,
        "Tags": ["quittance"],
        "Meta": {"version": env!("CARGO_PKG_VERSION")},
        "Check": {
            "Name": "ready",
            "HTTP": format!("{url}/health/ready"),
            "Interval": "10s",
            "Timeout": "5s",
            "DeregisterCriticalServiceAfter": "10m",
        },
    });
    ensure!(registered.body == expected, "{}", registered.body);
    ensure!(registered.token.as_deref() == Some("t0k3n"));
    test.bank.stop_part(Part::Ledger);
    let line = format!("PUT /v1/agent/service/deregister/{id} HTTP/1.1");
    let deregistered = agent.until(&line).await?;
    ensure!(deregistered.token.as_deref() == Some("t0k3n"));

    // An agent that is away holds up neither the start nor the end.
    test.bank
        .set_env(Service::Ledger, "CONSUL_HTTP_ADDR", Some("127.0.0.1:1"));
    test.bank.start_part(Part::Ledger).await?;
    let began = Instant::now();
    test.bank.stop_part(Part::Ledger);
    ensure!(began.elapsed() < PATIENCE / 4, "{:?}", began.elapsed());
    Ok(())
}
