//! What time it is: here, at the broker and at the database; and whether a clock was set back or forth.

use chrono::{DateTime, TimeDelta, Utc};
use common::broker::{self, Standing};
use common::service::{DIFFERENCE_MAX, Difference, database_time};
use common::wire::REQUESTS;
use local::Service;

use super::finding::Finding;
use super::parts::{metric, metrics};
use super::patient::{LIMIT, Patient, limited};
use super::runbook::Runbook;

const HERE: &str = "clock of this machine";
const NATS: &str = "clock of NATS";
const POSTGRES: &str = "clock of PostgreSQL";

pub(super) async fn look(patient: &Patient) -> Vec<Finding> {
    let (nats, database, jumps) = tokio::join!(nats(patient), database(patient), jumps(patient));
    vec![jumps, nats, database]
}

async fn nats(patient: &Patient) -> Finding {
    let jetstream = match patient.streams() {
        Ok(jetstream) => jetstream,
        Err(why) => return Finding::unknown(NATS, why),
    };
    let asked = patient.clock.now();
    let standing = async { Ok(broker::standing(&jetstream, REQUESTS).await?) };
    let standing = match limited(LIMIT, standing).await {
        Ok(standing) => standing,
        Err(why) => return Finding::unknown(NATS, why),
    };
    of_broker(&standing, asked, patient.clock.now())
}

/// A broker whose last message is of a time to come was set back since.
fn of_broker(standing: &Standing, asked: DateTime<Utc>, heard: DateTime<Utc>) -> Finding {
    let back = standing.last_published_at - standing.now;
    if back > DIFFERENCE_MAX {
        let seconds = back.num_seconds();
        let detail = format!("was set back: the last request was stored {seconds} s from now");
        let next = "set it right before anything else: tokens are judged by this clock";
        return Finding::bad(NATS, detail, next, Runbook::ClockJumped);
    }
    of(NATS, Difference::of(standing.now, asked, heard))
}

async fn database(patient: &Patient) -> Finding {
    let clock = patient.clock;
    let asking = patient.ask(Service::Ledger, LIMIT, async |db| {
        let asked = clock.now();
        let theirs = database_time(db).await?;
        Ok(Difference::of(theirs, asked, clock.now()))
    });
    match asking.await {
        Ok(difference) => of(POSTGRES, difference),
        Err(why) => Finding::unknown(POSTGRES, why),
    }
}

fn of(check: &str, difference: Difference) -> Finding {
    let ahead = difference.ahead;
    let side = if ahead < TimeDelta::zero() {
        "behind"
    } else {
        "ahead of"
    };
    if difference.is_too_large() {
        let detail = format!("is {} s {side} this machine's", ahead.num_seconds().abs());
        let next = "let NTP set all clocks; tokens seem expired or early until then";
        return Finding::bad(check, detail, next, Runbook::ClockDiffers);
    }
    let detail = format!("within {} ms", ahead.num_milliseconds().abs() + 1);
    Finding::well(check, detail)
}

/// The services watch this machine's clock as long as they run.
async fn jumps(patient: &Patient) -> Finding {
    let status = &patient.running.status;
    let (mut heard, mut jumps) = (0, 0);
    for address in [&status.auth, &status.ledger, &status.payments] {
        if let Ok(text) = limited(LIMIT, metrics(address)).await {
            heard += 1;
            jumps = jumps.max(metric(&text, "quittance_clock_jumps_total").unwrap_or_default());
        }
    }
    if heard == 0 {
        return Finding::unknown(HERE, "no service can be asked");
    }
    if jumps > 0 {
        let detail = format!("has jumped {jumps} times since the services began");
        let next = "let NTP set it in small steps; start the services again once it is right";
        return Finding::soon(HERE, detail, next, Runbook::ClockJumped);
    }
    Finding::well(HERE, "has not jumped")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State;

    #[test]
    fn a_broker_that_was_set_back_is_found_by_its_last_message() {
        let at = |seconds| DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("a time");
        let check = |published: i64, now: i64, here: i64| {
            let standing = Standing {
                last_seq: 7,
                last_published_at: at(published),
                now: at(now),
            };
            let found = of_broker(&standing, at(here), at(here));
            (found.state, found.runbook)
        };
        assert_eq!(check(-60, 0, 0), (State::Well, None));
        assert_eq!(check(1, 0, 0), (State::Well, None));
        // It was an hour ahead, and is right again.
        let set_back = (State::Bad, Some(Runbook::ClockJumped));
        assert_eq!(check(3600, 0, 0), set_back);
        let differs = (State::Bad, Some(Runbook::ClockDiffers));
        assert_eq!(check(3600, 3601, 0), differs);
        assert_eq!(check(-60, 0, 90), differs);
    }
}
