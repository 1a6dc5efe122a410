//! The real ledger on real servers: requests are published as the services do, answers and books are read as auditors do.

use std::collections::HashMap;
use std::time::Duration;

use clap::Parser;
use common::broker::{self, Publisher, Reader};
use common::message::{Outgoing, Stored};
use common::service::Owner;
use common::wire::REQUESTS;
use ledger::audit::{self, Verdict, Verified};
use local::{Servers, Service};
use rust_decimal::Decimal;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::mix::Door;
use crate::reference::{Hold, Minor, Reference, text};

/// Requests that are on their way to the broker at a time.
const IN_FLIGHT: usize = 64;
/// Far beyond what anything takes: only a hang meets it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Client, id, status, what remains, and when it ends.
type HoldRow = (
    String,
    Uuid,
    String,
    Decimal,
    Option<chrono::DateTime<chrono::Utc>>,
);

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    ledger: ledger::Config,
}

/// Servers with a ledger that leads.
pub(crate) struct System {
    servers: Servers,
    publishers: HashMap<&'static str, Publisher>,
    requests: Reader,
    answers: Reader,
}

impl System {
    pub(crate) async fn start() -> Self {
        let servers = local::testing::servers().await;
        let url = servers.owner_database_url(Service::Ledger);
        let url = url.parse().expect("a URL");
        ledger::migrate(&Owner { url }).await.expect("tables");
        let arguments = [
            "ledger",
            "--listen=127.0.0.1:0",
            &format!("--nats-url={}", servers.nats_url()),
            "--nats-user=ledger",
            &format!("--nats-password={}", servers.nats_password("ledger")),
            &format!("--database-url={}", servers.database_url(Service::Ledger)),
            "--auth-url=http://127.0.0.1:9",
            "--exchange-secret=of nobody",
        ];
        let Arguments { ledger } = Arguments::parse_from(arguments);
        // A thread of its own, as it has a process of its own.
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Runtime::new().expect("threads");
            let ended = runtime.block_on(ledger::serve(ledger));
            panic!("the ledger has ended: {ended:?}");
        });
        let auditor = login(&servers, "audit");
        let names = ["auth", "ledger", "payments"];
        let publishers = names.map(|name| (name, Publisher::new(&login(&servers, name))));
        let mut system = Self {
            publishers: publishers.into(),
            requests: Reader::new(&auditor, REQUESTS, 1),
            answers: Reader::of_settlements_only_reading(&auditor, 1),
            servers,
        };
        system.wait_for_the_streams().await;
        system
    }

    /// The ledger makes them when it starts.
    async fn wait_for_the_streams(&mut self) {
        let waiting = async {
            loop {
                let client = broker::connect(&self.auditor()).await;
                if let Ok(client) = client
                    && broker::last_sequence(&broker::jetstream(&client), REQUESTS)
                        .await
                        .is_ok_and(|last| last >= 1)
                {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.expect("the ledger raises the rules");
    }

    pub(crate) fn auditor(&self) -> broker::Config {
        login(&self.servers, "audit")
    }

    pub(crate) async fn database(&self) -> PgConnection {
        let url = self.servers.audit_database_url();
        PgConnection::connect(&url).await.expect("a database")
    }

    /// Publishes requests in this order. Returns the place of the last.
    pub(crate) async fn publish(&self, requests: Vec<(Door, Outgoing)>) -> u64 {
        let mut last = 0;
        let mut requests = requests.into_iter().peekable();
        while let Some((door, first)) = requests.next() {
            // Two connections keep no order between them, so each waits for the one before.
            let mut group = vec![first];
            while group.len() < IN_FLIGHT
                && let Some((_, next)) = requests.next_if(|(next, _)| *next == door)
            {
                group.push(next);
            }
            let publisher = &self.publishers[name(door)];
            let acks = publisher.publish_each(REQUESTS, &group, None).await;
            for ack in acks.expect("a broker that stores") {
                last = ack.await.expect("an acknowledgement").sequence;
            }
        }
        last
    }

    /// Requests with their answers, from the first that was not handed out before up to `last` or a little further.
    pub(crate) async fn answered(&mut self, last: u64) -> Vec<(Stored, Stored)> {
        let reading = async {
            let mut pairs = Vec::new();
            loop {
                let requests = self.requests.batch(1024).await.expect("requests");
                let count = requests.len();
                let mut answers = Vec::new();
                while answers.len() < count {
                    let missing = count - answers.len();
                    answers.extend(self.answers.batch(missing).await.expect("answers"));
                }
                pairs.extend(requests.into_iter().zip(answers));
                if pairs
                    .last()
                    .is_some_and(|(request, _)| request.sequence >= last)
                {
                    return pairs;
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("answers")
    }

    /// Compares the tables with the reference, which must have seen all that the ledger has decided.
    ///
    /// Returns how far the ledger is, if that is further than the reference.
    pub(crate) async fn compare_books(&self, reference: &Reference, seen: u64) -> Option<u64> {
        let mut database = self.database().await;
        let mut snapshot = database
            .begin_with("begin isolation level repeatable read read only")
            .await
            .expect("a snapshot");
        let cursor: i64 = sqlx::query_scalar("select seq from cursor")
            .fetch_one(&mut *snapshot)
            .await
            .expect("a cursor");
        let cursor = u64::try_from(cursor).expect("not negative");
        if cursor != seen {
            return Some(cursor);
        }
        let holds = "select client_id, payment_id, status, remaining, expires_at from hold";
        let holds: Vec<HoldRow> = sqlx::query_as(holds)
            .fetch_all(&mut *snapshot)
            .await
            .expect("holds");
        assert_eq!(holds.len(), reference.holds.len(), "holds");
        let mut held: HashMap<Uuid, Decimal> = HashMap::new();
        for (client, id, status, remaining, expires_at) in holds {
            let Hold {
                debtor,
                remaining: left,
                status: expected,
                ends,
                ..
            } = &reference.holds[&(client, id.to_string())];
            let left = decimal(*left, &reference.accounts[debtor].currency);
            assert_eq!(remaining, left, "hold {id}, which is {status}");
            if status == "authorised" {
                *held.entry(*debtor).or_default() += left;
            }
            // The table hears of an end when something touches the hold.
            let is_as_expected =
                status == *expected || (*expected == "expired" && status == "authorised");
            assert!(
                is_as_expected,
                "hold {id} is {status} with {remaining}, not {expected}"
            );
            assert_eq!(expires_at, *ends, "hold {id}");
        }
        let accounts = "select id, opened_seq, status, held, posted.balance from account
                        left join lateral (select balance from posting where account_seq = opened_seq
                                           order by number desc limit 1) posted on true";
        let accounts: Vec<(Uuid, i64, String, Decimal, Option<Decimal>)> = sqlx::query_as(accounts)
            .fetch_all(&mut *snapshot)
            .await
            .expect("accounts");
        assert_eq!(accounts.len(), reference.accounts.len(), "accounts");
        for (id, seq, status, is_held, posted) in accounts {
            let account = &reference.accounts[&id];
            let expected = match (account.is_closed, account.no_debits, account.no_credits) {
                (true, ..) => "closed",
                (_, true, true) => "frozen",
                (_, true, false) => "debit_frozen",
                (_, false, true) => "credit_frozen",
                (_, false, false) => "open",
            };
            assert_eq!(status, expected, "account {id}");
            let money = |minor: Minor| decimal(minor, &account.currency);
            let expected = held.get(&id).copied().unwrap_or_default();
            assert_eq!(is_held, expected, "held on account {id}");
            assert_eq!(
                posted.unwrap_or_default(),
                money(account.posted()),
                "account {id}"
            );
            assert_eq!(
                u64::try_from(seq).ok(),
                Some(account.opened_seq),
                "account {id}"
            );
            let lines = "select request_seq, amount, balance, effective_date from posting
                         where account_seq = $1 order by number";
            let lines: Vec<(i64, Decimal, Decimal, Option<chrono::NaiveDate>)> =
                sqlx::query_as(lines)
                    .bind(seq)
                    .fetch_all(&mut *snapshot)
                    .await
                    .expect("postings");
            let expected = account.lines.iter().map(|line| {
                let seq = i64::try_from(line.seq).expect("small");
                (
                    seq,
                    money(line.amount),
                    money(line.balance),
                    line.value_date,
                )
            });
            assert_eq!(
                lines,
                expected.collect::<Vec<_>>(),
                "the postings of account {id}"
            );
        }
        None
    }

    /// The books hold together, and are what the log leads to.
    pub(crate) async fn audit(&self) {
        let mut database = self.database().await;
        let verified = audit::verify(Some(&self.auditor()), &mut database, |_, _, _| {}).await;
        let verified = verified.expect("streams and books");
        assert!(matches!(verified, Verified::Sound(_)), "{verified:?}");
        let replayed = audit::replay(&self.auditor(), &mut database, |_, _| {}).await;
        let replayed = replayed.expect("streams and books");
        assert!(matches!(replayed, Verdict::Agrees(_)), "{replayed:?}");
    }
}

fn name(door: Door) -> &'static str {
    match door {
        Door::Auth => "auth",
        Door::Ledger => "ledger",
        Door::Payments => "payments",
    }
}

fn login(servers: &Servers, user: &str) -> broker::Config {
    broker::Config {
        url: servers.nats_url(),
        user: user.to_owned(),
        password: servers.nats_password(user).to_owned(),
        ca: None,
    }
}

fn decimal(minor: Minor, currency: &str) -> Decimal {
    text(minor, currency).parse().expect("a decimal")
}
