//! What operators and auditors ask the ledger and payments: the log, the books, subscribers, activity, replays.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use local::{Part, Service};
use serde_json::Value;

use crate::bank::{PATIENCE, SHOP, TestBank, payment};

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_the_log_and_the_books_and_no_token() -> Result<()> {
    let test = TestBank::start().await?;
    let due = payment(test.adas, test.graces, "12.00");
    let (_, paid) = test.pay(&test.ada, due.clone(), Some(20)).await?;
    let seq = paid["request_seq"].as_u64().context("a place")?;
    let refused = payment(test.adas, test.graces, "99999.00");
    test.pay(&test.ada, refused, Some(20)).await?;
    // A token in a text of the sender's own is blotted out too.
    let mut gossip = payment(test.adas, test.graces, "1.00");
    gossip["reference"] = format!("see {}", &test.ada[..120]).into();
    let (_, told) = test.pay(&test.ada, gossip, Some(20)).await?;
    let told = told["request_seq"].as_u64().context("a place")?;

    let ask = async |service, path: &str, token: &str| -> Result<(u16, Value)> {
        test.get(service, path, token).await
    };
    let ledger = Service::Ledger;

    // Message N and answer N, as they are stored.
    let (status, pair) = ask(ledger, &format!("/log/{seq}"), &test.staff).await?;
    ensure!(status == 200, "{pair}");
    ensure!(
        pair["request"]["json"]["payment_id"] == due["payment_id"],
        "{pair}"
    );
    ensure!(pair["answer"]["json"]["status"] == "settled", "{pair}");
    let steps = &pair["steps"];
    let times =
        ["read_at", "decided_at", "booked_at", "published_at"].map(|step| steps[step].as_str());
    ensure!(times.is_sorted() && times[0].is_some(), "{steps}");
    for place in [seq, told] {
        let (_, pair) = ask(ledger, &format!("/log/{place}"), &test.staff).await?;
        ensure!(!pair.to_string().contains("eyJ"), "a token: {pair}");
        ensure!(
            !pair.to_string().to_lowercase().contains("authorization"),
            "{pair}"
        );
    }

    // Filters, and pages that end.
    let (_, list) = ask(ledger, "/log?kind=payment&status=rejected", &test.staff).await?;
    let entries = list["entries"].as_array().context("entries")?;
    ensure!(
        entries.len() == 1 && entries[0]["reason"] == "AM04",
        "{list}"
    );
    let (mut next, mut seen) = (Some("/log?limit=3".to_owned()), Vec::new());
    while let Some(path) = next {
        let (status, page) = ask(ledger, &path, &test.staff).await?;
        ensure!(status == 200, "{page}");
        for entry in page["entries"].as_array().context("entries")? {
            seen.push(entry["seq"].as_u64().context("a place")?);
        }
        next = page["next"].as_str().map(str::to_owned);
    }
    let all: Vec<u64> = (1..=told).rev().collect();
    ensure!(seen == all, "{seen:?} are not all");

    // The books, and who reads the answers.
    let (_, head) = ask(ledger, "/checkpoint", &test.staff).await?;
    ensure!(
        head["seq"] == told && head["requests"] == told && head["settlements"] == told,
        "{head}"
    );
    let (_, books) = ask(ledger, "/trial-balance", &test.staff).await?;
    let currencies = books["currencies"].as_array().context("currencies")?;
    ensure!(!currencies.is_empty(), "{books}");
    ensure!(
        currencies.iter().all(|one| one["difference"] == "0.00"),
        "{books}"
    );
    let (_, subscribers) = ask(ledger, "/subscribers", &test.staff).await?;
    ensure!(
        subscribers.to_string().contains("demo-shop"),
        "{subscribers}"
    );

    // Postings are the owner's and the bank's.
    let postings = format!("/accounts/{}/postings?limit=1", test.adas);
    let shop = test.client_token(SHOP, "quittance").await?;
    for (token, expected) in [(&test.staff, 200), (&test.ada, 200), (&shop, 404)] {
        let (status, page) = ask(ledger, &postings, token).await?;
        ensure!(status == expected, "{status} {page}");
    }
    let (_, page) = ask(ledger, &postings, &test.ada).await?;
    ensure!(
        page["postings"][0]["request_seq"] == told && page["next"].is_string(),
        "{page}"
    );

    // What happened by the second, and when an answer was projected.
    let (_, activity) = ask(Service::Payments, "/activity", &test.staff).await?;
    let counted = |what: &str| -> u64 {
        let seconds = activity["seconds"].as_array().into_iter().flatten();
        seconds.filter_map(|second| second[what].as_u64()).sum()
    };
    ensure!(
        counted("rejected") == 1 && counted("settled") >= 2,
        "{activity}"
    );
    let path = format!("/activity/{seq}");
    let (_, projected) = ask(Service::Payments, &path, &test.staff).await?;
    ensure!(projected["projected_at"].is_string(), "{projected}");

    nobody_else_sees_it(&test).await?;
    test.check_invariants().await.map(drop)
}

/// Customers are refused, and so is what makes no sense.
async fn nobody_else_sees_it(test: &TestBank) -> Result<()> {
    let ledger = Service::Ledger;
    for path in [
        "/log",
        "/log/1",
        "/checkpoint",
        "/trial-balance",
        "/subscribers",
        "/audit/replays",
    ] {
        let (status, body) = test.get(ledger, path, &test.ada).await?;
        ensure!(status == 403, "{path}: {body}");
    }
    let (status, body) = test.get(Service::Payments, "/activity", &test.ada).await?;
    ensure!(status == 403, "{body}");
    for (path, expected) in [
        ("/log/0", 404),
        ("/log/99999", 404),
        ("/log/x", 400),
        ("/log?limit=0", 400),
        ("/log?sort=no", 400),
    ] {
        let (status, body) = test.get(ledger, path, &test.staff).await?;
        ensure!(status == expected, "{path}: {status} {body}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_beside_the_running_ledger_agrees_and_ends_with_it() -> Result<()> {
    let mut test = TestBank::start().await?;
    let start = async |test: &TestBank| -> Result<u16> {
        let url = format!("{}/audit/replays", test.bank.url(Service::Ledger));
        let request = test.http.post(url).bearer_auth(&test.staff);
        Ok(request.send().await?.status().as_u16())
    };
    ensure!(start(&test).await? == 202);
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let (_, list) = test
                .get(Service::Ledger, "/audit/replays", &test.staff)
                .await?;
            match list["replays"][0]["state"].as_str() {
                Some("running") => tokio::time::sleep(Duration::from_millis(20)).await,
                Some("agrees") => return Ok(list),
                _ => bail!("{list}"),
            }
        }
    });
    let list = found.await??;
    let replay = &list["replays"][0];
    ensure!(
        replay["done"] == replay["requests"] && replay["summary"]["sums"]["EUR"] == "0",
        "{replay}"
    );

    // A ledger that dies forgets its replays and nothing else.
    ensure!(start(&test).await? == 202);
    test.bank.kill(Part::Ledger);
    test.bank.start_part(Part::Ledger).await?;
    let (status, list) = test
        .get(Service::Ledger, "/audit/replays", &test.staff)
        .await?;
    ensure!(
        status == 200 && list["replays"] == serde_json::json!([]),
        "{list}"
    );
    test.check_invariants().await.map(drop)
}
