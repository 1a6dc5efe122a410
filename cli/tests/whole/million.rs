//! Lists of a bank with a million payments. They are written into the tables directly: a bank takes minutes for as many.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use local::Service;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::bank::TestBank;

const PAYMENTS: i64 = 1_000_000;
/// A person waits so long for a list without wondering. Here it is a debug build, and other tests run beside it.
const PAGE_MAX: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "fills two databases for a minute: cargo test -p cli --test whole million -- --ignored"]
async fn lists_are_fast_with_a_million_payments() -> Result<()> {
    let test = TestBank::start().await?;
    let ada = fill(&test).await?;
    let mut slow = Vec::new();
    for (service, path) in [
        (Service::Payments, "/payments".to_owned()),
        (Service::Payments, "/payments?status=rejected".to_owned()),
        (Service::Payments, "/payments?status=pending".to_owned()),
        (Service::Payments, "/payments?before=500000".to_owned()),
        (
            Service::Payments,
            format!("/payments?client_id={ada}&status=captured"),
        ),
        (Service::Ledger, "/log".to_owned()),
        (
            Service::Ledger,
            "/log?kind=payment,hold,capture,void,reversal,transaction,expiry".to_owned(),
        ),
        (Service::Ledger, "/log?status=rejected".to_owned()),
        (Service::Ledger, "/log?client_id=nobody".to_owned()),
        (
            Service::Ledger,
            "/log?trace_id=00000000000000000000000000000001".to_owned(),
        ),
        (
            Service::Ledger,
            "/log?payment_id=00000000-0000-0000-0000-000000000001".to_owned(),
        ),
        (Service::Ledger, "/log?before=500000".to_owned()),
        (
            Service::Ledger,
            "/log?until=2026-01-01T00:00:00Z".to_owned(),
        ),
        (Service::Ledger, "/accounts".to_owned()),
    ] {
        // The first reads pages from the disk; people look more than once.
        let mut took = Duration::MAX;
        let mut found = Value::Null;
        for _ in 0..2 {
            let begun = Instant::now();
            let (status, page) = test.get(service, &path, &test.staff).await?;
            took = took.min(begun.elapsed());
            ensure!(status == 200, "{path}: {status} {page}");
            found = page;
        }
        let rows = ["payments", "entries", "accounts"]
            .iter()
            .find_map(|name| found[*name].as_array());
        let rows = rows.context("a list")?.len();
        eprintln!(
            "{:>6} ms  {rows:>3} rows  {service} {path}",
            took.as_millis()
        );
        if took > PAGE_MAX {
            slow.push(path);
        }
    }
    ensure!(slow.is_empty(), "{slow:?}");
    Ok(())
}

/// Writes payments of the staff behind those that are there, one of a thousand rejected. Returns the client of another.
async fn fill(test: &TestBank) -> Result<String> {
    let shown = test
        .get(Service::Payments, "/payments?limit=1", &test.staff)
        .await?
        .1;
    let staff = shown["payments"][0]["client_id"]
        .as_str()
        .context("the staff has paid")?
        .to_owned();
    let servers = test.bank.servers();
    let mut payments =
        PgConnection::connect(&servers.owner_database_url(Service::Payments)).await?;
    sqlx::query(
        "insert into payment (client_id, payment_id, request_seq, status, published_at, decided_at, answer)
         select $1, md5('payment ' || n)::uuid, 1000 + n, case when n % 1000 = 0 then 'rejected' else 'settled' end,
                now(), now(), json_build_object(
                  'request_seq', 1000 + n, 'payment_id', md5('payment ' || n)::uuid, 'client_id', $1, 'status', 'settled',
                  'debtor_account', gen_random_uuid(), 'creditor_account', gen_random_uuid(), 'amount', '1.00',
                  'currency', 'EUR', 'may_retry', false, 'metadata', '{}'::json, 'postings', '[]'::json,
                  'published_at', '2026-01-01T00:00:00.000000Z')
         from generate_series(1, $2) as n",
    )
    .bind(&staff)
    .bind(PAYMENTS)
    .execute(&mut payments)
    .await?;
    sqlx::query("analyze payment")
        .execute(&mut payments)
        .await?;
    let mut ledger = PgConnection::connect(&servers.owner_database_url(Service::Ledger)).await?;
    sqlx::query(
        "insert into answer (request_seq, subject, event_type, client_id, payment_id, content, published_at, request_digest,
                             body, chain)
         select 1000 + n, 'settlement.payment.v1.' || $1, case when n % 1000 = 0 then 'payment.rejected.v1' else
                'payment.settled.v1' end, $1, md5('payment ' || n)::uuid, sha256('x'), now(), sha256('x'),
                convert_to(repeat('{\"amount\":\"1.00\",\"currency\":\"EUR\"}', 1), 'utf8'), sha256('x')
         from generate_series(1, $2) as n",
    )
    .bind(&staff)
    .bind(PAYMENTS)
    .execute(&mut ledger)
    .await?;
    sqlx::query("update cursor set seq = $1")
        .bind(1000 + PAYMENTS)
        .execute(&mut ledger)
        .await?;
    sqlx::query("analyze answer").execute(&mut ledger).await?;
    Ok("demo-shop".to_owned())
}
