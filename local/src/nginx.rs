//! nginx: the bank's one address, in front of its services.
//!
//! Its configuration is `gateway/`, as it stands. Only where the services are, and where nginx itself listens, is written
//! for each bank. When we are root, it runs as a user without rights. That user reads the configuration and the key, changes
//! neither, and writes in one directory only: whoever takes nginx over can't have root follow a link at the next start.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::certificate::{self, CERTIFICATE, KEY, Tls};
use crate::home::{Home, make_private};
use crate::http;
use crate::install::{self, Found};
use crate::part::{Part, Service};
use crate::ports::{Ports, loopback};
use crate::process::{Farewell, Process, Program, stop_leftover};
use crate::secrets::write_private;
use crate::user::{self, User};

/// Under this name a home notes the console's port.
const CONSOLE: &str = Part::Console.name();
/// The files that are the same everywhere.
const FIXED: [(&str, &str); 8] = [
    ("nginx.conf", include_str!("../../gateway/nginx.conf")),
    ("problems.conf", include_str!("../../gateway/problems.conf")),
    ("errors.conf", include_str!("../../gateway/errors.conf")),
    ("headers.conf", include_str!("../../gateway/headers.conf")),
    ("stream.conf", include_str!("../../gateway/stream.conf")),
    ("large.conf", include_str!("../../gateway/large.conf")),
    ("types.conf", include_str!("../../gateway/types.conf")),
    ("tls.conf", include_str!("../../gateway/tls.conf")),
];
/// Those of the containers; a bank's own are made from them.
const PLACES: &str = include_str!("../../gateway/places.conf");
const LISTEN: &str = include_str!("../../gateway/listen.conf");
const NAMES: &str = include_str!("../../gateway/names.conf");
/// From this version on HTTP/2 is a directive of its own.
const HTTP2_SINCE: (u32, u32) = (1, 26);
/// It starts within milliseconds; a busy machine may take longer.
const READY_LIMIT: Duration = Duration::from_secs(20);

/// What the gateway of a bank is started with.
#[derive(Debug, Clone, Default)]
pub struct GatewayOptions {
    /// With TLS its address is `https://…`, and it answers nothing else.
    pub tls: Tls,
    /// Names under which it is reached besides localhost and 127.0.0.1.
    pub names: Vec<String>,
}

impl From<Tls> for GatewayOptions {
    /// On this machine only.
    fn from(tls: Tls) -> Self {
        let names = Vec::new();
        Self { tls, names }
    }
}

/// Where the services listen, on loopback.
#[derive(Debug, Clone, Copy)]
pub struct Behind {
    /// `/auth/`
    pub auth: u16,
    /// `/bank/`
    pub ledger: u16,
    /// `/payment/`
    pub payments: u16,
    /// `/admin/`
    pub console: u16,
}

/// The gateway of one bank.
#[derive(Debug)]
pub(crate) struct Gateway {
    found: Found,
    user: Option<User>,
    directory: PathBuf,
    log: PathBuf,
    pid_file: PathBuf,
    pub(crate) port: u16,
    options: GatewayOptions,
    pub(crate) process: Process,
}

impl Gateway {
    /// Writes the configuration, starts the server and waits until it answers.
    pub(crate) async fn start(
        found: Found,
        home: &Home,
        behind: Behind,
        ports: Ports,
        options: GatewayOptions,
    ) -> Result<Self> {
        let user = user::of_gateway()?;
        let directory = home.path().join("gateway");
        let pid_file = home.pid_file(Part::Gateway.name());
        stop_leftover(&pid_file, &directory.display().to_string())?;
        let port = home.pick_port(Part::Gateway.name(), ports, 8080)?;
        make_private(&directory)?;
        let run = directory.join("run");
        // What an earlier nginx left may be another user's.
        if run.exists() {
            fs::remove_dir_all(&run).with_context(|| format!("cannot empty {}", run.display()))?;
        }
        make_private(&run)?;
        let assets = home.static_files();
        fs::create_dir_all(&assets)
            .and_then(|()| fs::set_permissions(&assets, Permissions::from_mode(0o755)))
            .with_context(|| format!("cannot make {}", assets.display()))?;
        make_media(home)?;
        let own = [
            ("places.conf", render_places(behind)?),
            (
                "listen.conf",
                render_listen(port, &options.tls, found.version)?,
            ),
            ("names.conf", render_names(&options.names)?),
        ];
        certificate::put(&options.tls, &directory, &options.names)?;
        let fixed = FIXED.map(|(name, text)| (name, text.to_owned()));
        for (name, text) in fixed.iter().chain(&own) {
            write_private(&directory.join(name), text.as_bytes())?;
        }
        let log = home.log(Part::Gateway);
        // nginx opens it once more, by the name /dev/stdout.
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&log)
            .with_context(|| format!("cannot open {}", log.display()))?;
        if let Some(user) = &user {
            for (name, _) in fixed.iter().chain(&own) {
                let_read(&directory.join(name), user, 0o640)?;
            }
            if options.tls != Tls::Off {
                let_read_certificate(&directory, user)?;
            }
            let_read(&directory, user, 0o750)?;
            for path in [&run, &log] {
                chown(path, Some(user.uid), Some(user.gid))
                    .with_context(|| format!("cannot give {} to {}", path.display(), user.name))?;
            }
            for path in [&run, &assets, &home.media(), &found.path] {
                user::must_be_reachable(install::NGINX.label, path, user)?;
            }
        }
        let process = spawn(&found, user.as_ref(), &directory, &log, &pid_file)?;
        let mut gateway = Self {
            found,
            user,
            directory,
            log,
            pid_file,
            port,
            options,
            process,
        };
        gateway.wait_until_ready().await?;
        Ok(gateway)
    }

    /// Starts it again on the same port.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.process.stop();
        self.process = spawn(
            &self.found,
            self.user.as_ref(),
            &self.directory,
            &self.log,
            &self.pid_file,
        )?;
        self.wait_until_ready().await
    }

    /// Takes a certificate that was renewed, or makes the next self-signed one; no request notices.
    pub(crate) fn renew(&mut self) -> Result<()> {
        let GatewayOptions { tls, names } = &self.options;
        if certificate::put(tls, &self.directory, names)? {
            if let Some(user) = &self.user {
                let_read_certificate(&self.directory, user)?;
            }
            self.process.reload();
        }
        Ok(())
    }

    fn has_tls(&self) -> bool {
        self.options.tls != Tls::Off
    }

    pub(crate) fn found(&self) -> &Found {
        &self.found
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.has_tls() { "https" } else { "http" };
        format!("{scheme}://{}", loopback(self.port))
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let (port, has_tls) = (self.port, self.has_tls());
        self.process
            .wait_until_ready(READY_LIMIT, async || {
                // Without TLS we are told that it speaks TLS.
                http::says_ok(port, "/health/live").await || (has_tls && http::is_there(port).await)
            })
            .await
    }
}

/// Makes the directory of the files that the ledger writes and nginx reads. Nobody else does.
pub(crate) fn make_media(home: &Home) -> Result<()> {
    let media = home.media();
    make_private(&media)?;
    if let Some(user) = user::of_gateway()? {
        // What is made there belongs to its group.
        let_read(&media, &user, 0o2750)?;
    }
    Ok(())
}

fn spawn(
    found: &Found,
    user: Option<&User>,
    directory: &Path,
    log: &Path,
    pid_file: &Path,
) -> Result<Process> {
    let words = ["-e", "stderr", "-c", "nginx.conf", "-p"].map(OsStr::new);
    let mut arguments = words.to_vec();
    // With a slash at its end, or nginx 1.22 takes it for the beginning of a name.
    let directory = directory.join("");
    arguments.push(directory.as_os_str());
    let program = Program {
        name: Part::Gateway.name(),
        path: &found.path,
        arguments,
        environment: Vec::new(),
        log: log.to_owned(),
        pid_file: pid_file.to_owned(),
    };
    Process::server(&program, user, Farewell::Drain)
}

fn let_read_certificate(directory: &Path, user: &User) -> Result<()> {
    for file in [CERTIFICATE, KEY] {
        let_read(&directory.join(file), user, 0o640)?;
    }
    Ok(())
}

/// Lets nginx' user read what stays root's.
fn let_read(path: &Path, user: &User, mode: u32) -> Result<()> {
    chown(path, None, Some(user.gid))
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .with_context(|| format!("cannot show {} to {}", path.display(), user.name))
}

/// `places.conf` of the containers, with this bank's addresses.
fn render_places(behind: Behind) -> Result<String> {
    let [auth, ledger, payments] = Service::ALL.map(Service::name);
    let mut text = PLACES.to_owned();
    for (name, usual, port) in [
        (auth, 8081, behind.auth),
        (ledger, 8082, behind.ledger),
        (payments, 8083, behind.payments),
        (CONSOLE, 8084, behind.console),
    ] {
        let container = format!("server {name}:{usual} resolve;");
        let here = format!("server {};", loopback(port));
        text = replace_once(&text, &container, &here)?;
    }
    // Beside nginx' own directory.
    let text = replace_once(&text, "/srv/media", "../media")?;
    replace_once(&text, "/srv/static", "../static")
}

fn render_listen(port: u16, tls: &Tls, version: (u32, u32)) -> Result<String> {
    let address = loopback(port);
    let here = if *tls == Tls::Off {
        format!("listen {address};")
    } else {
        let http2 = if version < HTTP2_SINCE {
            ""
        } else {
            "http2 on;\n"
        };
        format!(
            "listen {address} ssl;\n{http2}ssl_certificate {CERTIFICATE};\nssl_certificate_key {KEY};\n\
             include tls.conf;"
        )
    };
    replace_once(LISTEN, "listen 8080;", &here)
}

fn render_names(names: &[String]) -> Result<String> {
    let mut all = String::new();
    for name in names {
        // It becomes a word of the configuration.
        let is_plain = name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        ensure!(
            is_plain && name.starts_with(|c: char| c.is_ascii_alphanumeric()),
            "{name:?} cannot be a name of the gateway"
        );
        all += &format!(" {name}");
    }
    replace_once(NAMES, " [::1];", &format!(" [::1]{all};"))
}

fn replace_once(text: &str, from: &str, to: &str) -> Result<String> {
    ensure!(
        text.matches(from).count() == 1,
        "gateway/ has not one {from:?}"
    );
    Ok(text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banks_gateway_looks_for_nothing_outside_of_this_machine() {
        let behind = Behind {
            auth: 1001,
            ledger: 1002,
            payments: 1003,
            console: 1004,
        };
        let text = render_places(behind).unwrap();
        let servers: Vec<_> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("server "))
            .collect();
        assert_eq!(
            servers,
            [1001, 1002, 1003, 1004].map(|port| format!("127.0.0.1:{port};"))
        );
        assert!(
            render_listen(1000, &Tls::Off, (1, 22))
                .unwrap()
                .contains("listen 127.0.0.1:1000;")
        );
        let tls = render_listen(1000, &Tls::SelfSigned, (1, 22)).unwrap();
        assert!(tls.contains("listen 127.0.0.1:1000 ssl;") && !tls.contains("http2"));
    }

    #[test]
    fn a_name_cannot_smuggle_in_a_directive() {
        let render = |name: &str| render_names(&[name.to_owned()]);
        assert!(render("bank.test").unwrap().contains(" bank.test;"));
        for name in ["", "a;b", "a b", "~.*", "*.example", "_", "{", ".example"] {
            assert!(render(name).is_err(), "{name}");
        }
    }
}
