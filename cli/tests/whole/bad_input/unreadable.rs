//! What no client library would send and nats-server stores all the same, written to a bare socket.

use anyhow::{Context as _, Result, ensure};
use async_nats::Client;
use common::broker;
use common::wire::REQUESTS;
use local::{Part, Service};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::payments::good;
use super::rejected::rejected;
use crate::bank::{SHOP, TestBank};

/// Header blocks that nats-server stores and that our client library can't read: some end its connection, some the client.
pub(crate) const UNREADABLE: [&[u8]; 5] = [
    b"NATS/1.0\r\nX: \xff\xfe\r\n\r\n",
    b"NATS/1.0\r\nfoo\r\n\r\n",
    b"NATS/1.0\r\nX: a\rb\r\n\r\n",
    b"NATS/1.0\r\nbad name: x\r\n\r\n",
    b"NATS/1.0\r\nAuthorization: a\r\nauthorization\xff: b\r\n\r\n",
];

/// A connection on which any bytes can be sent.
async fn socket(test: &TestBank, user: &str, password: &str) -> Result<TcpStream> {
    let address = test.bank.servers().nats_url().replace("nats://", "");
    let mut socket = TcpStream::connect(address).await?;
    let login = json!({
        "user": user, "pass": password, "headers": true, "verbose": false, "pedantic": false,
        "lang": "bytes", "version": "1", "protocol": 1, "no_responders": true,
    });
    let login = format!("CONNECT {login}\r\n");
    socket.write_all(login.as_bytes()).await?;
    Ok(socket)
}

/// Each is answered, and the good payment behind it is settled.
pub(crate) async fn what_no_client_library_would_send(
    test: &TestBank,
    client: &Client,
) -> Result<()> {
    let servers = test.bank.servers();
    // All but the server see a blank in this subject. Even a service of ours must not be able to stop the readers.
    let mut payments = socket(test, "payments", servers.nats_password("payments")).await?;
    let odd = broker::last_sequence(&test.audit().await?, REQUESTS).await? + 1;
    let message = b"PUB request.payment.v1.a\x0cb 2\r\n{}\r\n";
    payments.write_all(message).await?;
    ensure!(test.answer(odd).await?.subject == "settlement.unknown.v1");
    let mut socket = socket(test, SHOP, servers.nats_password(SHOP)).await?;
    let streams = test.audit().await?;
    for (index, headers) in UNREADABLE.into_iter().enumerate() {
        let payment = good(test);
        let body = payment.to_string();
        let before = broker::last_sequence(&streams, REQUESTS).await?;
        let lengths = format!("{} {}", headers.len(), headers.len() + body.len());
        socket
            .write_all(format!("HPUB request.payment.v1.{SHOP} {lengths}\r\n").as_bytes())
            .await?;
        socket
            .write_all(&[headers, body.as_bytes(), b"\r\n"].concat())
            .await?;
        let seq = before + 1;
        rejected(test, seq, Some("FF01"), &headers.escape_ascii().to_string()).await?;
        ensure!(
            json!(test.settlement(seq).await?.payment_id) == payment["payment_id"],
            "row {index}"
        );
        // The message behind it is served as usual, over NATS and over HTTP.
        let behind = test.publish(client, test.headers(&payment), body).await?;
        rejected(test, behind, None, "a good payment").await?;
        let (status, seen) = test
            .get(
                Service::Payments,
                &format!(
                    "/payments/{}",
                    payment["payment_id"].as_str().context("an id")?
                ),
                &test.staff,
            )
            .await?;
        ensure!(
            status == 200 && seen["status"] == "settled",
            "row {index}: {status} {seen}"
        );
    }
    Ok(())
}

/// Across accounts, nats-server sends nothing more behind an empty message. No reader may wait until it misses a heartbeat.
pub(crate) async fn empty_messages(test: &TestBank, client: &Client) -> Result<()> {
    const COUNT: u64 = 20;
    let streams = test.audit().await?;
    let first = broker::last_sequence(&streams, REQUESTS).await? + 1;
    for _ in 0..COUNT {
        let subject = format!("request.payment.v1.{SHOP}");
        client.publish(subject, "".into()).await?;
    }
    client.flush().await?;
    let payment = good(test);
    let behind = test
        .publish(client, test.headers(&payment), payment.to_string())
        .await?;
    ensure!(behind == first + COUNT, "{first} to {behind}");
    rejected(test, behind, None, "a good payment").await?;
    for seq in first..behind {
        rejected(test, seq, Some("FF01"), "an empty message").await?;
    }
    let log = std::fs::read_to_string(test.bank.home().log(Part::Ledger))?;
    ensure!(!log.contains("the broker is silent"), "{log}");
    Ok(())
}
