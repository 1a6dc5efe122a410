//! What crosses a boundary: the words every service shares, and nothing that only one of them needs.
//!
//! Read in this order: [`money`] and [`ids`] are the values, [`request`] and [`answer`] the messages made of them,
//! [`wire`] their subjects and headers, [`token`] who may send them. [`broker`] moves them, [`problem`] says over HTTP
//! what went wrong, and [`service`] starts a process around all of it.

mod currencies;
pub mod ids;
pub mod money;

pub mod answer;
pub mod request;
pub mod wire;

pub mod token;

pub mod broker;
pub mod problem;
pub mod service;
