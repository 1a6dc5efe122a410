//! What every service does around its own work: read its configuration, log, migrate and open its database, serve HTTP
//! with health checks, and stop in order when it is told to.

mod secret_files;

pub use secret_files::read_secret_files;

use std::convert::Infallible;
use std::io::{IsTerminal as _, Read as _};
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::BytesMut;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;
use tracing_subscriber::EnvFilter;

use crate::broker;
use crate::problem::Problem;
use crate::request::BODY_BYTES_MAX;

/// Connections to the database per service: two cores are busy with fewer.
const DATABASE_CONNECTIONS_MAX: u32 = 10;
/// A request that waits longer than this for a connection is told to come again.
const DATABASE_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// What every service needs to know. Each option can also be given in the environment.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Config {
    /// Address to serve HTTP on.
    #[arg(long, env = "QUITTANCE_LISTEN")]
    pub listen: SocketAddr,
    /// The broker.
    #[command(flatten)]
    pub broker: broker::Config,
    /// The databases.
    #[command(flatten)]
    pub database: Database,
    /// Stop when standard input ends: whoever started this has died.
    #[arg(long, env = "QUITTANCE_STOP_WITH_PARENT", action = clap::ArgAction::Set, default_value_t = false, num_args = 0..=1, default_missing_value = "true")]
    pub stop_with_parent: bool,
}

/// Where a service's database is, for the service and for its migrations.
#[derive(Debug, Clone, clap::Args)]
pub struct Database {
    /// `postgres://` URL of the role that the service works as.
    #[arg(
        long = "database-url",
        env = "QUITTANCE_DATABASE_URL",
        hide_env_values = true
    )]
    pub url: DatabaseUrl,
    /// `postgres://` URL of the role that owns the tables; without it nothing is migrated.
    #[arg(
        long = "migration-database-url",
        env = "QUITTANCE_MIGRATION_DATABASE_URL",
        hide_env_values = true
    )]
    pub migration_url: Option<DatabaseUrl>,
}

impl Database {
    /// The login that the service works as.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn options(&self) -> anyhow::Result<PgConnectOptions> {
        self.url.parsed("QUITTANCE_DATABASE_URL")
    }

    fn owner_options(&self) -> anyhow::Result<Option<PgConnectOptions>> {
        let url = self.migration_url.as_ref();
        url.map(|url| url.parsed("QUITTANCE_MIGRATION_DATABASE_URL"))
            .transpose()
    }
}

/// A URL with a password in it. It is any text, and read as a URL later, because clap prints what it can't parse.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl DatabaseUrl {
    fn parsed(&self, option: &str) -> anyhow::Result<PgConnectOptions> {
        // What the parser says may quote what it has read.
        self.0.parse().map_err(|_| {
            anyhow!(
                "{option} is no postgres:// URL; in a password, write : / ? # [ ] @ % as %3A %2F %3F %23 %5B %5D %40 %25"
            )
        })
    }
}

/// Logs from here on: to standard error, as text on a terminal and as JSON otherwise. `QUITTANCE_LOG` filters.
pub fn start_logging() {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .with_env_var("QUITTANCE_LOG")
        .from_env_lossy();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second service in the same process (a test) logs with the first one's settings.
    let started = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().try_init()
    };
    drop(started);
}

/// Migrates as the owner of the tables, then opens the pool that the service works with.
///
/// # Errors
/// When a URL is none, or the database does not answer, or holds tables of a newer version.
pub async fn open_database(config: &Database, migrations: &Migrator) -> anyhow::Result<PgPool> {
    let service = config.options()?;
    if let Some(owner) = config.owner_options()? {
        let mut connection = owner
            .connect()
            .await
            .context("the database does not let the tables' owner in")?;
        migrations
            .run(&mut connection)
            .await
            .context("the database can't be migrated")?;
        connection.close().await?;
    }
    PgPoolOptions::new()
        .max_connections(DATABASE_CONNECTIONS_MAX)
        .acquire_timeout(DATABASE_ACQUIRE_TIMEOUT)
        .connect_with(service)
        .await
        .context("the database does not let the service in")
}

/// The time. Shells read it here and pass it on; the core never does.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A token that is cancelled on SIGTERM, SIGINT or, if asked for, the end of standard input.
///
/// # Errors
/// When the signals can't be listened for.
pub fn stop_signal(stop_with_parent: bool) -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let signalled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        signalled.cancel();
    });
    if stop_with_parent {
        let orphaned = stop.clone();
        // A thread of its own: the runtime would wait for its blocking reads when the service ends by itself.
        std::thread::spawn(move || {
            let mut byte = [0];
            while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
            orphaned.cancel();
        });
    }
    Ok(stop)
}

/// Reads a request's body of at most [`BODY_BYTES_MAX`] before the handler sees it; answers 413 to a longer one.
///
/// To a somewhat longer one only after reading it: who is still sending when the connection closes never hears the answer.
pub async fn limit_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut stream = body.into_data_stream();
    let mut bytes = BytesMut::new();
    let mut length = 0_usize;
    while let Some(piece) = stream.next().await {
        let Ok(piece) = piece else {
            return Problem::new(StatusCode::BAD_REQUEST, "the body ended early").into_response();
        };
        length = length.saturating_add(piece.len());
        if length <= BODY_BYTES_MAX {
            bytes.extend_from_slice(&piece);
        } else if length > BODY_BYTES_READ_MAX {
            break;
        }
    }
    if length > BODY_BYTES_MAX {
        let problem = Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a body has at most {BODY_BYTES_MAX} bytes"),
        );
        return problem.into_response();
    }
    next.run(Request::from_parts(parts, Body::from(bytes.freeze())))
        .await
}

/// Beyond this nobody is listened to any longer.
const BODY_BYTES_READ_MAX: usize = 8 * 1024 * 1024;

/// Serves `routes` and the health checks until `stop`, then lets running requests end.
///
/// `GET /health/live` answers while the process runs, `GET /health/ready` says 503 until `ready` holds true.
///
/// # Errors
/// When the address can't be listened on.
pub async fn serve_http(
    listen: SocketAddr,
    routes: Router,
    ready: watch::Receiver<bool>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let ok = r#"{"status":"ok"}"#;
    let json = [("content-type", "application/json")];
    let readiness = move || async move {
        if *ready.borrow() {
            Ok((json, ok))
        } else {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "starting"))
        }
    };
    // The health checks stand outside the trace: a start asks them a hundred times a second.
    let router = routes
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path has no such method",
            )
        })
        .layer(TraceLayer::new_for_http())
        .route("/health/live", get(move || async move { (json, ok) }))
        .route("/health/ready", get(readiness))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this is our fault").into_response()
        }));
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("can't listen on {listen}"))?;
    tracing::info!(%listen, "serving HTTP");
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await?;
    Ok(())
}
