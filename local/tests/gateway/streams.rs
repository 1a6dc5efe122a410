//! Streams of events through the gateway, and what a reload does to them and to requests under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::client::{PATIENCE, connect, get};
use crate::front;
use crate::stub::Stub;

const STREAMS: usize = 1_000;

/// Both ends of every stream are in this process.
fn allow_descriptors() {
    let now = getrlimit(Resource::Nofile);
    let wanted = Some(4_096);
    let enough = now.maximum.is_none_or(|maximum| maximum >= 4_096);
    assert!(enough, "this test needs 4096 descriptors (ulimit -Hn)");
    if now.current.is_some_and(|current| current < 4_096) {
        let limit = Rlimit {
            current: wanted,
            maximum: now.maximum,
        };
        setrlimit(Resource::Nofile, limit).unwrap();
    }
}

/// Reads a stream until this event has come.
async fn read_until(stream: &mut BufReader<TcpStream>, event: u64) {
    let wanted = format!("data: {event}\n");
    let mut line = String::new();
    while line != wanted {
        line.clear();
        let read = tokio::time::timeout(PATIENCE, stream.read_line(&mut line)).await;
        let read = read.unwrap_or_else(|_| panic!("event {event} did not come"));
        assert!(read.unwrap() > 0, "cut before event {event}");
    }
}

async fn open_stream(port: u16) -> BufReader<TcpStream> {
    let mut socket = connect(port).await;
    let request =
        "GET /payment/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    BufReader::new(socket)
}

/// An event is there before the next one is sent: nothing waits for a buffer to fill.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_streams_are_open_and_go_on_through_a_reload() {
    allow_descriptors();
    let stub = Stub::start().await;
    let mut front = front(&stub).await;
    let port = front.port();
    let mut streams = join_all((0..STREAMS).map(|_| open_stream(port))).await;
    join_all(streams.iter_mut().map(|stream| read_until(stream, 0))).await;
    for event in 1..=2 {
        stub.events.send(event).unwrap();
        join_all(streams.iter_mut().map(|stream| read_until(stream, event))).await;
    }
    front.reload();
    // It has happened when new workers answer; the old ones go on with their streams.
    while !front.log().contains("gracefully shutting down") {
        assert_eq!(get(port, "/bank/x").await.status, 200);
    }
    stub.events.send(3).unwrap();
    join_all(streams.iter_mut().map(|stream| read_until(stream, 3))).await;
    assert_eq!(get(port, "/bank/x").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_under_load_loses_no_request() {
    let stub = Stub::start().await;
    let mut front = front(&stub).await;
    let port = front.port();
    let (is_over, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (is_over, answered) = (is_over.clone(), answered.clone());
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let answer = get(port, "/payment/payments").await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for reloads in 1..=5 {
        let before = answered.load(Ordering::Relaxed);
        front.reload();
        let mut is_done = false;
        while !is_done || answered.load(Ordering::Relaxed) < before + 100 {
            is_done = front.log().matches("reconfiguring").count() >= reloads;
            tokio::task::yield_now().await;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn connections_to_a_service_are_kept_for_the_requests_that_come_after() {
    let stub = Stub::start().await;
    let front = front(&stub).await;
    for _ in 0..100 {
        assert_eq!(get(front.port(), "/bank/x").await.status, 200);
    }
    // Each of the two workers has its own.
    assert!(stub.connections.load(Ordering::Relaxed) <= 2);
}
