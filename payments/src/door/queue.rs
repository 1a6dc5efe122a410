//! What waits to be stored: a lane for each client, and turns between them, so that one who sends a lot delays itself.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::ids::ClientId;
use common::message::Outgoing;
use common::service::traces::Span;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};
use metrics::{Gauge, gauge};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Told;
use super::counters::Counters;
use super::limits::{Limits, TooMuch, weight};

/// Payments that may wait in all: 64 MB at most, a second or two of work.
const WAITING_MAX: u32 = 16_384;
/// Payments of each client that may wait even then, so that nobody is kept out by others.
const RESERVED: u32 = 64;
/// Messages taken from one lane at a time.
const TURN: usize = 8;
/// The weight of what is taken at a time: 8 MB of large messages.
const GROUP_WEIGHT_MAX: u32 = 2048;
/// Lanes that are kept without being looked at; more only while their clients are active.
const LANES_MAX: usize = 4096;
/// After so long, a limiter that was not asked is as good as a new one: a second's worth may come at once.
const IDLE: Duration = Duration::from_secs(2);

/// A request that waits to be stored.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) message: Outgoing,
    pub(super) told: Told,
    /// Its publication.
    pub(super) span: Span,
}

/// A request that was taken, and where it is counted once it is stored.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) waiting: Waiting,
    pub(super) counters: Arc<Counters>,
}

/// Requests that wait, by client.
pub(super) struct Queue {
    limits: Limits,
    clock: DefaultClock,
    lanes: Mutex<Lanes>,
    arrived: Notify,
    /// The weight of all that waits, as of the last group.
    waiting: Gauge,
}

#[derive(Default)]
struct Lanes {
    by_client: HashMap<ClientId, Lane, foldhash::quality::RandomState>,
    /// Clients whose lanes are not empty, the next one first.
    turns: VecDeque<ClientId>,
    /// The weight of all that waits.
    waiting: u32,
}

struct Lane {
    messages: VecDeque<(NonZeroU32, Waiting)>,
    /// The weight of what waits here.
    waiting: u32,
    rate: DefaultDirectRateLimiter,
    counters: Arc<Counters>,
    used_at: Instant,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            clock: DefaultClock::default(),
            lanes: Mutex::default(),
            arrived: Notify::new(),
            waiting: gauge!("quittance_door_waiting"),
        }
    }

    /// Puts a request behind the others of its client.
    pub(super) fn push(&self, client: &ClientId, waiting: Waiting) -> Result<(), TooMuch> {
        let weight = weight(&waiting.message);
        let mut lanes = self.lock();
        let in_all = lanes.waiting;
        let lane = lanes.lane(client, self.limits);
        let share = match in_all {
            WAITING_MAX.. => RESERVED.min(self.limits.client_waiting.get()),
            _ => self.limits.client_waiting.get(),
        };
        if lane.waiting >= share {
            lane.counters.refused.increment(1);
            lane.counters.wait(lane.messages.len());
            let count = u32::try_from(lane.messages.len()).unwrap_or(u32::MAX);
            return Err(TooMuch::Waiting { count });
        }
        self.check_rate(lane, weight)
            .inspect_err(|_| lane.counters.refused.increment(1))?;
        let is_first = lane.messages.is_empty();
        lane.messages.push_back((weight, waiting));
        lane.waiting += weight.get();
        lanes.waiting += weight.get();
        if is_first {
            lanes.turns.push_back(client.clone());
        }
        drop(lanes);
        self.arrived.notify_one();
        Ok(())
    }

    fn check_rate(&self, lane: &Lane, weight: NonZeroU32) -> Result<(), TooMuch> {
        let rate = self.limits.client_rate;
        // A message that weighs more than a second's worth takes all of it.
        let within = lane.rate.check_n(weight.min(rate));
        within
            .expect("a second's worth is allowed at once")
            .map_err(|not_until| TooMuch::Fast {
                rate,
                retry_after: not_until.wait_time_from(self.clock.now()),
            })
    }

    /// Takes the requests that wait, at least one and at most `messages_max`. May be cancelled.
    pub(super) async fn take(&self, messages_max: usize) -> Vec<Taken> {
        loop {
            let group = {
                let mut lanes = self.lock();
                let group = lanes.take(messages_max);
                self.waiting.set(f64::from(lanes.waiting));
                group
            };
            if !group.is_empty() {
                return group;
            }
            self.arrived.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn lane(&mut self, client: &ClientId, limits: Limits) -> &mut Lane {
        let now = Instant::now();
        if self.by_client.len() >= LANES_MAX && !self.by_client.contains_key(client) {
            self.by_client.retain(|_, lane| {
                !lane.messages.is_empty() || now.duration_since(lane.used_at) < IDLE
            });
        }
        let lane = self
            .by_client
            .entry(client.clone())
            .or_insert_with(|| Lane {
                messages: VecDeque::new(),
                waiting: 0,
                rate: DefaultDirectRateLimiter::direct(Quota::per_second(limits.client_rate)),
                counters: Arc::new(Counters::of(client)),
                used_at: now,
            });
        lane.used_at = now;
        lane
    }

    fn take(&mut self, messages_max: usize) -> Vec<Taken> {
        let mut group = Vec::new();
        let waiting_before = self.waiting;
        while group.len() < messages_max && waiting_before - self.waiting < GROUP_WEIGHT_MAX {
            let Some(client) = self.turns.pop_front() else {
                break;
            };
            let lane = self
                .by_client
                .get_mut(&client)
                .expect("a lane with messages stays");
            let count = TURN
                .min(messages_max - group.len())
                .min(lane.messages.len());
            for (weight, waiting) in lane.messages.drain(..count) {
                lane.waiting -= weight.get();
                self.waiting -= weight.get();
                let counters = lane.counters.clone();
                group.push(Taken { waiting, counters });
            }
            lane.counters.wait(lane.messages.len());
            if !lane.messages.is_empty() {
                self.turns.push_back(client);
            }
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::headers::HeaderLines;

    fn waiting(number: usize, bytes: usize) -> Waiting {
        let message = Outgoing {
            subject: number.to_string(),
            headers: HeaderLines::default(),
            payload: vec![b' '; bytes].into(),
        };
        Waiting {
            message,
            told: Told::Nobody,
            span: Span::default(),
        }
    }

    fn limits(rate: u32, waiting: u32) -> Limits {
        Limits {
            client_rate: NonZeroU32::new(rate).unwrap(),
            client_waiting: NonZeroU32::new(waiting).unwrap(),
        }
    }

    #[tokio::test]
    async fn a_client_with_one_request_is_served_beside_one_with_thousands() {
        let queue = Queue::new(limits(10_000, 5_000));
        let (many, one) = ("many".parse().unwrap(), "one".parse().unwrap());
        for number in 0..3000 {
            queue.push(&many, waiting(number, 10)).unwrap();
        }
        queue.push(&one, waiting(9999, 10)).unwrap();
        let first: Vec<String> = queue
            .take(1000)
            .await
            .into_iter()
            .map(|taken| taken.waiting.message.subject)
            .collect();
        assert_eq!(first.len(), 1000);
        assert_eq!(first[TURN], "9999");
        // Each client's own requests keep their order.
        let of_many = first.iter().filter(|number| *number != "9999");
        let expected: Vec<String> = (0..999).map(|number: usize| number.to_string()).collect();
        assert!(of_many.eq(&expected));
        for expected in [1000, 1000, 1] {
            assert_eq!(queue.take(1000).await.len(), expected);
        }
    }

    #[tokio::test]
    async fn a_full_queue_still_takes_from_those_who_have_little_in_it() {
        let queue = Queue::new(limits(1_000_000, 10_000));
        let clients: Vec<ClientId> = ["a", "b", "c"].map(|id| id.parse().unwrap()).into();
        let taken = |client: &ClientId| {
            (0..20_000)
                .take_while(|number| queue.push(client, waiting(*number, 10)).is_ok())
                .count()
        };
        let all: Vec<usize> = clients.iter().map(taken).collect();
        assert_eq!(all, [10_000, 6384, 64]);
        while !queue.lock().turns.is_empty() {
            queue.take(1000).await;
        }
        assert_eq!(queue.lock().waiting, 0);
    }

    #[tokio::test]
    async fn a_client_has_a_rate_and_large_messages_count_more() {
        let queue = Queue::new(limits(100, 5_000));
        let client: ClientId = "shop".parse().unwrap();
        // 30 KB count as 8 payments.
        for number in 0..12 {
            queue.push(&client, waiting(number, 30_000)).unwrap();
        }
        let refused = queue.push(&client, waiting(12, 30_000)).unwrap_err();
        assert!(matches!(refused, TooMuch::Fast { .. }), "{refused}");
        let other: ClientId = "other".parse().unwrap();
        queue.push(&other, waiting(0, 10)).unwrap();
    }

    #[tokio::test]
    async fn large_messages_make_smaller_groups() {
        let queue = Queue::new(limits(1_000_000, 10_000));
        let client: ClientId = "shop".parse().unwrap();
        for number in 0..50 {
            queue.push(&client, waiting(number, 400_000)).unwrap();
        }
        // 98 payments each, and a turn is not cut.
        assert_eq!(queue.take(1000).await.len(), 24);
        assert_eq!(queue.take(1000).await.len(), 24);
        assert_eq!(queue.take(1000).await.len(), 2);
    }

    #[tokio::test]
    async fn idle_lanes_go_when_there_are_many() {
        tokio::time::pause();
        let queue = Queue::new(limits(100, 100));
        for number in 0..LANES_MAX {
            let client: ClientId = format!("client-{number}").parse().unwrap();
            queue.push(&client, waiting(number, 10)).unwrap();
            queue.take(1).await;
        }
        tokio::time::advance(IDLE).await;
        queue
            .push(&"last".parse().unwrap(), waiting(0, 10))
            .unwrap();
        assert_eq!(queue.lock().by_client.len(), 1);
    }
}
