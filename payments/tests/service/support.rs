//! A bank without a ledger: servers, one signing key, the service under test, and answers as the tests want them.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

use std::time::Duration;

use async_nats::{Client, jetstream};
use common::broker;
use common::broker::Publisher;
use common::headers::HeaderLines;
use common::kinds;
use common::kinds::Answer;
use common::kinds::Kind;
use common::kinds::payment::PaymentRequest;
use common::kinds::payment::{Original, PaymentAnswer, PaymentStatus};
use common::kinds::posting::{Direction, Posting};
use common::kinds::trust::{KeyAnswer, KeyStatus};
use common::message::{Outgoing, Stored};
use common::reason::{Code, Reason};
use common::service;
use common::wire;
use common::wire::{REQUESTS, SETTLEMENTS};
use local::{Servers, Service};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use crate::running::{PATIENCE, Running};
use crate::signer::{self, ISSUER, SIGNER, Signer};

/// Servers with the two streams, and the logins of those whom the test plays.
pub(crate) struct World {
    pub(crate) servers: Servers,
    ledger: Client,
    /// The service's tables, seen by the superuser.
    pub(crate) db: PgPool,
}

impl World {
    /// Empty streams.
    pub(crate) async fn empty() -> Self {
        let servers = local::testing::servers().await;
        let ledger = connect(&servers, "ledger").await;
        broker::ensure_streams(&broker::jetstream(&ledger), 1)
            .await
            .unwrap();
        let owner = service::Owner {
            url: (servers.owner_database_url(Service::Payments).parse()).unwrap(),
        };
        payments::migrate(&owner).await.unwrap();
        let db = PgPool::connect_lazy(&servers.superuser_database_url(Service::Payments)).unwrap();
        Self {
            servers,
            ledger,
            db,
        }
    }

    /// Streams whose first message is the noted key.
    pub(crate) async fn with_key() -> Self {
        let world = Self::empty().await;
        assert_eq!(world.note_key(&SIGNER).await, 1);
        world
    }

    /// Takes the broker's files away and begins both logs anew, with the key in them.
    pub(crate) async fn begin_anew(&mut self) {
        self.servers.kill_nats();
        std::fs::remove_dir_all(self.servers.home().broker_store()).unwrap();
        self.servers.restart_nats().await.unwrap();
        self.ledger = connect(&self.servers, "ledger").await;
        broker::ensure_streams(&self.jetstream(), 1).await.unwrap();
        assert_eq!(self.note_key(&SIGNER).await, 1);
    }

    /// Announces a key and answers that it is noted.
    pub(crate) async fn note_key(&self, signer: &Signer) -> u64 {
        let message = outgoing(kinds::trust::SUBJECT, &json!({"any": "body"}));
        let ack = Publisher::new(&login(&self.servers, "auth"))
            .publish_one(REQUESTS, message)
            .await
            .unwrap();
        let request = self.request(ack.sequence).await;
        let answer = KeyAnswer {
            request_seq: request.sequence,
            kid: Some(signer.kid.clone()),
            status: KeyStatus::Noted,
            reason: None,
            issuer: Some(ISSUER.to_owned()),
            n: Some(signer.n.clone()),
            e: Some(signer.e.clone()),
            published_at: request.published_at,
        };
        self.answer(&request, &Answer::Key(answer)).await;
        request.sequence
    }

    pub(crate) fn jetstream(&self) -> jetstream::Context {
        broker::jetstream(&self.ledger)
    }

    /// A message of REQUESTS.
    pub(crate) async fn request(&self, sequence: u64) -> Stored {
        broker::get(&self.jetstream(), REQUESTS, sequence)
            .await
            .unwrap()
            .unwrap()
    }

    /// Publishes answer N, as the ledger does.
    pub(crate) async fn answer(&self, request: &Stored, answer: &Answer) {
        let message = answer_message(request, answer);
        self.publish_answers(request.sequence, vec![message]).await;
    }

    pub(crate) async fn publish_answers(&self, first: u64, messages: Vec<Outgoing>) {
        Publisher::new(&login(&self.servers, "ledger"))
            .publish_batch(SETTLEMENTS, &messages, Some(first - 1))
            .await
            .unwrap();
    }

    /// Publishes requests as the service would; returns the last sequence.
    pub(crate) async fn publish_requests(&self, messages: Vec<Outgoing>) -> u64 {
        let payments = Publisher::new(&login(&self.servers, "payments"));
        let ack = payments.publish_batch(REQUESTS, &messages, None).await;
        ack.unwrap().sequence
    }

    pub(crate) async fn settle(&self, sequence: u64) {
        let request = self.request(sequence).await;
        let answer = payment_answer(&request, PaymentStatus::Settled, None);
        self.answer(&request, &answer).await;
    }

    pub(crate) async fn reject(&self, sequence: u64, code: Code) {
        let request = self.request(sequence).await;
        let answer = payment_answer(&request, PaymentStatus::Rejected, Some(code));
        self.answer(&request, &answer).await;
    }

    /// Answers that nothing was decided and the payment may be sent again.
    pub(crate) async fn pass_over(&self, sequence: u64) {
        let request = self.request(sequence).await;
        let mut answer = payment_answer(&request, PaymentStatus::Rejected, Some(Code::AG01));
        if let Answer::Payment(answer) = &mut answer {
            answer.may_retry = true;
        }
        self.answer(&request, &answer).await;
    }

    pub(crate) async fn repeat(&self, sequence: u64) {
        self.repeat_of(sequence, 1, PaymentStatus::Settled).await;
    }

    /// Answers that this repeats an earlier request.
    pub(crate) async fn repeat_of(&self, sequence: u64, first: u64, status: PaymentStatus) {
        let request = self.request(sequence).await;
        let mut answer = payment_answer(&request, PaymentStatus::Duplicate, None);
        if let Answer::Payment(answer) = &mut answer {
            answer.original = Some(Original {
                request_seq: first,
                status,
                reason: None,
            });
        }
        self.answer(&request, &answer).await;
    }

    /// How the service is told where everything is.
    pub(crate) fn config(&self) -> payments::Config {
        payments::Config {
            service: service::Config {
                web: service::Web {
                    listen: local::testing::free_address(),
                    allowed_origins: Vec::new(),
                    leave_seconds: 0,
                    discovery: service::Discovery::default(),
                },
                broker: login(&self.servers, "payments"),
                database: service::Database {
                    url: (self.servers.database_url(Service::Payments).parse()).unwrap(),
                },
                stop_with_parent: false,
            },
            exchange: service::Exchange {
                auth_url: signer::exchanging_auth(),
                exchange_secret: "any".parse().unwrap(),
            },
            limits: payments::Limits::default(),
        }
    }

    /// Starts the service and waits until it is ready.
    pub(crate) async fn serve(&self) -> Running {
        let running = self.serve_unready();
        let ready = format!("{}/health/ready", running.url);
        eventually("ready", async || {
            let response = reqwest::get(&ready).await.ok()?;
            response.status().is_success().then_some(())
        })
        .await;
        running
    }

    /// Starts the service.
    pub(crate) fn serve_unready(&self) -> Running {
        let config = self.config();
        let stop = CancellationToken::new();
        let url = format!("http://{}", config.service.web.listen);
        Running {
            url,
            stop: stop.clone().drop_guard(),
            // In a runtime of its own, as in a process of its own.
            task: tokio::task::spawn_blocking(|| {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(payments::serve_until(config, stop.into()))
            }),
        }
    }

    /// `(request_seq, status, has_answer)` of a payment, behind the service's back.
    pub(crate) async fn row(&self, payment_id: Uuid) -> Option<(i64, String, bool)> {
        sqlx::query_as(
            "select request_seq, status, answer is not null from payment where payment_id = $1",
        )
        .bind(payment_id)
        .fetch_optional(&self.db)
        .await
        .ok()?
    }

    /// The last sequence of a stream.
    pub(crate) async fn last(&self, stream: &str) -> u64 {
        broker::last_sequence(&self.jetstream(), stream)
            .await
            .unwrap()
    }

    /// Waits until the service has projected a stream up to this sequence.
    pub(crate) async fn projected(&self, stream: &str, sequence: u64) {
        let sequence = i64::try_from(sequence).unwrap();
        eventually("projected", async || {
            (self.cursor(stream).await >= sequence).then_some(())
        })
        .await;
    }

    pub(crate) async fn cursor(&self, stream: &str) -> i64 {
        sqlx::query_scalar("select seq from cursor where stream = $1")
            .bind(stream)
            .fetch_one(&self.db)
            .await
            .unwrap_or_default()
    }
}

/// A payment of 30 EUR with this id.
pub(crate) fn payment(payment_id: Uuid) -> Value {
    json!({
        "payment_id": payment_id,
        "debtor_account": Uuid::from_u128(0xA),
        "creditor_account": Uuid::from_u128(0xB),
        "amount": "30",
        "currency": "EUR",
        "reference": "invoice 7",
    })
}

/// A request as a producer sends it over NATS.
pub(crate) fn outgoing(subject: &str, body: &Value) -> Outgoing {
    Outgoing {
        subject: subject.to_owned(),
        headers: HeaderLines::default(),
        payload: body.to_string().into(),
    }
}

pub(crate) fn answer_message(request: &Stored, answer: &Answer) -> Outgoing {
    let mut headers = HeaderLines::default();
    headers.add(wire::CE_TYPE, answer.ce_type());
    Outgoing {
        subject: kinds::answer_subject(&request.subject),
        headers,
        payload: answer.to_json().into(),
    }
}

/// The settlement event of a payment request, with the balances that two empty accounts would have.
pub(crate) fn payment_answer(
    message: &Stored,
    status: PaymentStatus,
    code: Option<Code>,
) -> Answer {
    let Kind::Payment(client_id) = Kind::of_subject(&message.subject) else {
        panic!("{} is no payment", message.subject);
    };
    let request: PaymentRequest = serde_json::from_slice(&message.payload).unwrap();
    let amount = request
        .terms(message.published_at)
        .unwrap()
        .money
        .to_string();
    let posting = |account, direction, balance| Posting {
        account,
        direction,
        amount: amount.clone(),
        currency: None,
        balance,
    };
    let postings = vec![
        posting(
            request.debtor_account,
            Direction::Debit,
            Some(format!("-{amount}")),
        ),
        posting(
            request.creditor_account,
            Direction::Credit,
            Some(amount.clone()),
        ),
    ];
    let original = Original {
        request_seq: 1,
        status: PaymentStatus::Settled,
        reason: None,
    };
    Answer::Payment(PaymentAnswer {
        request_seq: message.sequence,
        payment_id: Some(request.payment_id),
        status,
        reason: code.map(|code| Reason::new(code, "because")),
        debtor_account: Some(request.debtor_account),
        creditor_account: Some(request.creditor_account),
        amount: Some(amount.clone()),
        currency: Some(request.currency),
        reference: request.reference,
        effective_date: Some(request.effective_date),
        metadata: Some(request.metadata),
        postings: match status {
            PaymentStatus::Settled => postings,
            _ => Vec::new(),
        },
        original: (status == PaymentStatus::Duplicate || code == Some(Code::AM05))
            .then_some(original),
        published_at: message.published_at,
        ..PaymentAnswer::nothing(client_id)
    })
}

/// Awaits a condition; panics with its name when it does not come true.
pub(crate) async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"))
}

pub(crate) async fn connect(servers: &Servers, user: &str) -> Client {
    broker::connect(&login(servers, user)).await.unwrap()
}

pub(crate) fn login(servers: &Servers, user: &str) -> broker::Config {
    broker::Config {
        url: servers.nats_url(),
        user: user.to_owned(),
        password: servers.nats_password(user).to_owned(),
        ca: None,
    }
}
