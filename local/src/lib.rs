//! A whole bank on one machine: finds or installs nats-server, PostgreSQL and nginx, starts private ones,
//! makes the roles and databases, starts the three services, watches over them and stops them.
//!
//! In: a [`Home`] (the directory that holds everything one bank remembers). Out: [`Servers`] for the
//! tests of one crate, or a [`Bank`] for `quittance up`, the tests of the whole and the bench.
//! Nothing started here outlives its process, not even after `kill -9`: see [`process`].
//!
//! This crate depends on no other crate of the workspace. What it shares with the services is the
//! environment it starts them with ([`Servers::service_env`]) and their `/health/ready`.

mod bank;
mod bounded_log;
mod certificate;
mod console;
mod disk;
mod exposed;
mod home;
mod http;
mod install;
mod last_start;
mod lock;
mod nats;
mod nginx;
mod part;
mod place;
mod ports;
mod postgres;
pub mod process;
mod producer;
mod progress;
mod secret_files;
mod secrets;
mod servers;
mod service;
mod staging;
mod standing;
mod status;
pub mod testing;
mod trouble;
mod user;

pub use bank::{Bank, BankOptions};
pub use certificate::{Tls, certificate_of};
pub use disk::Room;
pub use exposed::{Exposed, exposed_secrets};
pub use home::{Home, down};
pub use nginx::{Behind, GatewayOptions};
pub use part::{Part, Service};
pub use place::xdg;
pub use ports::Ports;
pub use producer::{Producer, Way};
pub use progress::{Progress, Step, silent};
pub use secrets::{DemoSecrets, Secrets};
pub use servers::{ServerOptions, Servers};
pub use service::ServiceProcess;
pub use status::{Demo, DemoCustomer, DemoLogin, DemoProducer, DemoServiceAccount, Status};
pub use trouble::Trouble;
