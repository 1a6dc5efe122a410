//! What becomes of holds and payments is the same however the log is cut into batches, and however often it is read.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

use std::collections::BTreeMap;

use common::broker::Publisher;
use common::headers::HeaderLines;
use common::message::Outgoing;
use common::wire::{CE_TYPE, REQUESTS, SETTLEMENTS};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{World, eventually, login, outgoing, payment};

/// A log as the ledger answers it: each step is a request of the shop and its answer.
#[derive(Default)]
struct Story {
    steps: Vec<(Outgoing, Value, String)>,
    names: BTreeMap<Uuid, &'static str>,
}

impl Story {
    fn id(&mut self, name: &'static str) -> Uuid {
        let known = self.names.iter().find(|(_, known)| **known == name);
        let id = known.map_or_else(Uuid::now_v7, |(id, _)| *id);
        self.names.insert(id, name);
        id
    }

    /// `what` is asked for and answered so. Without an id of its own it is an announcement.
    fn step(&mut self, kind: &str, id: Uuid, status: &str, said: &Value) {
        let mut body = payment(id);
        if matches!(kind, "capture" | "void") {
            body = json!({"payment_id": id, "hold_id": said["hold_id"]});
        } else if kind == "reversal" {
            body = json!({"payment_id": id, "reverses": said["reverses"]["payment_id"]});
        } else if kind == "expiry" {
            body = json!({"client_id": "shop", "hold_id": id});
        } else if kind == "transaction" {
            let posting = |account: u128, direction: &str| json!({"account": Uuid::from_u128(account), "direction": direction, "amount": "30.00", "currency": "EUR"});
            body = json!({"payment_id": id, "postings": [posting(0xA, "debit"), posting(0xB, "credit")]});
        }
        let mut answer = json!({
            "payment_id": id, "client_id": "shop", "status": status, "reason": null,
            "debtor_account": Uuid::from_u128(0xA), "creditor_account": Uuid::from_u128(0xB), "amount": "30.00",
            "currency": "EUR", "reference": null, "postings": [], "original": null, "may_retry": false,
            "published_at": "2026-11-23T00:00:00Z",
        });
        for (name, value) in said.as_object().into_iter().flatten() {
            answer[name] = value.clone();
        }
        let subject = match kind {
            "expiry" => "request.expiry.v1.ledger".to_owned(),
            kind => format!("request.{kind}.v1.shop"),
        };
        let answered = format!("settlement.{kind}.v1.shop");
        self.steps
            .push((outgoing(&subject, &body), answer, answered));
    }

    fn payment(&mut self, name: &'static str) {
        let id = self.id(name);
        self.step("payment", id, "settled", &json!({}));
    }

    fn transaction(&mut self, name: &'static str) {
        let id = self.id(name);
        self.step("transaction", id, "settled", &whole());
    }

    fn hold(&mut self, name: &'static str) {
        let id = self.id(name);
        self.step("hold", id, "authorised", &json!({"remaining": "30.00"}));
    }

    fn capture(&mut self, name: &'static str, hold: &'static str, amount: &str, remaining: &str) {
        let (id, hold) = (self.id(name), self.id(hold));
        let said = json!({"hold_id": hold, "amount": amount, "remaining": remaining});
        self.step("capture", id, "captured", &said);
    }

    fn void(&mut self, name: &'static str, hold: &'static str) {
        let (id, hold) = (self.id(name), self.id(hold));
        self.step("void", id, "voided", &json!({"hold_id": hold}));
    }

    fn expire(&mut self, hold: &'static str) {
        let hold = self.id(hold);
        self.step("expiry", hold, "expired", &json!({}));
    }

    fn reverse(&mut self, name: &'static str, of: &'static str, amount: &str, remaining: &str) {
        let (id, of) = (self.id(name), self.id(of));
        let reverses = json!({"client_id": "shop", "payment_id": of});
        let said = json!({"reverses": reverses, "amount": amount, "remaining": remaining});
        self.step("reversal", id, "reversed", &said);
    }

    fn reverse_whole(&mut self, name: &'static str, of: &'static str) {
        let (id, of) = (self.id(name), self.id(of));
        let mut said = whole();
        said["reverses"] = json!({"client_id": "shop", "payment_id": of});
        self.step("reversal", id, "reversed", &said);
    }

    /// Everything that can become of a hold, a capture, a payment and a transaction.
    fn all() -> Self {
        let mut story = Self::default();
        for name in ["paid", "half back", "all back"] {
            story.payment(name);
        }
        story.transaction("booked");
        story.transaction("booked back");
        for name in [
            "held",
            "partly",
            "captured",
            "final",
            "voided",
            "rest voided",
            "ended",
        ] {
            story.hold(name);
        }
        story.capture("part 1", "partly", "10.00", "20.00");
        story.capture("of captured 1", "captured", "10.00", "20.00");
        story.reverse("back 1", "half back", "15.00", "15.00");
        story.capture("of captured 2", "captured", "20.00", "0.00");
        story.capture("of final", "final", "1.00", "0.00");
        story.capture("of rest voided", "rest voided", "1.00", "29.00");
        story.void("void", "voided");
        story.void("void of the rest", "rest voided");
        story.reverse("back 2", "all back", "10.00", "20.00");
        story.reverse("back 3", "all back", "20.00", "0.00");
        story.expire("ended");
        story.reverse("back 4", "of captured 1", "4.00", "6.00");
        story.reverse("back 5", "of captured 2", "4.00", "16.00");
        story.reverse("back 6", "of captured 2", "16.00", "0.00");
        story.reverse_whole("back 7", "booked back");
        story
    }

    async fn request(&self, world: &World) {
        for (request, _, _) in &self.steps {
            let is_ledgers = request.subject == "request.expiry.v1.ledger";
            let who = if is_ledgers { "ledger" } else { "payments" };
            let publisher = Publisher::new(&login(&world.servers, who));
            publisher
                .publish_one(REQUESTS, request.clone())
                .await
                .unwrap();
        }
    }

    /// Answers some of the requests, which begin behind the key.
    async fn answer(&self, world: &World, steps: std::ops::Range<usize>) {
        let first = u64::try_from(steps.start).unwrap() + 2;
        let messages = (first..).zip(&self.steps[steps]).map(|(seq, step)| {
            let (_, answer, subject) = step;
            let mut answer = answer.clone();
            answer["request_seq"] = seq.into();
            let mut headers = HeaderLines::default();
            let status = answer["status"].as_str().unwrap();
            headers.add(CE_TYPE, format!("payment.{status}.v1"));
            Outgoing {
                subject: subject.clone(),
                headers,
                payload: answer.to_string().into(),
            }
        });
        world.publish_answers(first, messages.collect()).await;
    }

    /// `name: kind status, remaining`, and what followed on what.
    async fn told(&self, world: &World) -> Vec<String> {
        let rows: Vec<(Uuid, Option<String>, String, Option<String>)> =
            sqlx::query_as("select payment_id, kind, status, remaining from payment")
                .fetch_all(&world.db)
                .await
                .unwrap();
        let mut told: Vec<_> = rows
            .iter()
            .map(|(id, kind, status, remaining)| {
                let kind = kind.as_deref().unwrap_or("payment");
                let remaining = remaining.as_deref().unwrap_or("–");
                format!("{}: {kind} {status}, {remaining}", self.names[id])
            })
            .collect();
        let followed: Vec<(Uuid, Uuid)> =
            sqlx::query_as("select of_payment_id, payment_id from follow_up")
                .fetch_all(&world.db)
                .await
                .unwrap();
        told.extend(
            followed
                .iter()
                .map(|(of, by)| format!("{} > {}", self.names[of], self.names[by])),
        );
        told.sort();
        told
    }
}

/// What the answer to a transaction, or to its reversal, does not say.
fn whole() -> Value {
    json!({"debtor_account": null, "creditor_account": null, "amount": null, "currency": null})
}

const EXPECTED: &[&str] = &[
    "all back > back 2",
    "all back > back 3",
    "all back: payment reversed, 0.00",
    "back 1: reversal reversed, –",
    "back 2: reversal reversed, –",
    "back 3: reversal reversed, –",
    "back 4: reversal reversed, –",
    "back 5: reversal reversed, –",
    "back 6: reversal reversed, –",
    "back 7: reversal reversed, –",
    "booked back > back 7",
    "booked back: transaction reversed, –",
    "booked: transaction settled, –",
    "captured > of captured 1",
    "captured > of captured 2",
    "captured: hold captured, 0.00",
    "ended: hold expired, 0.00",
    "final > of final",
    "final: hold captured, 0.00",
    "half back > back 1",
    "half back: payment settled, 15.00",
    "held: hold authorised, –",
    "of captured 1 > back 4",
    "of captured 1: capture captured, 6.00",
    "of captured 2 > back 5",
    "of captured 2 > back 6",
    "of captured 2: capture reversed, 0.00",
    "of final: capture captured, –",
    "of rest voided: capture captured, –",
    "paid: payment settled, –",
    "part 1: capture captured, –",
    "partly > part 1",
    "partly: hold authorised, 20.00",
    "rest voided > of rest voided",
    "rest voided > void of the rest",
    "rest voided: hold voided, 0.00",
    "void of the rest: void voided, –",
    "void: void voided, –",
    "voided > void",
    "voided: hold voided, 0.00",
];

#[tokio::test]
async fn holds_and_reversals_end_the_same_in_any_batches_and_read_again() {
    let story = Story::all();
    let count = story.steps.len();
    let end = u64::try_from(count).unwrap() + 1;
    let projected = async |world: &World| {
        for stream in [REQUESTS, SETTLEMENTS] {
            world.projected(stream, end).await;
        }
    };

    // All at once.
    let world = World::with_key().await;
    story.request(&world).await;
    story.answer(&world, 0..count).await;
    let service = world.serve().await;
    projected(&world).await;
    assert_eq!(story.told(&world).await, EXPECTED, "in one batch");
    service.stop().await.unwrap();

    // Again from every place.
    for from in 0..i64::try_from(end).unwrap() {
        let set = sqlx::query("update cursor set seq = $1").bind(from);
        set.execute(&world.db).await.unwrap();
        let service = world.serve().await;
        projected(&world).await;
        assert_eq!(story.told(&world).await, EXPECTED, "again from {from}");
        service.stop().await.unwrap();
    }

    // One by one, each while the requests behind it are pending.
    let world = World::with_key().await;
    let service = world.serve().await;
    story.request(&world).await;
    eventually("all pending", async || {
        let pending = "select count(*) from payment where status = 'pending'";
        let count: i64 = sqlx::query_scalar(pending)
            .fetch_one(&world.db)
            .await
            .ok()?;
        (count == i64::try_from(story.names.len()).ok()?).then_some(())
    })
    .await;
    for step in 0..count {
        story.answer(&world, step..step + 1).await;
        world
            .projected(SETTLEMENTS, u64::try_from(step).unwrap() + 2)
            .await;
    }
    assert_eq!(story.told(&world).await, EXPECTED, "one by one");
    service.stop().await.unwrap();
}

/// What an answer can say of its own payment, as on the wire; the last may be tried again. The ledger uses up an id once,
/// so two that grant say the same.
const SAID: [&str; 8] = [
    "settled",
    "authorised",
    "captured",
    "voided",
    "reversed",
    "rejected",
    "duplicate",
    "retryable",
];

const GRANTED: &[&str] = SAID.split_at(5).0;

#[tokio::test]
async fn two_answers_come_to_the_same_in_one_batch_and_in_two() {
    let mut story = Story::default();
    let mut second = Vec::new();
    let mut pairs = BTreeMap::new();
    for first in SAID {
        for then in SAID {
            if [first, then].iter().all(|said| GRANTED.contains(said)) && first != then {
                continue;
            }
            // The ledger answers "duplicate" to an id that is used up. Otherwise such an answer leaves what was read of the
            // request, if it was read before the answer.
            if then == "duplicate" && matches!(first, "duplicate" | "retryable") {
                continue;
            }
            let id = Uuid::now_v7();
            pairs.insert(id, format!("{first}, {then}"));
            second.push((id, then));
            add(&mut story, id, first);
        }
    }
    let half = story.steps.len();
    for (id, then) in second {
        add(&mut story, id, then);
    }
    let mut ends = Vec::new();
    for cuts in [vec![0, 2 * half], vec![0, half, 2 * half]] {
        let world = World::with_key().await;
        story.request(&world).await;
        let mut service = None;
        for cut in cuts.windows(2) {
            let end = u64::try_from(cut[1]).unwrap() + 1;
            story.answer(&world, cut[0]..cut[1]).await;
            if service.is_none() {
                service = Some(world.serve().await);
            }
            world.projected(SETTLEMENTS, end).await;
        }
        let rows: Vec<(Uuid, String, bool, i64)> =
            sqlx::query_as("select payment_id, status, may_retry, request_seq from payment")
                .fetch_all(&world.db)
                .await
                .unwrap();
        let mut told: Vec<_> = rows
            .iter()
            .map(|(id, status, may_retry, seq)| {
                format!("{}: {status} {may_retry} {seq}", pairs[id])
            })
            .collect();
        told.sort();
        ends.push(told);
        service.unwrap().stop().await.unwrap();
    }
    assert_eq!(ends[0], ends[1]);
    let all = ends[0].join("\n");
    // What was granted counts over a rejection, and stays.
    for row in [
        "rejected, settled: settled false",
        "authorised, rejected: authorised false",
        "settled, retryable: settled false",
        "retryable, captured: captured false",
    ] {
        assert!(all.contains(row), "{row}: {all}");
    }
}

fn add(story: &mut Story, id: Uuid, said: &str) {
    let is_retryable = said == "retryable";
    let status = if is_retryable { "rejected" } else { said };
    story.step("payment", id, status, &json!({"may_retry": is_retryable}));
}
