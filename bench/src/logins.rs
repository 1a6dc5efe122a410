//! Log-ins while others guess passwords: how many a second, how long each takes, and what auth's memory is.
//!
//! Those who guess ask for people who do not exist, a new one each time: a guess costs what a real one does, and no lock of a
//! person makes it cheap. An address that has used up its tries is answered 429, which costs less; both are counted. They come
//! from one address, or each from an address of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use indicatif::ProgressBar;
use local::Service;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bank::BenchBank;
use crate::costs::Peaks;
use crate::figure::{Figure, Run};
use crate::grants::{CONNECTIONS, log_in, people};
use crate::http::Connection;
use crate::latency::Percentiles;
use crate::numbers::{microseconds, per_second};
use crate::options::Size;
use crate::pace::histogram;
use crate::report::Report;

/// Connections that guess.
const GUESSERS: u8 = 80;

/// Who guesses meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flood {
    None,
    OneAddress,
    ManyAddresses,
}

impl Flood {
    const ALL: [Self; 3] = [Self::None, Self::OneAddress, Self::ManyAddresses];

    fn name(self) -> (&'static str, String) {
        match self {
            Self::None => ("quiet", "nobody else asks".to_owned()),
            Self::OneAddress => (
                "flood_1_address",
                format!("{GUESSERS} connections of one address guess"),
            ),
            Self::ManyAddresses => ("flood_80_addresses", format!("{GUESSERS} addresses guess")),
        }
    }

    /// Where a guesser connects from; 127.0.0.1 is where people log in.
    fn address(self, number: u8) -> IpAddr {
        let last = match self {
            Self::ManyAddresses => 3 + number,
            Self::None | Self::OneAddress => 2,
        };
        Ipv4Addr::new(127, 0, 0, last).into()
    }
}

/// How many steps the bar takes.
pub(crate) fn steps(size: Size) -> usize {
    Flood::ALL.len() * size.runs
}

/// On a bank of its own; returns the memory of its processes.
pub(crate) async fn logins(
    program: &Path,
    size: Size,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<Peaks> {
    let bank = BenchBank::start(program, 100, bar).await?;
    let people = people(&bank, CONNECTIONS).await?;
    // From now on these people's address is one that they are known at.
    measure(&bank, &people, size.warm_up).await?;
    for flood in Flood::ALL {
        let (key, title) = flood.name();
        let (mut runs, mut p99, mut memory, mut guesses) = (vec![], vec![], vec![], vec![]);
        for run in 1..=size.runs {
            bar.set_message(format!("log-ins, run {run} of {}: {title}", size.runs));
            let guessing = Guessing::start(&bank, flood).await?;
            let (run, percentiles) = measure(&bank, &people, 2 * size.measured).await?;
            guesses.push(guessing.stop().await?);
            memory.extend(run.costs.get("auth").map(|cost| cost.memory_mib));
            p99.push(percentiles.p99_ms);
            runs.push(run);
            bar.inc(1);
        }
        report.figures.extend(Figure::of_runs(
            &format!("logins_{key}_per_s"),
            &format!("log-ins, {CONNECTIONS} connections; {title}"),
            &runs,
        ));
        for (what, unit, told, values) in [
            ("p99_ms", "ms", "a log-in, p99", p99),
            (
                "memory_mib",
                "MiB",
                "memory of auth, the most until then",
                memory,
            ),
            ("guesses_per_s", "1/s", "guesses answered", guesses),
        ] {
            if flood == Flood::None && what == "guesses_per_s" {
                continue;
            }
            let key = format!("logins_{key}_{what}");
            report.figures.extend(Figure::new(
                &key,
                &format!("{told}; {title}"),
                unit,
                &values,
            ));
        }
    }
    bank.stop().await
}

/// Everybody logs in again and again, each on a connection of their own.
async fn measure(
    bank: &BenchBank,
    people: &[Vec<u8>],
    time: Duration,
) -> Result<(Run, Percentiles)> {
    let url = bank.bank.url(Service::Auth);
    let processes = bank.processes();
    let (before, started) = (processes.cpu_times(), Instant::now());
    let logging_in = people.iter().map(async |request| {
        let (mut connection, mut took) = (Connection::open(&url).await?, histogram());
        while started.elapsed() < time {
            let began = Instant::now();
            connection.send_json(request).await?;
            took.saturating_record(microseconds(began.elapsed()));
        }
        anyhow::Ok(took)
    });
    let mut all = histogram();
    for took in try_join_all(logging_in).await? {
        all.add(took)?;
    }
    let count = usize::try_from(all.len())?;
    let run = Run {
        per_second: per_second(count, started.elapsed()),
        costs: processes.costs_since(&before, count),
    };
    Ok((run, Percentiles::of(&all)))
}

/// Connections that guess until they are told to stop.
struct Guessing {
    stop: CancellationToken,
    answered: Arc<AtomicUsize>,
    started: Instant,
    connections: JoinSet<Result<()>>,
}

impl Guessing {
    async fn start(bank: &BenchBank, flood: Flood) -> Result<Self> {
        let url = bank.bank.url(Service::Auth);
        let mut this = Self {
            stop: CancellationToken::new(),
            answered: Arc::default(),
            started: Instant::now(),
            connections: JoinSet::new(),
        };
        let count = if flood == Flood::None { 0 } else { GUESSERS };
        for number in 0..count {
            let mut connection = Connection::open_from(&url, flood.address(number)).await?;
            let (url, stop, answered) = (url.clone(), this.stop.clone(), this.answered.clone());
            this.connections.spawn(async move {
                while !stop.is_cancelled() {
                    let email = format!("{}@bench.test", uuid::Uuid::new_v4());
                    let (status, _) = connection.send(&log_in(&url, &email, "a guess")).await?;
                    ensure!(
                        status == 401 || status == 429,
                        "a guess is answered with {status}"
                    );
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        Ok(this)
    }

    /// How many were answered a second.
    async fn stop(mut self) -> Result<f64> {
        let rate = per_second(
            self.answered.load(Ordering::Relaxed),
            self.started.elapsed(),
        );
        self.stop.cancel();
        while let Some(ended) = self.connections.join_next().await {
            ended??;
        }
        Ok(rate)
    }
}
