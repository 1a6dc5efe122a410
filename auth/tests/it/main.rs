//! The service as others meet it: over HTTP and in the log, with real servers behind it.

mod announcing;
mod assertions;
mod audit;
mod clients;
mod harness;
mod importing;
mod interop;
mod invitations;
mod keys;
mod mandates;
mod methods;
mod oauth;
mod outages;
mod people;
mod persons;
mod recorded;
mod restored;
mod roles;
mod second_factor;
mod secrets;
mod sessions;
mod simplejwt;
mod staff_second_factor;
mod throttle;
