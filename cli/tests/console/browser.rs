//! A real Chromium, driven over `WebDriver`, and what it has to say about a page.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::desk::Desk;

/// A page is there within a moment; a busy machine may take longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A browser and its driver.
pub(crate) struct Browser {
    pub(crate) driver: Client,
    process: Driver,
    axe: String,
}

struct Driver {
    child: Child,
    url: String,
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The browser is in its group.
        if let Some(group) = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0)) {
            kill_process_group(group, Signal::KILL).ok();
        }
        self.child.wait().ok();
    }
}

impl Browser {
    /// `None`, said loudly, on a machine without Chromium.
    #[expect(
        clippy::print_stderr,
        reason = "a test that does not run must not look like one that did"
    )]
    pub(crate) async fn start(arguments: &[&str]) -> Option<Self> {
        let (Some(driver), Some(axe)) = (program("chromedriver"), axe()) else {
            assert!(
                env::var_os("QUITTANCE_BROWSER").is_none_or(|word| word != "required"),
                "Chromium, its driver or axe-core is missing: run .ci/browser"
            );
            eprintln!(
                "DID NOT RUN: Chromium, its driver or axe-core is missing; .ci/browser installs them"
            );
            return None;
        };
        let process = Driver::start(&driver);
        let always = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
        ];
        let arguments: Vec<&str> = always
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        Some(Self {
            driver: process.connect(wanted).await,
            axe: fs::read_to_string(axe).unwrap(),
            process,
        })
    }

    pub(crate) async fn stop(self) {
        self.driver.close().await.unwrap();
    }

    pub(crate) async fn sign_in(&self, desk: &Desk) {
        let (email, password) = desk.staff();
        self.driver.goto(&desk.at("/sign-in")).await.unwrap();
        self.fill("email", email).await;
        self.fill("password", password).await;
        self.press("Sign in").await;
        self.wait_for("h1", "Overview").await;
    }

    /// Types into the field of this name.
    pub(crate) async fn fill(&self, field: &str, text: &str) {
        self.fill_in("main", field, text).await;
    }

    /// Types into the field of this name, in one of several forms.
    pub(crate) async fn fill_in(&self, form: &str, field: &str, text: &str) {
        let field = format!("{form} [name={field}]");
        self.again(&field, async || {
            let field = self.driver.find(Locator::Css(&field)).await?;
            field.clear().await?;
            field.send_keys(text).await
        })
        .await;
    }

    /// Chooses from a field with several values.
    pub(crate) async fn choose(&self, form: &str, field: &str, value: &str) {
        let option = format!("{form} [name={field}] option[value={value}]");
        self.click(Locator::Css(&option)).await;
    }

    /// Clicks on this.
    pub(crate) async fn click(&self, on: Locator<'_>) {
        self.again(&format!("{on:?}"), async || {
            self.driver.find(on).await?.click().await
        })
        .await;
    }

    /// Presses the button with this text, and waits until the page that it leads to is there: what the old page said answers
    /// nothing.
    pub(crate) async fn press(&self, text: &str) {
        let old = self.driver.find(Locator::Css("html")).await.unwrap();
        let path = format!("//main//button[normalize-space()='{text}']");
        self.click(Locator::XPath(&path)).await;
        let begun = Instant::now();
        while !old
            .tag_name()
            .await
            .is_err_and(|error| error.is_stale_element_reference())
        {
            assert!(begun.elapsed() < PATIENCE, "{text} leads nowhere");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until an element that fits has this text in it, without loading the page again.
    pub(crate) async fn wait_for(&self, css: &str, text: &str) {
        let begun = Instant::now();
        let mut seen = Vec::new();
        while begun.elapsed() < PATIENCE {
            seen = self.texts(css).await;
            if seen.iter().any(|seen| seen.contains(text)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let url = self.driver.current_url().await.unwrap();
        panic!("{url}: no {css} with {text:?}, only {seen:?}");
    }

    /// The texts of all elements that fit.
    pub(crate) async fn texts(&self, css: &str) -> Vec<String> {
        self.again(css, async || {
            let mut texts = Vec::new();
            for element in self.driver.find_all(Locator::Css(css)).await? {
                texts.push(element.text().await?);
            }
            Ok(texts)
        })
        .await
    }

    /// Where these links lead.
    pub(crate) async fn links(&self, css: &str) -> Vec<String> {
        self.again(css, async || {
            let mut links = Vec::new();
            for element in self.driver.find_all(Locator::Css(css)).await? {
                links.extend(element.attr("href").await?);
            }
            Ok(links)
        })
        .await
    }

    /// Does this until it can be done: pages renew what is on them, so what was found may be gone before it is used. Nothing
    /// that may have been done is done again.
    async fn again<T>(&self, what: &str, attempt: impl AsyncFn() -> Result<T, CmdError>) -> T {
        let begun = Instant::now();
        loop {
            let error = match attempt().await {
                Ok(done) => return done,
                Err(error) => error,
            };
            let is_undone = error.is_stale_element_reference()
                || error.is_no_such_element()
                || error.is_element_not_interactable();
            assert!(is_undone && begun.elapsed() < PATIENCE, "{what}: {error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the browser complains about since it was last asked: errors, and breaches of the page's policy.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let session = self.driver.session_id().await.unwrap().unwrap();
        let url = format!("{}/session/{session}/se/log", self.process.url);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let asked = client.post(url).json(&json!({"type": "browser"}));
        let answer: Value = asked.send().await.unwrap().json().await.unwrap();
        let entries = answer["value"].as_array().unwrap().iter();
        entries.map(|entry| entry["message"].to_string()).collect()
    }

    /// What axe-core finds on the page.
    pub(crate) async fn findings(&self) -> Vec<String> {
        // The page's own policy lets no foreign script in; the driver may.
        self.driver.execute(&self.axe, Vec::new()).await.unwrap();
        let script = "const done = arguments[arguments.length - 1];\
             axe.run(document, {resultTypes: ['violations']}).then(\
               found => done(found.violations.flatMap(one => one.nodes.map(node => \
                 one.id + ': ' + node.html.slice(0, 200) + ' ' + (node.any[0]?.message ?? one.help)))),\
               error => done(['axe: ' + error]));";
        let found = self.driver.execute_async(script, Vec::new()).await.unwrap();
        serde_json::from_value(found).unwrap()
    }

    /// Keeps a picture, if somebody wants to look.
    pub(crate) async fn picture(&self, name: &str) {
        if let Some(directory) = env::var_os("QUITTANCE_SCREENSHOTS") {
            let directory = PathBuf::from(directory);
            fs::create_dir_all(&directory).unwrap();
            let file = directory.join(format!("{name}.png"));
            let picture = self.driver.screenshot().await.unwrap();
            fs::write(&file, picture).unwrap();
        }
    }
}

impl Driver {
    fn start(program: &Path) -> Self {
        let port = local::testing::free_address().port();
        let child = Command::new(program)
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    async fn connect(&self, wanted: Value) -> Client {
        let wanted: serde_json::Map<_, _> = serde_json::from_value(wanted).unwrap();
        let begun = Instant::now();
        loop {
            match ClientBuilder::new(HttpConnector::new())
                .capabilities(wanted.clone())
                .connect(&self.url)
                .await
            {
                Ok(driver) => return driver,
                Err(error) if begun.elapsed() > PATIENCE => panic!("no browser: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut places = env::split_paths(&path).map(|directory| directory.join(name));
    places.find(|place| place.is_file())
}

/// Where `.ci/browser` puts it.
fn axe() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let mut files = fs::read_dir(root.join("target/browser")).ok()?;
    files.find_map(|file| {
        let path = file.ok()?.path();
        let is_axe = path.file_name()?.to_str()?.starts_with("axe-");
        is_axe.then_some(path)
    })
}
