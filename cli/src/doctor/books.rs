//! What the databases say: whether they answer, hold what this version expects, keep what they commit, and balance.

use std::time::Duration;

use ledger::checkup;
use ledger::engine::UnsafeSetting;
use local::Service;

use super::finding::Finding;
use super::patient::{LIMIT, Patient};
use super::runbook::Runbook;

/// It reads the last posting of each account.
const BALANCES_LIMIT: Duration = Duration::from_secs(15);

pub(super) async fn look(patient: &Patient) -> Vec<Finding> {
    let database = match &patient.database_trouble {
        None => {
            let address = &patient.running.status.postgres;
            Finding::well("PostgreSQL", format!("answers at {address}"))
        }
        Some(why) => {
            let log = patient.running.home.join("logs/postgres.log");
            let next = format!("start it again; its log is {}", log.display());
            Finding::bad("PostgreSQL", why, next, Runbook::ServiceMissing)
        }
    };
    let settings = patient.ask(Service::Ledger, LIMIT, async |db| {
        Ok(checkup::unsafe_at_database(db).await?)
    });
    let (tables, settings, leader, balances) = tokio::join!(
        tables(patient),
        settings,
        leader(patient),
        balances(patient)
    );
    let settings = durability("PostgreSQL durability", settings);
    vec![database, tables, settings, leader, balances]
}

async fn tables(patient: &Patient) -> Finding {
    let check = "tables";
    let auth = patient.ask(Service::Auth, LIMIT, auth::checkup::check_tables);
    let ledger = patient.ask(Service::Ledger, LIMIT, checkup::check_tables);
    let payments = patient.ask(Service::Payments, LIMIT, payments::checkup::check_tables);
    let (auth, ledger, payments) = tokio::join!(auth, ledger, payments);
    if patient.database_trouble.is_some() {
        return Finding::unknown(check, "PostgreSQL can't be asked");
    }
    let faults: Vec<_> = Service::ALL
        .into_iter()
        .zip([auth, ledger, payments])
        .filter_map(|(service, checked)| Some(format!("{service}: {}", checked.err()?)))
        .collect();
    if faults.is_empty() {
        return Finding::well(check, "all are of this version");
    }
    let next = "run `quittance migrate` as each says, or the program of the newer version";
    Finding::bad(check, faults.join("; "), next, Runbook::TablesDiffer)
}

/// The ledger's own judgement, for people.
pub(super) fn durability(check: &str, found: Result<Vec<UnsafeSetting>, String>) -> Finding {
    match found {
        Err(why) => Finding::unknown(check, why),
        Ok(found) if found.is_empty() => {
            Finding::well(check, "what is acknowledged is on the disk")
        }
        Ok(found) => {
            let settings: Vec<_> = found.iter().map(ToString::to_string).collect();
            let next = "no ledger begins to lead like this: set it as the line above says";
            Finding::bad(check, settings.join("; "), next, Runbook::UnsafeSettings)
        }
    }
}

async fn leader(patient: &Patient) -> Finding {
    let asked = patient.ask(Service::Ledger, LIMIT, async |db| {
        Ok(checkup::leader(db).await?)
    });
    match asked.await {
        Err(why) => Finding::unknown("leader", why),
        Ok(Some(leader)) => Finding::well("leader", leader),
        Ok(None) => {
            let next =
                "start a ledger; if one runs, its log says for whom it waits or what it refuses";
            Finding::bad("leader", "no ledger leads", next, Runbook::NobodyLeads)
        }
    }
}

async fn balances(patient: &Patient) -> Finding {
    let asked = patient.ask(Service::Ledger, BALANCES_LIMIT, async |db| {
        Ok(checkup::balances(db).await?)
    });
    match asked.await {
        Err(why) => Finding::unknown("books", why),
        Ok(found) if found.unbalanced.is_empty() => {
            let currencies = match found.currencies.len() {
                0 => "no accounts yet".to_owned(),
                _ => format!("debit is credit in {}", found.currencies.join(", ")),
            };
            Finding::well("books", currencies)
        }
        Ok(found) => {
            let detail = format!("debit is not credit in {}", found.unbalanced.join(", "));
            let next = "stop what pays out; `quittance audit verify` names the first row that does not fit";
            Finding::bad("books", detail, next, Runbook::BooksUnbalanced)
        }
    }
}
