//! Steps 4 and 5: each batch is written, then published, in order, each step while the batch behind it is decided.
//!
//! What is decided but not written is lost when the process dies, and decided again from the log; what is written but
//! not published is published by whoever leads next.

use std::sync::Arc;

use common::broker::{BATCH_MESSAGES_MAX, PublishError, Reader};
use common::service::PAYMENT;
use common::wire::{SETTLEMENTS, trace_id};
use sqlx::postgres::PgConnection;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::context::{DATABASE_TIMEOUT, Engine};
use super::crash::CrashPoint;
use super::failure::{Failure, Halt};
use super::measures::Step;
use crate::core::batch::Batch;
use crate::core::event::Event;
use crate::store::{self, Prepared};

/// Batches that wait between two steps: enough that neither waits for the other, few enough to bound the memory.
const WAITING_BATCHES_MAX: usize = 1;
/// Written batches that wait for the tree of receipts, which takes them a hundred times a second. One of plain payments has 2.5 MB,
/// one that is full of batches of payments several times that. The tree reads from the database what found no room.
const WAITING_FOR_TREE_MAX: usize = 8;

/// The writing and the publishing. Dropping it ends both, wherever they are.
pub(super) struct Pipeline {
    to_write: mpsc::Sender<Prepared>,
    written: watch::Receiver<u64>,
    published: watch::Receiver<u64>,
    steps: JoinSet<Failure>,
}

impl Pipeline {
    /// Goes on behind what is `written` to the database; answers up to `published` are compared instead of published.
    ///
    /// `writing` is the connection that leads: whoever has lost it can't write.
    pub(super) fn start(
        engine: Arc<Engine>,
        writing: PgConnection,
        written: u64,
        published: u64,
    ) -> Self {
        let (to_write, decided) = mpsc::channel(WAITING_BATCHES_MAX);
        let (to_publish, committed) = mpsc::channel(WAITING_BATCHES_MAX);
        let (tell_published, seen_published) = watch::channel(written.max(published));
        let (tell_written, written) = watch::channel(written);
        let mut steps = JoinSet::new();
        let (publisher, announcer) = (engine.clone(), engine.clone());
        let (to_tree, for_tree) = mpsc::channel(WAITING_FOR_TREE_MAX);
        let tree = engine.tree.clone();
        steps.spawn(async move { match tree.follow(for_tree).await {} });
        let to_announce = written.clone();
        steps.spawn(async move { match announcer.announce_expiries(to_announce).await {} });
        steps.spawn(async move { publisher.publish_all(committed, &tell_published).await });
        steps.spawn(async move {
            engine
                .write_all(
                    writing,
                    decided,
                    &tell_written,
                    (&to_publish, &to_tree),
                    published,
                )
                .await
        });
        Self {
            to_write,
            written,
            published: seen_published,
            steps,
        }
    }

    /// Takes the next batch over, as soon as there is room for one.
    pub(super) async fn take(&mut self, prepared: Prepared) -> Result<(), Failure> {
        let to_write = self.to_write.clone();
        tokio::select! {
            biased;
            // There will be no room when a step behind has ended.
            failure = self.failed() => Err(failure),
            sent = to_write.send(prepared) => match sent {
                Ok(()) => Ok(()),
                Err(_) => Err(self.failed().await),
            },
        }
    }

    /// Up to where all is committed.
    pub(super) fn written_up_to(&self) -> u64 {
        *self.written.borrow()
    }

    /// Returns when everything up to this sequence is committed and published.
    pub(super) fn idle(&self, seq: u64) -> impl Future<Output = ()> + use<> {
        let (mut written, mut published) = (self.written.clone(), self.published.clone());
        async move {
            let written = written.wait_for(|written| *written >= seq).await.is_ok();
            if !written
                || published
                    .wait_for(|published| *published >= seq)
                    .await
                    .is_err()
            {
                // A step has failed; `failed` returns why.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns when a step has failed.
    pub(super) async fn failed(&mut self) -> Failure {
        match self.steps.join_next().await {
            Some(Ok(failure)) => failure,
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => std::future::pending().await,
        }
    }
}

impl Engine {
    async fn write_all(
        self: Arc<Self>,
        mut writing: PgConnection,
        mut decided: mpsc::Receiver<Prepared>,
        written: &watch::Sender<u64>,
        (to_publish, to_tree): (&mpsc::Sender<Arc<Batch>>, &mpsc::Sender<Arc<Batch>>),
        published: u64,
    ) -> Failure {
        // Dropped when there is nothing left to compare, so that the broker sends no more.
        let mut answers = None;
        while let Some(prepared) = decided.recv().await {
            let batch = prepared.batch.clone();
            let is_published = batch.from.seq < published;
            if is_published {
                let first = batch.from.seq + 1;
                let answers =
                    answers.get_or_insert_with(|| Reader::new(&self.broker, SETTLEMENTS, first));
                if let Err(failure) = self.compare(answers, &batch).await {
                    return failure;
                }
            } else {
                answers = None;
            }
            let began = Instant::now();
            if let Err(failure) = self.write(&mut writing, prepared).await {
                return failure;
            }
            self.measures.took(Step::Write, began);
            written.send_replace(batch.to.seq);
            self.steps.booked(batch.to.seq);
            self.measures.booked(&batch);
            self.works();
            // Payments don't wait for the tree.
            to_tree.try_send(batch.clone()).ok();
            if is_published {
                let seq = batch.to.seq;
                tracing::info!(seq, published, "decided again what was published before");
                continue;
            }
            self.crash.here(CrashPoint::AfterCommit);
            if to_publish.send(batch).await.is_err() {
                break;
            }
        }
        // The other step has failed and returns why.
        std::future::pending().await
    }

    async fn publish_all(
        &self,
        mut committed: mpsc::Receiver<Arc<Batch>>,
        published: &watch::Sender<u64>,
    ) -> Failure {
        while let Some(batch) = committed.recv().await {
            let events: Vec<Event> = batch.decided.iter().map(Event::from).collect();
            let began = Instant::now();
            if let Err(error) = self.publish(&events).await {
                return error.into();
            }
            self.measures.took(Step::Publish, began);
            self.measures.published(batch.to.seq);
            published.send_replace(batch.to.seq);
            self.steps.published(batch.to.seq);
            self.trace(&batch);
            if tracing::enabled!(target: PAYMENT, tracing::Level::DEBUG) {
                events.iter().for_each(log_answered);
            }
        }
        std::future::pending().await
    }

    /// Step 4: one transaction, with the compare-and-set of the cursor in it.
    async fn write(&self, writing: &mut PgConnection, prepared: Prepared) -> Result<(), Failure> {
        let first = prepared.batch.from.seq + 1;
        self.crash.here(CrashPoint::BeforeWrite);
        let written = tokio::time::timeout(
            DATABASE_TIMEOUT,
            store::write_batch(writing, prepared, &self.crash),
        );
        if written.await.map_err(|_| Failure::Stalled)?? {
            return Ok(());
        }
        Err(Failure::Overtaken(first))
    }

    /// Step 5: the answers, right behind the last published.
    pub(super) async fn publish(&self, events: &[Event]) -> Result<(), PublishError> {
        let first = events.first().expect("a batch has an answer").request_seq;
        assert!(
            events.len() <= BATCH_MESSAGES_MAX,
            "an atomic batch of {}",
            events.len()
        );
        let messages: Vec<_> = events.iter().map(Event::to_message).collect();
        self.publisher
            .publish_behind(SETTLEMENTS, first - 1, &messages)
            .await
    }

    /// A restored database: what we decide now must be what was published then.
    async fn compare(&self, answers: &mut Reader, batch: &Batch) -> Result<(), Failure> {
        let ours: Vec<Event> = batch.decided.iter().map(Event::from).collect();
        let mut compared = 0;
        while compared < ours.len() {
            for published in answers.batch(ours.len() - compared).await? {
                if let Some(difference) =
                    ours[compared].difference(&Event::of_message(&published), SETTLEMENTS)
                {
                    // An older version of the ledger commits over another connection than its lock's. If one did so
                    // since we began, we decided on newer books.
                    if store::cursor(&self.pool).await? != batch.from {
                        return Err(Failure::Overtaken(batch.from.seq + 1));
                    }
                    return Err(Halt::AnswerDiffers(difference).into());
                }
                compared += 1;
            }
        }
        Ok(())
    }
}

fn log_answered(event: &Event) {
    // Answers about accounts name these.
    let is_payment = event.event_type.starts_with("payment.");
    tracing::debug!(
        target: PAYMENT,
        request_seq = event.request_seq,
        trace_id = event.traceparent.as_deref().map(trace_id),
        payment_id = event.about.as_ref().filter(|_| is_payment),
        answer = event.event_type,
        "answered",
    );
}
