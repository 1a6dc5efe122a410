//! Everything said to NATS: connecting, the two streams, publishing, and reading them in order.
//!
//! A reader trusts the sequence alone, not the broker's acks or the client's ordered consumer: [`Reader`] hands out
//! messages `n, n+1, n+2 …` and nothing else. A [`Publisher`] stores many messages or none with one fsync, or one by
//! one. [`Answers`] waits for the answer to a request. A [`Responder`] is the other end: it answers what others publish.

mod config;
mod error;

mod tls;

mod client;
mod connection;
mod get;
mod servers;
mod standing;
mod streams;

mod consumer_names;
mod feed;
mod gets;
mod reader;

mod sender;

mod publisher;

mod answers;
mod responder;

mod logs;

pub use answers::Answers;
pub(crate) use client::connect_quietly;
pub use client::{connect, jetstream};
pub use config::Config;
pub use consumer_names::consumers_of_settlements;
pub use error::{PublishError, ReadError};
pub use get::{get, get_next};
pub use logs::{Logs, LogsError, Published as PublishedLine, log_subject};
pub use publisher::{ALONE_MAX, BATCH_MESSAGES_MAX, Publisher};
pub use reader::Reader;
pub use responder::{Published, ReplyTo, Responder};
pub use servers::{JetStreamServer, servers};
pub use standing::{Standing, standing};
pub use streams::{
    StreamsError, durable_consumers, ensure_streams, holders, last_sequence, stream_faults,
};
