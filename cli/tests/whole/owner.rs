//! The owner of the tables: no running service has that login, and what an owner changes a replay names.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use ledger::audit::Verdict;
use local::Service;
use sqlx::{Connection as _, PgConnection};

use crate::bank::{TestBank, payment};

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_holds_no_login_of_an_owner() -> Result<()> {
    let test = TestBank::start().await?;
    for service in Service::ALL {
        let pid = fs::read_to_string(test.bank.home().pid_file(service.name()))?;
        let pid = pid.split_whitespace().next().context("a pid")?.to_owned();
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else {
            // Elsewhere than on Linux; `local/tests/bank.rs` looks at the variables there too.
            return Ok(());
        };
        let url = test.bank.servers().owner_database_url(service);
        let (_, rest) = url.split_once("://").context("a URL")?;
        let (login, _) = rest.split_once('@').context("a login")?;
        let (_, password) = login.split_once(':').context("a password")?;
        let environment = String::from_utf8_lossy(&environment);
        ensure!(
            environment.contains("QUITTANCE_DATABASE_URL") && !environment.contains(password),
            "{service}: {environment}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_owner_changes_a_replay_names() -> Result<()> {
    let test = TestBank::start().await?;
    let asked = payment(test.adas, test.graces, "30.00");
    let (_, paid) = test.pay(&test.ada, asked, Some(20)).await?;
    let seq = paid["request_seq"].as_u64().context("a sequence")?;
    let owner = test.bank.servers().owner_database_url(Service::Ledger);
    let mut owner = PgConnection::connect(&owner).await?;
    for statement in [
        "alter table posting disable trigger posting_is_append_only",
        "update posting set balance = balance + 1 where request_seq = (select max(request_seq) from posting)",
        "alter table posting enable trigger posting_is_append_only",
    ] {
        sqlx::raw_sql(statement).execute(&mut owner).await?;
    }
    let Verdict::Differs(difference) = test.replay().await? else {
        anyhow::bail!("a changed posting is not seen")
    };
    ensure!(
        difference.contains(&format!("the postings of request {seq}")),
        "{difference}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_on_tables_of_another_version_says_what_to_run() -> Result<()> {
    let mut test = TestBank::start().await?;
    let ledger = local::Part::Ledger;
    test.bank.stop_part(ledger);
    let superuser = test.bank.servers().superuser_database_url(Service::Ledger);
    let mut database = PgConnection::connect(&superuser).await?;
    for (change, expected) in [
        (
            "create table kept as select * from _sqlx_migrations;
             delete from _sqlx_migrations where version = (select max(version) from kept)",
            "run `quittance migrate ledger` first",
        ),
        (
            "insert into _sqlx_migrations select * from kept where version = (select max(version) from kept);
             insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (9999, 'of the future', true, '', 0)",
            "a newer version of quittance",
        ),
    ] {
        sqlx::raw_sql(change).execute(&mut database).await?;
        test.bank.spawn_part(Service::Ledger)?;
        test.wait_until_dead(ledger).await?;
        let log = fs::read_to_string(test.bank.home().log(ledger))?;
        ensure!(log.contains(expected), "{expected}: {log}");
    }
    Ok(())
}
