//! Before leading: what the database, the log and SETTLEMENTS must agree on, and the answers that are still to be
//! published.

use common::broker;
use common::wire::{REQUESTS, SETTLEMENTS};

use super::context::Engine;
use super::crash::CrashPoint;
use super::failure::{Failure, Halt};
use crate::core::chain::{Cursor, request_digest};
use crate::core::event::Event;
use crate::store::{self, AnswerRow};

/// What stands where.
pub(super) struct Recovered {
    /// The last decided request.
    pub(super) cursor: Cursor,
    /// The last published answer.
    pub(super) published: u64,
    /// The last request in the log, decided or not.
    pub(super) log: u64,
}

impl Engine {
    /// Brings SETTLEMENTS up to the cursor and returns how far everything is.
    ///
    /// Published less than decided: this process or an earlier one died in between; publish the rest from the table.
    /// Published more than decided: the database was restored from a backup; the caller decides again and compares.
    pub(super) async fn recover(&self) -> Result<Recovered, Failure> {
        let cursor = store::cursor(&self.pool).await?;
        // In this order: another ledger may be answering still, and an answer never comes before its request.
        let (mut published, log) = (self.last(SETTLEMENTS).await?, self.last(REQUESTS).await?);
        if log < cursor.seq {
            return Err(Halt::LogShort {
                log,
                cursor: cursor.seq,
            }
            .into());
        }
        if log < published {
            return Err(Halt::AnswersAhead {
                settlements: published,
                log,
            }
            .into());
        }
        if let Some(decided) = store::decided_digest(&self.pool, cursor.seq).await? {
            let stored = broker::get(&self.jetstream, REQUESTS, cursor.seq).await?;
            if stored.is_none_or(|message| request_digest(&message) != decided) {
                return Err(Halt::LogReplaced(cursor.seq).into());
            }
        }
        self.compare_published(published.min(cursor.seq)).await?;
        while published < cursor.seq {
            let last = cursor
                .seq
                .min(published + u64::try_from(self.batch_max).expect("a thousand at most"));
            let answers = store::answers(&self.pool, published + 1, last).await?;
            let events: sqlx::Result<Vec<Event>> =
                answers.into_iter().map(AnswerRow::event).collect();
            tracing::info!(
                first = published + 1,
                last,
                "publishing answers that were decided before"
            );
            self.publish(&events?).await?;
            published = last;
            self.crash.here(CrashPoint::BetweenBatches);
        }
        Ok(Recovered {
            cursor,
            published,
            log,
        })
    }

    async fn last(&self, stream: &str) -> Result<u64, Failure> {
        broker::last_sequence(&self.jetstream, stream)
            .await
            .map_err(|error| Failure::Broker(error.to_string()))
    }

    /// The last answer that both sides have must be the same on both.
    async fn compare_published(&self, seq: u64) -> Result<(), Failure> {
        if seq == 0 {
            return Ok(());
        }
        let ours = store::answers(&self.pool, seq, seq).await?;
        let theirs = broker::get(&self.jetstream, SETTLEMENTS, seq).await?;
        let difference = match (ours.into_iter().next(), &theirs) {
            (Some(ours), Some(theirs)) => ours
                .event()?
                .difference(&Event::of_message(theirs), SETTLEMENTS),
            _ => Some(format!("answer {seq} is missing")),
        };
        difference.map_or(Ok(()), |difference| {
            Err(Halt::AnswerDiffers(difference).into())
        })
    }
}
