//! The console, as its people see it: a whole bank behind its gateway, and a real Chromium.
//!
//! Without Chromium and its driver these tests say loudly that they did not run. `.ci/browser` installs what they need, and
//! with `QUITTANCE_BROWSER=required`, as in `.ci/run`, nothing may be missing. `QUITTANCE_SCREENSHOTS=DIR` keeps pictures.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod browser;
mod desk;
#[path = "../commands/home.rs"]
mod home;

mod flows;
mod holding;
mod look;
mod pages;
mod reading;
mod sessions;
mod statement;
mod streams;
