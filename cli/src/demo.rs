//! `quittance demo`: the story of three payments, while it happens.
//!
//! One goes over HTTP, one over NATS as a producer sends it, one is rejected; then the whole log is decided again. The
//! second pays the first back, so that the demo can be run for ever.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use async_nats::jetstream;
use async_nats::{ConnectOptions, HeaderValue};
use common::broker;
use common::broker::Publisher;
use common::ids::{ClientId, PaymentId};
use common::kinds::Answer;
use common::kinds::client_request::ClientRequest as _;
use common::kinds::payment::PaymentRequest;
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::reason::{Code, Reason};
use common::token::Audience;
use common::wire;
use common::wire::{REQUESTS, SETTLEMENTS};
use futures::StreamExt as _;
use indicatif::ProgressBar;
use ledger::audit::Verdict;
use local::{Demo, Status};
use serde::Deserialize as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::login;
use crate::names::{ADA, GRACE, Person, SHOP};
use crate::running::Running;
use crate::{audit, print, sending};
use client::Client;

const AMOUNT: &str = "30.00";
/// More than Ada has.
const TOO_MUCH: &str = "1000000.00";
const WAIT_SECONDS: u64 = 10;
/// The JetStream domain under which EDGE finds its consumers. Source: `nats/nats-server.conf`.
const DOMAIN: &str = "quittance";

const CONSUMER_DEADLINE: Duration = Duration::from_secs(5);
const CONSUMER_POLL: Duration = Duration::from_millis(50);

/// Options of `quittance demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Print one JSON document at the end instead of the story
    #[arg(long)]
    json: bool,
}

/// The teller: prints each step, or nothing.
struct Story {
    silent: bool,
    step: u32,
}

impl Story {
    /// One numbered step; the lines after its first stand below that.
    fn step(&mut self, text: &str) -> Result<()> {
        if self.silent {
            return Ok(());
        }
        if self.step > 0 {
            print::line("")?;
        }
        self.step += 1;
        let text: Vec<String> = print::indented(text)
            .lines()
            .map(|line| print::folded(line, 3))
            .collect();
        let text = text.join("\n");
        print::line(&format!("{}. {}", self.step, text.trim_start()))?;
        Ok(())
    }
}

pub(crate) async fn run(options: &Options, home: &Path) -> Result<()> {
    let running = Running::find(home)?;
    let demo = running.demo()?;
    let client = running.client();
    let mut story = Story {
        silent: options.json,
        step: 0,
    };

    let ada = login::token(&client, &Person::Ada.login(Some(demo))?).await?;
    let shop = login::token(
        &client,
        &Person::Shop
            .login(Some(demo))?
            .for_audience(Audience::Log)?,
    )
    .await?;
    let staff = login::token(&client, &Person::Staff.login(Some(demo))?).await?;
    story.step(
        "Three callers log in: Ada and the staff with a password, the shop with a\n\
         secret. Each gets a signed token for 15 minutes. The key that signed it stands\n\
         in the log, so the ledger judges tokens by itself and never asks auth.",
    )?;

    let before = balances(&client, &staff).await?;
    story.step(&before.text())?;

    let payment = payment(Direction::AdaToGrace, AMOUNT, "Concert ticket");
    let over_http = pay_over_http(&client, &ada, &payment).await?;
    let seq = over_http.request_seq;
    story.step(&format!(
        "Ada pays Grace {AMOUNT} EUR over HTTP. It is request {seq} in the log, settled:\n{}",
        sending::postings_text(&over_http)
    ))?;

    let again = pay_over_http(&client, &ada, &payment).await?;
    ensure!(
        is_same(&over_http, &again),
        "the same payment was booked twice"
    );
    story.step(&format!(
        "She sends the very same payment once more, as after a lost connection.\n\
         Nothing is booked twice: the answer is that of request {seq}.",
    ))?;

    let back = self::payment(Direction::GraceToAda, AMOUNT, "Concert cancelled");
    let mut producer = Producer::connect(&running.status, demo).await?;
    let seq = producer.publish(&shop, &back).await?;
    story.step(&format!(
        "The shop pays Ada back, over NATS: it publishes to\n\
         request.payment.v1.{SHOP}, the only request its login may make, with its\n\
         token in the header. The broker has it on disk as message {seq} of\n\
         {REQUESTS}; knowing that is the acknowledgement.",
    ))?;
    let over_nats = producer.answer(seq).await?;
    ensure!(
        over_nats.status == PaymentStatus::Settled,
        "{}",
        sending::settlement_text("payment", &over_nats)
    );
    story.step(&format!(
        "So its answer is message {seq} of {SETTLEMENTS}. The shop pulls it from its own\n\
         durable consumer, where it would have waited for a shop that was away:\n{}",
        sending::postings_text(&over_nats)
    ))?;

    let rejected = rejected_payment(&client, &ada).await?;
    let reason = Reason::deserialize(&rejected["reason"])?;
    story.step(&format!(
        "Ada tries to pay {TOO_MUCH} EUR. That is request {}, and rejected:\n{}: {}",
        rejected["request_seq"],
        reason.code.as_str(),
        reason.message
    ))?;

    let after = balances(&client, &staff).await?;
    story.step(&after.text())?;

    let summary = match audit::replay(&running, &ProgressBar::hidden()).await? {
        Verdict::Agrees(summary) => summary,
        Verdict::Differs(difference) => {
            bail!("the books are not what the log leads to: {difference}")
        }
    };
    story.step(&format!(
        "The audit decides the whole log again, into empty books.\n\
         It gets the same books:\n{}",
        audit::summary_text(&summary)
    ))?;
    if options.json {
        print::json(&json!({
            "before": {"ada": before.ada, "grace": before.grace},
            "settlements": [over_http, again, over_nats],
            "rejected": rejected,
            "after": {"ada": after.ada, "grace": after.grace},
            "replay": summary,
        }))?;
    }
    Ok(())
}

/// What both customers have, posted.
struct Balances {
    ada: String,
    grace: String,
}

impl Balances {
    fn text(&self) -> String {
        format!("Ada has {} EUR, Grace has {} EUR.", self.ada, self.grace)
    }
}

async fn balances(client: &Client, staff: &str) -> Result<Balances> {
    let posted = async |id| -> Result<String> {
        let account = client.account::<Value>(staff, id).await?;
        let account = account.with_context(|| format!("there is no account {id}"))?;
        Ok(account["posted"]
            .as_str()
            .context("an account without a balance")?
            .to_owned())
    };
    Ok(Balances {
        ada: posted(ADA).await?,
        grace: posted(GRACE).await?,
    })
}

enum Direction {
    AdaToGrace,
    GraceToAda,
}

fn payment(direction: Direction, amount: &str, reference: &str) -> PaymentRequest {
    let (debtor_account, creditor_account) = match direction {
        Direction::AdaToGrace => (ADA, GRACE),
        Direction::GraceToAda => (GRACE, ADA),
    };
    PaymentRequest {
        payment_id: PaymentId(Uuid::now_v7()),
        debtor_account,
        creditor_account,
        amount: amount.to_owned(),
        currency: "EUR".to_owned(),
        reference: Some(reference.to_owned()),
        effective_date: None,
        metadata: BTreeMap::new(),
    }
}

async fn pay_over_http(
    client: &Client,
    token: &str,
    payment: &PaymentRequest,
) -> Result<PaymentAnswer> {
    let answer = client.pay(token, payment, Some(WAIT_SECONDS)).await?.body;
    ensure!(
        !answer["settlement"].is_null(),
        "request {} is not decided after {WAIT_SECONDS} s",
        answer["request_seq"]
    );
    PaymentAnswer::deserialize(&answer["settlement"])
        .context("payments answered in an unknown form")
}

/// The second answer is the first one, or says that it is a duplicate of it.
fn is_same(first: &PaymentAnswer, again: &PaymentAnswer) -> bool {
    let original = again.original.as_ref().map(|original| original.request_seq);
    again == first || (again.postings.is_empty() && original == Some(first.request_seq))
}

/// Asks for more than there is; the refusal is what we want.
async fn rejected_payment(client: &Client, token: &str) -> Result<Value> {
    let payment = payment(Direction::AdaToGrace, TOO_MUCH, "A house");
    let Err(error) = client.pay(token, &payment, Some(WAIT_SECONDS)).await else {
        bail!("a payment of {TOO_MUCH} EUR was not rejected");
    };
    let client::Error::Refused(refused) = error else {
        return Err(error.into());
    };
    ensure!(
        refused.code() == Some(Code::AM04.as_str()),
        "not for lack of funds: {refused}"
    );
    Ok(refused.body)
}

/// The shop at the broker: it may publish its own requests and pull its own answers.
struct Producer {
    publisher: Publisher,
    consumer: jetstream::consumer::PullConsumer,
}

impl Producer {
    async fn connect(status: &Status, demo: &Demo) -> Result<Self> {
        let login = &demo.producer;
        let publisher = Publisher::new(&broker::Config {
            url: status.nats.clone(),
            user: login.user.clone(),
            password: login.password.clone(),
            ca: None,
        });
        let client =
            ConnectOptions::with_user_and_password(login.user.clone(), login.password.clone())
                .custom_inbox_prefix(format!("_INBOX_{}", login.user))
                .connect(&status.nats)
                .await
                .context("the broker does not let the shop in")?;
        let jetstream = jetstream::with_domain(client.clone(), DOMAIN);
        let find = async || {
            let consumer = jetstream.get_consumer_from_stream(&login.user, SETTLEMENTS);
            consumer.await
        };
        // Auth makes it within moments of the service account, and that may be as young as the bank.
        let deadline = Instant::now() + CONSUMER_DEADLINE;
        let mut found = find().await;
        while found.is_err() && Instant::now() < deadline {
            tokio::time::sleep(CONSUMER_POLL).await;
            found = find().await;
        }
        let consumer = found.context("the shop has no consumer")?;
        Ok(Self {
            publisher,
            consumer,
        })
    }

    /// Publishes the request and returns its sequence: from then on it is in the log.
    async fn publish(&self, token: &str, payment: &PaymentRequest) -> Result<u64> {
        let shop: ClientId = SHOP.parse()?;
        let message = payment.message(&shop, token, None);
        let ack = self.publisher.publish_one(REQUESTS, message).await?;
        Ok(ack.sequence)
    }

    /// Pulls answers, acknowledging each, until the one to request `seq` comes.
    async fn answer(&mut self, seq: u64) -> Result<PaymentAnswer> {
        loop {
            let mut messages = self
                .consumer
                .fetch()
                .max_messages(1)
                .expires(Duration::from_secs(WAIT_SECONDS))
                .messages()
                .await?;
            let message = messages.next().await;
            let message = message
                .with_context(|| format!("no answer to request {seq} in {WAIT_SECONDS} s"))?
                .map_err(|error| anyhow::anyhow!(error))?;
            message
                .ack()
                .await
                .map_err(|error| anyhow::anyhow!(error))?;
            let kind = message
                .headers
                .as_ref()
                .and_then(|headers| headers.get(wire::CE_TYPE));
            let kind = kind.map(HeaderValue::as_str).unwrap_or_default();
            // Others are from an earlier run that ended between publishing and pulling.
            if let Answer::Payment(answer) = Answer::from_json(kind, &message.payload)?
                && answer.request_seq == seq
            {
                return Ok(answer);
            }
        }
    }
}
