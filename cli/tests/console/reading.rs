//! What pages do for readers besides being read: ids that are copied, times that are local, outcomes of each of many; and the
//! descriptions of the APIs, without a network.

use fantoccini::Locator;
use reqwest::StatusCode;

use crate::browser::Browser;
use crate::desk::Desk;

#[tokio::test]
async fn ids_are_copied_and_times_are_local_when_asked() {
    let Some(browser) = Browser::start(&["--window-size=1400,1000"]).await else {
        return;
    };
    let desk = Desk::open();
    browser.sign_in(&desk).await;
    browser.driver.goto(&desk.at("/log/1")).await.unwrap();
    let times = browser.texts("time").await;
    assert!(times.iter().all(|time| time.ends_with(" UTC")), "{times:?}");
    browser.click(Locator::Css("[data-local-times]")).await;
    browser.wait_for("[data-local-times]", "Local time").await;
    let local = browser.texts("time").await;
    assert!(
        local.iter().all(|time| !time.ends_with(" UTC")),
        "{local:?}"
    );
    // The next page has them so too, and what comes live.
    browser.driver.goto(&desk.at("/log")).await.unwrap();
    browser.wait_for("[data-local-times]", "Local time").await;
    desk.home
        .run("pay --from ada --to grace --amount 7.77 --wait")
        .ok();
    browser.wait_for("td", "7.77 EUR").await;
    let local = browser.texts("time").await;
    assert!(
        local.iter().all(|time| !time.ends_with(" UTC")),
        "{local:?}"
    );

    let account = format!("/accounts/{}", desk.account());
    browser.driver.goto(&desk.at(&account)).await.unwrap();
    browser.click(Locator::Css("[data-copy]")).await;
    browser.wait_for("[data-copy]", "copied").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

#[tokio::test]
async fn an_action_on_many_shows_the_outcome_of_each() {
    let desk = Desk::open();
    let (email, password) = desk.staff();
    let signed_in = desk.sign_in(email, password).await;
    let page = desk.get("/people", signed_in.clone()).await;
    let page = page.text().await.unwrap();
    let id_of = |email: &str| {
        let (before, _) = page.split_once(&format!("Choose {email}")).unwrap();
        let (_, id) = before.rsplit_once("value=\"").unwrap();
        id.split('"').next().unwrap().to_owned()
    };
    let (ada, grace) = (id_of("ada@demo.quittance"), id_of("grace@demo.quittance"));
    let nobody = "0198c0de-0000-7000-8000-000000000001";
    let csrf = desk.csrf(&signed_in).await;
    let fields = [
        ("csrf", csrf.as_str()),
        ("id", &ada),
        ("id", nobody),
        ("id", &grace),
        ("action", "log-out"),
    ];
    let answer = desk.post("/people", signed_in, &fields).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let page = answer.text().await.unwrap();
    let (_, outcomes) = page.split_once("role=\"status\"").unwrap();
    let (outcomes, _) = outcomes.split_once("</section>").unwrap_or((outcomes, ""));
    for id in [ada.as_str(), nobody, &grace] {
        assert!(outcomes.contains(id), "{id}: {outcomes}");
    }
    assert!(outcomes.contains("failed"), "{outcomes}");
    assert!(outcomes.matches(">ok").count() >= 2, "{outcomes}");
}

#[tokio::test]
async fn the_descriptions_of_the_apis_are_read_without_a_network() {
    let Some(browser) = Browser::start(&["--window-size=1400,1000"]).await else {
        return;
    };
    let desk = Desk::open();
    let gateway = desk.status["gateway"].as_str().unwrap();
    for (path, shows) in [
        ("/docs", "Quittance auth"),
        ("/auth/docs", "Quittance auth"),
        ("/bank/docs", "Quittance ledger"),
        ("/payment/docs", "Quittance payments"),
    ] {
        browser
            .driver
            .goto(&format!("{gateway}{path}"))
            .await
            .unwrap();
        browser.wait_for("h1, h2", shows).await;
        browser.wait_for(".opblock-summary-path", "/").await;
        let script = "return performance.getEntriesByType('resource').map(one => one.name)";
        let loaded = browser.driver.execute(script, Vec::new()).await.unwrap();
        let loaded = loaded.as_array().unwrap();
        assert!(!loaded.is_empty(), "{path}");
        for address in loaded {
            let address = address.as_str().unwrap();
            let is_ours = address.starts_with(gateway) || address.starts_with("data:");
            assert!(is_ours, "{path} loads {address}");
        }
        assert_eq!(browser.complaints().await, Vec::<String>::new(), "{path}");
        browser
            .picture(&format!("docs{}", path.replace('/', "-")))
            .await;
    }
    // One operation opened, with its example and its problems.
    let operation = "//*[contains(@class, 'opblock-summary')]//*[@data-path='/payments']";
    browser.click(Locator::XPath(operation)).await;
    browser.wait_for(".opblock-body", "payment_id").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    for path in ["/problems", "/problems/invalid-amount"] {
        browser
            .driver
            .goto(&format!("{gateway}{path}"))
            .await
            .unwrap();
        browser.wait_for("body", "AM12").await;
        assert_eq!(browser.complaints().await, Vec::<String>::new(), "{path}");
    }
    browser.stop().await;
}
