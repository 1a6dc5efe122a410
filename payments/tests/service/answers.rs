//! Which of many answers to one payment counts, and that those who wait for one get it.

use std::time::Duration;

use common::broker::Answers;
use common::kinds::payment::PaymentStatus;
use common::reason::Code;
use common::wire::{REQUESTS, SETTLEMENTS};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{
    PATIENCE, World, answer_message, eventually, outgoing, payment, payment_answer,
};

const SHOP: &str = "request.payment.v1.shop";

#[tokio::test]
async fn a_later_answer_overwrites_only_what_it_may() {
    let world = World::with_key().await;
    let service = world.serve().await;
    let id = Uuid::now_v7();
    let requests = vec![outgoing(SHOP, &payment(id)); 5];
    assert_eq!(world.publish_requests(requests).await, 6);
    let after = async |seq: i64| {
        eventually("answer", async || {
            (world.cursor(SETTLEMENTS).await == seq).then_some(())
        })
        .await;
        world.row(id).await.map(|(seq, status, _)| (seq, status))
    };
    world.reject(2, Code::AG01).await;
    assert_eq!(after(2).await, Some((2, "rejected".to_owned())));
    world.reject(3, Code::AG01).await;
    assert_eq!(after(3).await, Some((2, "rejected".to_owned())));
    world.settle(4).await;
    assert_eq!(after(4).await, Some((4, "settled".to_owned())));
    world.reject(5, Code::AM05).await;
    assert_eq!(after(5).await, Some((4, "settled".to_owned())));
    world.repeat(6).await;
    assert_eq!(after(6).await, Some((4, "settled".to_owned())));
    service.stop().await.unwrap();
}

/// Each word is a step: `R` is a request, `t` `f` `s` `d` the next answer (try again, final rejection, settled, duplicate).
async fn check_row(world: &World, steps: &str, expected: (u64, &str)) {
    let id = Uuid::now_v7();
    let (before, mut answered) = (world.last(REQUESTS).await, world.last(SETTLEMENTS).await);
    let mut asked = before;
    for step in steps.chars() {
        if step == 'R' {
            let requests = vec![outgoing(SHOP, &payment(id))];
            asked = world.publish_requests(requests).await;
            world.projected(REQUESTS, asked).await;
            continue;
        }
        answered += 1;
        match step {
            't' => world.pass_over(answered).await,
            'f' => world.reject(answered, Code::AM04).await,
            's' => world.settle(answered).await,
            _ => world.repeat(answered).await,
        }
        world.projected(SETTLEMENTS, answered).await;
    }
    let row = world.row(id).await.map(|(seq, status, _)| (seq, status));
    let seq = i64::try_from(before + expected.0).expect("a small number");
    assert_eq!(row, Some((seq, expected.1.to_owned())), "{steps}");
    // Whatever has no answer yet gets one, so that the next row begins where both logs are equal.
    while answered < asked {
        answered += 1;
        world.repeat(answered).await;
    }
}

#[tokio::test]
async fn while_nothing_is_decided_the_latest_request_counts() {
    let world = World::with_key().await;
    let service = world.serve().await;
    for (steps, expected) in [
        ("Rt", (1, "rejected")),
        ("RtR", (2, "pending")),
        ("RtRt", (2, "rejected")),
        ("RtRs", (2, "settled")),
        ("RtRf", (2, "rejected")),
        ("RtRsRt", (2, "settled")),
        ("RtRfRt", (2, "rejected")),
        ("RtRfR", (2, "rejected")),
        ("RtRsR", (2, "settled")),
        // The ledger is behind: a request that waits is not shown as rejected because an earlier one was.
        ("RRt", (2, "pending")),
        ("RRtt", (2, "rejected")),
        ("RRts", (2, "settled")),
        ("RRsd", (1, "settled")),
        ("RRfd", (1, "rejected")),
        ("RRRft", (1, "rejected")),
    ] {
        check_row(&world, steps, expected).await;
    }
    service.stop().await.unwrap();
}

#[tokio::test]
async fn whichever_log_is_projected_first_the_rows_are_the_same() {
    let world = World::with_key().await;
    world.serve().await.stop().await.unwrap();
    let ids: Vec<Uuid> = (0..4).map(|_| Uuid::now_v7()).collect();
    // Each payment twice, then the first of them once more, without an answer.
    let order = ids.iter().chain(&ids).chain(ids.first());
    let requests = order.map(|id| outgoing(SHOP, &payment(*id))).collect();
    assert_eq!(world.publish_requests(requests).await, 10);
    for seq in 2..=7 {
        world.pass_over(seq).await;
    }
    world.settle(8).await;
    world.reject(9, Code::AM04).await;
    let expected = [
        (10, "pending"),
        (7, "rejected"),
        (8, "settled"),
        (9, "rejected"),
    ];
    for (first, end, second) in [(REQUESTS, 10, SETTLEMENTS), (SETTLEMENTS, 9, REQUESTS)] {
        for statement in ["delete from payment", "update cursor set seq = 0"] {
            sqlx::query(statement).execute(&world.db).await.unwrap();
        }
        let mut lock = world.db.begin().await.unwrap();
        let hold = sqlx::query("select 1 from cursor where stream = $1 for update").bind(second);
        hold.execute(&mut *lock).await.unwrap();
        let service = world.serve_unready();
        world.projected(first, end).await;
        lock.rollback().await.unwrap();
        world.projected(REQUESTS, 10).await;
        world.projected(SETTLEMENTS, 9).await;
        for (id, (seq, status)) in ids.iter().zip(expected) {
            let row = world.row(*id).await.map(|(seq, status, _)| (seq, status));
            assert_eq!(row, Some((seq, status.to_owned())), "{first} first");
        }
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn who_waits_hears_of_answers_behind_a_gap() {
    let world = World::with_key().await;
    let requests = vec![outgoing(SHOP, &payment(Uuid::now_v7())); 4];
    assert_eq!(world.publish_requests(requests).await, 5);
    let stop = CancellationToken::new();
    let answers = Answers::start(
        world.config().service.broker,
        world.jetstream(),
        stop.clone(),
    )
    .await;
    let answers = answers.unwrap();

    let consumers = async || {
        let stream = world.jetstream().get_stream(SETTLEMENTS).await.unwrap();
        stream.cached_info().state.consumer_count
    };
    assert_eq!(consumers().await, 0, "nobody waits, so nobody reads");

    let (heard, ()) = tokio::join!(answers.wait(5, PATIENCE), async {
        eventually("reading", async || (consumers().await == 1).then_some(())).await;
        // Of three answers that are stored at once only the last stays: the two before it can never be read.
        let mut stream = world.jetstream().get_stream(SETTLEMENTS).await.unwrap();
        let mut config = stream.info().await.unwrap().config.clone();
        config.max_messages = 1;
        config.discard = async_nats::jetstream::stream::DiscardPolicy::Old;
        world.jetstream().update_stream(config).await.unwrap();
        let mut messages = Vec::new();
        for seq in 2..=4 {
            let request = world.request(seq).await;
            let answer = payment_answer(&request, PaymentStatus::Settled, None);
            messages.push(answer_message(&request, &answer));
        }
        world.publish_answers(2, messages).await;
        // So that it comes when reading has begun again.
        tokio::time::sleep(Duration::from_secs(3)).await;
        world.settle(5).await;
    });
    assert_eq!(heard.unwrap().map(|answer| answer.sequence), Some(5));
    // A waiter for an answer that was read before gets it all the same.
    let again = answers.wait(5, PATIENCE).await.unwrap();
    assert_eq!(again.map(|answer| answer.sequence), Some(5));
    let never = answers.wait(6, Duration::from_millis(10)).await.unwrap();
    assert!(never.is_none());
    stop.cancel();
}
