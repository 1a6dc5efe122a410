//! Stores messages in the streams, on a connection of its own.
//!
//! What a caller can do is here; how the bytes get to the broker is in [`super::sender`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_ID, NATS_BATCH_SEQUENCE, NATS_EXPECTED_LAST_SEQUENCE,
    NATS_EXPECTED_STREAM,
};
use async_nats::jetstream::{ErrorCode, publish::PublishAck, response::Response};
use bytes::Bytes;
use futures::future::try_join_all;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::config::{Config, REQUEST_TIMEOUT};
use super::connection::{encode_message, headers_length};
use super::error::PublishError;
use super::sender::{self, Order, Stuck};
use crate::headers::HeaderLines;
use crate::message::Outgoing;

/// Most messages in one atomic batch. Source: nats-server's own limit (`batch.max_msgs`).
pub const BATCH_MESSAGES_MAX: usize = 1000;
/// Up to so many messages are better stored one by one, pipelined, and more as an atomic batch.
///
/// A message alone costs the broker one fsync, 0.2 to 0.3 ms. For a batch it makes a directory and files and deletes them
/// again, which takes as long as four messages if they are in memory (`local/src/staging.rs`), and as 12 to 16 on a disk.
pub const ALONE_MAX: usize = 4;
/// Most bytes of headers and body together. The broker answers a larger message by closing the connection, for
/// everybody who shares it. Source: `max_payload` in `nats/nats-server.conf`.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Publications that may wait to be sent; further callers wait for their turn.
const ORDERS_MAX: usize = 16;

/// Stores messages in streams. Clones share a connection, which is made when it is needed and made again when it is lost.
#[derive(Clone)]
pub struct Publisher {
    orders: mpsc::Sender<Order>,
    /// Where the broker answers to: `<inbox>.<number>`.
    inbox: Arc<str>,
    /// Of the next answer.
    number: Arc<AtomicU64>,
    stuck: Stuck,
}

impl Publisher {
    /// A publisher with this login; it connects with the first message.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let (orders, received) = mpsc::channel(ORDERS_MAX);
        let inbox = config.inbox(&Uuid::new_v4().simple().to_string());
        let stuck = Stuck::default();
        let sending = sender::serve(config.clone(), inbox.clone(), received, stuck.clone());
        tokio::spawn(sending);
        Self {
            orders,
            inbox: inbox.into(),
            number: Arc::default(),
            stuck,
        }
    }

    /// What is wrong with the log, in the words of a service's readiness: a broker whose disk is full leaves publications
    /// unanswered.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let sentence = "takes nothing: NATS does not store what is published, its disk may be full";
        self.stuck.is_set().then(|| sentence.to_owned())
    }

    /// Stores messages (1 to [`BATCH_MESSAGES_MAX`]) right behind message `last_sequence` of a stream, in order: all of
    /// them or the first few. A stream that does not end there takes none.
    ///
    /// When the broker has no room for a batch they go one by one: slower, but answers never wait for a stranger's batches.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_behind(
        &self,
        stream: &str,
        last_sequence: u64,
        messages: &[Outgoing],
    ) -> Result<(), PublishError> {
        if messages.len() > ALONE_MAX {
            match self
                .publish_batch(stream, messages, Some(last_sequence))
                .await
            {
                Err(error @ PublishError::Incomplete(_)) => {
                    tracing::warn!(%error, count = messages.len(), "storing messages one by one");
                }
                stored => return stored.map(drop),
            }
        }
        let stored = self
            .publish_each(stream, messages, Some(last_sequence))
            .await?;
        try_join_all(stored).await.map(drop)
    }

    /// Stores all of `messages` (1 to [`BATCH_MESSAGES_MAX`]) in one stream, in order and next to each other, or none.
    ///
    /// With `last_sequence_expected` they are stored only if the stream ends there, which makes repeating it harmless.
    /// Several messages go as one JetStream atomic batch, which costs the broker one fsync; one alone goes as it is.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_batch(
        &self,
        stream: &str,
        messages: &[Outgoing],
        last_sequence_expected: Option<u64>,
    ) -> Result<PublishAck, PublishError> {
        let count = messages.len();
        assert!(
            (1..=BATCH_MESSAGES_MAX).contains(&count),
            "a batch of {count} messages"
        );
        let batch_id = Uuid::now_v7().simple();
        let (number, reply) = self.reply();
        let mut lines = HeaderLines::default();
        let mut bytes = Vec::with_capacity(messages.iter().map(room_for).sum());
        for (index, message) in (1..=count).zip(messages) {
            lines.clear();
            if count > 1 {
                lines.add(NATS_BATCH_ID.as_ref(), batch_id);
                lines.add(NATS_BATCH_SEQUENCE.as_ref(), index);
            }
            if index == 1 {
                expect(&mut lines, stream, last_sequence_expected);
            }
            if index == count && count > 1 {
                lines.add(NATS_BATCH_COMMIT.as_ref(), 1);
            }
            let reply = (index == count).then_some(&*reply);
            encode(&mut bytes, message, &lines, reply)?;
        }
        let mut answers = self.order(bytes, &[number]).await?;
        acknowledged(answers.remove(0).await)
    }

    /// Sends messages to one stream, in order. Each has an fsync and an acknowledgement of its own: the futures.
    ///
    /// With `last_sequence_expected` the first is stored only if the stream ends there, and each other one only right
    /// behind the one before.
    ///
    /// # Errors
    /// [`PublishError`]; then none is stored.
    pub async fn publish_each(
        &self,
        stream: &str,
        messages: &[Outgoing],
        last_sequence_expected: Option<u64>,
    ) -> Result<Vec<impl Future<Output = Result<PublishAck, PublishError>> + use<>>, PublishError>
    {
        let mut lines = HeaderLines::default();
        let mut bytes = Vec::with_capacity(messages.iter().map(room_for).sum());
        let mut numbers = Vec::with_capacity(messages.len());
        let mut last = last_sequence_expected;
        let encoded = messages.iter().map(|message| {
            lines.clear();
            expect(&mut lines, stream, last);
            last = last.map(|last| last + 1);
            let (number, reply) = self.reply();
            encode(&mut bytes, message, &lines, Some(&reply))?;
            numbers.push(number);
            Ok(())
        });
        let encoded: Vec<Result<(), PublishError>> = encoded.collect();
        let mut answers = self.order(bytes, &numbers).await?.into_iter();
        let stored = encoded.into_iter().map(|encoded| {
            let answer = encoded.map(|()| answers.next().expect("one for each that was sent"));
            async move { acknowledged(answer?.await) }
        });
        Ok(stored.collect())
    }

    /// Stores one message.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_one(
        &self,
        stream: &str,
        message: Outgoing,
    ) -> Result<PublishAck, PublishError> {
        self.publish_batch(stream, &[message], None).await
    }

    /// A number for an answer and the subject that it comes to.
    fn reply(&self) -> (u64, String) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        (number, format!("{}.{number}", self.inbox))
    }

    /// Sends bytes; the answers to them come one by one.
    async fn order(
        &self,
        bytes: Vec<u8>,
        numbers: &[u64],
    ) -> Result<Vec<impl Future<Output = Result<Bytes, PublishError>> + use<>>, PublishError> {
        let (told, hear): (Vec<_>, Vec<_>) = numbers
            .iter()
            .map(|number| {
                let (tell, hear) = oneshot::channel();
                ((*number, tell), hear)
            })
            .unzip();
        let order = Order {
            bytes: bytes.into(),
            told,
            deadline: Instant::now() + REQUEST_TIMEOUT,
        };
        let ended = || PublishError::Unanswered("the process is ending".to_owned());
        let sent = tokio::time::timeout_at(order.deadline, self.orders.reserve()).await;
        match sent {
            Ok(Ok(place)) => place.send(order),
            Ok(Err(_)) => return Err(ended()),
            Err(_) => return Err(PublishError::Unanswered("others wait too".to_owned())),
        }
        let answers = hear
            .into_iter()
            .map(move |hear| async move { hear.await.unwrap_or_else(|_| Err(ended())) });
        Ok(answers.collect())
    }
}

/// What a stream must be like to take a message.
fn expect(lines: &mut HeaderLines, stream: &str, last_sequence: Option<u64>) {
    lines.add(NATS_EXPECTED_STREAM.as_ref(), stream);
    if let Some(last) = last_sequence {
        lines.add(NATS_EXPECTED_LAST_SEQUENCE.as_ref(), last);
    }
}

/// Bytes that a message takes in the protocol, at most or nearly.
fn room_for(message: &Outgoing) -> usize {
    const AROUND: usize = 256;
    message.subject.len() + message.headers.as_str().len() + message.payload.len() + AROUND
}

/// Appends a message as the protocol has it. The broker's own headers come first: it looks for them by searching.
fn encode(
    bytes: &mut Vec<u8>,
    message: &Outgoing,
    lines: &HeaderLines,
    reply: Option<&str>,
) -> Result<(), PublishError> {
    let lines = [lines.as_str(), message.headers.as_str()];
    let length = headers_length(lines) + message.payload.len();
    if length > PAYLOAD_BYTES_MAX {
        return Err(PublishError::Refused(format!(
            "the message has {length} bytes, {PAYLOAD_BYTES_MAX} are allowed"
        )));
    }
    encode_message(bytes, &message.subject, reply, lines, &message.payload);
    Ok(())
}

/// What the broker's answer says.
fn acknowledged(answer: Result<Bytes, PublishError>) -> Result<PublishAck, PublishError> {
    match serde_json::from_slice(&answer?)? {
        Response::Ok(ack) => Ok(ack),
        Response::Err { error } => Err(match error.error_code() {
            ErrorCode::STREAM_WRONG_LAST_SEQUENCE => {
                PublishError::WrongLastSequence(error.to_string())
            }
            ErrorCode::ATOMIC_PUBLISH_INCOMPLETE_BATCH
            | ErrorCode::ATOMIC_PUBLISH_TOO_MANY_INFLIGHT => {
                PublishError::Incomplete(error.to_string())
            }
            _ => PublishError::Refused(error.to_string()),
        }),
    }
}
