//! All of auth's SQL, one statement per function, on the caller's connection.

pub(crate) mod clients;
pub(crate) mod events;
pub(crate) mod keys;
pub(crate) mod mandates;
pub(crate) mod one_time_codes;
pub(crate) mod people;
pub(crate) mod revocations;
pub(crate) mod second_factors;
pub(crate) mod sessions;
pub(crate) mod throttle;
