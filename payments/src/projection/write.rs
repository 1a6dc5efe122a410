//! Writing a batch: one transaction, with the cursor's compare-and-set in it.

use common::message::Stored;
use common::service::now;
use sqlx::PgPool;

use super::cursors::Log;
use super::learnt::Projection;
use super::retry::retried;
use super::rows::{self, Changes, NewerRules, Requested};
use super::traced;
use super::trust::trust;
use crate::store;

impl Projection {
    /// Moves the cursor over requests whose answers have left their rows; `false` when another instance has moved it.
    ///
    /// The answers' transactions have been committed before, so this one is never durable without them.
    pub(super) async fn skip_answered(&self) -> bool {
        let cursors = *self.cursors.borrow();
        let (from, to) = (cursors.requests, cursors.of(Log::Requests));
        if to == from {
            return true;
        }
        let range = store::Range {
            first: from + 1,
            last: to,
        };
        self.write(
            Log::Requests,
            range,
            &Changes::Requested(Requested::default()),
        )
        .await
    }

    /// Projects a batch; `false` when another instance has moved the cursor.
    pub(super) async fn project(&self, log: Log, batch: &[Stored]) -> Result<bool, NewerRules> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
            return Ok(true);
        };
        let range = store::Range {
            first: first.sequence,
            last: last.sequence,
        };
        let began = traced::began();
        let changes = match log {
            Log::Requests => {
                let projected = self.cursors.borrow().of(log);
                let count = batch.partition_point(|message| message.sequence <= projected);
                Changes::Requested(rows::requested(&batch[count..]))
            }
            Log::Settlements => {
                let answered = rows::answered(batch);
                if let Some(newer) = answered.newer_rules {
                    return Err(newer);
                }
                Changes::Answered(answered)
            }
        };
        let is_ours = self.write(log, range, &changes).await;
        if let Some(began) = began.filter(|_| is_ours && log == Log::Settlements) {
            traced::projected(batch, began);
        }
        Ok(is_ours)
    }

    async fn write(&self, log: Log, range: store::Range, changes: &Changes) -> bool {
        if !retried(|| write(&self.pool, log, range, changes)).await {
            return false;
        }
        if matches!(changes, Changes::Answered(answered) if answered.changes_trust()) {
            self.learn_trust().await;
        }
        if let Changes::Answered(answered) = changes {
            let at = now();
            self.activity.projected(range.last, &answered.payments, at);
            self.measures.decided(&answered.payments, at);
        }
        self.measures.projected(log, range.last);
        // Last: a reader of the cursor relies on everything above.
        self.cursors.send_modify(|cursors| match changes {
            Changes::Requested(_) => cursors.requests = range.last,
            Changes::Answered(answered) => {
                cursors.settlements = range.last;
                cursors.named_after = cursors.named_after.max(answered.nameless_last);
            }
        });
        true
    }

    pub(super) async fn read_cursor(&self, log: Log) -> u64 {
        let cursor = retried(async || {
            let mut db = self.pool.acquire().await?;
            store::cursor(&mut db, log.stream()).await
        })
        .await;
        // Another instance may have projected keys and revocations.
        if log == Log::Settlements {
            self.learn_trust().await;
        }
        self.measures.projected(log, cursor);
        self.cursors.send_modify(|cursors| cursors.set(log, cursor));
        cursor
    }

    async fn learn_trust(&self) {
        let trust = retried(async || trust(&mut *self.pool.acquire().await?).await).await;
        self.trust.send_replace(trust);
    }
}

/// One transaction per batch; `false` when the cursor is not where the batch begins, and nothing has changed.
async fn write(
    pool: &PgPool,
    log: Log,
    range: store::Range,
    changes: &Changes,
) -> sqlx::Result<bool> {
    let mut tx = pool.begin().await?;
    // First, because it makes a second instance wait here until the first has committed.
    if !store::advance_cursor(&mut tx, log.stream(), range).await? {
        return Ok(false);
    }
    match changes {
        Changes::Requested(requested) => {
            store::insert_requested(&mut tx, &requested.payments).await?;
            store::insert_requested_batches(&mut tx, &requested.batches).await?;
        }
        Changes::Answered(answered) => {
            store::upsert_decided(&mut tx, &answered.payments).await?;
            store::upsert_answered_batches(&mut tx, &answered.batches).await?;
            store::update_progress(&mut tx, &answered.progress).await?;
            store::insert_follow_ups(&mut tx, &answered.follow_ups).await?;
            store::insert_keys(&mut tx, &answered.keys).await?;
            store::insert_revocations(&mut tx, &answered.revocations).await?;
            if let Some(raised) = answered.raised {
                store::insert_raised(&mut tx, raised).await?;
            }
        }
    }
    tx.commit().await?;
    Ok(true)
}
