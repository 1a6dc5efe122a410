//! An account as it was: its statement by both orders, with files to take away, its balance of a day, the trial balance.

use fantoccini::Locator;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::browser::Browser;
use crate::desk::Desk;

#[tokio::test]
async fn a_clerk_reads_a_statement_and_takes_it_away() {
    let Some(browser) = Browser::start(&["--window-size=1400,1000"]).await else {
        return;
    };
    let desk = Desk::open();
    for payment in ["--amount 1.11", "--amount 2.22 --effective-date 2026-02-03"] {
        let pay = format!("pay --from ada --to grace {payment} --reference Rent --wait");
        desk.home.run(&pay).ok();
    }
    browser.sign_in(&desk).await;
    let account = format!("/accounts/{}", desk.account());
    browser.driver.goto(&desk.at(&account)).await.unwrap();
    browser.click(Locator::LinkText("Statement")).await;
    browser.wait_for("h1", "Statement").await;
    browser.wait_for(".tile", "996.67 EUR").await;
    let balances = browser.texts("tbody td:nth-child(7)").await;
    assert_eq!(balances, ["1000.00", "998.89", "996.67"]);
    let others = browser.texts("tbody td:nth-child(8) .id a").await;
    let grace = desk.home.run("account show grace --json").json();
    assert_eq!(others[1], grace["account_number"].as_str().unwrap());
    assert!(others[0].starts_with("QT"), "{others:?}");

    // By value date the backdated one is the first.
    browser.choose("main", "by", "effective").await;
    browser.press("Show").await;
    browser.wait_for("tbody tr:first-child", "2026-02-03").await;
    let balances = browser.texts("tbody td:nth-child(7)").await;
    assert_eq!(balances, ["-2.22", "997.78", "996.67"]);
    browser.picture("statement").await;

    // Each file is offered and is whole.
    let (email, password) = desk.staff();
    let signed_in = desk.sign_in(email, password).await;
    let links = browser.driver.find_all(Locator::Css("a[download]")).await;
    let mut formats = Vec::new();
    for link in links.unwrap() {
        let address = link.attr("href").await.unwrap().unwrap();
        let path = address.strip_prefix("/admin").unwrap();
        let answer = desk.get(path, signed_in.clone()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let disposition = &answer.headers()["content-disposition"];
        let disposition = disposition.to_str().unwrap().to_owned();
        assert!(disposition.starts_with("attachment; filename=\"statement-"));
        let file = answer.text().await.unwrap();
        assert_eq!(file.matches("Rent").count(), 2, "{file}");
        formats.push(disposition.rsplit('.').next().unwrap().to_owned());
    }
    assert_eq!(formats, ["csv\"", "xml\"", "json\""]);
    let pdf = format!("{account}/statement/pdf");
    let answer = desk.get(&pdf, signed_in).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);

    let balance = format!("{account}/balance?effective=2026-03-01");
    browser.driver.goto(&desk.at(&balance)).await.unwrap();
    browser.wait_for(".tile", "-2.22 EUR").await;
    let future = format!("{account}/balance?effective=2999-01-01");
    browser.driver.goto(&desk.at(&future)).await.unwrap();
    browser
        .wait_for(".trouble", "effective is in the future")
        .await;

    browser
        .driver
        .goto(&desk.at("/trial-balance"))
        .await
        .unwrap();
    browser.wait_for("h2", "EUR").await;
    let sums = browser.texts("tbody tr:last-child td").await;
    assert_eq!(sums, ["all", "", "2000.00", "2000.00"]);
    let before = "/trial-balance?as_of=2020-01-01T00:00";
    browser.driver.goto(&desk.at(before)).await.unwrap();
    browser
        .wait_for(".empty", "There was no account then")
        .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

#[tokio::test]
async fn a_clerk_has_files_made_and_takes_them_away() {
    let Some(browser) = Browser::start(&["--window-size=1400,1000"]).await else {
        return;
    };
    let desk = Desk::open();
    let pay = "pay --from ada --to grace --amount 1.11 --reference Rent --wait";
    desk.home.run(pay).ok();
    browser.sign_in(&desk).await;
    browser.driver.goto(&desk.at("/files")).await.unwrap();
    browser.wait_for(".empty", "You have no files").await;
    let statement = format!("/accounts/{}/statement", desk.account());
    browser.driver.goto(&desk.at(&statement)).await.unwrap();
    browser.press("CSV file").await;
    browser.wait_for("h1", "Files").await;
    browser.wait_for("#files", "ready").await;
    browser.driver.goto(&desk.at("/audit")).await.unwrap();
    browser.fill_in("#log-file", "from", "1").await;
    browser.fill_in("#log-file", "to", "5").await;
    browser.press("Make the file").await;
    browser.wait_for("#files", "log-1-5.ndjson").await;
    browser.wait_for("tr:first-child .state", "ready").await;
    browser.picture("files").await;

    // nginx hands them out, and to nobody else.
    let (email, password) = desk.staff();
    let signed_in = desk.sign_in(email, password).await;
    let mut found = Vec::new();
    for address in browser.links("a[download]").await {
        let path = address.strip_prefix("/admin").unwrap();
        let answer = desk.get(path, signed_in.clone()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let headers = answer.headers();
        assert!(headers.contains_key("accept-ranges"), "{headers:?}");
        assert_eq!(headers["cache-control"], "no-store");
        found.push(answer.text().await.unwrap());
        let anybody = desk.get(path, HeaderMap::new()).await;
        assert_eq!(anybody.status(), StatusCode::SEE_OTHER, "{path}");
    }
    assert_eq!(found[0].lines().count(), 5, "{}", found[0]);
    assert!(!found[0].contains("eyJ"), "a token");
    assert!(found[1].contains("Rent"), "{}", found[1]);

    // The commands see the same files.
    let listed = desk.home.run("file list --json").json();
    let id = listed["files"][1]["id"].as_str().unwrap();
    assert_eq!(desk.home.run(&format!("file get {id}")).ok(), found[1]);
    let made = desk
        .home
        .run("file statement ada --as ada --format camt.053")
        .ok();
    assert!(made.contains(".xml\nhas "), "{made}");
    let denied = desk.home.run(&format!("file get {id} --as grace"));
    assert_eq!(denied.code, 5, "{}", denied.stderr);
    browser.press("Delete").await;
    browser.driver.goto(&desk.at("/files")).await.unwrap();
    browser.wait_for("#files", "statement-").await;
    assert_eq!(browser.texts("#files tbody tr").await.len(), 1);
    desk.home.run(&format!("file delete {id}")).ok();
    assert_eq!(desk.home.run(&format!("file get {id}")).code, 5);

    // What the ledger refuses is told in its words.
    browser.driver.goto(&desk.at("/audit")).await.unwrap();
    browser.fill_in("#log-file", "to", "many").await;
    browser.press("Make the file").await;
    browser.wait_for("h1", "Bad Request").await;
    let complaints = browser.complaints().await.into_iter();
    let complaints = complaints.filter(|text| !text.contains("400"));
    assert_eq!(complaints.collect::<Vec<_>>(), Vec::<String>::new());
    browser.stop().await;
}
