//! What the broker says of itself: whether it answers, how full it is, and how its streams are set.

use common::broker::{self, JetStreamServer};
use common::wire::{REQUESTS, SETTLEMENTS};
use ledger::checkup;

use super::finding::Finding;
use super::patient::{LIMIT, Patient, limited};
use super::runbook::Runbook;

/// Percent of the room that it may use: then somebody has to do something soon, or now.
const SOON_PERCENT: u64 = 80;
const FULL_PERCENT: u64 = 95;

pub(super) async fn look(patient: &Patient) -> Vec<Finding> {
    let nats = match &patient.nats {
        Ok(client) => {
            let version = client.server_info().version;
            let url = &patient.running.status.nats;
            Finding::well("NATS", format!("{version} answers at {url}"))
        }
        Err(why) => {
            let next = format!(
                "start it again; its log is {}",
                patient.running.home.join("logs/nats.log").display()
            );
            Finding::bad("NATS", why, next, Runbook::ServiceMissing)
        }
    };
    let (room, streams, durability) =
        tokio::join!(room(patient), streams(patient), durability(patient));
    vec![nats, room, streams, durability]
}

async fn room(patient: &Patient) -> Finding {
    let check = "room for the log";
    let Ok(client) = &patient.nats else {
        return Finding::unknown(check, "NATS can't be asked");
    };
    let servers = limited(LIMIT, async { Ok(broker::servers(client, &[]).await?) });
    let servers = match servers.await {
        Ok(servers) => servers,
        Err(why) => return Finding::unknown(check, why),
    };
    let fullest = servers.into_iter().max_by_key(used_percent);
    match fullest {
        None => Finding::unknown(check, "no server says how much it stores"),
        Some(server) => of_server(check, &server),
    }
}

fn used_percent(server: &JetStreamServer) -> u64 {
    let most = server.stored_bytes_max.max(1);
    server.stored_bytes.saturating_mul(100) / most
}

fn of_server(check: &str, server: &JetStreamServer) -> Finding {
    let used = used_percent(server);
    let megabytes = server.stored_bytes_max / (1024 * 1024);
    let detail = format!("{used} % of {megabytes} MB are used");
    let next = "give it a larger disk and a larger max_file_store; never delete messages";
    match used {
        FULL_PERCENT.. => Finding::bad(check, detail, next, Runbook::LogFilling),
        SOON_PERCENT.. => Finding::soon(check, detail, next, Runbook::LogFilling),
        _ => Finding::well(check, detail),
    }
}

async fn streams(patient: &Patient) -> Finding {
    let jetstream = match patient.streams() {
        Ok(jetstream) => jetstream,
        Err(why) => return Finding::unknown("streams", why),
    };
    let mut faults = Vec::new();
    for stream in [REQUESTS, SETTLEMENTS] {
        let found = async { Ok(broker::stream_faults(&jetstream, stream).await?) };
        match limited(LIMIT, found).await {
            Ok(found) => faults.extend(found.into_iter().map(|one| format!("{stream} has {one}"))),
            Err(why) => faults.push(format!("{stream}: {why}")),
        }
    }
    if faults.is_empty() {
        return Finding::well(
            "streams",
            "both are set so that nothing in them can be lost",
        );
    }
    let next = "a ledger that begins to lead sets what can be changed, and says what can't";
    Finding::bad("streams", faults.join("; "), next, Runbook::UnsafeSettings)
}

async fn durability(patient: &Patient) -> Finding {
    let check = "NATS durability";
    let jetstream = match patient.streams() {
        Ok(jetstream) => jetstream,
        Err(why) => return Finding::unknown(check, why),
    };
    let asked = async { Ok(checkup::unsafe_at_broker(&jetstream).await?) };
    super::books::durability(check, limited(LIMIT, asked).await)
}
