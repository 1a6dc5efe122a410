//! Answers what producers publish on a subject, together with other processes of the same service.
//!
//! NATS gives each message to one member of the group. A message is not kept anywhere: if its member dies, its sender
//! hears nothing and sends it again.
//!
//! We log in where the producers do, so a reply subject comes as its sender wrote it, who may write anything. Through an
//! import between accounts the server would write one of its own, and forget those of others with each that has wildcards.

use std::time::Duration;

use bytes::Bytes;

use super::config::Config;
use super::connection::{Connection, Operation, encode_answer};
use crate::headers::Headers;
use crate::message::text;

/// Between two tries to connect to a broker that is away.
const RETRY_DELAY: Duration = Duration::from_millis(100);
/// The broker asks every two minutes whether we are there. One that is silent for longer is gone.
const SILENCE_MAX: Duration = Duration::from_secs(300);

/// Longest block of headers that is read: a token and ours at their limits take 5 KB. Thousands of tiny ones cost a
/// millisecond to read.
const HEADERS_BYTES_MAX: usize = 8 * 1024;
/// Messages handed out without a pause for the other tasks of this thread.
const BURST: u32 = 64;

/// One member of a group that answers what is published on a subject. The connection is made when it is needed, and made
/// again when it is lost.
pub struct Responder {
    config: Config,
    subject: String,
    group: String,
    connection: Option<Connection>,
    /// Answers that are not given to the connection yet.
    answers: Vec<u8>,
    is_leaving: bool,
    /// Messages since the last pause.
    burst: u32,
}

/// What somebody published.
pub struct Published {
    /// Where to.
    pub subject: String,
    /// Its headers; `None` if they can't be read, or are too long.
    pub headers: Option<Headers>,
    /// Its body.
    pub payload: Bytes,
    /// Where its sender waits for an answer, if that is its own inbox.
    pub reply_to: Option<ReplyTo>,
}

impl Published {
    /// The same, apart from the buffer that it came in: for what is kept for long.
    #[must_use]
    pub fn detached(self) -> Self {
        Self {
            payload: Bytes::copy_from_slice(&self.payload),
            ..self
        }
    }
}

/// Where an answer is awaited.
#[derive(Debug, Clone)]
pub struct ReplyTo(Bytes);

impl Responder {
    /// A member of `group` that answers what is published on `subject`, which ends in a wildcard for the sender's name.
    #[must_use]
    pub fn new(config: &Config, subject: &str, group: &str) -> Self {
        Self {
            config: config.door(),
            subject: subject.to_owned(),
            group: group.to_owned(),
            connection: None,
            answers: Vec::new(),
            is_leaving: false,
            burst: 0,
        }
    }

    /// The next message; `None` when the last one has come after [`Responder::leave`]. Meanwhile it sends answers. A
    /// broker that is away is waited for. May be cancelled.
    pub async fn next(&mut self) -> Option<Published> {
        if self.burst >= BURST {
            self.burst = 0;
            tokio::task::yield_now().await;
        }
        loop {
            match self.operation().await {
                Ok(Operation::Message {
                    subject,
                    reply,
                    headers,
                    payload,
                }) => {
                    self.burst += 1;
                    let reply_to = reply.filter(|reply| is_own_inbox(&subject, reply));
                    return Some(Published {
                        subject: text(&subject).into_owned(),
                        headers: Some(&headers)
                            .filter(|headers| headers.len() <= HEADERS_BYTES_MAX)
                            .and_then(|headers| Headers::read(headers)),
                        payload,
                        // A copy: a part of the buffer that it came in would keep all of that.
                        reply_to: reply_to.map(|reply| ReplyTo(Bytes::copy_from_slice(&reply))),
                    });
                }
                Ok(Operation::Pong) if self.is_leaving => return None,
                Ok(_) => {}
                // Nothing new comes, and the answers that were to be sent can't be.
                Err(_) if self.is_leaving => return None,
                Err(error) => {
                    tracing::warn!(%error, subject = self.subject, "lost the connection that publishers are answered over");
                    self.connection = None;
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }

    /// Answers a publisher. The answer is sent with the next [`Responder::next`] or [`Responder::flush`].
    pub fn answer(&mut self, to: &ReplyTo, body: &[u8]) {
        encode_answer(&mut self.answers, &to.0, body);
    }

    /// Lets the other members have what is published from now on. [`Responder::next`] hands out what has come already.
    pub fn leave(&mut self) {
        self.is_leaving = true;
        if let Some(connection) = &mut self.connection {
            connection.leave();
        }
    }

    /// Sends the answers that were given.
    ///
    /// # Errors
    /// What became of the connection.
    pub async fn flush(&mut self) -> Result<(), String> {
        while let Some(connection) = &self.connection
            && !(self.answers.is_empty() && connection.is_flushed())
        {
            self.operation().await?;
        }
        Ok(())
    }

    async fn operation(&mut self) -> Result<Operation, String> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None if self.is_leaving => return Err("there was no connection".to_owned()),
            none => {
                let opened = Connection::open_shared(&self.config, &self.subject, &self.group);
                tracing::info!(subject = self.subject, "answering publishers");
                none.insert(opened.await?)
            }
        };
        if !self.answers.is_empty() {
            connection.send(std::mem::take(&mut self.answers));
        }
        connection.operation(SILENCE_MAX).await
    }
}

/// Whether this reply subject is a literal one in the inbox of whom the subject's last word names: `_INBOX_<client_id>.…`,
/// where nobody else may listen. Any other could have us speak to somebody else, or end our connection by an answer that we
/// may not give.
fn is_own_inbox(subject: &[u8], reply: &[u8]) -> bool {
    let client = subject.rsplit(|byte| *byte == b'.').next();
    let place = reply
        .strip_prefix(b"_INBOX_")
        .and_then(|rest| rest.strip_prefix(client?))
        .and_then(|rest| rest.strip_prefix(b"."));
    let is_literal =
        |word: &[u8]| !matches!(word, b"" | b"*" | b">") && word.iter().all(u8::is_ascii_graphic);
    place.is_some_and(|place| place.split(|byte| *byte == b'.').all(is_literal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_literal_subject_in_the_senders_own_inbox_is_answered() {
        let check = |reply: &[u8], is_answered: bool| {
            let is_own = is_own_inbox(b"request.payment.v1.shop", reply);
            assert_eq!(is_own, is_answered, "{}", text(reply));
        };
        for reply in ["_INBOX_shop.x", "_INBOX_shop.aB3.4-_$", "_INBOX_shop.a*.b>"] {
            check(reply.as_bytes(), true);
        }
        for reply in [
            "",
            ">",
            "*",
            "*.x",
            "*.>",
            "_INBOX_shop",
            "_INBOX_shop.",
            "_INBOX_shop.>",
            "_INBOX_shop.*",
            "_INBOX_shop.*.x",
            "_INBOX_shop.x.>",
            "_INBOX_shop.x.",
            "_INBOX_shop..x",
            "_INBOX_shop.\u{1}",
            "_INBOX_shop.é",
            "_INBOX_shop-2.x",
            "_INBOX_other.x",
            "_INBOX_*.x",
            "_INBOX_payments.x",
            "_R_.x",
            "$JS.ACK.",
            "$JS.>",
            "request.payment.v1.shop",
            "settlement.payment.v1.shop",
        ] {
            check(reply.as_bytes(), false);
        }
        check(b"_INBOX_shop.\xff", false);
    }
}
