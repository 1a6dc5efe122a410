//! Saturated runs: payments as fast as they go, from the first publish to the last answer read.
//!
//! The broker's limit and the whole path go through the same functions. Only the answering side differs: the ledger, or
//! [`Echo`], which publishes ready-made answers of the real size and checks nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use common::broker;
use common::broker::{BATCH_MESSAGES_MAX, Publisher, Reader};
use common::headers::HeaderLines;
use common::message::Outgoing;
use common::wire::{REQUESTS, SETTLEMENTS};
use local::{Part, Servers};
use tokio::task::{JoinHandle, JoinSet};

use crate::answers::Answers;
use crate::bank::{self, BenchBank, READER, SHOP};
use crate::costs::Processes;
use crate::figure::Run;
use crate::numbers::per_second;

/// Publishers that send atomic batches side by side, each waiting for its own acknowledgement.
pub(crate) const PUBLISHERS: usize = 4;
/// Publishes all batches as the producer and reads as many answers.
pub(crate) async fn end_to_end(bank: &mut BenchBank, batches: Vec<Vec<Outgoing>>) -> Result<Run> {
    let count = batches.iter().map(Vec::len).sum();
    end_to_end_of(bank, count, batches).await
}

/// The same with messages that hold `count` payments together.
pub(crate) async fn end_to_end_of(
    bank: &mut BenchBank,
    count: usize,
    batches: Vec<Vec<Outgoing>>,
) -> Result<Run> {
    let producer = Publisher::new(&bank.config(SHOP));
    let (auditor, processes) = (bank.config(READER), bank.processes());
    let run = run(&producer, &auditor, &processes, count, batches).await?;
    bank.note_memory();
    Ok(run)
}

/// The ledger finds all batches in the stream when it starts. Timed from its first batch of answers on, so that
/// starting a process does not count.
pub(crate) async fn ledger_limit(bank: &mut BenchBank, batches: Vec<Vec<Outgoing>>) -> Result<Run> {
    let count: usize = batches.iter().map(Vec::len).sum();
    let producer = Publisher::new(&bank.config(SHOP));
    bank.stop_part(Part::Ledger);
    let mut answers = Answers::after_the_last(&bank.config(READER)).await?;
    publish(&producer, batches).wait().await?;
    let processes = bank.processes();
    let before = processes.cpu_times();
    let read = async {
        let first = answers.read().await?;
        let started = Instant::now();
        answers.read_until(count).await?;
        anyhow::Ok(per_second(count - first, started.elapsed()))
    };
    let ((), per_second) = tokio::try_join!(bank.bank.start_part(Part::Ledger), read)?;
    let costs = processes.costs_since(&before, count);
    bank.note_memory();
    Ok(Run { per_second, costs })
}

/// The same as [`end_to_end`] with an echo in the ledger's place.
pub(crate) async fn broker_limit(
    servers: &Servers,
    answer: &Outgoing,
    batches: Vec<Vec<Outgoing>>,
) -> Result<Run> {
    let producer = Publisher::new(&bank::config(servers, SHOP));
    let echo = Echo::start(bank::config(servers, "ledger"), answer.clone()).await?;
    let processes = Processes::of(servers.home().path());
    let auditor = bank::config(servers, READER);
    let count = batches.iter().map(Vec::len).sum();
    let run = run(&producer, &auditor, &processes, count, batches).await;
    echo.0.abort();
    let audit = broker::jetstream(&broker::connect(&auditor).await?);
    let requests = broker::last_sequence(&audit, REQUESTS).await?;
    let answers = broker::last_sequence(&audit, SETTLEMENTS).await?;
    ensure!(
        requests == answers,
        "{answers} answers to {requests} requests"
    );
    run
}

async fn run(
    producer: &Publisher,
    auditor: &broker::Config,
    processes: &Processes,
    count: usize,
    batches: Vec<Vec<Outgoing>>,
) -> Result<Run> {
    let mut answers = Answers::after_the_last(auditor).await?;
    let before = processes.cpu_times();
    let started = Instant::now();
    let publishing = publish(producer, batches);
    answers.read_until(count).await?;
    let took = started.elapsed();
    let costs = processes.costs_since(&before, count);
    publishing.wait().await?;
    Ok(Run {
        per_second: per_second(count, took),
        costs,
    })
}

/// Publishers at work.
struct Publishing(JoinSet<Result<()>>);

fn publish(producer: &Publisher, batches: Vec<Vec<Outgoing>>) -> Publishing {
    let batches = Arc::new(Mutex::new(batches.into_iter()));
    let mut publishers = JoinSet::new();
    for _ in 0..PUBLISHERS {
        let (producer, batches) = (producer.clone(), batches.clone());
        publishers.spawn(async move {
            let next = || {
                batches
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .next()
            };
            while let Some(batch) = next() {
                producer.publish_batch(REQUESTS, &batch, None).await?;
            }
            Ok(())
        });
    }
    Publishing(publishers)
}

impl Publishing {
    async fn wait(mut self) -> Result<()> {
        while let Some(publisher) = self.0.join_next().await {
            publisher??;
        }
        Ok(())
    }
}

/// Stands in for the ledger: answers each request with the same answer, in the same batches, publishing one batch while
/// it reads the next.
struct Echo(JoinHandle<Result<()>>);

impl Echo {
    async fn start(config: broker::Config, answer: Outgoing) -> Result<Self> {
        let ledger = Publisher::new(&config);
        let jetstream = broker::jetstream(&broker::connect(&config).await?);
        let mut answered = broker::last_sequence(&jetstream, SETTLEMENTS).await?;
        let mut requests = Reader::of_requests(&config, answered + 1);
        Ok(Self(tokio::spawn(async move {
            let mut publishing: Option<JoinHandle<Result<()>>> = None;
            loop {
                let batch = requests.batch(BATCH_MESSAGES_MAX).await?;
                let answers = vec![answer.clone(); batch.len()];
                if let Some(previous) = publishing.take() {
                    previous.await??;
                }
                let (ledger, last) = (ledger.clone(), Some(answered));
                answered += u64::try_from(batch.len())?;
                publishing = Some(tokio::spawn(async move {
                    ledger.publish_batch(SETTLEMENTS, &answers, last).await?;
                    Ok(())
                }));
            }
        })))
    }
}

/// A real answer, for the echo: the one to a payment that was just sent.
pub(crate) async fn sample_answer(bank: &BenchBank, request: Outgoing) -> Result<Outgoing> {
    let producer = Publisher::new(&bank.config(SHOP));
    let mut answers = Answers::after_the_last(&bank.config(READER)).await?;
    producer.publish_one(REQUESTS, request).await?;
    let answer = answers.batch().await?.into_iter().next();
    let answer = answer.context("a batch has a message")?;
    // Without the headers of the batch in which it was published.
    let mut headers = HeaderLines::default();
    for (name, value) in answer.headers.iter() {
        if !name.starts_with("Nats-") {
            headers.add(name, value);
        }
    }
    Ok(Outgoing {
        subject: answer.subject,
        headers,
        payload: answer.payload,
    })
}
