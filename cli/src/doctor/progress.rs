//! Whether requests become answers: decided, published and projected. What is behind is looked at twice: a bank at work is
//! always a little behind, and one that stands still does not move.

use std::time::Duration;

use common::broker;
use common::wire::{REQUESTS, SETTLEMENTS};
use ledger::checkup;
use local::Service;

use super::finding::Finding;
use super::patient::{LIMIT, Patient, limited};
use super::runbook::Runbook;

/// Between the two looks: a new leader needs a second or two.
const BETWEEN: Duration = Duration::from_secs(3);

/// Where everybody is; or why nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Places {
    requests: Result<u64, String>,
    booked: Result<u64, String>,
    published: Result<u64, String>,
    projected: Result<u64, String>,
}

pub(super) async fn look(patient: &Patient) -> Vec<Finding> {
    let first = places(patient).await;
    let second = if first.is_behind() {
        tokio::time::sleep(BETWEEN).await;
        places(patient).await
    } else {
        first.clone()
    };
    judged(&first, &second)
}

async fn places(patient: &Patient) -> Places {
    let length = async |stream| {
        let jetstream = patient.streams()?;
        let asked = async { Ok(broker::last_sequence(&jetstream, stream).await?) };
        limited(LIMIT, asked).await
    };
    let booked = patient.ask(Service::Ledger, LIMIT, async |db| {
        Ok(checkup::booked(db).await?)
    });
    let projected = patient.ask(Service::Payments, LIMIT, async |db| {
        Ok(payments::checkup::projected(db).await?)
    });
    // In this order nobody is ahead of what it follows because of us.
    let (projected, booked) = tokio::join!(projected, booked);
    let published = length(SETTLEMENTS).await;
    let requests = length(REQUESTS).await;
    Places {
        requests,
        booked,
        published,
        projected,
    }
}

impl Places {
    fn is_behind(&self) -> bool {
        let is_ahead = |ahead: &Result<u64, String>, of: &Result<u64, String>| matches!((ahead, of), (Ok(ahead), Ok(of)) if ahead > of);
        is_ahead(&self.requests, &self.booked)
            || is_ahead(&self.booked, &self.published)
            || is_ahead(&self.published, &self.projected)
    }
}

fn judged(first: &Places, second: &Places) -> Vec<Finding> {
    let requests = Step {
        check: "requests",
        all: "all are decided",
        some: "wait to be decided",
        next: "look whether a ledger leads and what its log says; requests are safe meanwhile",
        runbook: Runbook::NothingDecided,
    };
    let answers = Step {
        check: "answers",
        all: "all are published",
        some: "are booked and not published",
        next: "bring NATS back or give it room; answers go out in order by themselves",
        runbook: Runbook::AnswersUnpublished,
    };
    let projection = Step {
        check: "projection",
        all: "shows all answers",
        some: "answers are not shown yet",
        next: "look at the log of payments; money is not affected",
        runbook: Runbook::ProjectionBehind,
    };
    vec![
        requests.judged(&first.booked, &second.booked, &second.requests),
        answers.judged(&first.published, &second.published, &second.booked),
        projection.judged(&first.projected, &second.projected, &second.published),
    ]
}

/// One who follows another, and the words for it.
struct Step {
    check: &'static str,
    all: &'static str,
    some: &'static str,
    next: &'static str,
    runbook: Runbook,
}

impl Step {
    fn judged(
        self,
        before: &Result<u64, String>,
        now: &Result<u64, String>,
        ahead: &Result<u64, String>,
    ) -> Finding {
        let check = self.check;
        let (ahead, now) = match (ahead, now) {
            (Ok(ahead), Ok(now)) => (*ahead, *now),
            (Err(why), _) | (_, Err(why)) => return Finding::unknown(check, why),
        };
        if now >= ahead {
            return Finding::well(check, format!("{}: {now}", self.all));
        }
        let waiting = format!("{} {}", ahead - now, self.some);
        if *before == Ok(now) {
            let detail = format!("{waiting}, and none moved in {} s", BETWEEN.as_secs());
            return Finding::bad(check, detail, self.next, self.runbook);
        }
        Finding::well(check, format!("{waiting}, and they move"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State;

    fn at(requests: u64, booked: u64, published: u64, projected: u64) -> Places {
        Places {
            requests: Ok(requests),
            booked: Ok(booked),
            published: Ok(published),
            projected: Ok(projected),
        }
    }

    /// The states of requests, answers and projection.
    #[track_caller]
    fn check(first: &Places, second: &Places, expected: [State; 3]) {
        let states: Vec<_> = judged(first, second).iter().map(|one| one.state).collect();
        assert_eq!(states, expected);
    }

    #[test]
    fn only_what_is_behind_and_stands_still_is_bad() {
        use State::{Bad, Unknown, Well};
        check(&at(9, 9, 9, 9), &at(9, 9, 9, 9), [Well; 3]);
        assert!(!at(9, 9, 9, 9).is_behind());
        // A bank at work.
        assert!(at(9, 7, 6, 5).is_behind());
        check(&at(9, 7, 6, 5), &at(20, 15, 14, 13), [Well; 3]);
        check(&at(9, 7, 7, 7), &at(9, 7, 7, 7), [Bad, Well, Well]);
        check(&at(9, 9, 7, 7), &at(9, 9, 7, 7), [Well, Bad, Well]);
        check(&at(9, 9, 9, 7), &at(9, 9, 9, 7), [Well, Well, Bad]);
        let mut silent = at(9, 9, 9, 9);
        silent.published = Err("NATS can't be asked".to_owned());
        check(&silent, &silent, [Well, Unknown, Unknown]);
    }

    #[test]
    fn whatever_stands_still_says_what_to_do() {
        let stuck = at(9, 7, 5, 3);
        for one in judged(&stuck, &stuck) {
            assert!(one.next.is_some() && one.runbook.is_some(), "{one:?}");
        }
    }
}
