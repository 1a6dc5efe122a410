//! What people do at the console, from the first page to the outcome.

use fantoccini::Locator;
use fantoccini::key::Key;

use crate::browser::Browser;
use crate::desk::{Desk, signal_to};

#[tokio::test]
async fn a_clerk_opens_an_account_deposits_and_watches_the_payment_settle() {
    let Some(browser) = Browser::start(&["--window-size=1400,1000"]).await else {
        return;
    };
    let desk = Desk::open();
    browser.sign_in(&desk).await;

    // By keyboard: `/` leads to the search, and an id to its page.
    let body = browser.driver.find(Locator::Css("body")).await.unwrap();
    body.send_keys("/").await.unwrap();
    let search = browser.driver.active_element().await.unwrap();
    search.send_keys(desk.account()).await.unwrap();
    search.send_keys(&Key::Enter.to_string()).await.unwrap();
    browser.wait_for("h1", "Ada").await;

    // Open an account for the same owner, and put money into it.
    let owner = "//dt[.='Owner']/following-sibling::dd[1]";
    let owner = browser.driver.find(Locator::XPath(owner)).await.unwrap();
    let owner = owner.text().await.unwrap();
    browser
        .driver
        .goto(&desk.at(&format!("/accounts/new?owner={owner}")))
        .await
        .unwrap();
    browser.fill("name", "Ada's savings").await;
    browser.press("Open").await;
    browser.wait_for("h1", "Ada's savings").await;
    browser.fill("amount", "12.50").await;
    browser.fill("reference", "First savings").await;
    browser.press("Deposit").await;
    browser.wait_for(".big", "settled").await;
    // What follows the answer comes by itself.
    browser.wait_for("[data-step=Projected]", "Projected").await;
    browser.wait_for(".timeline", "Booked").await;
    browser
        .wait_for("[data-step=Delivered]", "the client has no subscriber")
        .await;
    browser.picture("payment").await;
    browser.click(Locator::LinkText("Receipt")).await;
    browser.wait_for("pre", "First savings").await;
    browser.wait_for("pre", "quittance.localhost/ledger").await;
    browser.driver.back().await.unwrap();

    // More than the bank has is refused, with the reason, and books nothing.
    browser.driver.back().await.unwrap();
    browser.driver.refresh().await.unwrap();
    browser.wait_for(".tile", "12.50 EUR").await;
    browser.fill("amount", "0.001").await;
    browser.press("Deposit").await;
    browser.wait_for(".trouble, .big", "AM12").await;
    let refused = browser.complaints().await;
    assert!(
        refused.iter().all(|text| text.contains("422")),
        "{refused:?}"
    );

    // The deposit has its place in the log, with its answer beside it.
    browser.driver.goto(&desk.at("/payments")).await.unwrap();
    let row = "//tr[td[contains(., '12.50 EUR')]]/td[1]//a";
    browser.click(Locator::XPath(row)).await;
    browser.wait_for(".side", "First savings").await;
    browser.wait_for(".side h2", "Answer").await;
    browser.wait_for(".side", "fits payment.requested.v1").await;
    browser.wait_for(".side", "fits payment.answered.v1").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    // A replay of all that agrees.
    browser.driver.goto(&desk.at("/audit")).await.unwrap();
    browser.press("Start a replay").await;
    browser.wait_for("td", "the same books").await;
    browser.driver.goto(&desk.at("/history")).await.unwrap();
    browser.wait_for("td", "replay.started").await;
    browser.stop().await;
}

#[tokio::test]
async fn what_happens_shows_by_itself_and_what_is_away_is_named() {
    let Some(browser) = Browser::start(&["--window-size=1400,1000"]).await else {
        return;
    };
    let desk = Desk::open();
    browser.sign_in(&desk).await;
    browser
        .driver
        .goto(&desk.at("/payments?status=settled"))
        .await
        .unwrap();
    browser.wait_for("td", "1000.00 EUR").await;
    desk.home
        .run("pay --from ada --to grace --amount 7.77 --wait")
        .ok();
    browser.wait_for("td", "7.77 EUR").await;

    // All services are ready, and each says at the broker that it runs.
    browser.driver.goto(&desk.at("/services")).await.unwrap();
    for service in ["auth", "ledger", "payments"] {
        let row = format!("//*[@aria-label='Services']//tr[td[.='{service}'] and td[.='ready']]");
        browser.driver.find(Locator::XPath(&row)).await.unwrap();
    }
    browser.wait_for("[aria-label=Running] td", "console").await;
    browser
        .wait_for("[aria-label=Running] td", env!("CARGO_PKG_VERSION"))
        .await;
    browser.picture("services").await;

    // A service whose clock stands still answers nothing; that must not look like no payments.
    browser.driver.goto(&desk.at("/")).await.unwrap();
    let pid = std::fs::read_to_string(desk.home.path().join("run/payments.pid")).unwrap();
    let signal = |name: &str| signal_to(pid.trim(), name);
    signal("-STOP");
    browser.wait_for(".trouble", "payments at").await;
    browser.wait_for("td", "DOWN").await;
    browser.driver.goto(&desk.at("/services")).await.unwrap();
    browser.wait_for("[aria-label=Services] td", "DOWN").await;
    browser.driver.goto(&desk.at("/")).await.unwrap();
    signal("-CONT");
    browser.wait_for(".tile", "Settled per second").await;

    // A console that starts again knows nobody; the page says so instead of showing old figures as new ones.
    let pid = std::fs::read_to_string(desk.home.path().join("run/console.pid")).unwrap();
    // While whoever starts it again stands still, the page can be looked at.
    let lock = std::fs::read_to_string(desk.home.path().join("quittance.lock")).unwrap();
    let supervisor = lock.split_whitespace().next().unwrap();
    signal_to(supervisor, "-STOP");
    signal_to(pid.trim(), "-9");
    browser.wait_for(".trouble", "Not live").await;
    signal_to(supervisor, "-CONT");
    desk.wait_for_console().await;
    browser.wait_for(".trouble", "You are signed out").await;
    browser.click(Locator::LinkText("Sign in")).await;
    browser.wait_for("h1", "Sign in").await;
    browser.stop().await;
}
