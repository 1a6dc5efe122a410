//! A whole bank: the servers and the three services, started, watched over and stopped as one.
//!
//! The services start together (the ledger makes the streams that auth needs) and are waited for
//! together. A part that is killed starts again on its old port, with its old data: that is what the
//! tests of crashes do, and what `quittance up` does for a service that died.

mod parts;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};

use crate::certificate::{Tls, certificate_of};
use crate::console::{self, Addresses, Console};
use crate::home::Home;
use crate::install;
use crate::nginx::{self, Behind, Gateway, GatewayOptions};
use crate::part::{Part, Service};
use crate::ports::Ports;
use crate::process::{Process, stop_leftover};
use crate::producer::Producer;
use crate::progress::{Progress, finished, started};
use crate::servers::{self, ServerOptions, Servers};
use crate::service::{READY_LIMIT, ServiceProcess, command};
use crate::status::{Demo, Status};

/// Where payments and the ledger find auth.
const AUTH_URL: &str = "QUITTANCE_AUTH_URL";

/// What a bank is started with.
#[derive(Debug)]
pub struct BankOptions {
    /// The directory that holds it.
    pub home: Home,
    /// The `quittance` binary; `<program> serve ledger` runs the ledger.
    pub program: PathBuf,
    /// Which ports to listen on.
    pub ports: Ports,
    /// Who gets a NATS login in the account EDGE or DIRECT.
    pub producers: Vec<Producer>,
    /// nginx in front of the services, and the console; most tests do without.
    pub gateway: Option<GatewayOptions>,
    /// Additional environment of single services (tests: `QUITTANCE_CRASH_AT`).
    pub environment: Vec<(Service, String, String)>,
}

/// A running bank. Dropping it stops everything.
#[derive(Debug)]
pub struct Bank {
    // In the order in which they are dropped: the services before what they need.
    pub(crate) gateway: Option<Gateway>,
    console: Option<Console>,
    services: BTreeMap<&'static str, ServiceProcess>,
    pub(crate) servers: Servers,
    program: PathBuf,
    environment: Vec<(Service, String, String)>,
    pub(crate) is_store_full: bool,
}

impl Bank {
    /// Starts everything and waits until all of it is ready.
    pub async fn start(options: BankOptions, progress: &Progress) -> Result<Self> {
        let BankOptions {
            home,
            program,
            ports,
            producers,
            gateway,
            environment,
        } = options;
        let program = std::path::absolute(&program).context("the program is no usable path")?;
        let kept = home.kept_nginx();
        let found = async {
            match &gateway {
                Some(_) => {
                    started(progress, install::NGINX.label);
                    let found = servers::find(&install::NGINX, kept, progress).await?;
                    anyhow::Ok(Some(found))
                }
                None => Ok(None),
            }
        };
        let options = ServerOptions { ports, producers };
        let (found, servers) = tokio::join!(found, Servers::start(home, &options, progress));
        let (found, servers) = (found?, servers?);
        let mut bank = Self {
            gateway: None,
            console: None,
            services: BTreeMap::new(),
            servers,
            program,
            environment,
            is_store_full: false,
        };
        // Before the ports are chosen: a process that an earlier run left may hold one.
        for service in Service::ALL {
            stop_leftover(&bank.home().pid_file(service.name()), &command(service))?;
        }
        if gateway.is_some() {
            nginx::make_media(bank.home())?;
        }
        for service in Service::ALL {
            started(progress, service.name());
        }
        let migrate = |service| bank.servers.migrate(&bank.program, service);
        let [auth, ledger, payments] = Service::ALL;
        tokio::try_join!(migrate(auth), migrate(ledger), migrate(payments))?;
        for (service, usual) in Service::ALL.into_iter().zip([8081, 8082, 8083]) {
            let port = bank.home().pick_port(service.name(), ports, usual)?;
            let process = bank.spawn(service, service.name(), port, &[])?;
            bank.services.insert(service.name(), process);
        }
        bank.wait_until_ready(progress).await?;
        let services = bank.services.values();
        let mut noted: Vec<_> = services.map(|one| (one.service.name(), one.port)).collect();
        if let (Some(found), Some(options)) = (found, gateway) {
            let console = bank.start_console(ports, &options.tls, progress).await?;
            let behind = Behind {
                auth: bank.services[auth.name()].port,
                ledger: bank.services[ledger.name()].port,
                payments: bank.services[payments.name()].port,
                console,
            };
            let gateway = Gateway::start(found, bank.home(), behind, ports, options).await?;
            finished(progress, install::NGINX.label);
            noted.extend([
                (Part::Console.name(), console),
                (Part::Gateway.name(), gateway.port),
            ]);
            let home = bank.servers.home_mut();
            home.note_program(&install::NGINX, gateway.found())?;
            bank.gateway = Some(gateway);
        }
        bank.servers.home_mut().note_ports(&noted)?;
        Ok(bank)
    }

    /// Starts the console and returns its port.
    async fn start_console(&mut self, ports: Ports, tls: &Tls, progress: &Progress) -> Result<u16> {
        let name = Part::Console.name();
        started(progress, name);
        let port = self.home().pick_port(name, ports, 8084)?;
        let addresses = Addresses {
            auth: self.url(Service::Auth),
            ledger: self.url(Service::Ledger),
            payments: self.url(Service::Payments),
            nats: self.servers.nats_url(),
            certificate: (*tls != Tls::Off).then(|| certificate_of(self.home().path())),
        };
        console::write_assets(&self.program, &self.home().static_files()).await?;
        let console = Console::start(&self.program, self.home(), port, addresses).await?;
        self.console = Some(console);
        finished(progress, name);
        Ok(port)
    }

    /// The database and the broker, their URLs and passwords.
    #[must_use]
    pub fn servers(&self) -> &Servers {
        &self.servers
    }

    /// The directory of this bank.
    #[must_use]
    pub fn home(&self) -> &Home {
        self.servers.home()
    }

    /// Where a service answers: `http://127.0.0.1:8082`.
    #[must_use]
    pub fn url(&self, service: Service) -> String {
        self.services[service.name()].url()
    }

    /// Where the gateway answers: `http://127.0.0.1:8080`. `None` without one.
    #[must_use]
    pub fn gateway_url(&self) -> Option<String> {
        self.gateway.as_ref().map(Gateway::url)
    }

    /// Where the console answers by itself: `http://127.0.0.1:8084`. `None` without one.
    #[must_use]
    pub fn console_url(&self) -> Option<String> {
        self.console.as_ref().map(Console::url)
    }

    /// Has the gateway read its configuration and its certificate again. Requests that run end as they began.
    pub fn reload_gateway(&mut self) {
        if let Some(gateway) = &mut self.gateway {
            gateway.process.reload();
        }
    }

    /// The environment a service was started with.
    #[must_use]
    pub fn service_env(&self, service: Service) -> Vec<(String, String)> {
        self.environment_on(service, self.services[service.name()].port)
    }

    /// Sets (or with `None` removes) one variable of a service, from its next start on.
    pub fn set_env(&mut self, service: Service, name: &str, value: Option<&str>) {
        self.environment
            .retain(|(of, key, _)| !(*of == service && key == name));
        if let Some(value) = value {
            self.environment
                .push((service, name.to_owned(), value.to_owned()));
        }
    }

    /// Where everything is.
    #[must_use]
    pub fn status(&self, demo: Option<Demo>) -> Status {
        Status {
            gateway: self.gateway_url(),
            console: self.console_url(),
            auth: self.url(Service::Auth),
            ledger: self.url(Service::Ledger),
            payments: self.url(Service::Payments),
            nats: self.servers.nats_url(),
            postgres: self.servers.postgres_address(),
            demo,
        }
    }

    /// Stops everything, services first, and waits until it is gone.
    pub async fn stop(self) -> Result<()> {
        tokio::task::spawn_blocking(move || drop(self))
            .await
            .context("stopping ended early")
    }

    /// Waits for all at once, because each may need what another makes. Fails as soon as one ends, even
    /// one that was ready (a ledger whose books and log contradict each other).
    async fn wait_until_ready(&mut self, progress: &Progress) -> Result<()> {
        let count = self.services.len();
        let ready = AtomicUsize::new(0);
        let mut waits = self.services.values_mut().map(|service| async {
            service.wait_until_ready().await?;
            finished(progress, service.service.name());
            ready.fetch_add(1, Ordering::Relaxed);
            let all_ready = async || ready.load(Ordering::Relaxed) == count;
            service
                .process
                .wait_until_ready(READY_LIMIT, all_ready)
                .await
        });
        let mut next = || waits.next().expect("start inserts all services");
        let (auth, ledger, payments) = (next(), next(), next());
        // The ledger first: when all take too long, its error counts, because the others wait for it.
        tokio::try_join!(ledger, auth, payments)?;
        Ok(())
    }

    fn environment_on(&self, service: Service, port: u16) -> Vec<(String, String)> {
        let mut environment = self.servers.service_env(service, port);
        // Auth is the first that starts.
        let auth = self.services.get(Service::Auth.name());
        if let Some(auth) = auth.filter(|_| service != Service::Auth) {
            environment.retain(|(name, _)| name != AUTH_URL);
            environment.push((AUTH_URL.to_owned(), auth.url()));
        }
        let additional = self.environment.iter().filter(|(of, _, _)| *of == service);
        environment.extend(additional.map(|(_, name, value)| (name.clone(), value.clone())));
        environment
    }

    fn spawn(
        &self,
        service: Service,
        name: &'static str,
        port: u16,
        additional: &[(String, String)],
    ) -> Result<ServiceProcess> {
        let mut environment = self.environment_on(service, port);
        environment.extend_from_slice(additional);
        ServiceProcess::spawn(self.home(), &self.program, service, name, port, environment)
    }

    fn service_mut(&mut self, service: Service) -> &mut ServiceProcess {
        self.services
            .get_mut(service.name())
            .expect("start inserts all services")
    }

    fn gateway_mut(&mut self) -> &mut Gateway {
        let gateway = self.gateway.as_mut();
        gateway.expect("only a bank with a gateway is asked for it")
    }

    fn console_mut(&mut self) -> &mut Console {
        let console = self.console.as_mut();
        console.expect("only a bank with a console is asked for it")
    }

    fn process_mut(&mut self, part: Part) -> &mut Process {
        match part {
            Part::Postgres => self.servers.postgres_process(),
            Part::Nats => self.servers.nats_process(),
            Part::Auth => &mut self.service_mut(Service::Auth).process,
            Part::Ledger => &mut self.service_mut(Service::Ledger).process,
            Part::Payments => &mut self.service_mut(Service::Payments).process,
            Part::Console => &mut self.console_mut().process,
            Part::Gateway => &mut self.gateway_mut().process,
        }
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        self.home().unpublish();
        // First nobody asks any more.
        self.gateway = None;
        self.console = None;
        // In reverse: payments stops taking, then the ledger stops booking, then auth.
        for service in Service::ALL.into_iter().rev() {
            self.services.remove(service.name());
        }
    }
}
