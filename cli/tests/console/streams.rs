//! A thousand live pages at once: some are live, the others are told that they are not, and pages are made as before.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::StatusCode;

use crate::browser::Browser;
use crate::desk::Desk;

const STREAMS: usize = 1_000;
/// As many as the console has places for.
const LIVE: usize = 200;
/// A page takes some milliseconds; this machine has other things to do.
const PAGE_MAX: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_live_pages_leave_room_for_all_others() {
    let desk = Desk::open();
    let (email, password) = desk.staff();
    let signed_in = desk.sign_in(email, password).await;
    let open = || desk.get("/live/audit", signed_in.clone());
    let begun = Instant::now();
    let streams = join_all((0..STREAMS).map(|_| open())).await;
    let count = |status| streams.iter().filter(|one| one.status() == status).count();
    let (live, refused) = (
        count(StatusCode::OK),
        count(StatusCode::SERVICE_UNAVAILABLE),
    );
    eprintln!(
        "{live} live, {refused} refused, after {:?}",
        begun.elapsed()
    );
    let mut took = PAGE_MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        let page = desk.get("/files", signed_in.clone()).await;
        assert_eq!(page.status(), StatusCode::OK);
        took = took.min(begun.elapsed());
    }
    eprintln!("a page beside them took {took:?}");
    assert!(took < PAGE_MAX);
    assert_eq!((live, refused), (LIVE, STREAMS - LIVE));
    if let Some(browser) = Browser::start(&["--window-size=1400,1000"]).await {
        browser.sign_in(&desk).await;
        browser.driver.goto(&desk.at("/payments")).await.unwrap();
        browser.wait_for(".trouble", "too many pages are").await;
        browser.wait_for("td", "1000.00 EUR").await;
        browser.stop().await;
    }
    let told = streams
        .into_iter()
        .find(|one| one.status() == StatusCode::SERVICE_UNAVAILABLE);
    let told = told.unwrap();
    assert_eq!(told.headers()["retry-after"], "30");
    assert_eq!(told.headers()["content-type"], "text/event-stream");

    // Their readers have gone, and others take their places.
    let begun = Instant::now();
    while open().await.status() != StatusCode::OK {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "no place is free"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
