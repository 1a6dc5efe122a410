//! Reads the ledger's answers as they come, and accepts no answer but settled payments.

use anyhow::{Context as _, Result};
use common::broker;
use common::broker::{BATCH_MESSAGES_MAX, Reader};
use common::message::Stored;
use common::wire;
use common::wire::SETTLEMENTS;
use serde::Deserialize;

use crate::bank::PATIENCE;

/// What a settled payment's answer is called.
const SETTLED: &str = "payment.settled.v1";
/// What a batch's answer is called.
const BATCH_ANSWERED: &str = "payment-batch.answered.v1";

/// Reads answers and makes sure that each payment was settled.
pub(crate) struct Answers {
    reader: Reader,
    /// Payments, each of a batch counted.
    read: usize,
}

impl Answers {
    /// From the end of the stream on.
    pub(crate) async fn after_the_last(auditor: &broker::Config) -> Result<Self> {
        let audit = broker::jetstream(&broker::connect(auditor).await?);
        let last = broker::last_sequence(&audit, SETTLEMENTS).await?;
        Ok(Self {
            reader: Reader::new(auditor, SETTLEMENTS, last + 1),
            read: 0,
        })
    }

    /// The answers that wait.
    pub(crate) async fn batch(&mut self) -> Result<Vec<Stored>> {
        let batch = self.reader.batch(BATCH_MESSAGES_MAX);
        let batch = tokio::time::timeout(PATIENCE, batch)
            .await
            .context("no answers come any more")??;
        for answer in &batch {
            self.read += settled(answer).with_context(|| {
                let body = String::from_utf8_lossy(&answer.payload);
                format!("request {} was not settled: {body}", answer.sequence)
            })?;
        }
        Ok(batch)
    }

    /// Reads the answers that wait; how many were read until now.
    pub(crate) async fn read(&mut self) -> Result<usize> {
        self.batch().await?;
        Ok(self.read)
    }

    /// Reads until `count` payments were answered.
    pub(crate) async fn read_until(&mut self, count: usize) -> Result<()> {
        while self.read < count {
            self.batch().await?;
        }
        Ok(())
    }
}

/// How many payments an answer settled; `None` when one of them was not.
fn settled(answer: &Stored) -> Option<usize> {
    #[derive(Deserialize)]
    struct Counts {
        settled: usize,
        rejected: usize,
        duplicates: usize,
    }
    match answer.header(wire::CE_TYPE) {
        Some(SETTLED) => Some(1),
        Some(BATCH_ANSWERED) => {
            let counts: Counts = serde_json::from_slice(&answer.payload).ok()?;
            (counts.rejected + counts.duplicates == 0).then_some(counts.settled)
        }
        _ => None,
    }
}
