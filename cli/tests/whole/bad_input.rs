//! Bad input: a clear error, nothing lost. Over HTTP a problem document with the right status, over NATS a rejected
//! answer with its reason; nothing stops the engine, and every stored message has its answer.

mod payments;
mod rejected;

mod anything;
mod limits;
mod over_http;
mod over_nats;
mod unreadable;
