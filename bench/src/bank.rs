//! The bank that is measured: a fresh one, with accounts opened by real requests and tokens that auth issued.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use async_nats::{Client, jetstream};
use auth::clients::ensure_service_account;
use common::broker;
use common::broker::{BATCH_MESSAGES_MAX, Publisher, Reader};
use common::ids::{AccountId, ClientId};
use common::kinds::account::{AccountRequest, Category, OpenAccount};
use common::message::Outgoing;
use common::token::Audience;
use common::wire::{REQUESTS, SETTLEMENTS};
use futures::future::try_join_all;
use indicatif::ProgressBar;
use ledger::audit::{Summary, Verdict, replay};
use local::{
    Bank, BankOptions, GatewayOptions, Home, Part, Ports, Producer, ServerOptions, Servers, Service,
};
use sqlx::postgres::PgPool;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::costs::{Peaks, Processes};
use crate::http::{self, Connection};
use crate::payments::{Choice, Maker, Pattern};

/// The producer that writes into the log itself.
pub(crate) const SHOP: &str = "bench-shop";
/// The producer at the door.
pub(crate) const KIOSK: &str = "bench-kiosk";
pub(crate) const SHOP_SECRET: &str = "a secret of a bank that lives for minutes on loopback";
pub(crate) const SHOP_SCOPES: &str = "payments:submit-any payments:read accounts:read";
/// The producer that opens accounts.
pub(crate) const STAFF: &str = "bench-staff";
/// The login that may read the streams and write nothing.
pub(crate) const AUDITOR: &str = "audit";
/// The login that reads answers while they are measured: a consumer in the stream's own account hears of them at once.
pub(crate) const READER: &str = "ledger";
/// Connections to auth that fetch tokens side by side; its work is signing, on two cores.
const TOKEN_CONNECTIONS: usize = 4;
/// Batches of accounts that may wait for the ledger: a million accounts at once would take longer than [`PATIENCE`] on a
/// slow machine.
const OPENED_AHEAD_BATCHES: usize = 50;
/// Whatever takes longer hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running bank with accounts.
pub(crate) struct BenchBank {
    pub(crate) bank: Bank,
    pub(crate) shop: ClientId,
    kiosk: ClientId,
    staff: ClientId,
    pub(crate) accounts: Vec<AccountId>,
    runs: u32,
    memory: Peaks,
}

impl BenchBank {
    /// Starts a bank with so many accounts.
    pub(crate) async fn start(program: &Path, accounts: usize, bar: &ProgressBar) -> Result<Self> {
        Self::start_as(program, accounts, None, bar).await
    }

    /// The same, with nginx in front of the services.
    pub(crate) async fn start_behind_gateway(
        program: &Path,
        accounts: usize,
        bar: &ProgressBar,
    ) -> Result<Self> {
        let gateway = GatewayOptions::default();
        Self::start_as(program, accounts, Some(gateway), bar).await
    }

    async fn start_as(
        program: &Path,
        accounts: usize,
        gateway: Option<GatewayOptions>,
        bar: &ProgressBar,
    ) -> Result<Self> {
        bar.set_message("starting a bank");
        let options = BankOptions {
            home: Home::temporary()?,
            program: program.to_owned(),
            ports: Ports::Free,
            producers: vec![Producer::direct(SHOP), Producer::new(KIOSK)],
            gateway,
            environment: Service::ALL
                .into_iter()
                .map(|service| (service, "QUITTANCE_LOG".to_owned(), "warn".to_owned()))
                .collect(),
        };
        let bank = Bank::start(options, &local::silent()).await?;
        let directory = PgPool::connect(&bank.servers().database_url(Service::Auth)).await?;
        let (shop, kiosk): (ClientId, ClientId) = (SHOP.parse()?, KIOSK.parse()?);
        let staff: ClientId = STAFF.parse()?;
        for (client, scopes) in [
            (&shop, SHOP_SCOPES),
            (&kiosk, SHOP_SCOPES),
            (&staff, "bank:operate"),
        ] {
            ensure_service_account(&directory, client, SHOP_SECRET, scopes).await?;
        }
        directory.close().await;
        let mut this = Self {
            bank,
            shop,
            kiosk,
            staff,
            accounts: Vec::new(),
            runs: 0,
            memory: Peaks::default(),
        };
        this.open_accounts(accounts, bar).await?;
        Ok(this)
    }

    /// Opens more accounts, with atomic batches of real requests under the staff's token. Each may overdraw, so that
    /// every payment of the load is settled.
    pub(crate) async fn open_accounts(&mut self, count: usize, bar: &ProgressBar) -> Result<()> {
        bar.set_message(format!("opening {count} accounts"));
        let token = self.tokens_of(STAFF, Audience::Log, 1).await?.concat();
        let publisher = Publisher::new(&self.config("ledger"));
        let opened: Vec<AccountId> = (0..count).map(|_| AccountId(Uuid::now_v7())).collect();
        let mut last = 0;
        for (number, ids) in opened.chunks(BATCH_MESSAGES_MAX).enumerate() {
            let messages: Vec<_> = ids
                .iter()
                .map(|id| open_request(*id, &self.staff, &token))
                .collect();
            last = publisher
                .publish_batch(REQUESTS, &messages, None)
                .await?
                .sequence;
            if number % OPENED_AHEAD_BATCHES == OPENED_AHEAD_BATCHES - 1 {
                self.answered(last).await?;
            }
        }
        self.answered(last).await?;
        self.accounts.extend(opened);
        Ok(())
    }

    /// `count` different tokens of the producer, from `POST /oauth2/token`.
    pub(crate) async fn tokens(&self, audience: Audience, count: usize) -> Result<Vec<String>> {
        self.tokens_of(SHOP, audience, count).await
    }

    /// The same for another producer.
    pub(crate) async fn tokens_of(
        &self,
        client: &str,
        audience: Audience,
        count: usize,
    ) -> Result<Vec<String>> {
        let url = self.bank.url(Service::Auth);
        let request = token_request(&url, client, audience);
        let connections = TOKEN_CONNECTIONS.min(count);
        let fetch = (0..connections).map(async |number| {
            let mut connection = Connection::open(&url).await?;
            let share = (number..count).step_by(connections).count();
            let mut tokens = Vec::with_capacity(share);
            for _ in 0..share {
                let answer = connection.send_json(&request).await?;
                let token = answer["access_token"].as_str().context("no token")?;
                tokens.push(token.to_owned());
            }
            anyhow::Ok(tokens)
        });
        let tokens: Vec<String> = try_join_all(fetch).await?.concat();
        let different: BTreeSet<&String> = tokens.iter().collect();
        ensure!(different.len() == count, "auth issued a token twice");
        Ok(tokens)
    }

    /// Makes payments that no other run makes.
    pub(crate) fn maker<'a>(&'a mut self, tokens: &'a [String], pattern: Pattern) -> Maker<'a> {
        self.maker_of(SHOP, tokens, pattern)
    }

    /// The same for one of the two producers.
    pub(crate) fn maker_of<'a>(
        &'a mut self,
        client: &str,
        tokens: &'a [String],
        pattern: Pattern,
    ) -> Maker<'a> {
        self.runs += 1;
        Maker {
            client: if client == KIOSK {
                &self.kiosk
            } else {
                &self.shop
            },
            tokens,
            choice: Choice::new(pattern, &self.accounts, u64::from(self.runs)),
            run: self.runs,
        }
    }

    /// A connection as a service or the auditor (account CORE) or as a producer (account DIRECT or EDGE).
    pub(crate) async fn connect(&self, user: &str) -> Result<Client> {
        connect(self.bank.servers(), user).await
    }

    /// A login at the broker.
    pub(crate) fn config(&self, user: &str) -> broker::Config {
        config(self.bank.servers(), user)
    }

    /// The streams, read only.
    pub(crate) async fn audit(&self) -> Result<jetstream::Context> {
        Ok(broker::jetstream(&self.connect(AUDITOR).await?))
    }

    /// The processes, to ask what they cost.
    pub(crate) fn processes(&self) -> Processes {
        Processes::of(self.bank.home().path())
    }

    /// Makes the database write out now what a saturated load has left for the minutes after.
    pub(crate) async fn settle(&self) -> Result<()> {
        let url = self.bank.servers().superuser_database_url(Service::Ledger);
        let mut database = PgConnection::connect(&url).await?;
        sqlx::query("checkpoint").execute(&mut database).await?;
        Ok(())
    }

    /// Remembers the highest memory of each process until now: after a run, and before a process stops.
    pub(crate) fn note_memory(&mut self) {
        self.processes().note_memory(&mut self.memory);
    }

    /// Stops one part in order.
    pub(crate) fn stop_part(&mut self, part: Part) {
        self.note_memory();
        self.bank.stop_part(part);
    }

    /// Stops everything; returns the highest memory that each process had.
    pub(crate) async fn stop(mut self) -> Result<Peaks> {
        self.note_memory();
        self.bank.stop().await?;
        Ok(self.memory)
    }

    /// Waits for answer `seq`.
    pub(crate) async fn answered(&self, seq: u64) -> Result<()> {
        let mut reader = Reader::of_settlements_only_reading(&self.config(AUDITOR), seq);
        tokio::time::timeout(PATIENCE, reader.batch(1))
            .await
            .with_context(|| format!("no answer to request {seq}"))??;
        Ok(())
    }

    /// Without this no figure is printed: every request has its answer, a replay of the log leads to the same answers,
    /// balances and chain, and all money sums to zero.
    pub(crate) async fn check(&self, bar: &ProgressBar) -> Result<Summary> {
        bar.set_message("checking the books against the log");
        let streams = self.audit().await?;
        let requests = broker::last_sequence(&streams, REQUESTS).await?;
        self.answered(requests).await?;
        let answers = broker::last_sequence(&streams, SETTLEMENTS).await?;
        ensure!(
            answers == requests,
            "{answers} answers to {requests} requests"
        );
        let url = self.bank.servers().database_url(Service::Ledger);
        let mut database = PgConnection::connect(&url).await?;
        match replay(
            &config(self.bank.servers(), "audit"),
            &mut database,
            |_, _| {},
        )
        .await?
        {
            Verdict::Agrees(summary) => {
                ensure!(
                    summary.requests == requests,
                    "{} of {requests} requests were replayed",
                    summary.requests
                );
                let is_zero =
                    |sum: &str| sum.bytes().all(|byte| matches!(byte, b'0' | b'.' | b'-'));
                ensure!(
                    summary.sums.values().all(|sum| is_zero(sum)),
                    "money was made or lost: {:?}",
                    summary.sums
                );
                Ok(summary)
            }
            Verdict::Differs(difference) => bail!("the replay differs: {difference}"),
        }
    }
}

/// The form of the client credentials grant.
pub(crate) fn token_request(url: &str, client: &str, audience: Audience) -> Vec<u8> {
    let secret = SHOP_SECRET.replace(' ', "+");
    let audience = audience.as_str();
    let form = format!(
        "grant_type=client_credentials&client_id={client}&client_secret={secret}&audience={audience}"
    );
    http::post_form(url, "/oauth2/token", &form)
}

/// A connection with the login of `user`.
pub(crate) async fn connect(servers: &Servers, user: &str) -> Result<Client> {
    Ok(broker::connect(&config(servers, user)).await?)
}

pub(crate) fn config(servers: &Servers, user: &str) -> broker::Config {
    broker::Config {
        url: servers.nats_url(),
        user: user.to_owned(),
        password: servers.nats_password(user).to_owned(),
        ca: None,
    }
}

/// The broker alone, laid out as in a bank: the streams, and the consumer that auth makes for the producer.
pub(crate) async fn bare_broker() -> Result<Servers> {
    let options = ServerOptions {
        ports: Ports::Free,
        producers: vec![Producer::direct(SHOP)],
    };
    let servers = Servers::start(Home::temporary()?, &options, &local::silent()).await?;
    let ledger = broker::jetstream(&connect(&servers, "ledger").await?);
    broker::ensure_streams(&ledger, 1).await?;
    let auth = broker::jetstream(&connect(&servers, "auth").await?);
    let consumer = jetstream::consumer::pull::Config {
        durable_name: Some(SHOP.to_owned()),
        filter_subject: format!("settlement.*.v1.{SHOP}"),
        ..Default::default()
    };
    auth.get_stream_no_info(SETTLEMENTS)
        .await?
        .create_consumer(consumer)
        .await?;
    Ok(servers)
}

fn open_request(account_id: AccountId, staff: &ClientId, token: &str) -> Outgoing {
    let request = AccountRequest::Open(OpenAccount {
        account_id,
        owner: SHOP.to_owned(),
        currency: "EUR".to_owned(),
        category: Category::Liability,
        name: None,
        overdraft_limit: Some("1000000000.00".to_owned()),
        metadata: None,
    });
    request.message(staff, token)
}
