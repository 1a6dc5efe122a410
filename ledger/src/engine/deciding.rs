//! Steps 1 to 3: a batch is verified, what it touches is loaded, and it is decided, ahead of the database.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use common::ids::AccountId;
use common::message::Stored;
use common::token::CheckedTokens;
use sqlx::postgres::PgConnection;

use super::context::DATABASE_TIMEOUT;
use super::failure::{Failure, Halt};
use crate::core::batch::{self, Batch};
use crate::core::book::Book;
use crate::core::chain::Cursor;
use crate::core::rules::Rules;
use crate::core::touches::{Touched, touches};
use crate::core::verify::VerifiedRequest;
use crate::store;

/// Accounts that the book holds between batches, so that they need not be loaded again: at about 400 bytes each, 40 MB.
const BOOK_ACCOUNTS_MAX: usize = 100_000;

/// Steps 1 to 3, ahead of the database.
///
/// The book holds every account and payment id of the batches that are not committed yet: of these it knows better than
/// the database. Other accounts stay as the last batch left them. That is right while this ledger alone writes;
/// otherwise the compare-and-set of the cursor ends it.
pub(super) struct Deciding {
    /// A connection of its own: the pool would check each time whether it still works.
    reading: PgConnection,
    book: Book,
    checked: CheckedTokens,
    /// After the last decided batch.
    cursor: Cursor,
    /// Decided batches that may not be committed yet, in order.
    uncommitted: VecDeque<Arc<Batch>>,
}

impl Deciding {
    /// Starts behind a cursor, with what every decision needs.
    pub(super) async fn start(mut reading: PgConnection, cursor: Cursor) -> Result<Self, Failure> {
        let book = Book {
            keys: store::keys(&mut reading).await?,
            revocations: store::relevant_revocations(&mut reading).await?,
            rules: store::rules(&mut reading)
                .await?
                .map_err(Halt::NewerRules)?,
            ..Book::default()
        };
        Ok(Self {
            reading,
            book,
            checked: CheckedTokens::default(),
            cursor,
            uncommitted: VecDeque::new(),
        })
    }

    /// The last decided request.
    pub(super) fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The rules that the next request is decided by.
    pub(super) fn rules(&self) -> Rules {
        self.book.rules
    }

    /// Forgets what the database knows of batches up to this sequence.
    pub(super) fn forget_committed(&mut self, written: u64) {
        while let Some(batch) = self
            .uncommitted
            .pop_front_if(|batch| batch.to.seq <= written)
        {
            for change in batch.changes() {
                self.book.forget(change);
            }
        }
        if self.book.accounts.len() > BOOK_ACCOUNTS_MAX {
            let uncommitted: HashSet<AccountId> = self
                .uncommitted
                .iter()
                .flat_map(|batch| batch.changed_accounts())
                .collect();
            self.book.accounts.retain(|id, _| uncommitted.contains(id));
        }
    }

    /// Decides the messages that follow the cursor.
    pub(super) async fn decide(&mut self, messages: &[Stored]) -> Result<Arc<Batch>, Failure> {
        assert_eq!(
            messages.first().map(|message| message.sequence),
            Some(self.cursor.seq + 1),
            "a batch follows the cursor"
        );
        // A thousand signatures take 25 ms: that must not hold up this thread's other tasks.
        let requests = tokio::task::block_in_place(|| {
            batch::verify_all(messages, &self.book, &mut self.checked)
        })
        .map_err(Halt::NewerRules)?;
        tokio::time::timeout(DATABASE_TIMEOUT, self.load(&requests))
            .await
            .map_err(|_| Failure::Stalled)??;
        let batch = tokio::task::block_in_place(|| {
            let decided = batch::decide_all(&mut self.book, self.cursor.chain, requests);
            Arc::new(Batch::new(self.cursor, decided))
        });
        self.cursor = batch.to;
        self.uncommitted.push_back(batch.clone());
        Ok(batch)
    }

    /// Adds what the book lacks to decide these.
    async fn load(&mut self, requests: &[VerifiedRequest]) -> Result<(), Failure> {
        let mut touched = Touched::default();
        for request in requests {
            touches(request, &mut touched);
        }
        let Touched {
            mut accounts,
            mut payments,
        } = touched;
        accounts.retain(|id| !self.book.accounts.contains_key(id));
        accounts.sort_unstable();
        accounts.dedup();
        payments.retain(|key| !self.book.payments.contains_key(key));
        let accounts = store::accounts(&mut self.reading, &accounts).await?;
        self.book.accounts.extend(accounts);
        let payments = store::used_payment_ids(&mut self.reading, &payments).await?;
        self.book.payments.extend(payments);
        Ok(())
    }
}
