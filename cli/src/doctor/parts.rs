//! The services, as they say it themselves, and the gateway in front of them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use chrono::DateTime;
use common::service::{CERTIFICATE_SOON, Instance, certificate_end};
use local::certificate_of;

use super::finding::Finding;
use super::patient::{LIMIT, Patient, limited};
use super::runbook::Runbook;
use crate::services;

/// A key that should have a successor by then has had its tries.
const KEY_OVERDUE_SECONDS: i64 = 3600;

pub(super) async fn look(patient: &Patient) -> Vec<Finding> {
    let status = &patient.running.status;
    let found = limited(LIMIT, found(patient)).await;
    let mut places: BTreeMap<&str, &str> = BTreeMap::new();
    for one in found.iter().flatten() {
        places.insert(&one.address, &one.service);
    }
    // Those that this bank was started with are asked even when nobody hears of them at the broker.
    places.extend([
        (status.auth.as_str(), "auth"),
        (status.ledger.as_str(), "ledger"),
        (status.payments.as_str(), "payments"),
    ]);
    places.extend(status.console.iter().map(|url| (url.as_str(), "console")));
    let mut places: Vec<(&str, &str)> = places.into_iter().collect();
    places.sort_by_key(|(address, service)| (*service, *address));
    let ready = places
        .iter()
        .map(|(address, service)| ready(patient, service, address));
    let (mut findings, gateway, certificate, key) = tokio::join!(
        futures::future::join_all(ready),
        gateway(patient),
        certificate(patient),
        signing_key(patient),
    );
    findings.extend(gateway);
    findings.push(versions(&found));
    findings.extend(certificate);
    findings.push(key);
    findings
}

async fn found(patient: &Patient) -> Result<Vec<Instance>> {
    services::ask(&patient.running.discoverer().await?).await
}

async fn ready(patient: &Patient, service: &str, address: &str) -> Finding {
    let client = patient.running.client();
    let said = limited(LIMIT, async { Ok(client.readiness(address).await) }).await;
    let log = patient.running.home.join(format!("logs/{service}.log"));
    let log = log.display();
    match said.and_then(|said| said) {
        Ok(said) if said == "ready" => Finding::well(service, format!("ready at {address}")),
        Ok(late) => {
            let next = "it works; see to what it names";
            Finding::soon(service, late, next, Runbook::ServiceMissing)
        }
        Err(said) => {
            let next = format!("see to what it lacks, or start it again; its log is {log}");
            Finding::bad(service, said, next, Runbook::ServiceMissing)
        }
    }
}

async fn gateway(patient: &Patient) -> Option<Finding> {
    let url = patient.running.status.gateway.as_ref()?;
    let answers = limited(LIMIT, async {
        Ok(patient.running.status.gateway_answers().await)
    });
    Some(match answers.await {
        Ok(Some(true)) => Finding::well("gateway", format!("answers at {url}")),
        Ok(_) | Err(_) => {
            let next = "start it again; services still answer on their own ports";
            Finding::bad("gateway", "does not answer", next, Runbook::ServiceMissing)
        }
    })
}

fn versions(found: &Result<Vec<Instance>, String>) -> Finding {
    let ours = env!("CARGO_PKG_VERSION");
    let Ok(found) = found else {
        return Finding::unknown("versions", "NATS can't be asked who is there");
    };
    let others: Vec<_> = found
        .iter()
        .filter(|one| one.version != ours)
        .map(|one| format!("{} {}", one.service, one.version))
        .collect();
    if others.is_empty() {
        return Finding::well("versions", format!("{ours} everywhere"));
    }
    let detail = format!("this program is {ours}, but: {}", others.join(", "));
    let next = "finish the upgrade: payments first, the ledger last";
    Finding::soon("versions", detail, next, Runbook::TablesDiffer)
}

/// The gateway's, if it speaks TLS.
async fn certificate(patient: &Patient) -> Option<Finding> {
    let gateway = patient.running.status.gateway.as_ref()?;
    if !gateway.starts_with("https://") {
        return None;
    }
    let file = certificate_of(&patient.running.home);
    let end = match certificate_end(&file) {
        Ok(end) => end,
        Err(error) => return Some(Finding::unknown("certificate", format!("{error:#}"))),
    };
    let left = end - patient.clock.now();
    let shown = format!(
        "{} ({} days left)",
        end.format("%Y-%m-%d %H:%MZ"),
        left.num_days()
    );
    let next = "put a new one where `--tls-cert` and `--tls-key` point; it is taken at once";
    Some(if left.num_seconds() <= 0 {
        let detail = format!("ended {}", end.format("%Y-%m-%d %H:%MZ"));
        Finding::bad("certificate", detail, next, Runbook::CertificateEnds)
    } else if left < CERTIFICATE_SOON {
        let detail = format!("ends {shown}");
        Finding::soon("certificate", detail, next, Runbook::CertificateEnds)
    } else {
        Finding::well("certificate", format!("ends {shown}"))
    })
}

/// auth says when the next key should sign: it knows how often keys follow each other.
async fn signing_key(patient: &Patient) -> Finding {
    let check = "signing key";
    let said = limited(LIMIT, metrics(&patient.running.status.auth)).await;
    let Ok(text) = said else {
        return Finding::unknown(check, "auth can't be asked");
    };
    let next = "see what auth's log says of keys; `keys rotate` makes the next one at once";
    let due = metric(&text, "quittance_signing_key_due_timestamp_seconds");
    let due = due.and_then(|due| DateTime::from_timestamp(due, 0));
    match due {
        None => Finding::bad(check, "no key signs", next, Runbook::KeyOverdue),
        Some(due) => {
            let shown = due.format("%Y-%m-%d %H:%MZ");
            let late = patient.clock.now() - due;
            if late.num_seconds() > KEY_OVERDUE_SECONDS {
                let detail = format!("should have had a successor {shown}");
                Finding::bad(check, detail, next, Runbook::KeyOverdue)
            } else {
                Finding::well(check, format!("the next one signs from {shown} on"))
            }
        }
    }
}

/// What a service counts, as text.
pub(super) async fn metrics(address: &str) -> Result<String> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .timeout(LIMIT)
        .build()?;
    let answer = client.get(format!("{address}/metrics")).send().await?;
    answer.error_for_status()?.text().await.context("no text")
}

/// A number of it without labels, whole.
pub(super) fn metric(text: &str, name: &str) -> Option<i64> {
    let values = text.lines().filter_map(|line| line.strip_prefix(name));
    let mut values = values.filter_map(|rest| rest.strip_prefix(' '));
    values.next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_its_whole_name() {
        let text = "# TYPE a gauge\na_b 7\na{x=\"1\"} 5\na 1796000000\n";
        assert_eq!(metric(text, "a"), Some(1_796_000_000));
        assert_eq!(metric(text, "a_b"), Some(7));
        assert_eq!(metric(text, "b"), None);
    }
}
