//! `quittance up`: opens the demo bank and keeps it open until it is told to stop.
//!
//! Starting is [`local`]'s work and seeding [`demo_bank`]'s; this file puts them in order, prints where everything is,
//! and decides what happens when a part ends by itself: see [`watch_over`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use common::service::stop_signal;
use local::{
    Bank, BankOptions, GatewayOptions, Home, Part, Ports, Producer, Progress, Status, Tls, Trouble,
};

use crate::failure::{Hinted as _, warn};
use crate::logs::{last_words, readable};
use crate::names::SHOP;
use crate::running::{Running, invocation};
use crate::status::without_changed_passwords;
use crate::{demo_bank, detach, overview, print, progress};

/// A part that ends more often than this within [`RESTARTS_PERIOD`] is not started again.
const RESTARTS_MAX: usize = 3;
const RESTARTS_PERIOD: Duration = Duration::from_secs(60);

/// Options of `quittance up`.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Return as soon as the bank is open, and keep it open in the background
    #[arg(long, short)]
    detach: bool,
    /// Print where everything is as JSON (as `status --json`) and nothing else
    #[arg(long)]
    json: bool,
    /// Show the console in the browser as soon as the bank is open
    #[arg(long, conflicts_with = "json")]
    open: bool,
    /// Forget everything that is in the home directory first
    #[arg(long)]
    fresh: bool,
    /// Listen on any free ports instead of the usual ones; later starts keep them
    #[arg(long)]
    free_ports: bool,
    /// Go back to the usual ports: 8080 to 8084, 4222, 5433
    #[arg(long, conflicts_with = "free_ports")]
    usual_ports: bool,
    /// Let the demo shop write into the log itself, as a producer that the bank trusts
    #[arg(long)]
    direct: bool,
    /// Have the gateway speak TLS, with a self-signed certificate that the bank makes and keeps
    #[arg(long, conflicts_with = "tls_cert")]
    tls: bool,
    /// Have the gateway speak TLS with this certificate (PEM, with its chain); it is copied into the home
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A name under which the gateway is reached besides localhost; may be given several times
    #[arg(long, value_name = "NAME")]
    gateway_name: Vec<String>,
    /// This is the process that `--detach` left in the background
    #[arg(long, hide = true)]
    in_background: bool,
}

pub(crate) async fn run(options: &Up, home: &Path) -> Result<ExitCode> {
    if let Some(status) = Status::read(home)? {
        if options.fresh {
            return Err(anyhow!("a bank runs in {}", home.display()))
                .hint(format!("stop it first, with `{} down`", invocation(home)));
        }
        let mut running = Running {
            home: home.to_owned(),
            status,
        };
        running.status = without_changed_passwords(&running).await?;
        let last_ports = Home::last_ports(home);
        show(
            &running,
            &last_ports,
            options.json,
            "The bank is open already.",
        )?;
        show_console(options, &running);
        return Ok(ExitCode::SUCCESS);
    }
    if options.detach {
        return in_background(options, home).await;
    }
    if options.in_background {
        // The terminal's end is not ours.
        rustix::process::setsid().context("can't leave the terminal")?;
    }
    in_foreground(options, home).await
}

async fn in_background(options: &Up, home: &Path) -> Result<ExitCode> {
    let began = Instant::now();
    let flags = [
        (options.free_ports, "--free-ports"),
        (options.usual_ports, "--usual-ports"),
        (options.direct, "--direct"),
        (options.tls, "--tls"),
    ];
    let flags = flags.into_iter().filter(|(is_set, _)| *is_set);
    let mut arguments: Vec<OsString> = flags.map(|(_, flag)| flag.into()).collect();
    for (option, file) in [
        ("--tls-cert", &options.tls_cert),
        ("--tls-key", &options.tls_key),
    ] {
        if let Some(file) = file {
            // The background process stands somewhere else.
            let file = std::path::absolute(file).context("a file has no usable path")?;
            arguments.extend([option.into(), file.into()]);
        }
    }
    for name in &options.gateway_name {
        arguments.extend(["--gateway-name".into(), name.into()]);
    }
    // Here and not in the background, so that an unusable home is an error at once.
    drop(open(home, options.fresh)?);
    let last_ports = Home::last_ports(home);
    detach::start(home, &arguments, options.json).await?;
    let running = Running::find(home)?;
    show(&running, &last_ports, options.json, &opened(began))?;
    show_console(options, &running);
    if !options.json {
        let stop = invocation(home);
        print::line(&format!(
            "It stays open in the background: `{stop} down` closes it."
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn in_foreground(options: &Up, home: &Path) -> Result<ExitCode> {
    let began = Instant::now();
    let stop = stop_signal()?;
    let (progress, bars) = progress::bars(options.json);
    let last_ports = if options.fresh {
        BTreeMap::new()
    } else {
        Home::last_ports(home)
    };
    let started = tokio::select! {
        started = start(options, home, &progress) => started,
        () = stop.cancelled() => Err(anyhow!("stopped before the bank was open")),
    };
    bars.end();
    let (mut bank, status) = started?;
    let running = Running {
        home: home.to_owned(),
        status,
    };
    if options.in_background {
        // No more than that: the logins are secret, and this goes to a log.
        print::line(&opened(began))?;
    } else {
        show(&running, &last_ports, options.json, &opened(began))?;
        show_console(options, &running);
    }
    let say = |text: &str| {
        if options.json {
            Ok(())
        } else {
            print::line(text)
        }
    };
    if !options.in_background {
        say("Ctrl-C closes the bank.")?;
    }

    let outcome = tokio::select! {
        outcome = watch_over(&mut bank) => outcome,
        () = stop.cancelled() => Ok(()),
    };
    say("\nClosing: nginx, payments, ledger, auth, then NATS and PostgreSQL …")?;
    let began = Instant::now();
    bank.stop().await?;
    say(&format!(
        "The bank is closed ({:.1} s). Everything it remembers stays in {}.",
        began.elapsed().as_secs_f32(),
        home.display()
    ))?;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Starts the parts, fills the bank and notes where it is.
async fn start(options: &Up, home: &Path, progress: &Progress) -> Result<(Bank, Status)> {
    let ports = match (options.free_ports, options.usual_ports) {
        (true, _) => Ports::Free,
        (false, true) => Ports::Usual,
        (false, false) => Ports::Kept,
    };
    let bank_options = BankOptions {
        home: open(home, options.fresh)?,
        program: std::env::current_exe().context("this program's path is unknown")?,
        ports,
        producers: vec![if options.direct {
            Producer::direct(SHOP)
        } else {
            Producer::new(SHOP)
        }],
        gateway: Some(gateway(options)),
        environment: Vec::new(),
    };
    let bank = Bank::start(bank_options, progress).await?;
    let demo = demo_bank::seed(&bank)
        .await
        .context("the demo bank can't be filled")
        .with_context(|| format!("the logs are in {}", home.join("logs").display()))?;
    let status = bank.status(Some(demo));
    bank.home().publish(&status)?;
    Ok((bank, status))
}

fn gateway(options: &Up) -> GatewayOptions {
    let tls = match (&options.tls_cert, &options.tls_key) {
        (Some(certificate), Some(key)) => Tls::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        },
        _ if options.tls => Tls::SelfSigned,
        _ => Tls::Off,
    };
    GatewayOptions {
        tls,
        names: options.gateway_name.clone(),
    }
}

fn open(home: &Path, fresh: bool) -> Result<Home> {
    if fresh {
        Home::open_fresh(home)
    } else {
        Home::open(home)
    }
}

fn opened(began: Instant) -> String {
    format!("The bank is open ({:.1} s).", began.elapsed().as_secs_f32())
}

fn show(
    running: &Running,
    last_ports: &BTreeMap<String, u16>,
    json: bool,
    headline: &str,
) -> Result<()> {
    if json {
        print::json(&running.status)?;
    } else {
        print::line(&overview::text(running, last_ports, headline)?)?;
    }
    Ok(())
}

/// Opens the console in the person's browser, if that is asked for. A machine without one has a bank all the same.
fn show_console(options: &Up, running: &Running) {
    let Some(gateway) = running.status.gateway.as_ref().filter(|_| options.open) else {
        return;
    };
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let address = format!("{gateway}/admin/");
    let shown = Command::new(program)
        .arg(&address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !shown.is_ok_and(|status| status.success()) {
        warn(&format!(
            "no browser could be opened; the console is at {address}"
        ));
    }
}

/// Starts parts again that end by themselves; returns when that is not the right thing to do.
///
/// A part that was killed starts again: all of them are made for that. A ledger that ended by itself does not: it does
/// so when its books and the log contradict each other, and trying again would not make them agree. Then, and when a
/// part keeps ending, the bank closes, so that nobody takes a bank without a ledger for an open one.
async fn watch_over(bank: &mut Bank) -> Result<()> {
    let mut ends: BTreeMap<&str, Vec<Instant>> = BTreeMap::new();
    loop {
        let part = match bank.wait_for_trouble().await {
            Trouble::Ended(part) => part,
            Trouble::StoreFull { error, store } => {
                let store = store.display();
                tell(&format!(
                    "NATS can't store: {error}\nNo payment is lost, and none is taken. Waiting for room in {store} …"
                ));
                continue;
            }
            Trouble::StoreHasRoom => {
                tell("There is room again. Starting NATS again …");
                let began = Instant::now();
                bank.start_part(Part::Nats).await?;
                tell(&back(Part::Nats, began));
                continue;
            }
        };
        let how = bank.ended(part).context("it ended a moment ago")?;
        let log = bank.home().log(part);
        if part == Part::Ledger && how.code().is_some_and(|code| code != 0) {
            bail!("the ledger refuses to go on ({how}); {}", last_words(&log));
        }
        let recent = ends.entry(part.name()).or_default();
        recent.retain(|end| end.elapsed() < RESTARTS_PERIOD);
        recent.push(Instant::now());
        if recent.len() > RESTARTS_MAX {
            let times = recent.len();
            bail!(
                "{part} ended {times} times within a minute ({how}); {}",
                last_words(&log)
            );
        }
        // A part that was killed from outside has no last words.
        if how.signal().is_some() {
            tell(&format!("{part} ended ({how}). Starting it again …"));
        } else {
            tell(&format!(
                "{part} ended ({how}); {}\nStarting it again …",
                last_words(&log)
            ));
        }
        let began = Instant::now();
        // One that ends while it starts has ended again, and is counted.
        match bank.start_part(part).await {
            Ok(()) => tell(&back(part, began)),
            Err(error) if bank.is_running(part) => return Err(error),
            Err(error) => tell(&format!("{error:#}")),
        }
    }
}

fn back(part: Part, began: Instant) -> String {
    let seconds = began.elapsed().as_secs_f32();
    format!("{part} is back ({seconds:.1} s).")
}

#[expect(
    clippy::print_stderr,
    reason = "a person, or up.log, should hear of it; stdout is the answer"
)]
fn tell(text: &str) {
    for line in text.lines() {
        eprintln!("{}", readable(line));
    }
}
