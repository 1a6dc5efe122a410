//! Any id leads to what it names: a place in the log, a payment, an account (by its number too), a person, a program, a key, a trace.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use client::{Account, PaymentBatch};
use common::account_number::AccountNumber;
use common::ids::{AccountId, BatchId, ClientId, PaymentId};
use serde::Deserialize;
use uuid::Uuid;

use super::batch::path as batch_path;
use super::history::about;
use crate::app::App;
use crate::failure::see_other;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::{Trouble, payment_path};

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
}

/// What an id may name.
#[derive(Default)]
struct Found {
    /// What it is, and its page.
    hits: Vec<(String, String)>,
    /// Who could not be asked.
    troubles: Vec<Trouble>,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    asked: String,
    found: Found,
}

pub(super) async fn search(
    State(app): State<Arc<App>>,
    who: Operator,
    Query(asked): Query<Asked>,
) -> Response {
    let asked = asked.q.trim();
    let found = find(&app, &who, asked).await;
    if let ([(_, path)], []) = (&found.hits[..], &found.troubles[..]) {
        return see_other(path);
    }
    html(&SearchPage {
        frame: who.frame("Search", ""),
        asked: asked.to_owned(),
        found,
    })
}

async fn find(app: &App, who: &Operator, asked: &str) -> Found {
    let mut found = Found::default();
    if let Ok(seq) = asked.parse::<u64>() {
        found
            .hits
            .push((format!("message {seq} of the log"), format!("/log/{seq}")));
    } else if let Ok(number) = asked.parse::<AccountNumber>() {
        match app.client.account_id(&who.token, number).await {
            Ok(Some(id)) => found
                .hits
                .push((format!("account {number}"), format!("/accounts/{id}"))),
            Ok(None) => {}
            Err(error) => found.missed(error),
        }
    } else if let Ok(id) = Uuid::parse_str(asked) {
        // 32 digits without dashes may be a trace too.
        find_id(app, who, id, &mut found).await;
        if !asked.contains('-') {
            find_trace(app, who, asked, &mut found).await;
        }
    } else if asked.len() == 43 && !asked.contains(['@', '.']) {
        let keys = app.client.keys(&who.token).await;
        match keys {
            Ok(keys) => {
                let keys = keys["keys"].as_array().into_iter().flatten();
                if keys.into_iter().any(|key| key["kid"] == asked) {
                    found
                        .hits
                        .push(("signing key".to_owned(), "/keys".to_owned()));
                }
            }
            Err(error) => found.missed(error),
        }
    }
    if asked.contains('@') && who.may("auth:admin") {
        let query = [("cursor", before(asked)), ("limit", "1".to_owned())];
        match app.client.users(&who.token, &query).await {
            Ok(page) => {
                let user = &page["users"][0];
                if user["email"]
                    .as_str()
                    .is_some_and(|email| email.eq_ignore_ascii_case(asked))
                {
                    let id = user["id"].as_str().unwrap_or_default();
                    found.hits.push((format!("person {asked}"), about(id)));
                }
            }
            Err(error) => found.missed(error),
        }
    } else if asked.parse::<ClientId>().is_ok() && who.may("auth:admin") {
        match app.client.service_account(&who.token, asked).await {
            Ok(Some(_)) => found.hits.push((
                format!("program {asked}"),
                format!("/log?client_id={asked}"),
            )),
            Ok(None) => {}
            Err(error) => found.missed(error),
        }
    }
    found
}

/// People are listed from behind a cursor, so the one in front of an address is asked for.
fn before(email: &str) -> String {
    let mut before = email.to_lowercase();
    // `@` sorts before every letter and digit of an address; the last character goes.
    before.pop();
    before
}

async fn find_id(app: &App, who: &Operator, id: Uuid, found: &mut Found) {
    let text = id.to_string();
    let (batch, payment, account, person) = tokio::join!(
        app.client
            .batch::<PaymentBatch>(&who.token, BatchId(id), None),
        app.client.payment(&who.token, PaymentId(id), None),
        app.client.account::<Account>(&who.token, AccountId(id)),
        async {
            match who.may("auth:admin") {
                true => app.client.user(&who.token, id).await,
                false => Ok(None),
            }
        },
    );
    match payment {
        Ok(Some(_)) => found
            .hits
            .push((format!("payment {text}"), payment_path(&text, None))),
        Ok(None) => {}
        // Several clients have one with this id.
        Err(error)
            if error
                .refused()
                .is_some_and(|refused| refused.status.as_u16() == 409) =>
        {
            found.hits.push((error.to_string(), "/payments".to_owned()));
        }
        Err(error) => found.missed(error),
    }
    match batch {
        Ok(Some(_)) => found
            .hits
            .push((format!("batch {text}"), batch_path(&text, None))),
        Ok(None) => {}
        Err(error) => found.missed(error),
    }
    match account {
        Ok(Some(_)) => found
            .hits
            .push((format!("account {text}"), format!("/accounts/{text}"))),
        Ok(None) => {}
        Err(error) => found.missed(error),
    }
    match person {
        Ok(Some(_)) => found.hits.push((format!("person {text}"), about(&text))),
        Ok(None) => {}
        Err(error) => found.missed(error),
    }
}

async fn find_trace(app: &App, who: &Operator, trace: &str, found: &mut Found) {
    let query = [
        ("trace_id", trace.to_lowercase()),
        ("limit", "1".to_owned()),
    ];
    match app.client.find_in_log(&who.token, &query).await {
        Ok((page, _)) if !page.entries.is_empty() => {
            let path = format!("/log?trace_id={}", trace.to_lowercase());
            found.hits.push((format!("trace {trace}"), path));
        }
        Ok(_) => {}
        Err(error) => found.missed(error),
    }
}

impl Found {
    fn missed(&mut self, error: client::Error) {
        self.troubles.push(error.into());
    }
}
