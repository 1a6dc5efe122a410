//! One account's tries from one place go in a few at a time, in their order: the next one knows how the one before ended.
//!
//! Without it, ten logins at once with the right password would lock the account, because a try counts as wrong until it
//! proves right.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::key::{Busy, Key};

/// Tries at a time for one account from one place. Two instances together stay below the tries that are free.
const RUNNING_MAX: usize = 2;
/// Running and waiting ones: what waits longer than this many has no hope of being served in time.
pub(super) const INSIDE_MAX: usize = 128;

/// All gates of an instance. A gate is there while somebody is inside.
pub(super) struct Gates {
    gates: Mutex<HashMap<Key, Gate>>,
    inside_max: usize,
}

struct Gate {
    running: Arc<Semaphore>,
    inside: usize,
}

/// A try that goes on.
pub(super) struct Passage {
    // Dropped first: the next one goes in.
    _running: OwnedSemaphorePermit,
    _inside: Inside,
}

/// Somebody who runs or waits.
struct Inside {
    gates: Arc<Gates>,
    key: Key,
}

impl Gates {
    /// So many run and wait at each gate.
    pub(super) fn new(inside_max: usize) -> Arc<Self> {
        Arc::new(Self {
            gates: Mutex::default(),
            inside_max,
        })
    }

    /// Waits until it is this one's turn.
    pub(super) async fn enter(self: &Arc<Self>, key: Key) -> Result<Passage, Busy> {
        let (inside, running) = {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            let gate = gates.entry(key).or_insert_with(|| Gate {
                running: Arc::new(Semaphore::new(RUNNING_MAX)),
                inside: 0,
            });
            if gate.inside >= self.inside_max {
                return Err(Busy);
            }
            gate.inside += 1;
            let gates = self.clone();
            (Inside { gates, key }, gate.running.clone())
        };
        let running = running.acquire_owned().await;
        Ok(Passage {
            _running: running.expect("the semaphore is never closed"),
            _inside: inside,
        })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut gates = self
            .gates
            .gates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let gate = gates.get_mut(&self.key).expect("somebody is inside");
        gate.inside -= 1;
        if gate.inside == 0 {
            gates.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_run_the_others_wait_and_nothing_stays() {
        let gates = Gates::new(INSIDE_MAX);
        let (ada, grace) = (Key([1; 32]), Key([2; 32]));
        let first = gates.enter(ada).await.ok().unwrap();
        let second = gates.enter(ada).await.ok().unwrap();
        let mut third = Box::pin(gates.enter(ada));
        let waits = tokio::select! {
            biased;
            _ = &mut third => false,
            () = std::future::ready(()) => true,
        };
        assert!(waits, "two at a time");
        assert!(
            gates.enter(grace).await.is_ok(),
            "another account does not wait"
        );
        drop(first);
        assert!(third.await.is_ok());
        drop(second);
        assert!(gates.gates.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_full_gate_turns_the_next_one_away() {
        let (gates, ada) = (Gates::new(INSIDE_MAX), Key([1; 32]));
        let mut waiting: Vec<_> = (0..INSIDE_MAX)
            .map(|_| Box::pin(gates.enter(ada)))
            .collect();
        let mut passages = Vec::new();
        for one in &mut waiting {
            tokio::select! {
                biased;
                passage = one => passages.push(passage.ok().unwrap()),
                () = std::future::ready(()) => {}
            }
        }
        assert_eq!(passages.len(), RUNNING_MAX);
        assert!(gates.enter(ada).await.is_err());
        drop((waiting, passages));
        assert!(gates.gates.lock().unwrap().is_empty());
    }
}
