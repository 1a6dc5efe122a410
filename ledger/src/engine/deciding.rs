//! Steps 1 to 3: a batch is verified, what it touches is loaded, and it is decided, ahead of the database.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use common::ids::AccountId;
use common::message::Stored;
use common::token::CheckedTokens;
use sqlx::postgres::PgConnection;
use tokio::time::Instant;

use super::context::DATABASE_TIMEOUT;
use super::failure::{Failure, Halt};
use super::measures::{Measures, Step};
use crate::busy::work_through;
use crate::core::batch::{self, Batch};
use crate::core::book::Book;
use crate::core::book::account::Account;
use crate::core::book::hold::Hold;
use crate::core::book::usage::PaymentKey;
use crate::core::chain::Cursor;
use crate::core::rules::Rules;
use crate::core::touches::{Touched, touches};
use crate::core::verify::VerifiedRequest;
use crate::store::{self, Prepared};

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
    /// Whether batches of payments have used payment ids up.
    has_batches: bool,
    /// Decided batches that may not be committed yet, in order.
    uncommitted: VecDeque<Arc<Batch>>,
    measures: Measures,
}

impl Deciding {
    /// Starts behind a cursor, with what every decision needs.
    pub(super) async fn start(
        mut reading: PgConnection,
        cursor: Cursor,
        measures: Measures,
    ) -> Result<Self, Failure> {
        let book = Book {
            keys: store::keys(&mut reading).await?,
            revocations: store::relevant_revocations(&mut reading).await?,
            rules: store::rules(&mut reading)
                .await?
                .map_err(Halt::NewerRules)?,
            ..Book::default()
        };
        let has_batches = store::has_batches(&mut reading).await?;
        Ok(Self {
            reading,
            book,
            checked: CheckedTokens::default(),
            cursor,
            has_batches,
            uncommitted: VecDeque::new(),
            measures,
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
                self.book.forget(change, written);
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

    /// Decides the messages that follow the cursor, and makes their rows.
    pub(super) async fn decide(&mut self, messages: &[Stored]) -> Result<Prepared, Failure> {
        assert_eq!(
            messages.first().map(|message| message.sequence),
            Some(self.cursor.seq + 1),
            "a batch follows the cursor"
        );
        let began = Instant::now();
        // A thousand signatures take 25 ms: that must not hold up this thread's other tasks.
        let count = messages.len();
        let bytes = messages.iter().map(|message| message.payload.len()).sum();
        let requests = work_through(count, bytes, || {
            batch::verify_all(messages, &self.book, &mut self.checked)
        })
        .map_err(Halt::NewerRules)?;
        let began = self.measures.took(Step::Verify, began);
        let loaded = tokio::time::timeout(DATABASE_TIMEOUT, self.load(&requests))
            .await
            .map_err(|_| Failure::Stalled)??;
        let began = self.measures.took(Step::Load, began);
        let prepared = work_through(count, bytes, || {
            let decided = batch::decide_all(&mut self.book, self.cursor.chain, requests);
            Prepared::of(Arc::new(Batch::new(self.cursor, decided)))
        });
        self.measures.took(Step::Decide, began);
        self.forget_unchanged(loaded);
        let batch = &prepared.batch;
        self.has_batches |= batch.has_batches();
        self.cursor = batch.to;
        self.uncommitted.push_back(batch.clone());
        Ok(prepared)
    }

    /// Adds what the book lacks to decide these.
    async fn load(&mut self, requests: &[VerifiedRequest]) -> Result<Loaded, Failure> {
        let mut touched = Touched::default();
        for request in requests {
            touches(request, &mut touched);
        }
        // The latest, not the last: the broker's clock may go back.
        let latest = requests.iter().map(|request| request.at.published_at).max();
        let latest = latest.expect("a batch has a message");
        let mut loaded = Loaded::default();
        // First: what is known as booked here can be read behind it, whatever another ledger does meanwhile.
        self.load_payment_ids(&mut touched, &mut loaded).await?;
        if !touched.holds.is_empty() || !touched.originals.is_empty() {
            self.load_named(&mut touched, &mut loaded).await?;
        }
        let mut accounts = touched.accounts;
        let mut holding = Vec::new();
        accounts.retain(|id| match self.book.accounts.get(id) {
            Some(known) => {
                holding.extend(holds_money(known));
                false
            }
            None => true,
        });
        accounts.sort_unstable();
        accounts.dedup();
        let accounts = store::accounts(&mut self.reading, &accounts).await?;
        holding.extend(accounts.values().filter_map(holds_money));
        self.book.accounts.extend(accounts);
        if !holding.is_empty() {
            let due = store::due_holds(&mut self.reading, &holding, latest).await?;
            self.take_holds(due, &mut loaded);
        }
        Ok(loaded)
    }

    /// Which payment ids are used up.
    async fn load_payment_ids(
        &mut self,
        touched: &mut Touched,
        loaded: &mut Loaded,
    ) -> Result<(), Failure> {
        let payments = &mut touched.payments;
        payments.retain(|key| !self.book.payments.contains_key(key));
        // Neighbours are looked up on the same page of the index.
        payments.sort_unstable_by_key(|(_, payment)| *payment);
        let mut used = store::used_payment_ids(&mut self.reading, payments).await?;
        if self.has_batches {
            used.extend(store::ids_used_in_batches(&mut self.reading, payments).await?);
        }
        loaded.payments.extend(used.keys().cloned());
        self.book.payments.extend(used);
        Ok(())
    }

    /// Holds and payments that requests name, and whose accounts they touch with that.
    async fn load_named(
        &mut self,
        touched: &mut Touched,
        loaded: &mut Loaded,
    ) -> Result<(), Failure> {
        let (book, holds) = (&self.book, &touched.holds);
        let missing = holds.iter().filter(|key| book.holds.get(key).is_none());
        let missing: Vec<PaymentKey> = missing.cloned().collect();
        let found = store::holds(&mut self.reading, &missing).await?;
        self.take_holds(found, loaded);
        for hold in touched
            .holds
            .iter()
            .filter_map(|key| self.book.holds.get(key))
        {
            let parties = [hold.debtor.account, hold.creditor.account];
            touched.accounts.extend(parties);
        }
        // Many may name the same one.
        touched.originals.sort_unstable();
        touched.originals.dedup();
        let originals = touched.originals.iter();
        let missing = originals.filter(|key| self.book.original(key).is_none());
        let missing: Vec<PaymentKey> = missing.cloned().collect();
        for (key, original) in store::originals(&mut self.reading, &missing).await? {
            loaded.originals.push(key.clone());
            self.book.originals.insert(key, original);
        }
        for key in &touched.originals {
            if let Some(original) = self.book.original(key) {
                touched.accounts.extend(original.booking.accounts());
            }
        }
        Ok(())
    }

    /// Of the holds that batches before have changed, the book knows better than the database.
    fn take_holds(&mut self, found: Vec<Hold>, loaded: &mut Loaded) {
        for hold in found {
            if self.book.holds.get(&hold.key).is_none() {
                loaded.holds.push(hold.key.clone());
                self.book.holds.insert(hold);
            }
        }
    }

    /// Forgets what was loaded for a batch and not changed by it: the database still says it.
    fn forget_unchanged(&mut self, loaded: Loaded) {
        // A payment id that was used up before is never used up again.
        for key in &loaded.payments {
            self.book.payments.remove(key);
        }
        let before = self.cursor.seq;
        for key in &loaded.holds {
            self.book.holds.forget(key, before);
        }
        for key in &loaded.originals {
            self.book.forget_original(key, before);
        }
    }
}

/// The account, by the request that opened it, if something is held on it.
fn holds_money(account: &Account) -> Option<u64> {
    let is_holding = !account.held.amount().is_zero();
    is_holding.then_some(account.opened_seq)
}

/// What was loaded for a batch besides accounts, which stay.
#[derive(Default)]
struct Loaded {
    payments: Vec<PaymentKey>,
    holds: Vec<PaymentKey>,
    originals: Vec<PaymentKey>,
}
