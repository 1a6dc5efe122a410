//! What operators do beside the log is noted, by whom and when, and stays.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use local::{Part, Service};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::bank::{PATIENCE, TestBank};

/// A request at the ledger; the status and the document, if there is one.
async fn ask(
    test: &TestBank,
    token: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<(u16, Value)> {
    let url = format!("{}{path}", test.bank.url(Service::Ledger));
    let mut request = test.http.request(method, url).bearer_auth(token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    Ok((status, answer.json().await.unwrap_or(Value::Null)))
}

/// The names of what happened, the newest first.
fn names(list: &Value) -> Vec<&str> {
    let events = list["events"].as_array().into_iter().flatten();
    events.filter_map(|event| event["what"].as_str()).collect()
}

/// Asks until a document is as it shall be.
async fn once(test: &TestBank, path: &str, is_there: impl Fn(&Value) -> bool) -> Result<Value> {
    let looked = tokio::time::timeout(PATIENCE, async {
        loop {
            let (_, found) = test.get(Service::Ledger, path, &test.staff).await?;
            if is_there(&found) {
                return anyhow::Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    looked.await.with_context(|| format!("{path} in time"))?
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_and_files_of_operators_are_in_the_history() -> Result<()> {
    let mut test = TestBank::start().await?;
    let (status, replay) = ask(&test, &test.staff, Method::POST, "/audit/replays", None).await?;
    ensure!(status == 202, "{replay}");
    let ended = |list: &Value| names(list) == ["replay.ended", "replay.started"];
    let list = once(&test, "/audit/events", ended).await?;
    let (end, start) = (&list["events"][0], &list["events"][1]);
    ensure!(
        end["about"] == replay["id"] && start["about"] == replay["id"],
        "{list}"
    );
    ensure!(start["actor"] == replay["started_by"], "{list}");
    ensure!(end["detail"]["state"] == "agrees", "{list}");

    // What a customer does with own files is nobody's business.
    let own = json!({"kind": "statement", "account_id": test.adas, "format": "csv"});
    let (status, file) = ask(&test, &test.ada, Method::POST, "/files", Some(own.clone())).await?;
    ensure!(status == 202, "{file}");
    let id = file["id"].as_str().context("an id")?;
    once(&test, &format!("/files/{id}"), |file| {
        file["state"] == "ready"
    })
    .await?;
    // But what an operator does with them is.
    for (method, path, expected) in [
        (Method::GET, format!("/files/{id}/content"), 200),
        (Method::DELETE, format!("/files/{id}"), 204),
        (Method::DELETE, format!("/files/{id}"), 404),
    ] {
        let (status, body) = ask(&test, &test.staff, method, &path, None).await?;
        ensure!(status == expected, "{path}: {status} {body}");
    }
    let (status, file) = ask(&test, &test.staff, Method::POST, "/files", Some(own)).await?;
    ensure!(status == 202, "{file}");
    let (_, list) = test
        .get(Service::Ledger, "/audit/events", &test.staff)
        .await?;
    let of_files = ["file.asked", "file.deleted", "file.fetched"];
    ensure!(names(&list).get(..3) == Some(&of_files[..]), "{list}");
    ensure!(
        list["events"][0]["about"] == file["id"] && list["events"][1]["about"] == id,
        "{list}"
    );
    ensure!(
        list["events"][0]["detail"]["name"] == file["file_name"],
        "{list}"
    );

    filters(&test, &list, id).await?;
    nobody_changes_it(&test).await?;

    // It outlives the ledger.
    let (status, replay) = ask(&test, &test.staff, Method::POST, "/audit/replays", None).await?;
    ensure!(status == 202, "{replay}");
    test.bank.kill(Part::Ledger);
    test.bank.start_part(Part::Ledger).await?;
    let path = format!(
        "/audit/events?about={}",
        replay["id"].as_str().context("an id")?
    );
    let (_, list) = test.get(Service::Ledger, &path, &test.staff).await?;
    ensure!(names(&list).contains(&"replay.started"), "{list}");
    test.check_invariants().await.map(drop)
}

/// Each filter finds what it names; what can't be asked is said.
async fn filters(test: &TestBank, all: &Value, file: &str) -> Result<()> {
    let staff = all["events"][0]["actor"].as_str().context("an actor")?;
    for (query, expected) in [
        (format!("about={file}"), 2),
        (format!("actor={staff}&what=file.asked"), 1),
        ("what=replay.ended".to_owned(), 1),
        ("actor=nobody".to_owned(), 0),
        ("from=2999-01-01T00:00:00Z".to_owned(), 0),
        ("limit=2".to_owned(), 2),
        ("cursor=1".to_owned(), 0),
    ] {
        let path = format!("/audit/events?{query}");
        let (status, list) = test.get(Service::Ledger, &path, &test.staff).await?;
        ensure!(
            status == 200 && names(&list).len() == expected,
            "{query}: {list}"
        );
    }
    let mut seen = Vec::new();
    let mut next = Some("/audit/events?limit=2".to_owned());
    while let Some(path) = next {
        let (_, list) = test.get(Service::Ledger, &path, &test.staff).await?;
        seen.extend(list["events"].as_array().cloned().unwrap_or_default());
        next = list["next"].as_str().map(str::to_owned);
    }
    ensure!(Some(&seen) == all["events"].as_array(), "{seen:?}\n{all}");
    for query in [
        "limit=0",
        "limit=101",
        "from=today",
        "what=replay.eaten",
        "cursor=x",
        "who=ada",
    ] {
        let path = format!("/audit/events?{query}");
        let (status, body) = test.get(Service::Ledger, &path, &test.staff).await?;
        ensure!(status == 400, "{query}: {status} {body}");
    }
    let (status, body) = test
        .get(Service::Ledger, "/audit/events", &test.ada)
        .await?;
    ensure!(status == 403, "{body}");
    Ok(())
}

async fn nobody_changes_it(test: &TestBank) -> Result<()> {
    let ledger = test.bank.servers().database_url(Service::Ledger);
    let owner = test.bank.servers().owner_database_url(Service::Ledger);
    for url in [ledger, owner] {
        let mut database = PgConnection::connect(&url).await?;
        for statement in [
            "update event set actor = 'nobody'",
            "delete from event",
            "truncate event",
        ] {
            let done = sqlx::raw_sql(statement).execute(&mut database).await;
            let error = done
                .err()
                .with_context(|| format!("{statement} was done"))?;
            let code = error.as_database_error().and_then(|error| error.code());
            ensure!(code.as_deref() == Some("42501"), "{statement}: {error}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_noted_is_not_done() -> Result<()> {
    let test = TestBank::start().await?;
    let owner = test.bank.servers().owner_database_url(Service::Ledger);
    let mut owner = PgConnection::connect(&owner).await?;
    sqlx::raw_sql("revoke insert on event from ledger")
        .execute(&mut owner)
        .await?;
    let wanted = json!({"kind": "log"});
    for (path, body) in [("/audit/replays", None), ("/files", Some(wanted.clone()))] {
        for _ in 0..2 {
            let (status, said) = ask(&test, &test.staff, Method::POST, path, body.clone()).await?;
            ensure!(status == 503, "{path}: {status} {said}");
        }
    }
    for (path, list) in [("/audit/replays", "replays"), ("/files", "files")] {
        let (_, found) = test.get(Service::Ledger, path, &test.staff).await?;
        ensure!(found[list] == json!([]), "{found}");
    }
    sqlx::raw_sql("grant insert on event to ledger")
        .execute(&mut owner)
        .await?;
    let (status, said) = ask(&test, &test.staff, Method::POST, "/audit/replays", None).await?;
    ensure!(status == 202, "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_runs_though_whoever_asked_hangs_up() -> Result<()> {
    let test = TestBank::start().await?;
    let owner = test.bank.servers().owner_database_url(Service::Ledger);
    let mut owner = PgConnection::connect(&owner).await?;
    sqlx::raw_sql("begin; lock table event")
        .execute(&mut owner)
        .await?;
    let url = format!("{}/audit/replays", test.bank.url(Service::Ledger));
    let request = test.http.post(url).bearer_auth(&test.staff);
    let asking = tokio::spawn(request.send());
    let path = "/audit/replays";
    // It can't be noted yet.
    once(&test, path, |list| list["replays"][0]["state"] == "running").await?;
    asking.abort();
    ensure!(
        asking.await.is_err_and(|error| error.is_cancelled()),
        "an answer"
    );
    sqlx::raw_sql("commit").execute(&mut owner).await?;
    once(&test, path, |list| list["replays"][0]["state"] == "agrees").await?;
    let (status, said) = ask(&test, &test.staff, Method::POST, path, None).await?;
    ensure!(status == 202, "{said}");
    Ok(())
}
