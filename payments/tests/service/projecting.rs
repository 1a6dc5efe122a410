//! The projection comes to the same end whatever the order, however often it dies, and however many run.

use std::process::{Child, Command, Stdio};

use common::broker;
use common::headers::HeaderLines;
use common::kinds::Answer;
use common::kinds::BODY_BYTES_MAX;
use common::kinds::payment::PaymentStatus;
use common::message::Outgoing;
use common::reason::Code;
use common::wire::{REQUESTS, SETTLEMENTS};
use serde_json::json;
use uuid::Uuid;

use crate::signer::token;
use crate::support::{World, answer_message, eventually, outgoing, payment, payment_answer};

const SHOP: &str = "request.payment.v1.shop";

#[tokio::test]
async fn an_answer_may_be_projected_before_its_request() {
    let world = World::with_key().await;
    world.serve().await.stop().await.unwrap();
    let (paid, refused) = (Uuid::now_v7(), Uuid::now_v7());
    let requests = [paid, refused].map(|id| outgoing(SHOP, &payment(id)));
    assert_eq!(world.publish_requests(requests.to_vec()).await, 3);
    world.settle(2).await;
    world.reject(3, Code::AM04).await;

    // The projection of REQUESTS waits for its cursor's row, which we hold.
    let mut lock = world.db.begin().await.unwrap();
    let hold = sqlx::query("select 1 from cursor where stream = 'REQUESTS' for update");
    hold.execute(&mut *lock).await.unwrap();
    let service = world.serve_unready();
    eventually("answers without requests", async || {
        (world.cursor(SETTLEMENTS).await == 3).then_some(())
    })
    .await;
    assert!(world.cursor(REQUESTS).await < 2);
    lock.rollback().await.unwrap();
    eventually("requests too", async || {
        (world.cursor(REQUESTS).await == 3).then_some(())
    })
    .await;

    let settled = Some((2, "settled".to_owned(), true));
    assert_eq!(world.row(paid).await, settled);
    let rejected = Some((3, "rejected".to_owned(), true));
    assert_eq!(world.row(refused).await, rejected);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_read_does_not_stop_it() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let id = Uuid::now_v7();
    let mut nul = payment(id);
    nul["reference"] = json!("a\0b");
    nul["amount"] = json!("1\0");
    let mut bodies = vec![
        b"".to_vec(),
        b"\xff\xfe".to_vec(),
        b"{}".to_vec(),
        vec![b'['; BODY_BYTES_MAX],
        payment(Uuid::nil())
            .to_string()
            .replace("30", "\\ud800")
            .into_bytes(),
    ];
    bodies.push(nul.to_string().into_bytes());
    let count = u64::try_from(bodies.len()).unwrap();
    let subjects = [SHOP, "request.payment.v1.shop"];
    let messages = bodies.into_iter().zip(subjects.into_iter().cycle());
    let messages = messages.map(|(body, subject)| Outgoing {
        subject: subject.to_owned(),
        headers: HeaderLines::default(),
        payload: body.into(),
    });
    assert_eq!(world.publish_requests(messages.collect()).await, 1 + count);
    for seq in 2..=count {
        let request = world.request(seq).await;
        let mut headers = HeaderLines::default();
        headers.add("ce-type", "payment.settled.v1");
        let junk = Outgoing {
            subject: "settlement.payment.v1.shop".to_owned(),
            headers,
            payload: request.payload,
        };
        world.publish_answers(seq, vec![junk]).await;
    }
    // The last one is a request with a NUL, and so is its answer.
    let request = world.request(1 + count).await;
    let mut answer = {
        let mut clean = request.clone();
        clean.payload = payment(id).to_string().into();
        payment_answer(&clean, PaymentStatus::Rejected, Some(Code::AM12))
    };
    if let Answer::Payment(answer) = &mut answer {
        answer.amount = Some("1\0".to_owned());
        answer.reference = Some("a\0b".to_owned());
    }
    world.answer(&request, &answer).await;

    eventually("passed over", async || {
        let end = i64::try_from(1 + count).ok()?;
        let there = world.cursor(SETTLEMENTS).await == end && world.cursor(REQUESTS).await == end;
        there.then_some(())
    })
    .await;
    let token = token("shop", "payments:read");
    let got = service.get(&token, &format!("/payments/{id}")).await;
    assert_eq!(got.body["status"], "rejected", "{got:?}");
    assert_eq!(got.body["reference"], "a\0b");
    let rows: i64 = sqlx::query_scalar("select count(*) from payment")
        .fetch_one(&world.db)
        .await
        .unwrap();
    assert_eq!(rows, 1);
    service.stop().await.unwrap();
}

/// Fills both logs: of each four requests one is settled, one rejected, one is the first again, one has no answer id.
async fn fill(world: &World, batches: u64) -> Vec<(Uuid, &'static str)> {
    let mut expected = Vec::new();
    for _ in 0..batches {
        let mut ids = Vec::new();
        let requests = (0..1000).map(|index| {
            let id = match index % 4 {
                2 => ids[index - 2],
                _ => Uuid::now_v7(),
            };
            ids.push(id);
            outgoing(SHOP, &payment(id))
        });
        let last = world.publish_requests(requests.collect()).await;
        let first = last - 999;
        let mut message = world.request(first).await;
        let mut answers = Vec::new();
        for (index, id) in ids.into_iter().enumerate() {
            message.sequence = first + u64::try_from(index).unwrap_or_default();
            message.payload = payment(id).to_string().into();
            let (status, code) = match index % 4 {
                0 => (PaymentStatus::Settled, None),
                2 => (PaymentStatus::Duplicate, None),
                _ => (PaymentStatus::Rejected, Some(Code::AM04)),
            };
            let mut answer = payment_answer(&message, status, code);
            if let (3, Answer::Payment(answer)) = (index % 4, &mut answer) {
                answer.payment_id = None;
            }
            answers.push(answer_message(&message, &answer));
            match index % 4 {
                0 => expected.push((id, "settled")),
                1 => expected.push((id, "rejected")),
                2 => {}
                _ => expected.push((id, "pending")),
            }
        }
        world.publish_answers(first, answers).await;
    }
    expected.sort();
    expected
}

async fn check_rows(world: &World, expected: &[(Uuid, &'static str)]) {
    let rows: Vec<(Uuid, String)> =
        sqlx::query_as("select payment_id, status from payment order by payment_id")
            .fetch_all(&world.db)
            .await
            .unwrap_or_default();
    assert_eq!(rows.len(), expected.len());
    for ((id, status), expected) in rows.iter().zip(expected) {
        assert_eq!((*id, status.as_str()), *expected);
    }
}

#[tokio::test]
async fn killed_again_and_again_it_misses_nothing() {
    let world = World::with_key().await;
    let progress = async || world.cursor(REQUESTS).await + world.cursor(SETTLEMENTS).await;
    let mut expected = Vec::new();
    // More each time, so that a fast machine is killed in the middle too.
    for batches in 1..6 {
        expected.extend(fill(&world, batches).await);
        let before = progress().await;
        let mut child = spawn(&world);
        eventually("some progress", async || {
            (progress().await > before).then_some(())
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let end = broker::last_sequence(&world.jetstream(), REQUESTS)
        .await
        .unwrap();
    let last = world.serve().await;
    for stream in [REQUESTS, SETTLEMENTS] {
        world.projected(stream, end).await;
    }
    last.stop().await.unwrap();
    expected.sort();
    check_rows(&world, &expected).await;
}

/// This test program as a process of its own that runs the service, so that it can be killed with SIGKILL.
fn spawn(world: &World) -> Child {
    let config = world.config().service;
    let env = world
        .servers
        .service_env(local::Service::Payments, config.web.listen.port());
    Command::new(std::env::current_exe().expect("a running program has a path"))
        .args(["--exact", "projecting::run_the_service", "--ignored"])
        .envs(env)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program starts once more")
}

#[test]
#[ignore = "the process that `killed_again_and_again_it_misses_nothing` kills"]
fn run_the_service() {
    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        config: payments::Config,
    }
    let arguments = <Arguments as clap::Parser>::parse_from(["payments"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(payments::serve(arguments.config)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_project_everything_once() {
    let world = World::with_key().await;
    let (one, two) = (world.serve().await, world.serve().await);
    let expected = fill(&world, 4).await;
    for service in [&one, &two] {
        let token = token("shop", "payments:submit payments:read");
        let id = Uuid::now_v7();
        let taken = service.post(&token, &payment(id)).await;
        // A read waits for some seconds only, and both have much to project.
        eventually("it is read", async || {
            let got = service.get(&token, taken.header("location")).await;
            (got.status == 200).then_some(())
        })
        .await;
        let request = world.request(taken.request_seq()).await;
        let answer = payment_answer(&request, PaymentStatus::Settled, None);
        world.answer(&request, &answer).await;
    }
    eventually("both logs", async || {
        (world.cursor(SETTLEMENTS).await == 4003 && world.cursor(REQUESTS).await == 4003)
            .then_some(())
    })
    .await;
    sqlx::query("delete from payment where request_seq > 4001")
        .execute(&world.db)
        .await
        .unwrap();
    check_rows(&world, &expected).await;
    one.stop().await.unwrap();
    two.stop().await.unwrap();
}

#[tokio::test]
async fn the_slower_of_two_instances_writes_nothing() {
    let world = World::with_key().await;
    let service = world.serve().await;
    // We are the faster one: we hold the cursor while the service has message 2, and move it behind that message.
    let mut faster = world.db.begin().await.unwrap();
    let take = sqlx::query("update cursor set seq = 2 where stream = 'REQUESTS'");
    take.execute(&mut *faster).await.unwrap();
    let [ours, next] = [Uuid::now_v7(), Uuid::now_v7()];
    world
        .publish_requests(vec![outgoing(SHOP, &payment(ours))])
        .await;
    eventually("the service waits for the cursor", async || {
        let waiting = "select count(*) from pg_stat_activity where usename = 'payments' and wait_event_type = 'Lock'";
        let count: i64 = sqlx::query_scalar(waiting).fetch_one(&world.db).await.ok()?;
        (count == 1).then_some(())
    })
    .await;
    faster.commit().await.unwrap();
    world
        .publish_requests(vec![outgoing(SHOP, &payment(next))])
        .await;
    let row = eventually("message 3", async || world.row(next).await).await;
    assert_eq!(row, (3, "pending".to_owned(), false));
    assert_eq!(
        world.row(ours).await,
        None,
        "it was the faster one's to write"
    );
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_database_that_restarts_is_waited_for() {
    let mut world = World::with_key().await;
    let service = world.serve().await;
    world.servers.kill_postgres();
    let id = Uuid::now_v7();
    // Taking a payment needs no database.
    let got = service
        .post(&token("shop", "payments:submit"), &payment(id))
        .await;
    assert_eq!(got.request_seq(), 2);
    let reader = token("shop", "payments:read");
    let path = format!("/payments/{id}");
    assert_eq!(service.get(&reader, &path).await.status, 503);
    world.servers.restart_postgres().await.unwrap();
    eventually("projected", async || {
        (service.get(&reader, &path).await.status == 200).then_some(())
    })
    .await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_log_that_was_replaced_stops_it() {
    let world = World::with_key().await;
    world.serve().await.stop().await.unwrap();
    sqlx::query("update cursor set seq = 10 where stream = 'REQUESTS'")
        .execute(&world.db)
        .await
        .unwrap();
    let error = world.serve_unready().end().await.unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.contains("REQUESTS ends at 1 but is projected up to 10"),
        "{text}"
    );
    let last = broker::last_sequence(&world.jetstream(), REQUESTS).await;
    assert_eq!(last.unwrap(), 1);
}

#[tokio::test]
async fn a_gap_in_a_log_stops_it() {
    // Without an answer: one that is projected in time would spare the projection its request.
    let world = World::empty().await;
    let requests = vec![outgoing(SHOP, &payment(Uuid::now_v7())); 3];
    assert_eq!(world.publish_requests(requests).await, 3);
    let stream = world.jetstream().get_stream(REQUESTS).await.unwrap();
    let mut config = stream.cached_info().config.clone();
    config.max_messages = 1;
    config.discard = async_nats::jetstream::stream::DiscardPolicy::Old;
    world.jetstream().update_stream(config).await.unwrap();
    let error = world.serve_unready().end().await.unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("REQUESTS jumps from 1 to 3"), "{text}");
}
