//! What a clerk does with holds, reversals and the controls of an account.

use fantoccini::Locator;
use reqwest::StatusCode;

use crate::browser::Browser;
use crate::desk::Desk;

const GRACE: &str = "01900000-96ac-7000-8000-000000000003";

#[tokio::test]
async fn a_clerk_holds_captures_voids_and_reverses() {
    let Some(browser) = Browser::start(&["--window-size=1400,1400"]).await else {
        return;
    };
    let desk = Desk::open();
    browser.sign_in(&desk).await;
    let account = desk.at(&format!("/accounts/{}", desk.account()));
    browser.driver.goto(&account).await.unwrap();
    browser.wait_for("section", "Nothing is held").await;
    browser.fill_in("#pay", "other", GRACE).await;
    browser.fill_in("#pay", "amount", "30").await;
    browser.fill_in("#pay", "reference", "A room").await;
    browser.choose("#pay", "hold", "yes").await;
    browser.press("Pay or hold").await;
    browser.wait_for("h1", "Hold").await;
    browser.wait_for(".big", "authorised").await;
    browser
        .wait_for("section", "30.00 EUR is still held.")
        .await;
    browser.picture("hold").await;

    // It stands on the account, with a way back to its page.
    browser.driver.goto(&account).await.unwrap();
    browser.wait_for("#held", "A room").await;
    browser.wait_for(".tile", "970.00").await;
    browser.picture("account-with-a-hold").await;
    browser.click(Locator::Css("#held a")).await;
    browser.wait_for("h1", "Hold").await;

    // More than is held is refused, with the reason; a part is booked, and the rest freed.
    browser.fill_in("#capture", "amount", "31").await;
    browser.press("Capture").await;
    browser
        .wait_for("[role=status]", "rejected AM02: 30.00 is still held")
        .await;
    browser.fill_in("#capture", "amount", "10").await;
    browser.press("Capture").await;
    browser
        .wait_for(
            "[role=status]",
            "10.00 EUR is booked; 20.00 EUR is still held.",
        )
        .await;
    browser
        .wait_for("section", "10.00 of 30.00 EUR was captured")
        .await;
    browser.press("Void").await;
    browser
        .wait_for("[role=status]", "20.00 EUR is free again.")
        .await;
    browser.wait_for(".path", "authorised → voided").await;
    browser.wait_for("#followed", "capture").await;
    browser.wait_for("#followed", "void").await;
    browser.picture("hold-voided").await;
    assert_eq!(browser.texts("#void").await, Vec::<String>::new());

    // From the hold to its capture, and from there back to the hold.
    let capture = "//table[@id='followed']//tr[td[.='capture']]//a";
    browser.click(Locator::XPath(capture)).await;
    browser.wait_for("h1", "Capture").await;
    browser.wait_for("dt", "Of the hold").await;
    browser.fill_in("#reverse", "amount", "4.50").await;
    browser
        .fill_in("#reverse", "reason", "A smaller room")
        .await;
    browser.press("Reverse").await;
    let told = "4.50 EUR is booked back; 5.50 EUR can still be reversed.";
    browser.wait_for("[role=status]", told).await;
    browser
        .wait_for("section", "5.50 of 10.00 EUR can still be reversed.")
        .await;
    browser.picture("reversed-in-part").await;
    browser.click(Locator::Css("#followed a")).await;
    browser.wait_for("h1", "Reversal").await;
    browser.wait_for("dt", "Reverses").await;

    // The list says what each is.
    for (status, kind) in [
        ("authorised", "hold"),
        ("captured", "capture"),
        ("reversed", "reversal"),
    ] {
        let list = desk.at(&format!("/payments?status={status}"));
        browser.driver.goto(&list).await.unwrap();
        browser.wait_for("td", kind).await;
    }
    let split = "transaction --debit cash=7 --credit ada=3 --credit grace=4 --wait";
    desk.home.run(split).ok();
    let list = desk.at("/payments?kind=transaction");
    browser.driver.goto(&list).await.unwrap();
    browser.wait_for("td", "transaction").await;
    let shown = "//tr[td[.='transaction']]/td[6]//a";
    browser.click(Locator::XPath(shown)).await;
    browser.wait_for("h1", "Transaction").await;
    browser.wait_for(".big", "settled").await;
    browser.fill_in("#reverse", "reason", "Posted twice").await;
    browser.press("Reverse").await;
    browser
        .wait_for("[role=status]", "All of it is booked back.")
        .await;
    browser.wait_for(".path", "settled → reversed").await;
    browser.wait_for("#followed", "reversal").await;
    browser.picture("transaction-reversed").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

#[tokio::test]
async fn a_clerk_freezes_unfreezes_and_limits_an_account() {
    let Some(browser) = Browser::start(&["--window-size=1400,1400"]).await else {
        return;
    };
    let desk = Desk::open();
    browser.sign_in(&desk).await;
    let account = desk.at(&format!("/accounts/{}", desk.account()));
    browser.driver.goto(&account).await.unwrap();
    browser.choose("#freeze", "side", "debit").await;
    browser.press("Freeze").await;
    browser
        .wait_for("[role=status]", "The account is debit frozen.")
        .await;
    let shown = desk.home.run("account show ada").ok();
    assert!(shown.contains("debit frozen"), "{shown}");
    browser.wait_for("main > p .state", "debit frozen").await;
    let pay = "pay --from ada --to grace --amount 1 --wait";
    let blocked = desk.home.run(pay);
    assert_eq!(blocked.code, 3, "{}", blocked.stderr);
    browser.press("Unfreeze").await;
    browser.wait_for("main > p .state", "open").await;
    desk.home.run(pay).ok();

    // The form shows what is set; what is refused is told with the reason, and changes nothing.
    browser.fill_in("#limits", "day_amount_max", "5").await;
    browser.fill_in("#limits", "day_count_max", "2").await;
    browser.press("Set the limits").await;
    browser.wait_for("[role=status]", "Limits").await;
    let field =
        |name: &str| format!("return document.querySelector('#limits [name={name}]').value");
    for (name, expected) in [
        ("day_amount_max", "5.00"),
        ("day_count_max", "2"),
        ("month_count_max", ""),
    ] {
        let value = browser
            .driver
            .execute(&field(name), Vec::new())
            .await
            .unwrap();
        assert_eq!(value, expected, "{name}");
    }
    for (name, value, told) in [
        ("minimum_balance", "5000", "AM02: only 999.00 is free"),
        ("maximum_balance", "-1", "AM12"),
        ("month_count_max", "often", "a whole number"),
    ] {
        browser.driver.goto(&account).await.unwrap();
        browser.fill_in("#limits", name, value).await;
        browser.press("Set the limits").await;
        browser.wait_for("[role=status]", told).await;
        let value = browser
            .driver
            .execute(&field(name), Vec::new())
            .await
            .unwrap();
        assert_eq!(value, "", "{name}");
    }
    browser.click(Locator::Css("#close [name=sure]")).await;
    browser.press("Close").await;
    browser
        .wait_for("[role=status]", "it closes at zero only")
        .await;
    browser.picture("limits").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

#[tokio::test]
async fn a_form_that_is_sent_twice_does_nothing_twice() {
    let desk = Desk::open();
    let (email, password) = desk.staff();
    let signed_in = desk.sign_in(email, password).await;
    let csrf = desk.csrf(&signed_in).await;
    let id = "0198c0de-0000-7000-8000-000000000001";
    let pay = format!("pay --from ada --to grace --amount 10 --payment-id {id} --wait --json");
    let client = desk.home.run(&format!("payment show {id} --json"));
    assert_eq!(client.code, 5, "it is not there yet");
    desk.home.run(&pay).json();
    let shown = desk.home.run(&format!("payment show {id} --json")).json();
    let client = shown["client_id"].as_str().unwrap();
    let path = format!("/payments/{id}");
    let reverse = |own: &'static str, amount: &'static str| {
        [
            ("csrf", csrf.clone()),
            ("payment_id", own.to_owned()),
            ("client_id", client.to_owned()),
            ("action", "reverse".to_owned()),
            ("amount", amount.to_owned()),
        ]
    };
    let own = "0198c0de-0000-7000-8000-000000000002";
    let send = async |fields: [(&str, String); 5]| {
        let fields = fields
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let answer = desk.post(&path, signed_in.clone(), &fields).await;
        (answer.status(), answer.text().await.unwrap())
    };
    let (status, page) = send(reverse(own, "3")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        page.contains("3.00 EUR is booked back; 7.00 EUR can still be reversed."),
        "{page}"
    );
    let (_, page) = send(reverse(own, "3")).await;
    assert!(page.contains("It was done before"), "{page}");
    assert!(
        page.contains("7.00 of 10.00 EUR can still be reversed."),
        "{page}"
    );
    // Another amount under the same id is another reversal, and refused.
    let (_, page) = send(reverse(own, "4")).await;
    assert!(page.contains("AM05"), "{page}");
    let ada = desk.home.run("account show ada --json").json();
    assert_eq!(ada["posted"], "993.00");

    // Without the session's secret, or with a broken id, nothing is done.
    let mut forged = reverse("0198c0de-0000-7000-8000-000000000003", "1");
    "guess".clone_into(&mut forged[0].1);
    assert_eq!(send(forged).await.0, StatusCode::FORBIDDEN);
    assert_eq!(send(reverse("x", "1")).await.0, StatusCode::BAD_REQUEST);
    let controls = format!("/accounts/{}", desk.account());
    let fields = [("csrf", "guess"), ("action", "freeze")];
    let answer = desk.post(&controls, signed_in.clone(), &fields).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let ada = desk.home.run("account show ada --json").json();
    assert_eq!(
        (&ada["posted"], &ada["status"]),
        (&"993.00".into(), &"open".into())
    );
}
