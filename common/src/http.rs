//! What the HTTP side of every service needs.

pub mod problem;

pub mod body;
pub mod caller;
pub mod serve;
