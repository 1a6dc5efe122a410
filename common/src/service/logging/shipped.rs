//! Lines on their way to the stream LOGS: behind a buffer of fixed size, from a thread of its own.
//!
//! Whoever logs waits for nothing: a line that finds the buffer full is counted and dropped here (standard error has it).
//! A line leaves the buffer when the broker has acknowledged it; until then it is sent again, under the same id. Once lines
//! get through again, one of them says how many were lost.

use std::cell::Cell;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::{Client, HeaderMap, jetstream};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::join_all;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

use crate::broker;

/// Lines that wait for the broker: with 8 KiB each, the most that a line may have, 16 MiB; usually half a megabyte.
const WAITING_MAX: usize = 2048;
/// Lines that are under way at a time.
const GROUP_MAX: usize = 128;
/// After this long without an acknowledgement, lines are sent again.
const ACK_PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How long the last lines of a service that stops may take.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// Where lines wait. Empty in a process that ships none.
static WAY: OnceLock<Way> = OnceLock::new();

thread_local! {
    /// What the client library says here about sending a line would itself be a line to send, and so on for ever.
    static IS_SHIPPER: Cell<bool> = const { Cell::new(false) };
}

struct Way {
    lines: mpsc::Sender<Bytes>,
    lost: AtomicU64,
}

impl Way {
    fn take(&self, line: &[u8]) {
        let line = Bytes::copy_from_slice(line.trim_ascii_end());
        if self.lines.try_send(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes lines into the buffer.
pub(super) struct ToBroker;

impl<'w> MakeWriter<'w> for ToBroker {
    type Writer = Line;

    fn make_writer(&'w self) -> Line {
        Line { is_shipped: true }
    }

    fn make_writer_for(&'w self, metadata: &Metadata<'_>) -> Line {
        let is_ours = metadata.target() == module_path!();
        Line {
            is_shipped: is_ours || !IS_SHIPPER.get(),
        }
    }
}

/// One line: it is written whole.
pub(super) struct Line {
    is_shipped: bool,
}

impl io::Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(way) = WAY.get().filter(|_| self.is_shipped) {
            way.take(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The thread that ships lines.
#[must_use]
pub struct Shipping {
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Shipping {
    /// Ships the last lines, for a moment.
    pub async fn finish(self) {
        // A thread that has ended hears nothing.
        self.end.send(()).ok();
        let joined = tokio::task::spawn_blocking(|| self.thread.join());
        drop(joined.await);
    }
}

/// Ships what is logged from here on. `None` when this process ships already, or has no thread left.
pub fn ship_logs(service: &'static str, broker: &broker::Config) -> Option<Shipping> {
    let (way, lines) = mpsc::channel(WAITING_MAX);
    let way = Way {
        lines: way,
        lost: AtomicU64::new(0),
    };
    WAY.set(way).ok()?;
    let (end, ended) = oneshot::channel();
    let shipper = Shipper {
        subject: broker::log_subject(service),
        config: broker.logs(),
        lines,
    };
    let run = move || {
        IS_SHIPPER.set(true);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        match runtime {
            Ok(runtime) => {
                runtime.block_on(shipper.run(ended));
                // A name server that does not answer shall not hold the end up.
                runtime.shutdown_background();
            }
            Err(error) => tracing::warn!(%error, "lines of the log don't reach the broker"),
        }
    };
    let thread = thread::Builder::new().name("logs".to_owned()).spawn(run);
    Some(Shipping {
        end,
        thread: thread.ok()?,
    })
}

struct Shipper {
    subject: String,
    config: broker::Config,
    lines: mpsc::Receiver<Bytes>,
}

impl Shipper {
    async fn run(mut self, ended: oneshot::Receiver<()>) {
        // Whoever drops the sender ends it too.
        let ended = ended.map(drop).shared();
        let too_late = async {
            ended.clone().await;
            tokio::time::sleep(END_PATIENCE).await;
        };
        tokio::select! {
            () = self.ship(ended.clone()) => {}
            () = too_late => {}
        }
    }

    /// Returns when all that was logged before the end is shipped.
    async fn ship(&mut self, mut ended: impl Future<Output = ()> + Unpin) {
        let mut is_open = true;
        let client = self.connected().await;
        let jetstream = jetstream::new(client);
        let process = Uuid::new_v4().simple().to_string();
        let (mut number, mut group, mut taken) = (0_u64, Vec::new(), Vec::new());
        loop {
            tokio::select! {
                count = self.lines.recv_many(&mut taken, GROUP_MAX) => if count == 0 {
                    return;
                },
                () = &mut ended, if is_open => {
                    // What is logged from now on has no time left.
                    self.lines.close();
                    is_open = false;
                }
            }
            for line in taken.drain(..) {
                number += 1;
                group.push((format!("{process}-{number}"), line));
            }
            while !group.is_empty() {
                group = self.publish(&jetstream, group).await;
                if !group.is_empty() {
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
            let way = WAY.get().expect("it was set before this thread began");
            // The line that says so needs room too.
            if way.lines.capacity() == 0 {
                continue;
            }
            let lost = way.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                tracing::warn!(
                    lost,
                    "lines of the log were lost while the broker took none"
                );
            }
        }
    }

    async fn connected(&self) -> Client {
        let mut is_told = false;
        loop {
            let error = match broker::connect_quietly(&self.config).await {
                Ok(client) => return client,
                Err(error) => error,
            };
            if !std::mem::replace(&mut is_told, true) {
                tracing::warn!(%error, "lines of the log wait for the broker");
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    /// Returns those that nobody acknowledged.
    async fn publish(
        &self,
        jetstream: &jetstream::Context,
        group: Vec<(String, Bytes)>,
    ) -> Vec<(String, Bytes)> {
        let each = group.into_iter().map(async |(id, line)| {
            let mut headers = HeaderMap::new();
            headers.insert(NATS_MESSAGE_ID, id.as_str());
            let publish = async {
                let subject = self.subject.clone();
                let ack = jetstream.publish_with_headers(subject, headers, line.clone());
                ack.await.ok()?.await.ok()
            };
            match timeout(ACK_PATIENCE, publish).await {
                Ok(Some(_)) => None,
                Ok(None) | Err(_) => Some((id, line)),
            }
        });
        join_all(each).await.into_iter().flatten().collect()
    }
}
