//! The database's own walls, tried against a real PostgreSQL: as the role the ledger works as, and as the owner.

use common::service::{Database, Owner, open_database};
use local::Service;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const ACCOUNTS: &str = "insert into account values
    ('00000000-0000-0000-0000-00000000000a', 'a', null, 'EUR', 'liability', 'open', 0, 0, 1),
    ('00000000-0000-0000-0000-00000000000b', 'b', null, 'EUR', 'liability', 'open', 0, 0, 2),
    ('00000000-0000-0000-0000-00000000000d', 'd', null, 'USD', 'liability', 'open', 0, 0, 4)";
const ANSWER: &str = "insert into answer (request_seq, subject, event_type, published_at, request_digest, body, chain)
    values (3, 'request.x', 'payment.settled.v1', now(), sha256('r'), '{}', sha256('c'))";
const POSTINGS: &str =
    "insert into posting (account_seq, number, request_seq, amount, balance) values
    (1, 1, 3, 30, 70),
    (2, 1, 3, -30, 30)";

#[tokio::test]
async fn history_is_only_ever_added_to_and_always_balances() {
    let servers = local::testing::servers().await;
    let url = servers
        .database_url(Service::Ledger)
        .parse()
        .expect("a URL");
    let owner_url = servers.owner_database_url(Service::Ledger);
    let owner = Owner {
        url: owner_url.parse().expect("a URL"),
    };
    ledger::migrate(&owner).await.expect("tables");
    let ledger = open_database(&Database { url }, "ledger", &ledger::store::MIGRATIONS)
        .await
        .expect("a database");
    for good in [ACCOUNTS, ANSWER, POSTINGS] {
        run(&ledger, good).await.expect(good);
    }

    // The second posting of an account, by the request that opened it.
    let posting =
        |seq: u8, account: u8, amount: &str| format!("({account}, 2, {seq}, {amount}, 0)");
    let insert = |rows: [String; 2]| {
        format!(
            "insert into posting (account_seq, number, request_seq, amount, balance) values {}",
            rows.join(", ")
        )
    };
    let debit = posting(4, 1, "30");
    for (other, because) in [
        (posting(4, 2, "-29.99"), "posting_sums_to_zero"),
        (posting(5, 2, "-30"), "posting_sums_to_zero"),
        (posting(4, 4, "-30"), "posting_sums_to_zero"),
        (posting(4, 3, "-30"), "posting_is_on_an_account"),
        (posting(4, 2, "30"), "posting_sums_to_zero"),
        (posting(4, 2, "0"), "posting_amount_is_not_zero"),
    ] {
        refused(&ledger, &insert([debit.clone(), other]), because).await;
    }
    refused(
        &ledger,
        "insert into posting (account_seq, number, request_seq, amount, balance) values (1, 2, 4, 80, -10), (2, 2, 4, -80, 110)",
        "posting_is_within_the_limit",
    )
    .await;
    batches_of_payments_are_refused_too(&ledger).await;
    let again = POSTINGS.replace(", 3, ", ", 4, ");
    refused(&ledger, &again, "posting_number_once").await;
    refused(
        &ledger,
        "insert into cursor values (false, 0, '')",
        "permission denied",
    )
    .await;
    refused(
        &ledger,
        "update account set owner = 'thief'",
        "permission denied",
    )
    .await;
    refused(&ledger, "delete from account", "permission denied").await;
    refused(&ledger, "drop table answer", "must be owner").await;

    let owner = PgPool::connect(&owner_url)
        .await
        .expect("the owner is let in");
    for (table, column) in [
        ("answer", "request_seq"),
        ("posting", "request_seq"),
        ("rules_raised", "raised_seq"),
        ("reversal", "original_seq"),
        ("batch_payment", "request_seq"),
        ("revocation", "request_seq"),
        ("event", "what"),
    ] {
        for change in [
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("update {table} set {column} = 9"),
        ] {
            refused(&ledger, &change, "permission denied").await;
            refused(&owner, &change, "is append-only").await;
        }
    }
    // A hold goes on to its end, and stays the hold that it was.
    for change in ["delete from hold", "truncate hold"] {
        refused(&ledger, change, "permission denied").await;
        refused(&owner, change, "is append-only").await;
    }
    let larger = "update hold set amount = amount * 2";
    refused(&ledger, larger, "permission denied").await;
}

/// The same walls, met as batches of payments are written. A connection that was refused something goes on.
async fn batches_of_payments_are_refused_too(ledger: &PgPool) {
    let mut copying = ledger.acquire().await.expect("a connection");
    for (rows, because) in [
        (
            "1\t2\t4\t30\t0\n2\t2\t4\t-29.99\t0\n",
            "posting_sums_to_zero",
        ),
        ("1\t2\t4\t30\t0\n4\t1\t4\t-30\t0\n", "posting_sums_to_zero"),
        (
            "1\t2\t4\t30\t0\n3\t1\t4\t-30\t0\n",
            "posting_is_on_an_account",
        ),
        (
            "1\t2\t4\t80\t-10\n2\t2\t4\t-80\t110\n",
            "posting_is_within_the_limit",
        ),
    ] {
        let statement =
            "copy posting (account_seq, number, request_seq, amount, balance) from stdin";
        let copy = copying.copy_in_raw(statement).await;
        let mut copy = copy.expect("the ledger may copy");
        copy.send(rows.as_bytes()).await.expect("rows are taken");
        let error = copy.finish().await.expect_err(rows);
        let error = error.as_database_error().expect("it is PostgreSQL's");
        assert_eq!(error.constraint(), Some(because), "{rows}: {error}");
    }
}

#[tokio::test]
async fn a_lone_payment_behind_a_large_batch_does_not_read_every_account() {
    let servers = local::testing::servers().await;
    let owner = Owner {
        url: servers
            .owner_database_url(Service::Ledger)
            .parse()
            .expect("a URL"),
    };
    ledger::migrate(&owner).await.expect("tables");
    // A session plans the wall once and keeps the plan.
    let mut ledger = PgConnection::connect(&servers.database_url(Service::Ledger))
        .await
        .expect("the ledger is let in");
    for good in [
        "insert into account select gen_random_uuid(), 'a', null, 'EUR', 'liability', 'open', 0, 0, seq
         from generate_series(1, 1000) as seq",
        "insert into posting (account_seq, number, request_seq, amount, balance)
         select seq, 1, 2000, (-1) ^ seq, 1 from generate_series(1, 1000) as seq",
        "begin",
        "insert into posting (account_seq, number, request_seq, amount, balance) values (1, 2, 3, -1, 1), (2, 2, 3, 1, 1)",
    ] {
        sqlx::query(good).execute(&mut ledger).await.expect(good);
    }
    // Of this session, as far as it has not reported it yet.
    let read: i64 = sqlx::query_scalar(
        "select seq_tup_read from pg_stat_xact_user_tables where relid = 'account'::regclass",
    )
    .fetch_one(&mut ledger)
    .await
    .expect("a count");
    assert_eq!(read, 0, "rows of accounts that were read one by one");
}

#[tokio::test]
async fn a_tile_only_grows_and_a_checkpoint_stays() {
    let servers = local::testing::servers().await;
    let owner_url = servers.owner_database_url(Service::Ledger);
    let owner = Owner {
        url: owner_url.parse().expect("a URL"),
    };
    ledger::migrate(&owner).await.expect("tables");
    let (ledger, owner) = (
        PgPool::connect(&servers.database_url(Service::Ledger))
            .await
            .expect("the ledger is let in"),
        PgPool::connect(&owner_url)
            .await
            .expect("the owner is let in"),
    );
    for good in [
        "insert into tile values (0, 7, sha256('a'))",
        "update tile set hashes = hashes || sha256('b') where number = 7",
        "insert into checkpoint values (1, sha256('a'), 'a note', now())",
        "update tree set size = 1",
    ] {
        run(&ledger, good).await.expect(good);
    }
    for (bad, because) in [
        ("update tile set hashes = sha256('a')", "only grows"),
        (
            "update tile set hashes = sha256('b') || sha256('b')",
            "only grows",
        ),
        (
            "update tile set hashes = hashes || 'x'",
            "tile_has_1_to_256_hashes",
        ),
        (
            "insert into tile values (0, 8, '')",
            "tile_has_1_to_256_hashes",
        ),
    ] {
        refused(&ledger, bad, because).await;
        refused(&owner, bad, because).await;
    }
    for (bad, because) in [
        ("delete from tile", "only grows"),
        ("update tile set number = 9", "only grows"),
        ("truncate tile", "is append-only"),
        ("delete from checkpoint", "is append-only"),
        ("update checkpoint set note = 'another'", "is append-only"),
    ] {
        refused(&ledger, bad, "permission denied").await;
        refused(&owner, bad, because).await;
    }
    refused(
        &ledger,
        "insert into tree values (false, 0)",
        "permission denied",
    )
    .await;
}

#[tokio::test]
async fn another_service_does_not_get_in() {
    let servers = local::testing::servers().await;
    let payments: PgConnectOptions = servers
        .database_url(Service::Payments)
        .parse()
        .expect("a URL");
    let payments = payments.database("ledger");
    let refused = PgConnection::connect_with(&payments)
        .await
        .expect_err("payments has nothing to do in the ledger's database");
    assert!(
        refused
            .to_string()
            .contains("permission denied for database"),
        "{refused}"
    );
}

async fn run(pool: &PgPool, statement: &str) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(statement.to_owned()))
        .execute(pool)
        .await
        .map(drop)
}

async fn refused(pool: &PgPool, statement: &str, because: &str) {
    let error = run(pool, statement)
        .await
        .err()
        .unwrap_or_else(|| panic!("{statement} went through"));
    let constraint = error
        .as_database_error()
        .and_then(|error| error.constraint())
        .unwrap_or_default()
        .to_owned();
    assert!(
        constraint == because || error.to_string().contains(because),
        "{statement}: {error}"
    );
}
