//! What crosses a boundary: the words every service shares, and nothing that only one of them needs.
//!
//! Read in this order: [`money`], [`ids`] and [`reason`] are values, [`kinds`] the bodies of requests and answers made of
//! them, [`message`] and [`headers`] what carries a body, [`wire`] the names on it, [`token`] the permission to send it.
//! Up to here nothing does I/O. [`broker`] moves messages, [`http`] serves people, and [`service`] starts a process around
//! all of it.

pub mod account_number;
mod currencies;
pub mod ids;
pub mod money;
pub mod reason;
pub mod tile;
pub mod timestamp;

pub mod headers;
pub mod wire;

pub mod message;

pub mod kinds;

pub mod token;

pub mod broker;

mod store;

pub mod http;
pub mod service;
