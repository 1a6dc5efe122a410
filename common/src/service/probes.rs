//! What every service needs, asked again and again: PostgreSQL and NATS.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use metrics::gauge;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::clock::{self, Difference};
use super::metrics::as_gauge;
use super::now;
use super::readiness::Readiness;
use crate::wire::{REQUESTS, SETTLEMENTS};
use crate::{broker, store};

/// Requests may wait so long for their answers: a new leader of the ledger needs a second or two.
const ANSWER_LATE: Duration = Duration::from_secs(5);
/// "Do you speak TLS?" in PostgreSQL's protocol: any answer shows that the server takes new connections.
/// Source: `SSLRequest` in PostgreSQL's message formats.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// The answer of a server that does.
const SPEAKS_TLS: u8 = b'S';

/// Asks PostgreSQL for ever whether it takes new connections and whether one that is there still works, and counts those of
/// the pool.
pub async fn watch_database(
    readiness: &Readiness,
    options: &PgConnectOptions,
    pool: &PgPool,
) -> Infallible {
    let connections =
        |state: &'static str| gauge!("quittance_database_connections", "state" => state);
    let (used, idle, most) = (connections("used"), connections("idle"), connections("max"));
    let mut connection: Option<PgConnection> = None;
    let mut is_knock_logged = false;
    let probing = readiness.probe("PostgreSQL", async || {
        let idle_count = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
        used.set(f64::from(pool.size().saturating_sub(idle_count)));
        idle.set(f64::from(idle_count));
        most.set(f64::from(pool.options().get_max_connections()));
        // Not the error's words: a connection's error may quote its login.
        let refusal = |_| "can't be reached".to_owned();
        if is_knock_logged {
            visit(options).await.map_err(refusal)?;
        } else {
            let answer = knock(options)
                .await
                .map_err(|error| refusal(error.into()))?;
            is_knock_logged = answer == Some(SPEAKS_TLS);
        }
        let mut open = match connection.take() {
            Some(open) => open,
            None => options
                .connect()
                .await
                .map_err(|_| "does not let the service in".to_owned())?,
        };
        let asked = now();
        let theirs = store::time(&mut open).await;
        let theirs = theirs.map_err(|_| "has closed a connection".to_owned())?;
        Difference::of(theirs, asked, now()).tell("PostgreSQL");
        connection = Some(open);
        Ok(())
    });
    // A service with a database issues or judges what depends on the time.
    tokio::select! {
        never = probing => never,
        never = clock::watch() => never,
    }
}

/// The answer to a new connection; `None` where there is no such question, on this machine's own sockets.
async fn knock(options: &PgConnectOptions) -> std::io::Result<Option<u8>> {
    if options.get_socket().is_some() {
        return Ok(None);
    }
    let mut socket = TcpStream::connect((options.get_host(), options.get_port())).await?;
    socket.write_all(&SSL_REQUEST).await?;
    socket.read_u8().await.map(Some)
}

/// A whole connection: a server that speaks TLS logs each knock as a client that went away.
async fn visit(options: &PgConnectOptions) -> sqlx::Result<()> {
    options.connect().await?.close().await
}

/// Asks NATS for ever how long the two streams are. `heed` gets how long the first request without an answer has waited,
/// if that is long, and its number.
pub async fn watch_broker(
    readiness: &Readiness,
    config: &broker::Config,
    mut heed: impl FnMut(Option<Waiting>),
) -> Infallible {
    let mut client = None;
    let mut answers = Answered::default();
    let lengths = |log: &'static str| gauge!("quittance_log_messages", "log" => log);
    let (requests, settlements) = (lengths(REQUESTS), lengths(SETTLEMENTS));
    let late = gauge!("quittance_unanswered_seconds");
    readiness
        .probe("NATS", async || {
            let jetstream = match &client {
                Some(client) => broker::jetstream(client),
                None => {
                    let connected = broker::connect(config).await;
                    let connected =
                        connected.map_err(|error| format!("can't be reached: {error}"))?;
                    broker::jetstream(client.insert(connected))
                }
            };
            let length = async |stream| {
                let asked = now();
                let standing = broker::standing(&jetstream, stream).await;
                let standing = standing
                    .map_err(|error| format!("does not say how long {stream} is: {error}"))?;
                Difference::of(standing.now, asked, now()).tell("NATS");
                Ok::<_, String>(standing.last_seq)
            };
            let (answered, asked) = (length(SETTLEMENTS).await?, length(REQUESTS).await?);
            requests.set(as_gauge(asked));
            settlements.set(as_gauge(answered));
            let waiting = answers.waiting(asked, answered, Instant::now());
            late.set(waiting.map_or(0.0, |waiting| waiting.since.as_secs_f64()));
            heed(waiting);
            Ok(())
        })
        .await
}

/// A request that waits for its answer for longer than usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Its sequence.
    pub request_seq: u64,
    /// How long nothing has been answered.
    pub since: Duration,
}

impl Waiting {
    /// What is wrong with the ledger.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { request_seq, since } = self;
        let seconds = since.as_secs();
        format!("has answered nothing for {seconds} s; request {request_seq} waits")
    }
}

/// When an answer last came.
#[derive(Debug, Default)]
struct Answered {
    seq: u64,
    at: Option<Instant>,
}

impl Answered {
    fn waiting(&mut self, asked: u64, answered: u64, now: Instant) -> Option<Waiting> {
        if answered >= asked || answered != self.seq {
            self.seq = answered;
            self.at = None;
        }
        if answered >= asked {
            return None;
        }
        let since = now.duration_since(*self.at.get_or_insert(now));
        (since >= ANSWER_LATE).then_some(Waiting {
            request_seq: answered + 1,
            since,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_that_waits_while_nothing_is_answered_is_late() {
        let start = Instant::now();
        let mut answered = Answered::default();
        let mut at = |seconds, asked, seq| {
            let waiting = answered.waiting(asked, seq, start + Duration::from_secs(seconds));
            waiting.map(|waiting| (waiting.request_seq, waiting.since.as_secs()))
        };
        assert_eq!(at(0, 0, 0), None);
        assert_eq!(at(100, 1, 0), None);
        assert_eq!(at(104, 5, 0), None);
        assert_eq!(at(105, 5, 0), Some((1, 5)));
        // A long queue that moves is none.
        assert_eq!(at(106, 50, 2), None);
        assert_eq!(at(110, 50, 3), None);
        assert_eq!(at(116, 50, 3), Some((4, 6)));
        assert_eq!(at(117, 50, 50), None);
        assert_eq!(at(200, 51, 50), None);
    }
}
