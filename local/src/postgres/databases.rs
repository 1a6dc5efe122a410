//! The roles and databases of one cluster.
//!
//! Each service has a database. `<service>_owner` owns it and runs the migrations; `<service>` may do what the migrations
//! grant. Nobody else may connect: payments cannot read the ledger's tables. `audit` may read the ledger's tables, and
//! nothing more.

use anyhow::Result;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use crate::home::Home;
use crate::part::Service;

/// The role that may read the ledger's tables and nothing else: `quittance audit`.
pub(crate) const AUDITOR: &str = "audit";

/// Makes all roles and databases that are missing, and closes each database to everybody but its own roles.
pub(crate) async fn make(home: &Home, port: u16) -> Result<()> {
    let mut connection = connect(home, port, "postgres").await?;
    run(
        &mut connection,
        "revoke connect on database postgres, template1 from public",
    )
    .await?;
    connection.close().await?;
    let [auth, ledger, payments] = Service::ALL;
    tokio::try_join!(
        make_database(home, port, auth),
        make_database(home, port, ledger),
        make_database(home, port, payments),
    )?;
    Ok(())
}

async fn make_database(home: &Home, port: u16, service: Service) -> Result<()> {
    let name = service.name();
    let mut connection = connect(home, port, "postgres").await?;
    // The server logs a failing statement, and these contain passwords.
    run(&mut connection, "set log_min_error_statement = panic").await?;
    for role in [name.to_owned(), format!("{name}_owner")] {
        make_role(&mut connection, home, &role).await?;
    }
    let query = "select from pg_database where datname = $1";
    if !exists(&mut connection, query, name).await? {
        // Copying files is the faster strategy for an empty template (measured: by a tenth of a start).
        let create = format!("create database {name} owner {name}_owner strategy file_copy");
        run(&mut connection, &create).await?;
    }
    let mut users = name.to_owned();
    if service == Service::Ledger {
        make_role(&mut connection, home, AUDITOR).await?;
        users += ", ";
        users += AUDITOR;
    }
    let close = format!(
        "revoke all on database {name} from public; grant connect on database {name} to {users}"
    );
    run(&mut connection, &close).await?;
    connection.close().await?;
    let mut inside = connect(home, port, name).await?;
    let close = format!(
        "alter schema public owner to {name}_owner; revoke all on schema public from public;
         grant usage on schema public to {users}"
    );
    run(&mut inside, &close).await?;
    // The owner locks while it migrates; the ledger locks to lead.
    let lockers = match service {
        Service::Ledger => "ledger, ledger_owner".to_owned(),
        Service::Auth | Service::Payments => format!("{name}_owner"),
    };
    run(&mut inside, &close_functions(&lockers)).await?;
    inside.close().await?;
    Ok(())
}

/// Takes from everybody the functions by which a reader could stop others or fill the disk: advisory locks (the leader's is
/// one) and large objects. Only `lockers` may lock.
fn close_functions(lockers: &str) -> String {
    format!(
        "do $$
         declare
             f regprocedure;
         begin
             for f in select oid from pg_proc where pronamespace = 'pg_catalog'::regnamespace
                 and (proname ~ '^pg_(try_)?advisory_' or proname ~ '^lo_' or proname in ('loread', 'lowrite'))
             loop
                 execute format('revoke execute on function %s from public', f);
                 if f::text ~ 'advisory_' then
                     execute format('grant execute on function %s to {lockers}', f);
                 end if;
             end loop;
         end $$"
    )
}

/// Most connections of a role: a pool of 10 and a leader's three, for some instances side by side; an owner migrates, and
/// an auditor replays.
fn connections_max(role: &str) -> u32 {
    match role {
        AUDITOR => 10,
        owner if owner.ends_with("_owner") => 5,
        _ => 45,
    }
}

/// Makes the role if there is none, and sets its password.
async fn make_role(connection: &mut PgConnection, home: &Home, role: &str) -> sqlx::Result<()> {
    let query = "select from pg_roles where rolname = $1";
    if !exists(connection, query, role).await? {
        run(connection, &format!("create role {role}")).await?;
    }
    let password = &home.secrets().postgres[role];
    let limit = connections_max(role);
    let login = format!("alter role {role} login connection limit {limit} password '{password}'");
    run(connection, &login).await
}

async fn connect(home: &Home, port: u16, database: &str) -> sqlx::Result<PgConnection> {
    let password = &home.secrets().postgres["postgres"];
    superuser(port, password, database).connect().await
}

/// How the superuser connects.
pub(crate) fn superuser(port: u16, password: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username("postgres")
        .password(password)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

/// Statements without parameters, made of our own names and of passwords of letters and digits.
async fn run(connection: &mut PgConnection, statements: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(connection)
        .await?;
    Ok(())
}

async fn exists(
    connection: &mut PgConnection,
    query: &'static str,
    name: &str,
) -> sqlx::Result<bool> {
    Ok(sqlx::query(query)
        .bind(name)
        .fetch_optional(connection)
        .await?
        .is_some())
}
