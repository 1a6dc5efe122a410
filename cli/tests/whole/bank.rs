//! A bank for tests: two customers, a shop that pays for customers, and bank staff with cash.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_nats::{Client, ConnectOptions, HeaderMap, jetstream};
use auth::clients::ensure_service_account;
use auth::people::{Role, ensure_user};
use common::broker;
use common::broker::Reader;
use common::kinds::payment::PaymentAnswer;
use common::message::Stored;
use local::{Bank, BankOptions, GatewayOptions, Home, Part, Ports, Producer, Servers, Service};
use serde_json::{Value, json};
use sqlx::postgres::PgPool;
use uuid::Uuid;

/// A trusted producer, which writes into the log itself: most tests are about what the log holds.
pub(crate) const SHOP: &str = "demo-shop";
/// A producer whose requests go through payments.
pub(crate) const KIOSK: &str = "kiosk";
pub(crate) const CLIENT_SECRET: &str = "a secret of the tests, as long as a real one";
/// Every wait in these tests ends here: far beyond what anything takes, so that only a hang meets it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running bank, and everybody's tokens.
pub(crate) struct TestBank {
    pub(crate) bank: Bank,
    pub(crate) http: reqwest::Client,
    pub(crate) staff: String,
    pub(crate) ada: String,
    pub(crate) shop: String,
    pub(crate) kiosk: String,
    pub(crate) cash: Uuid,
    pub(crate) adas: Uuid,
    pub(crate) graces: Uuid,
}

impl TestBank {
    /// Starts a bank in which Ada and Grace have 1000.00 EUR each.
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// A transaction of three postings: the bank books cash in for Ada. Returns its id.
    pub(crate) async fn deposit_in_two(&self) -> Result<Uuid> {
        let posting = |account: Uuid, direction: &str, amount: &str| json!({"account": account, "direction": direction, "amount": amount, "currency": "EUR"});
        let id = Uuid::now_v7();
        let body = json!({"payment_id": id, "postings": [
            posting(self.cash, "debit", "3.00"),
            posting(self.adas, "credit", "2.00"),
            posting(self.adas, "credit", "1.00"),
        ]});
        let asked = self.post(
            Service::Payments,
            "/transactions",
            &self.staff,
            &body,
            Some(20),
        );
        let (status, booked) = asked.await?;
        ensure!(booked["status"] == "settled", "{status} {booked}");
        Ok(id)
    }

    /// The same, with these variables in the ledger's environment.
    pub(crate) async fn start_with(ledger: &[(&str, &str)]) -> Result<Self> {
        Self::start_as(ledger, None).await
    }

    /// The same as [`TestBank::start`], with nginx in front of the services.
    pub(crate) async fn start_behind_gateway(tls: local::Tls) -> Result<Self> {
        Self::start_as(&[], Some(GatewayOptions::from(tls))).await
    }

    async fn start_as(ledger: &[(&str, &str)], gateway: Option<GatewayOptions>) -> Result<Self> {
        let options = BankOptions {
            home: Home::temporary()?,
            program: Path::new(env!("CARGO_BIN_EXE_quittance")).to_owned(),
            ports: Ports::Free,
            producers: vec![Producer::direct(SHOP), Producer::new(KIOSK)],
            gateway,
            environment: ledger
                .iter()
                .map(|(name, value)| (Service::Ledger, (*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let bank = Bank::start(options, &local::silent()).await?;
        let directory = PgPool::connect(&bank.servers().database_url(Service::Auth)).await?;
        ensure_user(&directory, "staff@bank.test", "staff-password", Role::Staff).await?;
        let ada = ensure_user(&directory, "ada@bank.test", "ada-password", Role::Customer).await?;
        let grace = ensure_user(
            &directory,
            "grace@bank.test",
            "grace-password",
            Role::Customer,
        )
        .await?;
        for client in [SHOP, KIOSK] {
            let scopes = "payments:submit-any payments:read accounts:read";
            ensure_service_account(&directory, &client.parse()?, CLIENT_SECRET, scopes).await?;
        }
        directory.close().await;
        let http = reqwest::Client::new();
        let auth = bank.url(Service::Auth);
        let (staff, ada_token) = (
            login(&http, &auth, "staff@bank.test", "staff-password").await?,
            login(&http, &auth, "ada@bank.test", "ada-password").await?,
        );
        // For messages: over HTTP such a token is refused.
        let (shop, kiosk) = (
            client_token(&http, &auth, SHOP, "quittance-log").await?,
            client_token(&http, &auth, KIOSK, "quittance-log").await?,
        );
        let mut this = Self {
            bank,
            http,
            staff,
            ada: ada_token,
            shop,
            kiosk,
            cash: Uuid::now_v7(),
            adas: Uuid::now_v7(),
            graces: Uuid::now_v7(),
        };
        this.open(json!({"account_id": this.cash, "owner": "bank", "currency": "EUR", "category": "asset"})).await?;
        for (account, owner) in [(this.adas, ada), (this.graces, grace)] {
            this.open(json!({"account_id": account, "owner": owner, "currency": "EUR"}))
                .await?;
            let (status, body) = this
                .pay(
                    &this.staff,
                    payment(this.cash, account, "1000.00"),
                    Some(20),
                )
                .await?;
            ensure!(
                status == 202 && body["status"] == "settled",
                "no deposit: {status} {body}"
            );
        }
        // A crash that a test asked for has happened by now or is still to come; a restart must not repeat it.
        this.bank
            .set_env(Service::Ledger, "QUITTANCE_CRASH_AT", None);
        Ok(this)
    }

    /// A person's token for HTTP.
    pub(crate) async fn login(&self, email: &str, password: &str) -> Result<String> {
        login(&self.http, &self.bank.url(Service::Auth), email, password).await
    }

    /// A service account's token for this audience.
    pub(crate) async fn client_token(&self, client: &str, audience: &str) -> Result<String> {
        client_token(&self.http, &self.bank.url(Service::Auth), client, audience).await
    }

    pub(crate) async fn open(&self, account: Value) -> Result<()> {
        let (status, body) = self
            .post(Service::Ledger, "/accounts", &self.staff, &account, None)
            .await?;
        ensure!(status == 201, "the account is not opened: {status} {body}");
        Ok(())
    }

    /// `POST /payments`: status and body.
    pub(crate) async fn pay(
        &self,
        token: &str,
        payment: Value,
        wait: Option<u32>,
    ) -> Result<(u16, Value)> {
        self.post(Service::Payments, "/payments", token, &payment, wait)
            .await
    }

    /// `POST` with a token, which asks to wait so many seconds: status and body.
    pub(crate) async fn post(
        &self,
        service: Service,
        path: &str,
        token: &str,
        body: &Value,
        wait: Option<u32>,
    ) -> Result<(u16, Value)> {
        let url = format!("{}{path}", self.bank.url(service));
        let mut request = self.http.post(url).bearer_auth(token).json(body);
        if let Some(seconds) = wait {
            request = request.header("Prefer", format!("wait={seconds}"));
        }
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// `GET` with a token: status and body.
    pub(crate) async fn get(
        &self,
        service: Service,
        path: &str,
        token: &str,
    ) -> Result<(u16, Value)> {
        let url = format!("{}{path}", self.bank.url(service));
        let answer = self.http.get(url).bearer_auth(token).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// An account, as the bank's staff sees it.
    pub(crate) async fn account(&self, account: Uuid) -> Result<Value> {
        let path = format!("/accounts/{account}");
        let (status, body) = self.get(Service::Ledger, &path, &self.staff).await?;
        ensure!(status == 200, "{status} {body}");
        Ok(body)
    }

    /// The posted balance of an account, as the bank's staff sees it.
    pub(crate) async fn posted(&self, account: Uuid) -> Result<String> {
        let body = self.account(account).await?;
        Ok(body["posted"].as_str().context("no balance")?.to_owned())
    }

    /// The shop's own connection: in the account DIRECT, with a private inbox, as any producer's.
    pub(crate) async fn producer(&self) -> Result<Client> {
        producer(self.bank.servers(), SHOP).await
    }

    /// The kiosk's own connection: in the account EDGE.
    pub(crate) async fn kiosk(&self) -> Result<Client> {
        producer(self.bank.servers(), KIOSK).await
    }

    /// A connection as one of our own users.
    pub(crate) async fn core(&self, user: &str) -> Result<Client> {
        Ok(broker::connect(&self.config(user)).await?)
    }

    pub(crate) fn config(&self, user: &str) -> broker::Config {
        config(self.bank.servers(), user)
    }

    /// A read-only connection to the streams.
    pub(crate) async fn audit(&self) -> Result<jetstream::Context> {
        Ok(broker::jetstream(&self.core("audit").await?))
    }

    /// What a producer sends: a payment request under the shop's token.
    pub(crate) fn headers(&self, payment: &Value) -> HeaderMap {
        headers(SHOP, &self.shop, payment)
    }

    /// What the kiosk sends.
    pub(crate) fn kiosk_headers(&self, payment: &Value) -> HeaderMap {
        headers(KIOSK, &self.kiosk, payment)
    }

    /// Publishes a message as the shop and returns the sequence in its `PubAck`.
    pub(crate) async fn publish(
        &self,
        client: &Client,
        headers: HeaderMap,
        body: impl Into<Vec<u8>>,
    ) -> Result<u64> {
        let subject = format!("request.payment.v1.{SHOP}");
        let ack = client
            .request_with_headers(subject, headers, body.into().into())
            .await?;
        let ack: Value = serde_json::from_slice(&ack.payload)?;
        ensure!(ack["error"].is_null(), "refused: {ack}");
        ack["seq"]
            .as_u64()
            .with_context(|| format!("no PubAck: {ack}"))
    }

    /// The settlement event of request `seq`.
    pub(crate) async fn settlement(&self, seq: u64) -> Result<PaymentAnswer> {
        Ok(serde_json::from_slice(&self.answer(seq).await?.payload)?)
    }

    /// The answer to request `seq`, whatever it is.
    pub(crate) async fn answer(&self, seq: u64) -> Result<Stored> {
        let answer = answers(self.bank.servers(), seq, 1).await?;
        answer.into_iter().next().context("a batch has a message")
    }

    /// Waits until a part has died by itself.
    pub(crate) async fn wait_until_dead(&mut self, part: Part) -> Result<()> {
        let ended = tokio::time::timeout(PATIENCE, self.bank.wait_for_an_end())
            .await
            .context("nothing died")?;
        ensure!(ended == part, "{ended:?} died");
        Ok(())
    }
}

async fn login(http: &reqwest::Client, auth: &str, email: &str, password: &str) -> Result<String> {
    let body = json!({"email": email, "password": password});
    let request = http.post(format!("{auth}/api/token/")).json(&body);
    token(request, "access").await
}

async fn client_token(
    http: &reqwest::Client,
    auth: &str,
    client: &str,
    audience: &str,
) -> Result<String> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_secret", CLIENT_SECRET),
        ("audience", audience),
    ];
    let request = http.post(format!("{auth}/oauth2/token")).form(&form);
    token(request, "access_token").await
}

async fn token(request: reqwest::RequestBuilder, member: &str) -> Result<String> {
    let answer: Value = request.send().await?.json().await?;
    let token = answer[member].as_str();
    Ok(token
        .with_context(|| format!("no token: {answer}"))?
        .to_owned())
}

/// What a producer sends with a payment.
fn headers(client: &str, token: &str, payment: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Authorization", format!("Bearer {token}"));
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", payment["payment_id"].as_str().unwrap_or_default());
    headers.insert("ce-type", "payment.requested.v1");
    headers.insert("ce-source", format!("/clients/{client}"));
    headers
}

/// A producer's own connection to these servers.
pub(crate) async fn producer(servers: &Servers, client: &str) -> Result<Client> {
    let password = servers.nats_password(client).to_owned();
    let options = ConnectOptions::with_user_and_password(client.to_owned(), password)
        .custom_inbox_prefix(format!("_INBOX_{client}"))
        .request_timeout(Some(Duration::from_secs(5)));
    Ok(options.connect(servers.nats_url()).await?)
}

/// How one of our own users connects to these servers.
pub(crate) fn config(servers: &Servers, user: &str) -> broker::Config {
    broker::Config {
        url: servers.nats_url(),
        user: user.to_owned(),
        password: servers.nats_password(user).to_owned(),
        ca: None,
    }
}

/// `count` answers from number `from` on, as SETTLEMENTS holds them; waits for the last of them.
pub(crate) async fn answers(servers: &Servers, from: u64, count: usize) -> Result<Vec<Stored>> {
    let mut reader = Reader::of_settlements_only_reading(&config(servers, "audit"), from);
    Ok(
        tokio::time::timeout(PATIENCE, reader.batch_of(count, count))
            .await
            .context("no answer")??,
    )
}

/// The body of a payment request with an id of its own.
pub(crate) fn payment(debtor: Uuid, creditor: Uuid, amount: &str) -> Value {
    json!({
        "payment_id": Uuid::now_v7(), "debtor_account": debtor, "creditor_account": creditor,
        "amount": amount, "currency": "EUR",
    })
}
