//! What the containers are started with, given to the same servers and services without containers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use local::{Servers, Service, testing};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

use crate::compose::{containers, environment};
use crate::{read, root};

/// Everything about roles, databases and grants that a service could notice.
const CLUSTER: &str = "
    select concat_ws(' ', 'role', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
        rolbypassrls, rolconnlimit, left(rolpassword, 13))
    from pg_authid where rolname !~ '^pg_'
    union all
    select concat_ws(' ', 'setting', setdatabase, setrole::regrole, setconfig::text) from pg_db_role_setting
    union all
    select concat_ws(' ', 'member', roleid::regrole, member::regrole, admin_option)
    from pg_auth_members where member::regrole::text !~ '^pg_'
    union all
    select concat_ws(' ', 'database', datname, datdba::regrole, datallowconn, datconnlimit,
        (select string_agg(a::text, ',' order by a::text) from unnest(datacl) a))
    from pg_database
    order by 1";
/// The same about what is inside of one database.
const DATABASE: &str = "
    select concat_ws(' ', current_database(), 'schema', nspname, nspowner::regrole,
        (select string_agg(a::text, ',' order by a::text) from unnest(nspacl) a))
    from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
    order by 1";

/// The roles and databases, described line by line.
async fn describe(servers: &Servers) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for service in Service::ALL {
        let mut connection =
            PgConnection::connect(&servers.superuser_database_url(service)).await?;
        if lines.is_empty() {
            lines = sqlx::query_scalar(CLUSTER)
                .fetch_all(&mut connection)
                .await?;
        }
        let inside: Vec<String> = sqlx::query_scalar(DATABASE)
            .fetch_all(&mut connection)
            .await?;
        lines.extend(inside);
        connection.close().await?;
    }
    Ok(lines)
}

/// Where the superuser makes databases.
fn cluster_url(servers: &Servers) -> String {
    let url = servers.superuser_database_url(Service::Auth);
    url.replace("/auth?", "/postgres?")
}

/// Unmakes what `local` made: a cluster as the image's `initdb` leaves it.
async fn make_bare(servers: &Servers) -> Result<()> {
    let mut connection = PgConnection::connect(&cluster_url(servers)).await?;
    for service in Service::ALL {
        for statement in [
            format!("drop database {service} with (force)"),
            format!("drop role {service}"),
            format!("drop role {service}_owner"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut connection)
                .await?;
        }
    }
    sqlx::raw_sql("drop role audit; grant connect on database postgres, template1 to public")
        .execute(&mut connection)
        .await?;
    Ok(connection.close().await?)
}

/// Runs the script as the image does, with the secrets in this directory.
fn run_script(servers: &Servers, secrets: &Path) -> Result<()> {
    let script = read("local/containers/postgres.sql");
    let script = script.replace("/run/secrets", &secrets.display().to_string());
    let file = secrets.join("script.sql");
    fs::write(&file, script)?;
    let output = Command::new(testing::programs().psql)
        .args(["--no-psqlrc", "--set=ON_ERROR_STOP=1", "--no-password"])
        .arg(format!("--dbname={}", cluster_url(servers)))
        .arg("--file")
        .arg(&file)
        .output()
        .context("psql can't run")?;
    ensure!(output.status.success(), "{output:?}");
    Ok(())
}

/// Servers with a cluster that the script made, and the secrets as files.
pub(crate) async fn as_in_containers() -> Result<(Servers, TempDir)> {
    let servers = testing::servers().await;
    let secrets = tempfile::tempdir()?;
    let postgres = servers.postgres_address();
    let postgres = postgres.trim_start_matches("postgres://");
    servers
        .home()
        .secrets()
        .write_files(secrets.path(), postgres, None)?;
    make_bare(&servers).await?;
    tokio::task::block_in_place(|| run_script(&servers, secrets.path()))?;
    Ok((servers, secrets))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_makes_the_databases_that_cargo_up_makes() -> Result<()> {
    let expected = describe(&testing::servers().await).await?;
    assert!(expected.len() > 12, "{expected:#?}");
    let (servers, _secrets) = as_in_containers().await?;
    assert_eq!(describe(&servers).await?, expected);

    // And the passwords are those of the files: into its own database, and no other.
    let own = servers.database_url(Service::Payments);
    PgConnection::connect(&own).await?.close().await?;
    for other in ["auth", "ledger", "postgres", "template1"] {
        let other = own.replace("/payments?", &format!("/{other}?"));
        let refusal = PgConnection::connect(&other).await.unwrap_err().to_string();
        assert!(refusal.contains("permission denied"), "{refusal}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_start_with_the_environment_and_the_secrets_of_their_containers() -> Result<()>
{
    let (servers, secrets) = as_in_containers().await?;
    let nats = servers.nats_url();
    let environment = |container: &str| {
        let mut environment = environment(&containers()[container]);
        if environment.contains_key("QUITTANCE_NATS_URL") {
            environment.insert("QUITTANCE_NATS_URL".to_owned(), nats.clone());
        }
        environment
    };
    migrate_and_serve(secrets.path(), environment).await?;
    the_auditor_only_reads(&servers).await
}

/// Brings all services up, each with the environment of its container, until they say that they are well.
pub(crate) async fn migrate_and_serve(
    secrets: &Path,
    environment: impl Fn(&str) -> BTreeMap<String, String>,
) -> Result<()> {
    let with_secrets = |container: &str| {
        let mut environment = environment(container);
        for value in environment.values_mut() {
            *value = value.replace("/run/secrets", &secrets.display().to_string());
        }
        environment
    };
    for service in Service::ALL {
        let migrated = tokio::process::Command::new(env!("CARGO_BIN_EXE_quittance"))
            .args(["migrate", service.name()])
            .env_clear()
            .envs(with_secrets(&format!("migrate-{service}")))
            .current_dir("/")
            .output()
            .await?;
        ensure!(migrated.status.success(), "{migrated:?}");
    }
    let mut running = Vec::new();
    for service in Service::ALL {
        let listen = format!("127.0.0.1:{}", testing::free_address().port());
        let mut environment = with_secrets(service.name());
        environment.insert("QUITTANCE_LISTEN".to_owned(), listen.clone());
        let log = secrets.join(format!("{service}.log"));
        let process = tokio::process::Command::new(env!("CARGO_BIN_EXE_quittance"))
            .args(["serve", service.name()])
            .env_clear()
            .envs(&environment)
            .current_dir("/")
            .stdin(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        running.push((listen, log, process));
    }
    // The containers' own health check, asked until it is content.
    let deadline = Instant::now() + Duration::from_secs(60);
    for (listen, log, _) in &running {
        loop {
            let health = tokio::process::Command::new(env!("CARGO_BIN_EXE_quittance"))
                .arg("health")
                .env_clear()
                .env("QUITTANCE_LISTEN", listen)
                .output()
                .await?;
            if health.status.success() {
                break;
            }
            let log = || fs::read_to_string(log).unwrap_or_default();
            ensure!(Instant::now() < deadline, "{health:?}\n{}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// The tables of the ledger are there by now.
async fn the_auditor_only_reads(servers: &Servers) -> Result<()> {
    let mut audit = PgConnection::connect(&servers.audit_database_url()).await?;
    for table in [
        "cursor",
        "answer",
        "account",
        "posting",
        "signing_key",
        "rules_raised",
    ] {
        let read = format!("select count(*) from {table}");
        sqlx::raw_sql(AssertSqlSafe(read))
            .execute(&mut audit)
            .await?;
        for write in [
            format!("delete from {table}"),
            format!("insert into {table} default values"),
            format!("truncate {table}"),
        ] {
            let tried = sqlx::raw_sql(AssertSqlSafe(write.clone()));
            let outcome = tried.execute(&mut audit).await;
            let is_refused = |error: &sqlx::Error| error.to_string().contains("permission denied");
            ensure!(
                outcome.as_ref().is_err_and(is_refused),
                "{write}: {outcome:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn health_is_an_error_where_nothing_listens() {
    let health = Command::new(env!("CARGO_BIN_EXE_quittance"))
        .args(["health", "0.0.0.0:1"])
        .output()
        .unwrap();
    assert_eq!(health.status.code(), Some(1));
}

/// The broker's start, as in its container but for the places.
pub(crate) fn broker_command(secrets: &Path) -> Result<Command> {
    let server = testing::programs().nats_server;
    let programs = server.parent().context("it is in a directory")?;
    let path = std::env::join_paths([programs, Path::new("/usr/bin"), Path::new("/bin")])?;
    let environment: BTreeMap<_, _> = environment(&containers()["nats"]);
    let mut command = Command::new("/bin/sh");
    command
        .arg(root().join("nats/start.sh"))
        .env_clear()
        .envs(environment)
        .env("PATH", path)
        .env("SECRETS", secrets);
    Ok(command)
}

/// What `start.sh` does besides starting the server: batches are staged in the container's memory, here a directory.
#[tokio::test]
async fn the_broker_of_a_container_stages_batches_where_it_is_told() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let [secrets, store, staging] =
        ["secrets", "store", "staging"].map(|name| directory.path().join(name));
    local::Secrets::make_files(&secrets, None)?;
    fs::create_dir(&staging)?;
    let [port, monitor] = [
        testing::free_address().port(),
        testing::free_address().port(),
    ];
    let mut broker = broker_command(&secrets)?
        .env("NATS_LISTEN", format!("\"127.0.0.1:{port}\""))
        .env("NATS_MONITOR", format!("\"127.0.0.1:{monitor}\""))
        .env("NATS_STORE_DIR", format!("\"{}\"", store.display()))
        .env("STAGING", &staging)
        .spawn()?;
    let staged = async {
        let config = common::broker::Config {
            url: format!("nats://127.0.0.1:{port}"),
            user: "ledger".to_owned(),
            password: fs::read_to_string(secrets.join("nats_ledger"))?,
            ca: None,
        };
        let client = loop {
            match common::broker::connect(&config).await {
                Ok(client) => break client,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let jetstream = common::broker::jetstream(&client);
        common::broker::ensure_streams(&jetstream, 1).await?;
        let streams = ["CORE/streams/REQUESTS", "BOOKS/streams/SETTLEMENTS"];
        let batches = streams.map(|stream| store.join("jetstream").join(stream).join("batches"));
        while !batches.iter().all(|batches| batches.is_symlink()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(batches.map(|batches| fs::read_link(batches).ok()))
    };
    let staged = tokio::time::timeout(Duration::from_secs(30), staged).await;
    broker.kill()?;
    broker.wait()?;
    let [requests, settlements] = staged.context("nothing is staged there")??;
    ensure!(requests == Some(staging.join("REQUESTS")));
    ensure!(settlements == Some(staging.join("SETTLEMENTS")));
    Ok(())
}

#[test]
fn the_broker_accepts_its_configuration_with_the_environment_of_its_container() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let secrets = directory.path().join("secrets");
    local::Secrets::make_files(&secrets, None)?;
    let output = broker_command(&secrets)?.arg("-t").output()?;
    ensure!(output.status.success(), "{output:?}");

    fs::remove_file(secrets.join("nats_audit"))?;
    let output = broker_command(&secrets)?.arg("-t").output()?;
    ensure!(!output.status.success(), "started without a password");
    Ok(())
}
