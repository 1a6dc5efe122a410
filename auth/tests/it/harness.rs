//! Real PostgreSQL and NATS, `auth::serve` in this process, and a ledger that only answers announcements of keys.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use auth::people::{self, Role};
use common::broker;
use common::broker::{BATCH_MESSAGES_MAX, Publisher, Reader};
use common::headers::HeaderLines;
use common::kinds;
use common::kinds::Answer;
use common::kinds::revocation::{self, RevocationAnswer, RevocationStatus, Revoke};
use common::kinds::trust::AnnounceKey;
use common::kinds::trust::{KeyAnswer, KeyStatus};
use common::message::{Outgoing, Stored};
use common::reason::{Code, Reason};
use common::service;
use common::token::{Keys, Policy, Verified, verify};
use common::wire;
use local::{Servers, Service, testing};
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The one customer of most tests.
pub(crate) const EMAIL: &str = "a@b.rw";
pub(crate) const PASSWORD: &str = "pw-123456789";

/// What payments proves itself with.
pub(crate) const EXCHANGE_SECRET: &str = "payments-exchanges-with-this";

/// A test that waits longer than this for something has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Bank {
    pub(crate) servers: Servers,
    pub(crate) http: Client,
    pub(crate) pool: PgPool,
    pub(crate) listen: SocketAddr,
}

/// A task that stops with its handle.
pub(crate) struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A running auth that dies with its handle, wherever it is. It has a thread of its own, as it has a process otherwise.
pub(crate) struct Auth {
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Auth {
    pub(crate) fn start(config: auth::Config) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let ended = runtime.block_on(stopped.run_until_cancelled(auth::serve(config)));
            assert!(ended.is_none(), "auth ended by itself: {ended:?}");
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Auth {
    fn drop(&mut self) {
        self.stop.cancel();
        let ended = self.thread.take().expect("taken here only").join();
        assert!(ended.is_ok() || thread::panicking());
    }
}

impl Bank {
    /// Servers, and nothing running on them.
    pub(crate) async fn new() -> Self {
        let servers = testing::servers().await;
        let owner = servers.owner_database_url(Service::Auth);
        let owner = service::Owner {
            url: owner.parse().expect("a URL of ours"),
        };
        auth::migrate(&owner).await.expect("tables");
        let url = servers.database_url(Service::Auth);
        Self {
            pool: PgPool::connect_lazy(&url).expect("a URL of ours"),
            http: Client::new(),
            listen: testing::free_address(),
            servers,
        }
    }

    /// Everything runs, [`EMAIL`] is a customer.
    pub(crate) async fn open() -> (Self, Auth, Running) {
        let bank = Self::new().await;
        let ledger = bank.ledger(KeyStatus::Noted).await;
        let auth = bank.auth();
        bank.wait_until_ready().await;
        people::ensure_user(&bank.pool, EMAIL, PASSWORD, Role::Customer)
            .await
            .expect("a customer");
        (bank, auth, ledger)
    }

    pub(crate) fn config(&self) -> auth::Config {
        auth::Config {
            service: service::Config {
                web: service::Web {
                    listen: self.listen,
                    allowed_origins: Vec::new(),
                    leave_seconds: 0,
                    discovery: service::Discovery::default(),
                },
                broker: self.broker("auth"),
                database: service::Database {
                    url: self.url(&self.servers.database_url(Service::Auth)),
                },
                stop_with_parent: false,
            },
            key_encryption_key: self.key_encryption_key().parse().expect("any text"),
            key_rotation_days: 30,
            issuer: "https://auth.test".to_owned(),
            exchange_secrets: auth::ExchangeSecrets {
                payments_secret: Some(EXCHANGE_SECRET.parse().expect("any text")),
                ledger_secret: None,
            },
            registration: auth::Registration::Off,
            staff_second_factor: auth::StaffSecondFactor::Optional,
            trusted_proxies: vec!["127.0.0.1".parse().expect("an address")],
        }
    }

    pub(crate) fn key_encryption_key(&self) -> String {
        let environment = self.servers.service_env(Service::Auth, 1);
        let mut sealed_with = environment
            .into_iter()
            .filter(|(name, _)| name == "QUITTANCE_KEY_ENCRYPTION_KEY");
        sealed_with.next().expect("auth gets one").1
    }

    fn url(&self, url: &str) -> service::DatabaseUrl {
        url.parse().expect("a URL of ours")
    }

    pub(crate) fn broker(&self, user: &str) -> broker::Config {
        broker::Config {
            url: self.servers.nats_url(),
            user: user.to_owned(),
            password: self.servers.nats_password(user).to_owned(),
            ca: None,
        }
    }

    pub(crate) fn auth(&self) -> Auth {
        Auth::start(self.config())
    }

    pub(crate) async fn jetstream(&self, user: &str) -> async_nats::jetstream::Context {
        broker::jetstream(&self.client(user).await)
    }

    pub(crate) async fn client(&self, user: &str) -> async_nats::Client {
        broker::connect(&self.broker(user))
            .await
            .expect("a login of ours")
    }

    /// A ledger that gives every announcement this answer.
    pub(crate) async fn ledger(&self, status: KeyStatus) -> Running {
        let client = self.client("ledger").await;
        let jetstream = broker::jetstream(&client);
        broker::ensure_streams(&jetstream, 1)
            .await
            .expect("two streams");
        let next = broker::last_sequence(&jetstream, wire::SETTLEMENTS)
            .await
            .expect("a stream")
            + 1;
        let mut requests = Reader::of_requests(&self.broker("ledger"), next);
        let publisher = Publisher::new(&self.broker("ledger"));
        Running(tokio::spawn(async move {
            while let Ok(batch) = requests.batch(BATCH_MESSAGES_MAX).await {
                let last = batch[0].sequence - 1;
                let answers: Vec<_> = batch.iter().map(|of| answer(of, status)).collect();
                publisher
                    .publish_batch(wire::SETTLEMENTS, &answers, Some(last))
                    .await
                    .expect("nobody else answers");
            }
        }))
    }

    pub(crate) async fn wait_until_ready(&self) {
        let ready = async || {
            let answer = self.http.get(self.at("/health/ready")).send().await;
            answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
        };
        eventually("auth is ready", ready).await;
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.listen)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.http
            .post(self.at(path))
            .json(body)
            .send()
            .await
            .expect("auth answers")
    }

    pub(crate) async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Response {
        self.http
            .post(self.at(path))
            .form(form)
            .send()
            .await
            .expect("auth answers")
    }

    /// As the owner of the tables, who may do what the service may not.
    pub(crate) async fn sql(&self, statement: &'static str) {
        let url = self.servers.owner_database_url(Service::Auth);
        let mut connection = PgConnection::connect(&url)
            .await
            .expect("the owner's login");
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .expect("a statement");
    }

    /// Whoever is locked out stays it, however slow this machine is.
    pub(crate) async fn hold_the_locks(&self) {
        self.sql("update login_tries set locked_until = locked_until + interval '1 hour' where locked_until is not null")
            .await;
    }

    /// Judges an access token for HTTP with the published keys, now.
    pub(crate) async fn verified(&self, token: &str) -> Verified {
        self.verified_by(token, Policy::HTTP).await
    }

    /// Judges an access token with the published keys, now.
    pub(crate) async fn verified_by(&self, token: &str, policy: Policy) -> Verified {
        let answer = self
            .http
            .get(self.at("/.well-known/jwks.json"))
            .send()
            .await
            .expect("auth answers");
        assert_eq!(answer.headers()["cache-control"], "public, max-age=600");
        let set: Value = answer.json().await.expect("keys");
        let mut keys = Keys::default();
        for key in set["keys"].as_array().expect("a list") {
            let text = |name: &str| key[name].as_str().expect("a text");
            keys.insert(text("kid"), "https://auth.test", text("n"), text("e"))
                .expect("a good key");
        }
        verify(token, service::now(), policy, &keys).expect("a good token")
    }
}

/// Waits for a condition.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, holds).await.is_ok(),
        "never happened: {what}"
    );
}

/// The text of a member.
pub(crate) fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {body}"))
}

fn answer(request: &Stored, status: KeyStatus) -> Outgoing {
    let answer = if request.subject == revocation::SUBJECT {
        revocation_answer(request)
    } else {
        key_answer(request, status)
    };
    let mut headers = HeaderLines::default();
    headers.add(wire::CE_TYPE, answer.ce_type());
    Outgoing {
        subject: kinds::answer_subject(&request.subject),
        headers,
        payload: answer.to_json().into(),
    }
}

fn revocation_answer(request: &Stored) -> Answer {
    let revoke: Revoke = serde_json::from_slice(&request.payload).expect("a revocation");
    Answer::Revocation(RevocationAnswer {
        request_seq: request.sequence,
        revocation_id: Some(revoke.revocation_id),
        status: RevocationStatus::Noted,
        reason: None,
        target: Some(revoke.target),
        because: Some(revoke.because),
        published_at: request.published_at,
    })
}

fn key_answer(request: &Stored, status: KeyStatus) -> Answer {
    let key: AnnounceKey = serde_json::from_slice(&request.payload).expect("an announcement");
    let rejected = status == KeyStatus::Rejected;
    Answer::Key(KeyAnswer {
        request_seq: request.sequence,
        kid: Some(key.kid),
        status,
        reason: rejected.then(|| Reason::new(Code::AG01, "key_unknown")),
        issuer: Some(key.issuer),
        n: Some(key.n),
        e: Some(key.e),
        published_at: request.published_at,
    })
}
