//! The service as others meet it: over HTTP and in the log, with real servers behind it.

mod announcing;
mod audit;
mod harness;
mod oauth;
mod outages;
mod people;
mod sessions;
mod simplejwt;
mod throttle;
