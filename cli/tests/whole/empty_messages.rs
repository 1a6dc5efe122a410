//! Messages without headers and body, from strangers and from trusted producers: nobody waits longer for them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use async_nats::Client;
use common::kinds::payment::PaymentAnswer;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

use crate::bank::{KIOSK, PATIENCE, SHOP, TestBank, payment};
use crate::door::publish;

/// One of them used to stop everybody for more than a second.
const NO_DELAY: Duration = Duration::from_secs(1);
/// Payments among as many empty messages.
const COUNT: usize = 1000;

/// Publishes payments and empty messages in turn; says how many payments took long until their settlement came, and how long
/// the slowest did.
async fn among_empty_messages(
    test: &TestBank,
    client: &Client,
    who: &str,
) -> Result<(usize, Duration)> {
    let subject = format!("request.payment.v1.{who}");
    let mut settled = client
        .subscribe(format!("settlement.payment.v1.{who}"))
        .await?;
    let hearing = async {
        let mut at = HashMap::new();
        while at.len() < COUNT {
            let event = settled.next().await.context("the subscription ended")?;
            let answer: PaymentAnswer = serde_json::from_slice(&event.payload)?;
            // An empty message that is stored gets an answer too.
            if let (Some(id), "settled") = (answer.payment_id, answer.status.as_str()) {
                at.insert(id.0, Instant::now());
            }
        }
        anyhow::Ok(at)
    };
    let publishing = stream::iter(0..COUNT)
        .map(|_| async {
            client.publish(subject.clone(), "".into()).await?;
            let payment = payment(test.adas, test.graces, "0.01");
            let headers = match who {
                KIOSK => test.kiosk_headers(&payment),
                _ => test.headers(&payment),
            };
            let began = Instant::now();
            let ack = publish(client, who, headers, payment.to_string().into()).await?;
            ensure!(ack["error"].is_null(), "{ack}");
            let id: Uuid = payment["payment_id"].as_str().context("an id")?.parse()?;
            Ok((id, began))
        })
        .buffered(8)
        .try_collect::<Vec<_>>();
    let both = async { tokio::try_join!(hearing, publishing) };
    let (heard, published) = tokio::time::timeout(PATIENCE, both)
        .await
        .context("not all payments were settled")??;
    let took = published
        .iter()
        .map(|(id, began)| heard[id].duration_since(*began));
    let slow = took.clone().filter(|took| *took > NO_DELAY).count();
    Ok((slow, took.max().context("there are payments")?))
}

#[tokio::test]
async fn empty_messages_delay_nobody() -> Result<()> {
    let test = TestBank::start().await?;
    let by_door = among_empty_messages(&test, &test.kiosk().await?, KIOSK).await?;
    let directly = among_empty_messages(&test, &test.producer().await?, SHOP).await?;
    println!("slow payments, and the slowest: at the door {by_door:?}, directly {directly:?}");
    // A disk may take a second now and then; each empty message delays those beside it.
    let few = COUNT / 20;
    ensure!(
        by_door.0 < few && directly.0 < few,
        "{by_door:?}, {directly:?}"
    );
    test.check_invariants().await?;
    Ok(())
}
