//! The core: messages and a book in, answers and changes out. Pure: no I/O, no clock, no randomness, no `async`.
//!
//! [`verify`] reads a message, [`touches`] says what must be loaded for it, [`decide`] answers it from the [`book`] with
//! the [`change`]s that follow, [`batch`] does so for many, and [`chain`] links them. An answer is published as an
//! [`event`].

pub mod rules;

pub mod at;
pub mod chain;

pub mod verify;

pub mod book;
pub mod change;
pub mod touches;

pub mod decide;

pub mod batch;
pub mod event;

pub mod merkle;

mod rejection;
