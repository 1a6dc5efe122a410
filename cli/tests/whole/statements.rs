//! Accounts as they were: balances by two clocks, statements in every form, trial balances; who sees them, and bad input.
//!
//! camt.053 is checked against ISO 20022's own schema. Without it and lxml, which `.ci/camt` installs, that part says loudly
//! that it did not run; with `QUITTANCE_CAMT=required`, as in `.ci/run`, nothing may be missing.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use local::Service;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bank::{TestBank, payment};

/// What somebody might send to do harm where a statement is opened.
const HOSTILE: &str = "=HYPERLINK(\"http://x\",\"<b>&amp;\") \u{1}\u{fffe}";

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_shown_as_it_was_and_stays_so_while_others_post() -> Result<()> {
    let test = TestBank::start().await?;
    let account = format!("/accounts/{}", test.adas);
    let before = test.balance("").await?;
    for (amount, reference, effective_date) in [
        ("1.00", "Lunch", None),
        ("2.00", HOSTILE, Some("2026-02-03")),
        ("4.00", "", Some("2026-02-03")),
        ("8.00", "Zoë, \"quoted\"\r\nand more", Some("2026-03-01")),
    ] {
        test.settle(amount, reference, effective_date).await?;
    }

    // By two clocks: the second of March has what was booked later, and did not have it then.
    let now = test.balance("").await?;
    ensure!(now["balance"] == "985.00", "{now}");
    let march = test.balance("?effective=2026-03-02").await?;
    ensure!(march["balance"] == "-14.00", "{march}");
    let february = test.balance("?effective=2026-02-03").await?;
    ensure!(february["balance"] == "-6.00", "{february}");
    let then = before["recorded"].as_str().context("a time")?;
    for (query, expected) in [("", "1000.00"), ("&effective=2026-03-02", "0.00")] {
        let found = test.balance(&format!("?recorded={then}{query}")).await?;
        ensure!(found["balance"] == expected, "{query}: {found}");
        ensure!(found["seq"] == before["seq"], "{query}: {found}");
    }

    // Pages fit together, whatever is booked between them, on the same days too.
    for (by, opening) in [("booked", "0.00"), ("effective", "0.00")] {
        let path = format!("{account}/statement?from=2026-01-01&by={by}&limit=");
        let all = format!("{path}1000");
        let (_, whole) = test.get(Service::Ledger, &all, &test.ada).await?;
        let path = format!("{path}2");
        let mut postings = Vec::new();
        let mut next = Some(path);
        let mut pages = 0;
        while let Some(path) = next {
            let (status, page) = test.get(Service::Ledger, &path, &test.ada).await?;
            ensure!(status == 200, "{page}");
            ensure!(page["opening_balance"] == opening, "{page}");
            ensure!(
                page["seq"] == whole["seq"] && page["count"] == whole["count"],
                "{page}"
            );
            ensure!(
                page["closing_balance"] == whole["closing_balance"],
                "{page}"
            );
            postings.extend(page["postings"].as_array().context("postings")?.clone());
            next = page["next"].as_str().map(str::to_owned);
            pages += 1;
            test.settle("0.01", "meanwhile", Some("2026-02-03")).await?;
        }
        ensure!(pages > 2, "{pages} pages");
        ensure!(
            json!(postings) == whole["postings"],
            "{by}: {postings:?}\n{whole}"
        );
        let last = postings.last().context("a line")?;
        ensure!(last["balance"] == whole["closing_balance"], "{by}: {last}");
    }
    files(&test).await?;
    test.check_invariants().await.map(drop)
}

/// The same statement as CSV and camt.053.
async fn files(test: &TestBank) -> Result<()> {
    let account = test.account(test.adas).await?;
    let number = account["account_number"].as_str().context("a number")?;
    for by in ["booked", "effective"] {
        let path = format!("/accounts/{}/statement?by={by}", test.adas);
        let (_, page) = test
            .get(Service::Ledger, &format!("{path}&limit=1000"), &test.ada)
            .await?;
        let postings = page["postings"].as_array().context("postings")?;
        let (kind, csv) = test.file(&format!("{path}&format=csv")).await?;
        ensure!(kind == "text/csv; charset=utf-8; header=present", "{kind}");
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let columns = reader.headers()?.clone();
        let column = |name: &str| columns.iter().position(|column| column == name);
        let rows: Vec<_> = reader.records().collect::<Result<_, _>>()?;
        ensure!(rows.len() == postings.len() + 2, "{csv}");
        let cell = |row: usize, name: &str| column(name).map(|at| &rows[row][at]);
        ensure!(cell(0, "line") == Some("opening"), "{csv}");
        ensure!(
            cell(0, "balance") == page["opening_balance"].as_str(),
            "{csv}"
        );
        ensure!(
            cell(rows.len() - 1, "balance") == page["closing_balance"].as_str(),
            "{csv}"
        );
        for (row, posting) in (1..).zip(postings) {
            for name in [
                "direction",
                "amount",
                "balance",
                "effective_date",
                "payment_id",
                "counterparty",
            ] {
                ensure!(cell(row, name) == posting[name].as_str(), "{name}: {csv}");
            }
            let reference = posting["reference"].as_str().unwrap_or_default();
            let safe = format!("{}{reference}", if reference == HOSTILE { "'" } else { "" });
            ensure!(cell(row, "reference") == Some(&*safe), "{csv}");
        }
        let (kind, xml) = test.file(&format!("{path}&format=camt.053")).await?;
        ensure!(kind == "application/xml", "{kind}");
        ensure!(xml.matches("<Ntry>").count() == postings.len(), "{xml}");
        check_camt(&xml)?;
        ensure!(xml.contains(&format!("<Id>{number}</Id></Prxy>")), "{xml}");
    }
    // Of an account of the bank's, and of one without a posting.
    let empty = Uuid::now_v7();
    test.open(
        json!({"account_id": empty, "owner": "bank", "currency": "JPY", "name": "é".repeat(100)}),
    )
    .await?;
    for account in [test.cash, empty] {
        let path = format!("/accounts/{account}/statement?format=camt.053");
        let answer = test.ask(&path, &test.staff).await?;
        check_camt(&answer.text().await?)?;
    }
    Ok(())
}

#[expect(
    clippy::print_stderr,
    reason = "a test that does not run must not look like one that did"
)]
pub(crate) fn check_camt(xml: &str) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("a root")?;
    let place = root.join("target/camt");
    let (schema, python) = (place.join("camt.053.001.08.xsd"), place.join("python"));
    if !schema.is_file() || !python.is_dir() {
        ensure!(
            env::var_os("QUITTANCE_CAMT").is_none_or(|word| word != "required"),
            "the schema of camt.053 or lxml is missing: run .ci/camt"
        );
        eprintln!("DID NOT RUN: the schema of camt.053 or lxml is missing; .ci/camt installs them");
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("statement.xml");
    fs::write(&file, xml)?;
    let script = "import sys; from lxml import etree\n\
        etree.XMLSchema(etree.parse(sys.argv[1])).assertValid(etree.parse(sys.argv[2]))";
    let checked = Command::new("python3")
        .env("PYTHONPATH", python)
        .args(["-c", script])
        .args([&schema, &file])
        .output()?;
    let said = String::from_utf8_lossy(&checked.stderr);
    ensure!(checked.status.success(), "{said}\n{xml}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_accounts_sum_to_zero_at_any_time() -> Result<()> {
    let test = TestBank::start().await?;
    let mut times = vec![("1999-12-31T23:59:59Z".to_owned(), 0)];
    for _ in 0..3 {
        let now = test.balance("").await?;
        let time = now["recorded"].as_str().context("a time")?;
        times.push((time.to_owned(), now["seq"].as_u64().context("a seq")?));
        test.settle("5.00", "", None).await?;
    }
    let mut seen = BTreeSet::new();
    for (time, seq) in times {
        let path = format!("/trial-balance?as_of={time}");
        let (status, body) = test.get(Service::Ledger, &path, &test.staff).await?;
        ensure!(status == 200 && body["seq"] == seq, "{seq}: {body}");
        for currency in body["currencies"].as_array().context("currencies")? {
            ensure!(currency["difference"] == "0.00", "{body}");
        }
        seen.insert(body["currencies"].to_string());
    }
    // Payments between two customers move nothing here; before the bank there was nothing.
    ensure!(seen.len() == 2 && seen.contains("[]"), "{seen:?}");
    let (_, now) = test
        .get(Service::Ledger, "/trial-balance", &test.staff)
        .await?;
    ensure!(
        now["as_of"].is_null() && seen.contains(&now["currencies"].to_string()),
        "{now}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_shown_to_the_owner_and_the_bank_and_bad_questions_are_told() -> Result<()> {
    let test = TestBank::start().await?;
    let own = |what: &str| format!("/accounts/{}/{what}", test.adas);
    let graces = |what: &str| format!("/accounts/{}/{what}", test.graces);
    let nobodys = |what: &str| format!("/accounts/{}/{what}", Uuid::now_v7());
    let (_, page) = test
        .get(Service::Ledger, &own("statement?limit=1000"), &test.ada)
        .await?;
    let seq = page["seq"].as_u64().context("a seq")?;
    let far = format!("statement?cursor={}-1", seq + 1000);
    let both = format!("statement?cursor={seq}-1&by=effective");
    let ada = &*test.ada;
    for (path, token, status) in [
        (own("balance"), ada, 200),
        (own("balance"), &*test.staff, 200),
        (graces("balance"), ada, 404),
        (graces("statement"), ada, 404),
        (graces("statement?format=csv"), ada, 404),
        (graces("statement?format=camt.053"), ada, 404),
        (nobodys("balance"), &*test.staff, 404),
        (nobodys("statement"), &*test.staff, 404),
        (own("statement"), "x", 401),
        (own("balance"), "x", 401),
        (
            "/trial-balance?as_of=2026-01-01T00:00:00Z".to_owned(),
            ada,
            403,
        ),
        (
            "/trial-balance?as_of=2999-01-01T00:00:00Z".to_owned(),
            &*test.staff,
            400,
        ),
        (
            "/trial-balance?as_of=yesterday".to_owned(),
            &*test.staff,
            400,
        ),
        (
            "/trial-balance?as-of=2026-01-01T00:00:00Z".to_owned(),
            &*test.staff,
            400,
        ),
        ("/accounts/x/balance".to_owned(), ada, 400),
        ("/accounts/x/statement".to_owned(), ada, 400),
        (own("balance?effective=2999-01-01"), ada, 400),
        (own("balance?effective=2026-02-30"), ada, 400),
        (own("balance?effective=2026-2-3"), ada, 400),
        (own("balance?effective="), ada, 400),
        (own("balance?effective=0001-01-01"), ada, 200),
        (own("balance?recorded=2999-01-01T00:00:00Z"), ada, 400),
        (own("balance?recorded=2026-01-01"), ada, 400),
        (own("balance?recorded=-200000-01-01T00:00:00Z"), ada, 200),
        (own("balance?recorded=0001-01-01T00:00:00Z"), ada, 200),
        (own("balance?day=2026-01-01"), ada, 400),
        (own("statement?from=2026-01-02&to=2026-01-01"), ada, 400),
        (own("statement?from=2999-01-01"), ada, 400),
        (own("statement?to=2999-01-01"), ada, 400),
        (own("statement?to=1970-01-01"), ada, 200),
        (own("statement?from=0001-01-01&by=effective"), ada, 200),
        (own("statement?from=x"), ada, 400),
        (own("statement?by=colour"), ada, 400),
        (own("statement?format=pdf"), ada, 400),
        (own("statement?format=csv&limit=1"), ada, 400),
        (own("statement?format=camt.053&cursor=1-1"), ada, 400),
        (own("statement?limit=0"), ada, 400),
        (own("statement?limit=1001"), ada, 400),
        (own("statement?cursor="), ada, 400),
        (own("statement?cursor=x"), ada, 400),
        (own("statement?cursor=%00"), ada, 400),
        (own("statement?cursor=1-1-1"), ada, 400),
        (own("statement?cursor=-1--1"), ada, 400),
        (own("statement?cursor=99999999999999999999-1"), ada, 400),
        (own(&far), ada, 400),
        (own(&both), ada, 400),
        (own(&format!("statement?cursor={seq}-1")), ada, 200),
    ] {
        let answer = test.ask(&path, token).await?;
        let kind = answer.headers()["content-type"].to_str()?.to_owned();
        let got = answer.status().as_u16();
        let body: Value = answer.json().await?;
        ensure!(got == status, "{path}: {got} {body}");
        if status != 200 {
            ensure!(kind == "application/problem+json", "{path}: {kind}");
            let detail = body["detail"].as_str().unwrap_or_default();
            ensure!(
                !detail.is_empty() && body["status"] == status,
                "{path}: {body}"
            );
        }
    }
    Ok(())
}

impl TestBank {
    /// Ada's balance.
    async fn balance(&self, query: &str) -> Result<Value> {
        let path = format!("/accounts/{}/balance{query}", self.adas);
        let (status, body) = self.get(Service::Ledger, &path, &self.ada).await?;
        ensure!(status == 200, "{status} {body}");
        Ok(body)
    }

    /// Ada pays Grace.
    pub(crate) async fn settle(
        &self,
        amount: &str,
        reference: &str,
        day: Option<&str>,
    ) -> Result<()> {
        let mut body = payment(self.adas, self.graces, amount);
        body["reference"] = json!(reference);
        if let Some(day) = day {
            body["effective_date"] = json!(day);
        }
        let (status, body) = self.pay(&self.ada, body, Some(20)).await?;
        ensure!(
            status == 202 && body["status"] == "settled",
            "{status} {body}"
        );
        Ok(())
    }

    async fn ask(&self, path: &str, token: &str) -> Result<reqwest::Response> {
        let url = format!("{}{path}", self.bank.url(Service::Ledger));
        Ok(self.http.get(url).bearer_auth(token).send().await?)
    }

    /// A file of Ada's: its type and its text.
    pub(crate) async fn file(&self, path: &str) -> Result<(String, String)> {
        let answer = self.ask(path, &self.ada).await?;
        ensure!(answer.status() == 200, "{}", answer.status());
        let kind = answer.headers()["content-type"].to_str()?.to_owned();
        Ok((kind, answer.text().await?))
    }
}
