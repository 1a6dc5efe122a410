//! The parts of a running bank, each on its own: ended, frozen, started again, or joined by a second one.

use std::process::ExitStatus;

use anyhow::Result;

use super::Bank;
use crate::part::{Part, Service};
use crate::ports;
use crate::service::ServiceProcess;

impl Bank {
    /// `kill -9` for one part.
    pub fn kill(&mut self, part: Part) {
        self.process_mut(part).kill_hard();
    }

    /// Stops the clock of one part: it is there and answers nothing, until [`Bank::thaw`].
    pub fn freeze(&mut self, part: Part) {
        self.process_mut(part).freeze();
    }

    /// Lets a frozen part go on.
    pub fn thaw(&mut self, part: Part) {
        self.process_mut(part).thaw();
    }

    /// Asks one part to leave (SIGTERM); returns at once.
    pub fn ask_to_leave(&mut self, part: Part) {
        self.process_mut(part).ask_to_leave();
    }

    /// Stops one part in order; blocks until it is gone.
    pub fn stop_part(&mut self, part: Part) {
        self.process_mut(part).stop();
    }

    /// The process id of a part.
    pub fn process_id(&mut self, part: Part) -> u32 {
        self.process_mut(part).id()
    }

    /// Does this part run?
    pub fn is_running(&mut self, part: Part) -> bool {
        self.process_mut(part).is_running()
    }

    /// How this part ended; `None` while it runs.
    pub fn ended(&mut self, part: Part) -> Option<ExitStatus> {
        self.process_mut(part).ended()
    }

    /// Starts one part that was killed or stopped, on its old port, and waits until it is ready.
    pub async fn start_part(&mut self, part: Part) -> Result<()> {
        let service = match part {
            Part::Postgres => return self.servers.restart_postgres().await,
            Part::Nats => return self.servers.restart_nats().await,
            Part::Auth => Service::Auth,
            Part::Ledger => Service::Ledger,
            Part::Payments => Service::Payments,
            Part::Console => return self.console_mut().restart().await,
            Part::Gateway => return self.gateway_mut().restart().await,
        };
        self.process_mut(part).stop();
        let port = self.services[service.name()].port;
        let process = self.spawn(service, service.name(), port, &[])?;
        self.services.insert(service.name(), process);
        self.service_mut(service).wait_until_ready().await
    }

    /// For tests: starts PostgreSQL again with these settings, such as `fsync=off`, over those that a bank needs.
    pub async fn restart_postgres_with(&mut self, settings: &[&str]) -> Result<()> {
        self.servers.restart_postgres_with(settings).await
    }

    /// Starts one part without waiting until it is ready: for a part that is meant to crash at its start.
    pub fn spawn_part(&mut self, service: Service) -> Result<()> {
        self.process_mut(service.into()).stop();
        let port = self.services[service.name()].port;
        let process = self.spawn(service, service.name(), port, &[])?;
        self.services.insert(service.name(), process);
        Ok(())
    }

    /// Starts one more process of a service, on a port of its own, with the same environment and
    /// `environment` on top. `name` names its log. Returns before it is ready: a standby ledger may not be.
    pub fn spawn_second(
        &self,
        service: Service,
        name: &'static str,
        environment: &[(String, String)],
    ) -> Result<ServiceProcess> {
        self.spawn(service, name, ports::free()?, environment)
    }
}
