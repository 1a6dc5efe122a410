//! `quittance up --detach`: starts `quittance up` in the background and waits until it has opened the bank.
//!
//! The background process writes to `<home>/logs/up.log`. Until the bank is open we show the last line of it. If the
//! process ends before that, its error is ours.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use local::Status;

use crate::failure::Hinted as _;
use crate::progress;

const POLL: Duration = Duration::from_millis(20);

pub(crate) async fn start(home: &Path, arguments: &[OsString], quiet: bool) -> Result<()> {
    let path = home.join("logs").join("up.log");
    let log = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("can't open {}", path.display()))?;
    let mut child =
        Command::new(std::env::current_exe().context("this program's path is unknown")?)
            .args(["up", "--in-background", "--home"])
            .arg(home)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Where we are may be removed while the bank is open.
            .current_dir("/")
            .spawn()
            .context("can't start in the background")?;

    let spinner = (!quiet).then(|| progress::spinner("the bank"));
    loop {
        let ended = child.try_wait()?;
        let said = fs::read_to_string(&path).unwrap_or_default();
        if let Some(how) = ended {
            if let Some(spinner) = spinner {
                spinner.finish_and_clear();
            }
            let text = said_error(&said).unwrap_or_else(|| format!("it ended ({how})"));
            return Err(anyhow!("{text}"))
                .context("the bank did not open")
                .hint(format!("its log is {}", path.display()));
        }
        if Status::read(home)?.is_some() {
            break;
        }
        if let (Some(spinner), Some(line)) = (&spinner, said.lines().last()) {
            spinner.set_message(line.to_owned());
        }
        tokio::time::sleep(POLL).await;
    }
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    std::io::stdout().flush()?;
    Ok(())
}

/// What the background process said after its `error:`.
fn said_error(log: &str) -> Option<String> {
    let at = log.lines().position(|line| line.starts_with("error: "))?;
    let lines: Vec<&str> = log.lines().skip(at).collect();
    let text = lines.join("\n");
    Some(text.trim_start_matches("error: ").to_owned())
}
