//! Who gets the next turn at an expensive piece of work, such as a password's hash.
//!
//! Those who wait stand in lines: one for each address, or for each account at a place that it was logged in from before. The
//! lines take turns, so an address with a hundred logins delays another one's login by one turn, not by a hundred. Lines of
//! known places, of strangers, and of addresses that have just had many wrong tries take turns too, so a thousand attackers
//! delay somebody else by a turn or two.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::gauge;
use tokio::sync::oneshot;

use super::key::{Busy, Key};

/// Waiting in one line: at 25 ms for a hash and two cores, the last one waits 1.6 s.
const LINE_MAX: usize = 128;
/// Waiting in all lines of one kind: as many as there are connections.
const WAITING_MAX: usize = 512;

/// Where somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// An account at a place that it was logged in from before.
    Known(Key),
    /// Everybody else of one address.
    Strangers(Key),
    /// The same, after many wrong tries of that address.
    Noisy(Key),
}

const KINDS: usize = 3;

impl Line {
    fn kind_and_key(self) -> (usize, Key) {
        match self {
            Self::Known(key) => (0, key),
            Self::Strangers(key) => (1, key),
            Self::Noisy(key) => (2, key),
        }
    }
}

/// A number of turns that go round.
pub(crate) struct Turns(Mutex<State>);

struct State {
    /// Turns that nobody has.
    free: usize,
    kinds: [Lines; KINDS],
    /// The kind whose turn it is.
    next: usize,
}

#[derive(Default)]
struct Lines {
    /// In the order of their turns; each is in `waiting` and not empty.
    order: VecDeque<Key>,
    waiting: HashMap<Key, VecDeque<oneshot::Sender<Turn>>>,
    length: usize,
}

/// The right to work; the next one gets it when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Option<Arc<Turns>>);

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turns")
    }
}

impl Turns {
    /// So many work at a time.
    pub(crate) fn new(running_max: usize) -> Arc<Self> {
        let state = State {
            free: running_max,
            kinds: Default::default(),
            next: 0,
        };
        state.tell();
        Arc::new(Self(Mutex::new(state)))
    }

    /// Waits for a turn. Whoever stops waiting leaves the line.
    ///
    /// # Errors
    /// When the line is full.
    pub(crate) async fn wait(self: &Arc<Self>, line: Line) -> Result<Turn, Busy> {
        let turn = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return Ok(Turn(Some(self.clone())));
            }
            let (kind, key) = line.kind_and_key();
            let turn = state.kinds[kind].join(key)?;
            state.tell();
            turn
        };
        Ok(turn.await.expect("whoever waits is served"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one who is next; when nobody waits, the turn is free.
    fn next(&self) -> Option<oneshot::Sender<Turn>> {
        let mut state = self.state();
        for offset in 0..KINDS {
            let kind = (state.next + offset) % KINDS;
            if let Some(next) = state.kinds[kind].leave() {
                state.next = kind + 1;
                state.tell();
                return Some(next);
            }
        }
        state.free += 1;
        None
    }
}

impl State {
    /// For those who watch.
    fn tell(&self) {
        let waiting: usize = self.kinds.iter().map(|lines| lines.length).sum();
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        gauge!("quittance_password_waiting").set(f64::from(waiting));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(turns) = self.0.take() else { return };
        while let Some(next) = turns.next() {
            match next.send(Turn(Some(turns.clone()))) {
                Ok(()) => return,
                // Gone meanwhile: on to the next one.
                Err(mut turn) => drop(turn.0.take()),
            }
        }
    }
}

impl Lines {
    fn join(&mut self, key: Key) -> Result<oneshot::Receiver<Turn>, Busy> {
        if self.length >= WAITING_MAX
            || self
                .waiting
                .get(&key)
                .is_some_and(|line| line.len() >= LINE_MAX)
        {
            self.forget_gone();
        }
        let line = self.waiting.entry(key).or_default();
        if self.length >= WAITING_MAX || line.len() >= LINE_MAX {
            if line.is_empty() {
                self.waiting.remove(&key);
            }
            return Err(Busy);
        }
        let (sender, receiver) = oneshot::channel();
        if line.is_empty() {
            self.order.push_back(key);
        }
        line.push_back(sender);
        self.length += 1;
        Ok(receiver)
    }

    /// The first one of the line whose turn it is; the line goes behind the others.
    fn leave(&mut self) -> Option<oneshot::Sender<Turn>> {
        while let Some(key) = self.order.pop_front() {
            let line = self.waiting.get_mut(&key).expect("every line in the order");
            let mut first = None;
            while let Some(sender) = line.pop_front() {
                self.length -= 1;
                if !sender.is_closed() {
                    first = Some(sender);
                    break;
                }
            }
            if line.is_empty() {
                self.waiting.remove(&key);
            } else {
                self.order.push_back(key);
            }
            if first.is_some() {
                return first;
            }
        }
        None
    }

    /// Clears away those who have stopped waiting.
    fn forget_gone(&mut self) {
        self.waiting.retain(|_, line| {
            line.retain(|sender| !sender.is_closed());
            !line.is_empty()
        });
        let waiting = &self.waiting;
        self.order.retain(|key| waiting.contains_key(key));
        self.length = waiting.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: char) -> Key {
        Key([u8::try_from(name).unwrap(); 32])
    }

    /// Lower case: a stranger's address. Upper case: a known place. A digit: an address with many wrong tries.
    fn line(name: char) -> Line {
        if name.is_uppercase() {
            Line::Known(key(name))
        } else if name.is_ascii_digit() {
            Line::Noisy(key(name))
        } else {
            Line::Strangers(key(name))
        }
    }

    /// They come in this order while somebody works; the order in which they are served.
    async fn check(come: &str, served: &str) {
        let turns = Turns::new(1);
        let working = turns.wait(line('z')).await.ok().unwrap();
        let (done, mut order) = tokio::sync::mpsc::channel(1000);
        for name in come.chars() {
            let (turns, done) = (turns.clone(), done.clone());
            tokio::spawn(async move {
                let turn = turns.wait(line(name)).await.ok().unwrap();
                done.send(name).await.unwrap();
                drop(turn);
            });
            // One thread: it runs until it waits.
            tokio::task::yield_now().await;
        }
        drop((working, done));
        let mut names = String::new();
        while let Some(name) = order.recv().await {
            names.push(name);
        }
        assert_eq!(names, served, "{come}");
        assert_eq!(turns.state().free, 1);
        assert!(
            turns
                .state()
                .kinds
                .iter()
                .all(|kind| kind.waiting.is_empty())
        );
    }

    #[tokio::test]
    async fn lines_take_turns() {
        check("aaab", "abaa").await;
        check("aaabbbc", "abcabab").await;
        check("abcdeX", "Xabcde").await;
        check("abcXXXY", "XaYbXcX").await;
        check("111a22X", "Xa12121").await;
    }

    #[tokio::test]
    async fn who_stops_waiting_takes_no_turn() {
        let turns = Turns::new(1);
        let working = turns.wait(line('z')).await.ok().unwrap();
        let mut waiting = Vec::new();
        for _ in 0..LINE_MAX {
            let turns = turns.clone();
            waiting.push(tokio::spawn(
                async move { turns.wait(line('a')).await.is_ok() },
            ));
            tokio::task::yield_now().await;
        }
        assert!(turns.wait(line('a')).await.is_err(), "the line is full");
        for one in &waiting[..LINE_MAX - 1] {
            one.abort();
        }
        for one in waiting.drain(..LINE_MAX - 1) {
            assert!(one.await.is_err(), "gone");
        }
        let next = {
            let turns = turns.clone();
            tokio::spawn(async move { turns.wait(line('a')).await.is_ok() })
        };
        tokio::task::yield_now().await;
        drop(working);
        assert!(waiting.remove(0).await.unwrap(), "it never left the line");
        assert!(next.await.unwrap(), "there is room again");
        assert_eq!(turns.state().free, 1);
    }
}
