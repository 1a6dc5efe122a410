//! Submissions of the last moments: a client that tries again while we still know the first try gets that one's place,
//! and the log does not grow.
//!
//! It is a courtesy, bounded in memory and gone with the process. It is the ledger that never books a payment twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::ids::{ClientId, PaymentId};
use tokio::sync::oneshot;

/// SHA-256 of a request in one spelling.
pub(crate) type Content = [u8; 32];

/// Names a payment.
pub(crate) type PaymentKey = (ClientId, PaymentId);

/// Submissions that are remembered at least, before the oldest half goes: at about 200 bytes each, 7 MB in all.
const GENERATION_MAX: usize = 16_384;

/// The submissions of the last moments.
#[derive(Clone, Default)]
pub(crate) struct Recent(Arc<Mutex<Generations>>);

#[derive(Default)]
struct Generations {
    newer: Map,
    older: Map,
}

type Map = HashMap<PaymentKey, Submission, foldhash::quality::RandomState>;

struct Submission {
    content: Content,
    place: Place,
}

enum Place {
    /// It is being stored; these wait for its place.
    Awaited(Vec<oneshot::Sender<u64>>),
    At(u64),
}

/// What is known of a payment that comes in.
pub(crate) enum Known {
    /// Nothing: the caller stores it.
    First(First),
    /// An earlier one has its id.
    Again(Earlier),
}

/// The right to store a payment, and the duty to say where. If it is dropped first, the next try may store the payment.
pub(crate) struct First {
    recent: Recent,
    key: Option<PaymentKey>,
}

/// An earlier submission of the same payment id.
pub(crate) struct Earlier {
    /// What it asked for.
    pub(crate) content: Content,
    /// Where it stands in the log; `None` when it was not stored after all.
    pub(crate) request_seq: Option<u64>,
}

impl Recent {
    /// Begins a submission, or finds an earlier one with its id and waits until that is stored.
    pub(crate) async fn begin(&self, key: PaymentKey, content: Content) -> Known {
        let (earlier, stored) = {
            let mut generations = self.lock();
            let Some(submission) = generations.find(&key) else {
                generations.insert(key.clone(), content);
                return Known::First(First {
                    recent: self.clone(),
                    key: Some(key),
                });
            };
            let stored = match &mut submission.place {
                Place::At(request_seq) => Ok(*request_seq),
                Place::Awaited(waiting) => {
                    let (tell, hear) = oneshot::channel();
                    waiting.push(tell);
                    Err(hear)
                }
            };
            (submission.content, stored)
        };
        let request_seq = match stored {
            Ok(request_seq) => Some(request_seq),
            Err(hear) => hear.await.ok(),
        };
        Known::Again(Earlier {
            content: earlier,
            request_seq,
        })
    }

    /// Forgets an earlier submission that stands at this place, so that the next try is stored.
    pub(crate) fn forget(&self, key: &PaymentKey, request_seq: u64) {
        let mut generations = self.lock();
        let Generations { newer, older } = &mut *generations;
        for map in [newer, older] {
            let is_it = |submission: &Submission| matches!(submission.place, Place::At(seq) if seq == request_seq);
            if map.get(key).is_some_and(is_it) {
                map.remove(key);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn find(&mut self, key: &PaymentKey) -> Option<&mut Submission> {
        let Self { newer, older } = self;
        newer.get_mut(key).or_else(|| older.get_mut(key))
    }

    fn insert(&mut self, key: PaymentKey, content: Content) {
        if self.newer.len() >= GENERATION_MAX {
            self.older = std::mem::take(&mut self.newer);
        }
        let place = Place::Awaited(Vec::new());
        self.newer.insert(key, Submission { content, place });
    }
}

impl First {
    /// It is stored here: later tries get this place.
    pub(crate) fn stored(mut self, request_seq: u64) {
        let Some(key) = self.key.take() else { return };
        let mut generations = self.recent.lock();
        let Some(submission) = generations.find(&key) else {
            return;
        };
        if let Place::Awaited(waiting) =
            std::mem::replace(&mut submission.place, Place::At(request_seq))
        {
            for tell in waiting {
                // A client may have hung up.
                tell.send(request_seq).unwrap_or(());
            }
        }
    }
}

impl Drop for First {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut generations = self.recent.lock();
        let Generations { newer, older } = &mut *generations;
        for map in [newer, older] {
            let is_it = |submission: &Submission| matches!(submission.place, Place::Awaited(_));
            if map.get(&key).is_some_and(is_it) {
                map.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn key(id: u128) -> PaymentKey {
        let client = "shop".parse().expect("a client id");
        (client, PaymentId(Uuid::from_u128(id)))
    }

    /// What a submission gets: `first`, `at N` or `lost`.
    async fn hears(recent: &Recent, id: u128) -> (String, Option<First>) {
        match recent.begin(key(id), [0; 32]).await {
            Known::First(first) => ("first".to_owned(), Some(first)),
            Known::Again(earlier) => {
                let place = earlier.request_seq;
                let place = place.map_or("lost".to_owned(), |seq| format!("at {seq}"));
                (place, None)
            }
        }
    }

    #[tokio::test]
    async fn a_repeated_submission_hears_of_the_first() {
        let recent = Recent::default();
        let (heard, first) = hears(&recent, 1).await;
        assert_eq!(heard, "first");
        let ((meanwhile, _), ()) = tokio::join!(hears(&recent, 1), async {
            first.expect("the right to store it").stored(7);
        });
        assert_eq!(meanwhile, "at 7");
        assert_eq!(hears(&recent, 1).await.0, "at 7");
        assert_eq!(hears(&recent, 2).await.0, "first");
        recent.forget(&key(1), 6);
        assert_eq!(hears(&recent, 1).await.0, "at 7");
        recent.forget(&key(1), 7);
        assert_eq!(hears(&recent, 1).await.0, "first");
    }

    #[tokio::test]
    async fn after_a_submission_that_was_not_stored_the_next_one_is_the_first() {
        let recent = Recent::default();
        let (_, first) = hears(&recent, 1).await;
        let ((meanwhile, _), ()) = tokio::join!(hears(&recent, 1), async { drop(first) });
        assert_eq!(meanwhile, "lost");
        assert_eq!(hears(&recent, 1).await.0, "first");
    }

    #[tokio::test]
    async fn the_oldest_go_and_memory_is_bounded() {
        let recent = Recent::default();
        let count = u128::try_from(GENERATION_MAX).expect("a small number");
        for id in 0..3 * count {
            let (_, first) = hears(&recent, id).await;
            first.expect("none has the id of another").stored(1);
        }
        let remembered = {
            let generations = recent.lock();
            generations.newer.len() + generations.older.len()
        };
        assert!(remembered <= 2 * GENERATION_MAX, "{remembered}");
        assert_eq!(hears(&recent, 0).await.0, "first");
        assert_eq!(hears(&recent, 3 * count - 1).await.0, "at 1");
    }
}
