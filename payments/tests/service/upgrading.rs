//! Versions side by side: a ledger that is newer, and a projection that was older.

use common::kinds::Answer;
use common::kinds::rules::{NEWEST, RulesAnswer, RulesStatus};
use common::wire::SETTLEMENTS;
use serde_json::json;
use uuid::Uuid;

use crate::signer::token;
use crate::support::{World, eventually, outgoing, payment};

const SHOP: &str = "request.payment.v1.shop";

/// Raises the rules.
pub(crate) async fn raise_rules(world: &World, rules: u32) -> u64 {
    // The kind does not matter to the stream: the request only has to be there to be answered.
    let request = outgoing(SHOP, &json!({}));
    let seq = world.publish_requests(vec![request]).await;
    let request = world.request(seq).await;
    let answer = RulesAnswer {
        request_seq: seq,
        rules,
        status: RulesStatus::Raised,
        reason: None,
        published_at: request.published_at,
    };
    world.answer(&request, &Answer::Rules(answer)).await;
    seq
}

#[tokio::test]
async fn a_raise_to_rules_that_it_does_not_know_stops_it() {
    let world = World::with_key().await;
    assert_eq!(raise_rules(&world, NEWEST + 1).await, 2);
    let error = world.serve_unready().end().await.unwrap_err();
    let text = format!("{error:#}");
    let expected = format!("answer 2 raises the rules to version {}", NEWEST + 1);
    assert!(text.contains(&expected), "{text}");
    // It was not passed over: a newer version begins with it, or with the key before it.
    assert!(world.cursor(SETTLEMENTS).await < 2);
}

#[tokio::test]
async fn answers_that_an_older_version_passed_over_are_read_again() {
    let world = World::with_key().await;
    let id = Uuid::now_v7();
    let service = world.serve().await;
    service
        .post(&token("shop", "payments:submit"), &payment(id))
        .await;
    eventually("pending", async || world.row(id).await).await;
    service.stop().await.unwrap();
    // As that version left it: past the answer, with the payment pending.
    world.settle(2).await;
    let mut db = world.db.acquire().await.unwrap();
    for statement in [
        "update cursor set seq = 2 where stream = 'SETTLEMENTS'",
        include_str!("../../migrations/0004_read_answers_again.sql"),
    ] {
        sqlx::raw_sql(statement).execute(&mut *db).await.unwrap();
    }
    drop(db);
    let service = world.serve().await;
    eventually("settled", async || {
        world
            .row(id)
            .await
            .filter(|(_, status, _)| status == "settled")
    })
    .await;
    service.stop().await.unwrap();
}
