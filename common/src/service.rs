//! What every service does around its own work: read its configuration, log, migrate and open its database, and stop when
//! it has to.

mod database;

mod certificates;
mod clock;

mod config;
mod discovery;
mod exchange;
mod logging;
mod metrics;
mod readiness;
mod secret_files;
mod stop;
pub mod traces;

mod probes;

pub use certificates::{CERTIFICATE_SOON, certificate_end, watch_certificates};
pub use clock::{DIFFERENCE_MAX, Difference};
pub use config::{Config, Web};
pub use database::{
    Database, DatabaseUrl, Owner, check_tables, database_time, migrate, open_database,
};
pub use discovery::{Discovery, Instance, Targets, announce, instances};
pub use exchange::{Exchange, Secret};
pub use logging::{Ids, PAYMENT, Shipping, ids_of, ship_logs, start_logging};
pub(crate) use metrics::rendered;
pub use metrics::{as_gauge, start_metrics};
pub use probes::{Waiting, watch_broker, watch_database};
pub use readiness::{Parts, Readiness};
pub use secret_files::read_secret_files;
pub use stop::{Stop, stop_of_service, stop_signal};

use chrono::{DateTime, Utc};

/// The time. Shells read it here and pass it on; the core never does.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
