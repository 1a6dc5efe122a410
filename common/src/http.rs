//! What the HTTP side of every service needs.

pub mod problem;

pub mod ask;
pub mod body;
pub mod caller;
pub mod describe;
pub mod docs;
pub mod events;
pub mod exchange;
mod measure;
pub mod owners;
pub mod page;
pub mod prefix;
pub mod queries;
pub mod serve;
