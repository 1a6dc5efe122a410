//! Sends what is to be published, over one connection after another, and hands out the broker's answers.
//!
//! Nothing is sent twice. When the connection is lost, orders on their way fail at once: only their senders know
//! whether to repeat them. Orders that were not sent wait for the next connection, as long as a request may take.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::config::{Config, REQUEST_TIMEOUT};
use super::connection::{Connection, Operation};
use super::error::PublishError;

/// Between two tries to connect to a broker that is away.
const RETRY_DELAY: Duration = Duration::from_millis(100);
/// The broker asks every two minutes whether we are there. One that is silent for longer is gone.
const SILENCE_MAX: Duration = Duration::from_secs(300);
const STUCK_MAX: Duration = Duration::from_secs(15);
/// What an fsync may take on a busy disk: messages that are stored one by one wait for those before them.
const FSYNC_MAX: Duration = Duration::from_millis(10);

/// Bytes to send, and the waiters for the answers to them.
pub(super) struct Order {
    pub(super) bytes: Bytes,
    /// Each with the number of its answer.
    pub(super) told: Vec<(u64, Waiter)>,
    /// After this it is not sent any more.
    pub(super) deadline: Instant,
}

/// Gets the body of the broker's answer.
pub(super) type Waiter = oneshot::Sender<Result<Bytes, PublishError>>;

/// Whether the broker leaves orders unanswered. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Stuck(Arc<Mutex<Option<Instant>>>);

impl Stuck {
    /// Not for longer than [`STUCK_MAX`] without another sign of it: whoever sends nothing meanwhile may try again.
    pub(super) fn is_set(&self) -> bool {
        let stuck_at = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stuck_at.is_some_and(|at| at.elapsed() < STUCK_MAX)
    }

    fn set(&self, is_stuck: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = is_stuck.then(Instant::now);
    }
}

impl Order {
    fn is_wanted(&self) -> bool {
        self.told.iter().any(|(_, told)| !told.is_closed())
    }
}

/// Sends orders until the last publisher is gone. Answers come to `<inbox>.<number>`.
///
/// `stuck` says whether the broker leaves orders unanswered.
pub(super) async fn serve(
    config: Config,
    inbox: String,
    mut orders: mpsc::Receiver<Order>,
    stuck: Stuck,
) {
    while let Some(order) = orders.recv().await {
        if !order.is_wanted() {
            continue;
        }
        match connect(&config, &inbox, order.deadline).await {
            Ok(connection) => {
                if let Some(error) = send(connection, order, &mut orders, &stuck).await {
                    tracing::warn!(%error, "lost the connection that messages are stored over");
                }
            }
            Err(error) => refuse(order.told, &error),
        }
    }
}

/// Tries until it succeeds or the time is up.
async fn connect(config: &Config, inbox: &str, deadline: Instant) -> Result<Connection, String> {
    let mut failure = "it can't be reached".to_owned();
    let trying = async {
        loop {
            match Connection::open(config, inbox).await {
                Ok(connection) => return connection,
                Err(error) => failure = error,
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    };
    let connected = tokio::time::timeout_at(deadline, trying).await;
    connected.map_err(|_| failure)
}

/// Sends orders and hands out their answers until the connection is lost, and says why.
async fn send(
    mut connection: Connection,
    first: Order,
    orders: &mut mpsc::Receiver<Order>,
    stuck: &Stuck,
) -> Option<String> {
    let mut waiting = Waiting::default();
    waiting.send(first, &mut connection);
    let error = loop {
        let overdue = waiting.first_deadline();
        tokio::select! {
            // What has been answered already is not overdue.
            biased;
            operation = connection.operation(SILENCE_MAX) => match operation {
                Ok(Operation::Message { subject, headers, payload, .. }) => {
                    waiting.tell(&subject, &headers, payload);
                    stuck.set(false);
                }
                // Or all is written, and the next order may come.
                Ok(_) => {}
                Err(error) => {
                    stuck.set(false);
                    break error;
                }
            },
            // One at a time: the others wait in their queue, which has a limit.
            order = orders.recv(), if connection.is_flushed() => match order {
                Some(order) => waiting.send(order, &mut connection),
                None => return None,
            },
            () = tokio::time::sleep_until(overdue.unwrap_or_else(Instant::now)), if overdue.is_some() => {
                let error = format!("not within {} s", REQUEST_TIMEOUT.as_secs());
                waiting.refuse_overdue(&error);
                stuck.set(true);
                // Others may be answered all the same, unless the broker says nothing at all.
                if connection.last_heard().elapsed() >= REQUEST_TIMEOUT {
                    break error;
                }
            }
        }
    };
    refuse(waiting.into_told(), &error);
    Some(error)
}

/// The waiters by the number of their answer, each with its deadline.
#[derive(Default)]
struct Waiting(BTreeMap<u64, (Instant, Waiter)>);

impl Waiting {
    /// Sends an order, unless it is too late or nobody wants it any more.
    fn send(&mut self, order: Order, connection: &mut Connection) {
        if !order.is_wanted() {
            return;
        }
        let now = Instant::now();
        if order.deadline <= now {
            return refuse(order.told, "others were in front for too long");
        }
        connection.send(order.bytes);
        let in_front = u32::try_from(self.0.len() + order.told.len()).unwrap_or(u32::MAX);
        let deadline = now + REQUEST_TIMEOUT + FSYNC_MAX.saturating_mul(in_front);
        for (number, told) in order.told {
            self.0.insert(number, (deadline, told));
        }
    }

    /// The deadline of the lowest number: numbers are given in order, and so, nearly, are deadlines.
    fn first_deadline(&self) -> Option<Instant> {
        self.0.first_key_value().map(|(_, (deadline, _))| *deadline)
    }

    fn refuse_overdue(&mut self, error: &str) {
        let now = Instant::now();
        let overdue = self.0.extract_if(.., |_, (deadline, _)| *deadline <= now);
        refuse(overdue.map(|(number, (_, told))| (number, told)), error);
    }

    fn into_told(self) -> impl Iterator<Item = (u64, Waiter)> {
        let waiting = self.0.into_iter();
        waiting.map(|(number, (_, told))| (number, told))
    }

    fn tell(&mut self, subject: &[u8], headers: &[u8], payload: Bytes) {
        let number = std::str::from_utf8(subject)
            .ok()
            .and_then(|subject| subject.rsplit('.').next()?.parse().ok());
        let Some((_, told)) = number.and_then(|number: u64| self.0.remove(&number)) else {
            return;
        };
        // The broker answers with a status and nothing else when no stream takes the subject.
        let answer = if payload.is_empty() && !headers.is_empty() {
            Err(PublishError::Refused("no stream takes this".to_owned()))
        } else {
            Ok(payload)
        };
        drop(told.send(answer));
    }
}

fn refuse(waiting: impl IntoIterator<Item = (u64, Waiter)>, error: &str) {
    for (_, told) in waiting {
        drop(told.send(Err(PublishError::Unanswered(error.to_owned()))));
    }
}
