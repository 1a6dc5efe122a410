//! A producer at the door that means harm: others are served as before.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::bank::{KIOSK, TestBank, payment};
use crate::door::publish;

/// Longer than an answer takes on a busy machine, shorter than any time limit of ours.
const AT_ONCE: Duration = Duration::from_secs(4);

/// A connection as the kiosk, spoken to in bytes.
async fn bytes(test: &TestBank) -> Result<TcpStream> {
    let servers = test.bank.servers();
    let address = servers.nats_url().replace("nats://", "");
    let mut socket = TcpStream::connect(address).await?;
    let login = json!({
        "user": KIOSK, "pass": servers.nats_password(KIOSK), "headers": true, "verbose": false, "pedantic": false,
        "lang": "bytes", "version": "1", "protocol": 1, "no_responders": true,
    });
    socket
        .write_all(format!("CONNECT {login}\r\n").as_bytes())
        .await?;
    Ok(socket)
}

#[tokio::test]
async fn no_reply_subject_or_block_of_headers_cuts_the_door_for_others() -> Result<()> {
    let test = TestBank::start().await?;
    let kiosk = test.kiosk().await?;
    let mut hostile = bytes(&test).await?;
    let subject = format!("request.payment.v1.{KIOSK}");
    let tiny = format!("NATS/1.0\r\n{}\r\n", ":\n".repeat(15_000));
    let (inbox, many) = (format!("_INBOX_{KIOSK}"), tiny.len());
    let replies = [
        "$JS.ACK.".to_owned(),
        "$JS.>".to_owned(),
        "$JS.API.STREAM.DELETE.REQUESTS".to_owned(),
        "settlement.payment.v1.demo-shop".to_owned(),
        subject.clone(),
        ">".to_owned(),
        "*".to_owned(),
        "*.>".to_owned(),
        "*.*.*".to_owned(),
        ">.x.y".to_owned(),
        format!("{inbox}.>"),
        format!("{inbox}.*"),
        format!("{inbox}.*.*"),
        format!("{inbox}..x"),
        format!("{inbox}."),
        format!("{inbox}.\u{1}"),
        "..".to_owned(),
    ];
    let mut attacks = replies
        .map(|reply| format!("PUB {subject} {reply} 1\r\nx\r\n"))
        .to_vec();
    attacks.push(format!("HPUB {subject} {many} {many}\r\n{tiny}\r\n"));
    for attack in &attacks {
        for _ in 0..20 {
            hostile.write_all(attack.as_bytes()).await?;
        }
        let due = payment(test.adas, test.graces, "0.01");
        let began = Instant::now();
        let ack = publish(
            &kiosk,
            KIOSK,
            test.kiosk_headers(&due),
            due.to_string().into(),
        );
        let what: String = attack.chars().take(90).collect();
        let ack = tokio::time::timeout(AT_ONCE, ack)
            .await
            .context(what.clone())??;
        ensure!(
            ack["error"].is_null() && began.elapsed() < AT_ONCE,
            "{what}: {ack}"
        );
    }
    let log = std::fs::read_to_string(test.bank.home().log(local::Part::Payments))?;
    ensure!(
        !log.contains("lost the connection that publishers"),
        "{log}"
    );
    test.check_invariants().await.map(drop)
}

#[tokio::test]
async fn a_refusal_repeats_nothing_of_what_was_sent() -> Result<()> {
    let test = TestBank::start().await?;
    let kiosk = test.kiosk().await?;
    let due = payment(test.adas, test.graces, "0.01");
    let body = json!({"chosen by the attacker": "x".repeat(20_000)}).to_string();
    let ack = publish(&kiosk, KIOSK, test.kiosk_headers(&due), body.into()).await?;
    let sentence = ack["error"]["description"].as_str().unwrap_or_default();
    ensure!(
        sentence.starts_with("FF01: ") && sentence.len() < 200,
        "{sentence}"
    );
    ensure!(!sentence.contains("attacker"), "{sentence}");
    Ok(())
}
