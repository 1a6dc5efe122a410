//! Open-loop load: payments at a fixed rate, whatever becomes of those before.
//!
//! A latency counts from the moment at which the payment was due, not from when its turn came. A system that stalls for a
//! second thus shows the stall in every payment that was due meanwhile (no coordinated omission).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use common::broker::Publisher;
use common::wire;
use common::wire::REQUESTS;
use hdrhistogram::Histogram;
use local::Service;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::answers::Answers;
use crate::bank::{BenchBank, KIOSK, READER, SHOP};
use crate::figure::Run;
use crate::http::{self, Connection};
use crate::latency::{Entrance, Latency, Percentiles};
use crate::numbers::{float_len, microseconds, per_second, whole};
use crate::payments::{Pattern, place};

/// Payments sent and not acknowledged yet. At this limit the generator itself waits, and the latencies show it.
const UNACKNOWLEDGED_MAX: usize = 20_000;
/// Connections over which HTTP load goes.
pub(crate) const CONNECTIONS: usize = 128;
/// A path keeps up if its last answer comes this soon after the last payment was due, or within a twentieth of the run's
/// time.
const DONE_SOON: Duration = Duration::from_millis(100);
/// Time to open the connections and, for HTTP, to make all requests.
const PREPARATION: Duration = Duration::from_millis(500);
/// How often to check whether answers are still missing.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// The payments service is full: try again later.
const TOO_MANY: u16 = 429;
/// How long the last answers may take after the last payment was sent.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// How much is offered, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) per_second: u32,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// When each payment is meant to be sent.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    start: Instant,
    offer: Offer,
}

impl Schedule {
    fn intended(&self, place: u32) -> Instant {
        self.start + Duration::from_secs_f64(f64::from(place) / f64::from(self.offer.per_second))
    }

    fn count(&self) -> u32 {
        let time = self.offer.warm_up + self.offer.measured;
        let count = time.as_secs_f64() * f64::from(self.offer.per_second);
        u32::try_from(whole(count)).unwrap_or(u32::MAX)
    }

    fn is_measured(&self, place: u32) -> bool {
        self.intended(place) >= self.start + self.offer.warm_up
    }

    /// A thread of its own: the runtime's timers are too coarse to send 5 000 a second.
    fn pace(self) -> mpsc::Receiver<u32> {
        let (send, receive) = mpsc::channel(UNACKNOWLEDGED_MAX);
        std::thread::spawn(move || {
            for place in 0..self.count() {
                let wait = self
                    .intended(place)
                    .saturating_duration_since(Instant::now());
                if !wait.is_zero() {
                    std::thread::sleep(wait);
                }
                if send.blocking_send(place).is_err() {
                    break;
                }
            }
        });
        receive
    }

    fn record(&self, into: &mut Histogram<u64>, place: u32, at: Instant) {
        if self.is_measured(place) {
            let latency = at.saturating_duration_since(self.intended(place));
            into.saturating_record(microseconds(latency));
        }
    }
}

/// A histogram of microseconds up to a minute, exact to a thousandth.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("constant bounds in order")
}

/// Offers payments through a door and measures both latencies.
pub(crate) async fn offer(
    bank: &mut BenchBank,
    entrance: Entrance,
    tokens: &[String],
    offer: Offer,
) -> Result<Latency> {
    let mut answers = Answers::after_the_last(&bank.config(READER)).await?;
    let schedule = Schedule {
        start: Instant::now() + PREPARATION,
        offer,
    };
    let refused = Arc::new(AtomicUsize::new(0));
    let refusals = refused.clone();
    let accepting = async {
        match entrance {
            Entrance::Direct | Entrance::Door => {
                over_nats(bank, entrance, tokens, schedule, &refused).await
            }
            Entrance::Http => over_http(bank, tokens, schedule, &refused).await,
        }
    };
    let answering = async {
        let (mut latencies, mut read, mut last) = (histogram(), 0, schedule.start);
        let count = usize::try_from(schedule.count())?;
        let end = schedule.intended(schedule.count()) + DRAIN_MAX;
        while read + refusals.load(Ordering::Relaxed) < count && Instant::now() < end {
            // Cancelling a read loses nothing. If the last missing payment was refused meanwhile, no answer is to come.
            let Ok(batch) = tokio::time::timeout(LOOK_AGAIN, answers.batch()).await else {
                continue;
            };
            let batch = batch?;
            last = Instant::now();
            read += batch.len();
            for answer in batch {
                let id = answer.header(wire::CE_SUBJECT).context("no payment id")?;
                schedule.record(&mut latencies, place(id)?, last);
            }
        }
        let took = last.saturating_duration_since(schedule.start);
        anyhow::Ok((latencies, read, took))
    };
    let (accepted, (end_to_end, read, took)) = tokio::try_join!(accepting, answering)?;
    let planned = schedule.intended(schedule.count()) - schedule.start;
    Ok(Latency {
        entrance,
        offered_per_s: offer.per_second,
        answered_per_s: per_second(read, took),
        kept_up: u32::try_from(read) == Ok(schedule.count())
            && took <= planned + DONE_SOON.max(planned / 20),
        refused: refused.load(Ordering::Relaxed),
        end_to_end: Percentiles::of(&end_to_end),
        accepted: Percentiles::of(&accepted),
    })
}

async fn over_nats(
    bank: &mut BenchBank,
    entrance: Entrance,
    tokens: &[String],
    schedule: Schedule,
    refused: &Arc<AtomicUsize>,
) -> Result<Histogram<u64>> {
    let client = match entrance {
        Entrance::Door => KIOSK,
        Entrance::Direct | Entrance::Http => SHOP,
    };
    let producer = Publisher::new(&bank.config(client));
    let mut maker = bank.maker_of(client, tokens, Pattern::Uniform);
    let unacknowledged = Arc::new(Semaphore::new(UNACKNOWLEDGED_MAX));
    let mut due = schedule.pace();
    let mut publishing = JoinSet::new();
    while let Some(place) = due.recv().await {
        let permit = unacknowledged.clone().acquire_owned().await?;
        let (producer, message) = (producer.clone(), maker.message(place));
        publishing.spawn(async move {
            let published = producer.publish_one(REQUESTS, message).await;
            drop(permit);
            published.map(|_| (place, Instant::now()))
        });
    }
    let mut latencies = histogram();
    while let Some(published) = publishing.join_next().await {
        match published? {
            Ok((place, at)) => schedule.record(&mut latencies, place, at),
            // It may be stored all the same; then its answer is read like any other.
            Err(_) => drop(refused.fetch_add(1, Ordering::Relaxed)),
        }
    }
    Ok(latencies)
}

async fn over_http(
    bank: &mut BenchBank,
    tokens: &[String],
    schedule: Schedule,
    refused: &Arc<AtomicUsize>,
) -> Result<Histogram<u64>> {
    let url = bank.bank.url(Service::Payments);
    let count = usize::try_from(schedule.count())?;
    let requests = Arc::new(requests(bank, &url, "/payments", tokens, count));
    let due = Arc::new(Mutex::new(schedule.pace()));
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (due, requests, refused) = (due.clone(), requests.clone(), refused.clone());
        let mut connection = Connection::open(&url).await?;
        connections.spawn(async move {
            let mut latencies = histogram();
            loop {
                let next = due.lock().await.recv().await;
                let Some(place) = next else { break };
                let (status, body) = connection.send(&requests[usize::try_from(place)?]).await?;
                if status == TOO_MANY {
                    refused.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                ensure!(
                    status == 202,
                    "{status}: {}",
                    String::from_utf8_lossy(&body)
                );
                schedule.record(&mut latencies, place, Instant::now());
            }
            anyhow::Ok(latencies)
        });
    }
    let mut all = histogram();
    while let Some(latencies) = connections.join_next().await {
        all.add(latencies??)?;
    }
    Ok(all)
}

/// `count` requests `POST /payments`, ready to be sent.
pub(crate) fn requests(
    bank: &mut BenchBank,
    url: &str,
    path: &str,
    tokens: &[String],
    count: usize,
) -> Vec<Vec<u8>> {
    let mut maker = bank.maker(tokens, Pattern::Uniform);
    let requests = (0..).take(count).map(|place| {
        let body = serde_json::to_vec(&maker.body(place)).expect("texts and ids are JSON");
        let token = maker.token(place);
        let headers =
            format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
        http::post(url, path, &headers, &body)
    });
    requests.collect()
}

/// `POST /payments` from all connections at once: how many a second. Each sends its next when its last was accepted.
pub(crate) async fn saturate_http(
    bank: &mut BenchBank,
    tokens: &[String],
    count: usize,
) -> Result<Run> {
    let url = bank.bank.url(Service::Payments);
    let requests = requests(bank, &url, "/payments", tokens, count);
    saturate_with(bank, &url, requests, 202).await
}

/// The same with any requests, each of which must be answered with this status.
pub(crate) async fn saturate_with(
    bank: &mut BenchBank,
    url: &str,
    requests: Vec<Vec<u8>>,
    expected: u16,
) -> Result<Run> {
    let count = requests.len();
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        open.push(Connection::open(url).await?);
    }
    let processes = bank.processes();
    let before = processes.cpu_times();
    let started = Instant::now();
    let mut connections = JoinSet::new();
    for mut connection in open {
        let (requests, next) = (requests.clone(), next.clone());
        connections.spawn(async move {
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (status, body) = connection.send(request).await?;
                ensure!(
                    status == expected,
                    "{status}: {}",
                    String::from_utf8_lossy(&body)
                );
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = connections.join_next().await {
        ended??;
    }
    let run = Run {
        per_second: float_len(count) / started.elapsed().as_secs_f64(),
        costs: processes.costs_since(&before, count),
    };
    bank.note_memory();
    Ok(run)
}
