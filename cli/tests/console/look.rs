//! Every page in a real browser: nothing that the browser complains about, nothing that axe-core finds, nothing that does not
//! fit a phone.

use crate::browser::Browser;
use crate::desk::Desk;

/// How somebody looks at a page: a name for pictures, the browser's arguments, and whether it is as narrow as a phone.
const LOOKS: [(&str, &[&str], bool); 3] = [
    ("light", &["--window-size=1400,1000"], false),
    (
        "dark",
        &[
            "--window-size=1400,1000",
            "--force-dark-mode",
            "--blink-settings=preferredColorScheme=0",
        ],
        false,
    ),
    ("phone", &["--window-size=500,900"], true),
];

#[tokio::test]
async fn every_page_is_without_complaints_findings_and_overflow() {
    let desk = Desk::open();
    desk.home.run("demo").ok();
    // What somebody sent is text on every page, and loads or runs nothing.
    let script = "<img/src=/nowhere/onerror=alert(1)>";
    let hostile = format!("pay --from ada --to grace --amount 1.00 --reference {script} --wait");
    desk.home.run(&hostile).ok();
    let hold = "0198c0de-0000-7000-8000-00000000000a";
    let held = format!("hold --from ada --to grace --amount 5 --payment-id {hold} --wait");
    desk.home.run(&held).ok();
    let capture = format!("capture {hold} --amount 2 --wait");
    desk.home.run(&capture).ok();
    desk.home.run("file statement ada").ok();
    let hold = format!("/search?q={hold}");
    let batch = "batch send --from ada --to grace=1.00 --to grace=90000.00 --wait";
    let sent = desk.home.run(batch).stdout;
    let batch = sent.split(' ').nth(1).expect("Batch ID is answered");
    let batch = format!("/search?q={batch}");
    let account = format!("/accounts/{}", desk.account());
    let statement = format!("{account}/statement");
    let by_value_date = format!("{account}/statement?by=effective&from=2026-01-01");
    let balance = format!("{account}/balance?effective=2026-01-01");
    let too_late = format!("{account}/balance?effective=2999-01-01");
    let pages = [
        "/",
        "/payments",
        &hold,
        &batch,
        "/accounts",
        &account,
        &statement,
        &by_value_date,
        &balance,
        &too_late,
        "/trial-balance",
        "/trial-balance?as_of=2026-01-01T00:00",
        "/accounts/new",
        "/log",
        "/log/9",
        "/receipts/9",
        "/subscribers",
        "/services",
        "/logs",
        "/logs?trace=nothing",
        "/people",
        "/programs",
        "/keys",
        "/audit",
        "/history",
        "/files",
        "/sessions",
        "/search?q=nothing",
        "/log/99999",
    ];
    let mut wrong = Vec::new();
    for (look, arguments, is_narrow) in LOOKS {
        let Some(browser) = Browser::start(arguments).await else {
            return;
        };
        browser.driver.goto(&desk.at("/sign-in")).await.unwrap();
        note(&mut wrong, &browser, look, "/sign-in").await;
        browser.sign_in(&desk).await;
        let id = format!("/search?q={}", payment(&desk));
        for page in pages.into_iter().chain([&*id]) {
            browser.driver.goto(&desk.at(page)).await.unwrap();
            browser.wait_for("h1", "").await;
            note(&mut wrong, &browser, look, page).await;
            if is_narrow {
                let script = "return document.documentElement.scrollWidth - window.innerWidth";
                let over = browser.driver.execute(script, Vec::new()).await.unwrap();
                let over = over.as_i64().unwrap();
                if over > 0 {
                    wrong.push(format!("{look} {page}: {over} pixels too wide"));
                }
            }
        }
        browser.stop().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn note(wrong: &mut Vec<String>, browser: &Browser, look: &str, page: &str) {
    let name = page.trim_matches('/').replace(['/', '?', '='], "-");
    let name = if name.is_empty() { "overview" } else { &name };
    browser.picture(&format!("{look}-{name}")).await;
    let complaints = browser.complaints().await.into_iter();
    // The browser notes the status of a page that is not there, which is what was asked for.
    let complaints = complaints.filter(|text| !(page == "/log/99999" && text.contains("404")));
    let all = complaints.chain(browser.findings().await);
    wrong.extend(all.map(|what| format!("{look} {page}: {what}")));
}

/// A payment's id.
fn payment(desk: &Desk) -> String {
    let list = desk.home.run("payment list --as ada --json").json();
    list["payments"][0]["payment_id"]
        .as_str()
        .unwrap()
        .to_owned()
}
