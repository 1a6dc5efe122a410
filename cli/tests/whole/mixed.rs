//! Every kind of request in a random mix, while the ledger dies: afterwards the books are what the log leads to.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_nats::{Client, HeaderMap};
use auth::clients::ensure_service_account;
use chrono::TimeDelta;
use common::broker;
use common::wire::REQUESTS as REQUESTS_STREAM;
use futures::future::join_all;
use local::{Part, Service};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, PgPool};
use uuid::Uuid;

use crate::bank::{CLIENT_SECRET, PATIENCE, SHOP, TestBank};
use crate::proof;

/// So that a few requests make several batches, and a hold and its capture often share one.
const SMALL_BATCH: (&str, &str) = ("QUITTANCE_BATCH_MAX", "10");
/// What JSON can say and a database may choke on.
const TEXTS: [&str; 4] = ["a NUL \0 in it", "\0", "\u{feff}\u{202e}", "'; --"];
/// Requests between two deaths.
const REQUESTS: usize = 80;

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_dies_in_a_mix_of_all_kinds_loses_nothing() -> Result<()> {
    let mut test = TestBank::start_with(&[SMALL_BATCH]).await?;
    let senders = Senders::of(&test).await?;
    let mut mix = Mix::new();
    one_of_each(&test, &senders).await?;
    let deaths = [
        Some(("before-payments", "2")),
        Some(("after-commit", "3")),
        Some(("before-write", "4")),
        None,
    ];
    for death in deaths {
        let (place, visit) = death.unzip();
        test.bank
            .set_env(Service::Ledger, "QUITTANCE_CRASH_AT", place);
        test.bank
            .set_env(Service::Ledger, "QUITTANCE_CRASH_VISIT", visit);
        // It may die before anybody has asked whether it is ready.
        test.bank.spawn_part(Service::Ledger)?;
        mix.send(&test, &senders).await?;
        match death {
            Some(_) => test.wait_until_dead(Part::Ledger).await?,
            None => test.bank.kill(Part::Ledger),
        }
    }
    test.bank
        .set_env(Service::Ledger, "QUITTANCE_CRASH_AT", None);
    test.bank.start_part(Part::Ledger).await?;
    mix.send(&test, &senders).await?;
    all_ends_announced(&test).await?;
    test.check_invariants().await?;
    proof::holds_together_and_replays_from_a_file(&test).await?;
    for (kind, outcome) in [
        ("payment", "settled"),
        ("transaction", "settled"),
        ("payment-batch", "answered"),
        ("hold", "authorised"),
        ("capture", "captured"),
        ("void", "voided"),
        ("reversal", "reversed"),
        ("expiry", "expired"),
        ("account", "frozen"),
        ("account", "unfrozen"),
        ("account", "limited"),
    ] {
        let path = format!("/log?kind={kind}&status={outcome}&limit=1");
        let (_, page) = test.get(Service::Ledger, &path, &test.staff).await?;
        let entries = page["entries"].as_array();
        let is_there = entries.is_some_and(|entries| !entries.is_empty());
        if !is_there {
            let path = format!("/log?kind={kind}&limit=100");
            let (_, all) = test.get(Service::Ledger, &path, &test.staff).await?;
            anyhow::bail!("no {kind} is {outcome}: {all}");
        }
    }
    Ok(())
}

/// Publishes one request of each kind that succeeds whatever the dice say later: while they run, accounts may be frozen.
async fn one_of_each(test: &TestBank, senders: &Senders) -> Result<()> {
    let [paid, captured, voided, expires, booked] = [(); 5].map(|()| Uuid::now_v7());
    let pay = |id| {
        json!({
            "payment_id": id, "debtor_account": test.adas, "creditor_account": test.graces, "amount": "1.00",
            "currency": "EUR",
        })
    };
    let own = |mut body: Value| {
        body["payment_id"] = json!(Uuid::now_v7());
        body
    };
    let mut hold_with_nul = pay(captured);
    hold_with_nul["reference"] = json!(TEXTS[0]);
    let mut hold_with_end = pay(expires);
    hold_with_end["expires_at"] = json!(common::service::now() + TimeDelta::seconds(2));
    let mut transaction = transfer(test.adas, test.graces, "1.00");
    transaction["payment_id"] = json!(booked);
    let control = |action, side| json!({"action": action, "account_id": test.adas, "side": side});
    // An account that has no limits is not limited again by none: that would be a duplicate.
    let limits = json!({"maximum_balance": "100000.00"});
    let limits = json!({"action": "limit", "account_id": test.adas, "limits": limits});
    let requests = [
        ("payment", pay(paid)),
        ("transaction", transaction),
        (
            "reversal",
            own(json!({"reverses": booked, "client_id": SHOP})),
        ),
        ("hold", hold_with_end),
        ("hold", hold_with_nul),
        ("capture", own(json!({"hold_id": captured}))),
        ("hold", pay(voided)),
        ("void", own(json!({"hold_id": voided}))),
        (
            "reversal",
            own(json!({"reverses": paid, "client_id": SHOP})),
        ),
        (
            "payment-batch",
            json!({
                "batch_id": Uuid::now_v7(), "debtor_account": test.adas, "currency": "EUR",
                "payments": [
                    {"payment_id": Uuid::now_v7(), "creditor_account": test.graces, "amount": "1.00"},
                    {"payment_id": Uuid::now_v7(), "creditor_account": test.graces, "amount": "9000.00"},
                ],
            }),
        ),
        ("account", control("freeze", "credit")),
        ("account", control("unfreeze", "credit")),
        ("account", limits),
    ];
    for (kind, body) in requests {
        senders.store(kind, body).await?;
    }
    Ok(())
}

/// The postings of a transaction between two accounts.
fn transfer(debtor: Uuid, creditor: Uuid, amount: &str) -> Value {
    let posting = |account, direction| json!({"account": account, "direction": direction, "amount": amount, "currency": "EUR"});
    json!({"postings": [posting(debtor, "debit"), posting(creditor, "credit")]})
}

/// Waits until the ledger has announced the end of every hold that has one: until then the log grows by itself.
async fn all_ends_announced(test: &TestBank) -> Result<()> {
    let servers = test.bank.servers();
    let mut database = PgConnection::connect(&servers.audit_database_url()).await?;
    let requests = broker::last_sequence(&test.audit().await?, REQUESTS_STREAM).await?;
    test.answer(requests).await?;
    let waiting = async {
        let count = "select count(*) from hold
                     where expires_at is not null and not is_announced and status in ('authorised', 'expired')";
        while sqlx::query_scalar::<_, i64>(count)
            .fetch_one(&mut database)
            .await?
            > 0
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .context("an end is never announced")?
}

/// A mix that a seed leads to.
struct Mix {
    dice: TestRunner,
    /// Ids of holds that were asked for.
    holds: Vec<Uuid>,
    /// Ids of payments and captures that were asked for.
    moves: Vec<Uuid>,
}

impl Mix {
    #[expect(clippy::print_stderr, reason = "whoever sees it fail needs the seed")]
    fn new() -> Self {
        let seed =
            std::env::var("QUITTANCE_SEED").unwrap_or_else(|_| Uuid::now_v7().simple().to_string());
        eprintln!("QUITTANCE_SEED={seed} repeats this mix");
        let rng = TestRng::from_seed(
            RngAlgorithm::ChaCha,
            seed.as_bytes().first_chunk::<32>().expect("32 characters"),
        );
        Self {
            dice: TestRunner::new_with_rng(Config::default(), rng),
            holds: vec![Uuid::nil()],
            moves: vec![Uuid::nil()],
        }
    }

    fn draw<S: Strategy>(&mut self, strategy: S) -> Result<S::Value> {
        let tree = strategy.new_tree(&mut self.dice);
        Ok(tree.ok().context("no value")?.current())
    }

    /// Publishes random requests, all at once.
    async fn send(&mut self, test: &TestBank, senders: &Senders) -> Result<()> {
        let mut sent = Vec::new();
        for _ in 0..REQUESTS {
            let (kind, body) = self.request(test)?;
            sent.push(senders.store(kind, body));
        }
        let all = tokio::time::timeout(PATIENCE, join_all(sent)).await;
        let all = all.context("the broker takes nothing")?;
        all.into_iter().collect()
    }

    fn request(&mut self, test: &TestBank) -> Result<(&'static str, Value)> {
        let kinds = vec![
            (4, "payment"),
            (4, "hold"),
            (4, "capture"),
            (2, "void"),
            (3, "reversal"),
            (2, "transaction"),
            (2, "payment-batch"),
            (1, "account"),
        ];
        let kinds = kinds.into_iter().map(|(weight, kind)| (weight, Just(kind)));
        let kind = self.draw(prop::strategy::Union::new_weighted(kinds.collect()))?;
        let amount = self
            .draw((1_u32..3000).prop_map(|cents| format!("{}.{:02}", cents / 100, cents % 100)))?;
        let parties = [[test.adas, test.graces], [test.graces, test.adas]];
        let [debtor, creditor] = self.draw(prop::sample::select(parties.to_vec()))?;
        // Nearly all ask about what can be asked that; some do not.
        let known = match (kind, self.draw(0_u8..10)?) {
            ("reversal", 1..) | (_, 0) => self.moves.clone(),
            _ => self.holds.clone(),
        };
        let known = self.draw(prop::sample::select(known))?;
        let is_partial = self.draw(any::<bool>())?;
        // Some ids come twice, for the same or for something else.
        let id = match self.draw(0_u8..10)? {
            0 => known,
            _ => Uuid::from_u128(self.draw(any::<u128>())?),
        };
        if kind == "payment-batch" {
            return Ok((kind, self.batch([debtor, creditor], &amount)?));
        }
        let mut body = match kind {
            "payment" | "hold" => json!({
                "payment_id": id, "debtor_account": debtor, "creditor_account": creditor, "amount": amount,
                "currency": "EUR",
            }),
            "capture" => {
                json!({"payment_id": id, "hold_id": known, "final": self.draw(any::<bool>())?})
            }
            "void" => json!({"payment_id": id, "hold_id": known}),
            "reversal" => json!({"payment_id": id, "reverses": known, "client_id": SHOP}),
            "transaction" => {
                let mut body = transfer(debtor, creditor, &amount);
                body["payment_id"] = json!(id);
                body
            }
            _ => self.control(debtor)?,
        };
        match kind {
            "payment" | "hold" | "transaction" => {
                body["reference"] = json!(self.draw(prop::sample::select(TEXTS.to_vec()))?);
                body["metadata"] =
                    json!({"note": self.draw(prop::sample::select(TEXTS.to_vec()))?});
            }
            "reversal" => body["reason"] = json!(self.draw(prop::sample::select(TEXTS.to_vec()))?),
            _ => {}
        }
        match kind {
            "hold" if self.draw(any::<bool>())? => {
                let end =
                    common::service::now() + TimeDelta::milliseconds(self.draw(50_i64..1500)?);
                body["expires_at"] = json!(end);
            }
            "capture" | "reversal" if is_partial => body["amount"] = json!(amount),
            _ => {}
        }
        match kind {
            "hold" => self.holds.push(id),
            "payment" | "capture" => self.moves.push(id),
            _ => {}
        }
        Ok((kind, body))
    }

    /// A few payments, some with ids that came before.
    fn batch(&mut self, [debtor, creditor]: [Uuid; 2], amount: &str) -> Result<Value> {
        let mut payments = Vec::new();
        for _ in 0..self.draw(1_u8..8)? {
            let id = match self.draw(0_u8..10)? {
                0 => self.draw(prop::sample::select(self.moves.clone()))?,
                _ => Uuid::from_u128(self.draw(any::<u128>())?),
            };
            self.moves.push(id);
            let amount = match self.draw(0_u8..4)? {
                0 => "5000",
                1 => "1.001",
                _ => amount,
            };
            payments
                .push(json!({"payment_id": id, "creditor_account": creditor, "amount": amount}));
        }
        Ok(json!({
            "batch_id": Uuid::from_u128(self.draw(any::<u128>())?), "atomic": self.draw(any::<bool>())?,
            "debtor_account": debtor, "currency": "EUR", "payments": payments,
        }))
    }

    fn control(&mut self, account: Uuid) -> Result<Value> {
        let side = self.draw(prop::sample::select(vec!["debit", "credit", "both"]))?;
        let action = self.draw(prop::sample::select(vec![
            "freeze", "unfreeze", "unfreeze", "limit",
        ]))?;
        let limits = self.draw(prop::sample::select(vec![
            json!({}),
            json!({"overdraft_limit": "10.00", "day_count_max": 50}),
            json!({"minimum_balance": "5.00", "month_amount_max": "400.00"}),
            json!({"maximum_balance": "1500.00"}),
        ]))?;
        Ok(match action {
            "limit" => json!({"action": action, "account_id": account, "limits": limits}),
            _ => json!({"action": action, "account_id": account, "side": side}),
        })
    }
}

/// A program of the bank's own.
const TELLER: &str = "teller";

/// The connections and tokens of the shop, which holds and pays, and of the teller, who controls and reverses.
struct Senders {
    shop: (Client, String),
    /// The entrance of the ledger, which alone sends requests about accounts.
    ledger: Client,
    payments: Client,
    teller_token: String,
}

impl Senders {
    async fn of(test: &TestBank) -> Result<Self> {
        let directory = PgPool::connect(&test.bank.servers().database_url(Service::Auth)).await?;
        let scopes = "bank:operate accounts:write";
        ensure_service_account(&directory, &TELLER.parse()?, CLIENT_SECRET, scopes).await?;
        directory.close().await;
        Ok(Self {
            shop: (test.producer().await?, test.shop.clone()),
            ledger: test.core("ledger").await?,
            payments: test.core("payments").await?,
            teller_token: test.client_token(TELLER, "quittance-log").await?,
        })
    }

    /// Stores a request, and tries until it is acknowledged, as a producer does.
    async fn store(&self, kind: &'static str, body: Value) -> Result<()> {
        let (connection, client, token) = match kind {
            "account" => (&self.ledger, TELLER, &self.teller_token),
            "reversal" => (&self.payments, TELLER, &self.teller_token),
            _ => (&self.shop.0, SHOP, &self.shop.1),
        };
        let subject = format!("request.{kind}.v1.{client}");
        loop {
            let mut headers = HeaderMap::new();
            headers.insert("Authorization", format!("Bearer {token}"));
            let payload = body.to_string().into();
            let asked = connection.request_with_headers(subject.clone(), headers, payload);
            if let Ok(ack) = asked.await {
                let ack: Value = serde_json::from_slice(&ack.payload)?;
                ensure!(ack["seq"].is_u64(), "{kind} is refused: {ack}");
                return Ok(());
            }
        }
    }
}
