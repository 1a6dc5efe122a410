//! A real Prometheus finds a bank under load: every panel of the dashboards shows something, every alert can be judged and
//! none speaks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use local::Service;
use serde_json::Value;

use crate::bank::{PATIENCE, TestBank, payment};

/// A rate needs two scrapes, and a minute of them in a bank that is scraped as rarely as in production.
const SCRAPES: &str = "1s";
/// What a dashboard has as the range of its rates, see Grafana's `$__rate_interval`.
const RATE_INTERVAL: &str = "15s";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in the root")
        .to_path_buf()
}

/// Prometheus' programs: the machine's, or those that `.ci/prometheus` unpacked.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let unpacked = root().join("target/prometheus/usr/bin");
    std::env::split_paths(&path)
        .chain([unpacked])
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}

/// Both programs; `None`, said loudly, on a machine without them.
#[expect(
    clippy::print_stderr,
    reason = "a test that does not run must not look like one that did"
)]
fn programs() -> Option<(PathBuf, PathBuf)> {
    let found = program("prometheus").zip(program("promtool"));
    if found.is_none() {
        assert!(
            std::env::var_os("QUITTANCE_PROMETHEUS").is_none_or(|word| word != "required"),
            "Prometheus is missing: run .ci/prometheus"
        );
        eprintln!("DID NOT RUN: Prometheus is missing; .ci/prometheus fetches it");
    }
    found
}

/// A Prometheus of its own, stopped when it is dropped.
struct Prometheus {
    process: Child,
    url: String,
    http: reqwest::Client,
}

impl Prometheus {
    fn start(program: &Path, directory: &Path, console: &str) -> Result<Self> {
        let ops = root().join("ops/prometheus");
        for rules in ["recording.yaml", "alerts.yaml"] {
            fs::copy(ops.join(rules), directory.join(rules))?;
        }
        // As it is committed, but for another address and a faster clock.
        let configuration = fs::read_to_string(ops.join("prometheus.yaml"))?;
        let configuration = configuration
            .replace("http://console:8084", console)
            .replace("interval: 5s", &format!("interval: {SCRAPES}"))
            .replace("refresh_interval: 15s", "refresh_interval: 1s");
        ensure!(configuration.contains(console), "{configuration}");
        fs::write(directory.join("prometheus.yaml"), configuration)?;
        let address = local::testing::free_address().to_string();
        let process = Command::new(program)
            .arg("--config.file=prometheus.yaml")
            .arg(format!("--web.listen-address={address}"))
            .arg("--storage.tsdb.path=data")
            .current_dir(directory)
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.join("log"))?)
            .spawn()?;
        Ok(Self {
            process,
            url: format!("http://{address}"),
            http: reqwest::Client::new(),
        })
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let url = format!("{}/api/v1/{path}", self.url);
        let url = reqwest::Url::parse_with_params(&url, query)?;
        let answer: Value = self.http.get(url).send().await?.json().await?;
        ensure!(answer["status"] == "success", "{path} {query:?}: {answer}");
        Ok(answer["data"].clone())
    }

    /// The samples of an expression now; none while Prometheus is starting.
    async fn samples(&self, expression: &str) -> Vec<Value> {
        let found = self.ask("query", &[("query", expression)]).await;
        let found = found.unwrap_or_default();
        found["result"].as_array().cloned().unwrap_or_default()
    }

    /// Every service was found under its name, every rule can be judged, and no alert is on its way to speak.
    async fn is_all_well(&self) -> Result<()> {
        let up = self.samples("up{job=\"quittance\"} == 1").await;
        let mut names: Vec<_> = up.iter().map(|one| &one["metric"]["service"]).collect();
        names.sort_by_key(|name| name.to_string());
        ensure!(names == ["auth", "console", "ledger", "payments"], "{up:?}");
        let rules = self.ask("rules", &[]).await?;
        let groups = rules["groups"].as_array().context("groups")?;
        let rules: Vec<&Value> = groups
            .iter()
            .flat_map(|group| group["rules"].as_array().into_iter().flatten())
            .collect();
        let alerts = rules.iter().filter(|rule| rule["type"] == "alerting");
        ensure!(alerts.clone().count() >= 13, "{rules:#?}");
        for rule in &rules {
            ensure!(rule["health"] == "ok", "{rule:#?}");
        }
        for alert in alerts {
            ensure!(alert["state"] == "inactive", "{alert:#?}");
        }
        Ok(())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The expressions of a dashboard, with the titles of their panels.
fn expressions(dashboard: &str) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(root().join("ops/grafana").join(dashboard))?;
    let dashboard: Value = serde_json::from_str(&text)?;
    let mut expressions = Vec::new();
    for panel in dashboard["panels"].as_array().context("panels")? {
        let title = panel["title"].as_str().context("a title")?;
        for target in panel["targets"].as_array().context("targets")? {
            let expression = target["expr"].as_str().context("an expression")?;
            let expression = expression.replace("$__rate_interval", RATE_INTERVAL);
            expressions.push((title.to_owned(), expression));
        }
    }
    Ok(expressions)
}

/// One person pays, mostly what she has, and looks; somebody mistypes a password.
async fn load(test: &TestBank) -> Result<()> {
    for round in 0_u32.. {
        let amount = if round.is_multiple_of(5) {
            "9000.00"
        } else {
            "0.01"
        };
        let due = payment(test.adas, test.graces, amount);
        let id = due["payment_id"].as_str().context("an id")?.to_owned();
        test.pay(&test.ada, due, Some(20)).await?;
        let path = format!("/payments/{id}");
        test.get(Service::Payments, &path, &test.ada).await?;
        if round.is_multiple_of(20) {
            test.login("ada@bank.test", "ada-password").await?;
        }
        let due = payment(test.adas, test.graces, "0.01");
        let kiosk = test.kiosk().await?;
        let subject = format!("request.payment.v1.{}", crate::bank::KIOSK);
        let headers = test.kiosk_headers(&due);
        kiosk
            .request_with_headers(subject, headers, due.to_string().into())
            .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_shows_every_panel_and_judges_every_alert_of_a_bank_under_load()
-> Result<()> {
    let Some((prometheus, _)) = programs() else {
        return Ok(());
    };
    let test = TestBank::start_behind_gateway(local::Tls::Off).await?;
    let directory = tempfile::tempdir()?;
    let console = test.bank.console_url().context("a console")?;
    let prometheus = Prometheus::start(&prometheus, directory.path(), &console)?;
    let mut open = expressions("money.json")?;
    open.extend(expressions("machine.json")?);
    ensure!(open.len() > 25, "{} panels", open.len());
    let looking = async {
        let began = Instant::now();
        // A panel that has once shown something is not asked again.
        while !open.is_empty() {
            let mut still = Vec::new();
            for (title, expression) in open.drain(..) {
                let samples = prometheus.samples(&expression).await;
                let is_number = |sample: &Value| sample["value"][1].as_str() != Some("NaN");
                if !samples.iter().any(is_number) {
                    still.push((title, expression));
                }
            }
            open = still;
            let waited = began.elapsed();
            ensure!(waited < 2 * PATIENCE, "nothing to see: {open:#?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        // A scrape of a second's interval may miss its second on a busy machine, and the next one finds all well.
        while let Err(unwell) = prometheus.is_all_well().await {
            if began.elapsed() > 3 * PATIENCE {
                return Err(unwell);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        looked = looking => looked,
        loaded = load(&test) => loaded.and(Err(anyhow::anyhow!("the load ended"))),
    }
}

#[test]
fn prometheus_own_tool_finds_no_fault_in_rules_and_configuration() -> Result<()> {
    let Some((_, promtool)) = programs() else {
        return Ok(());
    };
    for arguments in [
        ["check", "config", "prometheus.yaml"],
        ["test", "rules", "tests.yaml"],
    ] {
        let checked = Command::new(&promtool)
            .args(arguments)
            .current_dir(root().join("ops/prometheus"))
            .output()?;
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        let complained = String::from_utf8_lossy(&checked.stderr);
        ensure!(
            checked.status.success(),
            "{arguments:?}: {said}{complained}"
        );
    }
    Ok(())
}
