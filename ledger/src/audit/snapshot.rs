//! The database at one moment.

use common::token::{Keys, Target};
use sqlx::{Connection as _, PgConnection};

use crate::core::book::hold::Hold;
use crate::core::chain::Cursor;
use crate::store::{self, AuditedAccount};

/// What a replay compares at the cursor.
pub(super) struct Snapshot {
    pub(super) cursor: Cursor,
    pub(super) keys: Keys,
    /// Every raise of the rules: the version, and the request that raised it.
    pub(super) rules: Vec<(u32, u64)>,
    /// Every revocation: the request and what it revoked.
    pub(super) revocations: Vec<(u64, Target)>,
    pub(super) accounts: Vec<AuditedAccount>,
    pub(super) holds: Vec<Hold>,
    /// What was reversed of each payment and transaction.
    pub(super) reversed: Vec<(store::BookedBy, store::ReversedSum)>,
    /// How many payment ids batches have used up.
    pub(super) batch_payments: u64,
    /// Postings on no account.
    pub(super) stray_postings: u64,
    /// Answers where nothing is decided yet.
    pub(super) stray_answers: u64,
}

impl Snapshot {
    pub(super) async fn of(database: &mut PgConnection) -> sqlx::Result<Self> {
        let mut tx = database
            .begin_with("begin transaction isolation level repeatable read, read only")
            .await?;
        let cursor = store::cursor(&mut *tx).await?;
        let snapshot = Self {
            cursor,
            keys: store::keys(&mut *tx).await?,
            rules: store::raised_rules(&mut *tx).await?,
            revocations: store::revocations(&mut *tx).await?,
            accounts: store::audited_accounts(&mut *tx).await?,
            holds: store::all_holds(&mut *tx).await?,
            reversed: store::reversed_sums(&mut *tx).await?,
            batch_payments: store::batch_payments_count(&mut *tx).await?,
            stray_postings: store::stray_postings(&mut *tx).await?,
            stray_answers: store::stray_answers(&mut *tx, cursor).await?,
        };
        tx.commit().await?;
        Ok(snapshot)
    }
}
