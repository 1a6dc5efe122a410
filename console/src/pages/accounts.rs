//! Accounts: lists, one with its postings, opening one, and money into or out of the bank.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use client::{Account, AccountHolds, AccountPage};
use common::account_number::{AccountName, InvalidName};
use common::ids::{AccountId, OWNER_BANK, PaymentId};
use common::kinds::account::{Category, OpenAccount};
use common::kinds::hold::HoldRequest;
use common::kinds::payment::PaymentRequest;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::held::{Held, LimitField, limit_fields};
use super::people::Outcome;
use super::posted::Posted;
use crate::app::App;
use crate::failure::{Failure, see_other};
use crate::fields::Fields;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::prefix::Prefix;
use crate::show::{Id, Source, State as Shown, as_rfc3339, payment_path};

/// Rows of a page.
const ROWS: u32 = 50;
/// A payment is usually decided within milliseconds; its page goes on to show what becomes of it.
const WAIT_SECONDS: u64 = 5;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    owner: String,
    category: String,
    after: String,
}

struct Row {
    id: Id,
    number: String,
    name: String,
    owner: String,
    category: String,
    state: Shown,
    currency: String,
    posted: String,
    available: String,
}

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    frame: Frame,
    filter: Filter,
    rows: Source<Vec<Row>>,
    next: Option<String>,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    who: Operator,
    query: Result<Query<Filter>, QueryRejection>,
) -> Result<Response, Failure> {
    let filter = match query {
        Ok(Query(filter)) => filter,
        Err(rejection) => return Err(Failure::bad_request(rejection.body_text(), &who.prefix)),
    };
    let mut asked = vec![("limit", ROWS.to_string())];
    for (name, value) in [
        ("owner", &filter.owner),
        ("category", &filter.category),
        ("after", &filter.after),
    ] {
        if !value.trim().is_empty() {
            asked.push((name, value.trim().to_owned()));
        }
    }
    let found = app.client.accounts::<AccountPage>(&who.token, &asked).await;
    let next = found.as_ref().ok().and_then(|page| {
        let last = page.accounts.last().filter(|_| page.next.is_some())?;
        let query = Filter {
            after: last.account_id.to_string(),
            ..filter.clone()
        };
        let query = serde_urlencoded::to_string(query).ok()?;
        Some(who.prefix.at(&format!("/accounts?{query}")))
    });
    let rows = found.map(|page| {
        let rows = page.accounts.into_iter();
        rows.map(|account| row(account, &who.prefix)).collect()
    });
    Ok(html(&AccountsPage {
        frame: who.frame("Accounts", "Accounts"),
        filter,
        rows: rows.map_err(Into::into),
        next,
    }))
}

fn row(account: Account, prefix: &Prefix) -> Row {
    Row {
        id: Id::account(account.account_id, prefix),
        number: account.account_number,
        name: account.name.unwrap_or_default(),
        owner: account.owner,
        category: account.category,
        state: Shown::new(&account.status),
        currency: account.currency,
        posted: account.posted,
        available: account.available,
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountDetail {
    frame: Frame,
    id: Id,
    number: Id,
    account: Account,
    state: Shown,
    opened: Id,
    /// What came of the last action.
    outcomes: Vec<Outcome>,
    held: Source<Vec<Held>>,
    more_held: Option<String>,
    limits: Vec<LimitField>,
    postings: Source<Vec<Posted>>,
    older: Option<String>,
    /// Money comes out of one of these, with its name.
    sources: Source<Vec<(String, String)>>,
    is_of_bank: bool,
    /// Money can be held on it: it does not grow by what is taken from it.
    can_hold: bool,
    is_closed: bool,
    /// Something is blocked.
    is_frozen: bool,
    /// Each form's payment: sent twice, it pays once.
    deposit_id: Uuid,
    payment_id: Uuid,
}

/// Where the lists of an account's page go on.
#[derive(Default, Deserialize)]
pub(super) struct Before {
    before: Option<u64>,
    held_before: Option<u64>,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    who: Operator,
    Path(id): Path<String>,
    query: Result<Query<Before>, QueryRejection>,
) -> Result<Response, Failure> {
    let id = account_id(&app, &who, &id).await?;
    let before = query.map(|Query(query)| query).unwrap_or_default();
    page(&app, &who, id, Some(before), Vec::new()).await
}

/// An account's page, with what came of the last action.
pub(super) async fn page(
    app: &App,
    who: &Operator,
    id: AccountId,
    before: Option<Before>,
    outcomes: Vec<Outcome>,
) -> Result<Response, Failure> {
    let before = before.unwrap_or_default();
    let rows = |before: Option<u64>| {
        let mut asked = vec![("limit", ROWS.to_string())];
        asked.extend(before.map(|before| ("before", before.to_string())));
        asked
    };
    let (asked, asked_held) = (rows(before.before), rows(before.held_before));
    let of_bank = [
        ("category", "asset".to_owned()),
        ("limit", "100".to_owned()),
    ];
    let (account, postings, held, assets) = tokio::join!(
        app.client.account::<Account>(&who.token, id),
        app.client.postings(&who.token, id, &asked),
        app.client
            .holds::<AccountHolds>(&who.token, id, &asked_held),
        app.client.accounts::<AccountPage>(&who.token, &of_bank),
    );
    let account = account.map_err(|error| Failure::of(error, &who.prefix))?;
    let account = account
        .ok_or_else(|| Failure::not_found(format!("There is no account {id}."), &who.prefix))?;
    let older = postings.as_ref().ok().and_then(|page| {
        let last = page.postings.last().filter(|_| page.next.is_some())?;
        let path = format!("/accounts/{id}?before={}", last.number);
        Some(who.prefix.at(&path))
    });
    let postings = postings.map(|page| {
        let postings = page.postings.into_iter();
        postings.map(|one| Posted::of(one, &who.prefix)).collect()
    });
    let more_held = held.as_ref().ok().and_then(|page| {
        let last = page.holds.last().filter(|_| page.next.is_some())?;
        let path = format!("/accounts/{id}?held_before={}", last.request_seq);
        Some(who.prefix.at(&path))
    });
    let held = held.map(|page| {
        let holds = page.holds.into_iter();
        holds.map(|one| Held::of(one, &who.prefix)).collect()
    });
    let sources = assets.map(|page| {
        let fitting = page.accounts.into_iter().filter(|asset| {
            asset.currency == account.currency && asset.account_id != account.account_id
        });
        fitting
            .map(|asset| {
                let name = asset.name.unwrap_or_else(|| asset.account_id.to_string());
                (asset.account_id.to_string(), name)
            })
            .collect()
    });
    let title = account.name.clone().unwrap_or_else(|| "Account".to_owned());
    Ok(html(&AccountDetail {
        frame: who.frame(title, "Accounts"),
        id: Id::plain(id),
        number: Id::plain(&account.account_number),
        state: Shown::new(&account.status),
        outcomes,
        held: held.map_err(Into::into),
        more_held,
        limits: limit_fields(&account.limits),
        opened: Id::seq(account.opened_seq, &who.prefix),
        postings: postings.map_err(Into::into),
        older,
        sources: sources.map_err(Into::into),
        is_of_bank: account.owner == OWNER_BANK,
        can_hold: !matches!(account.category.as_str(), "asset" | "expense"),
        is_closed: account.status == "closed",
        is_frozen: account.status.ends_with("frozen"),
        deposit_id: Uuid::now_v7(),
        payment_id: Uuid::now_v7(),
        account,
    }))
}

/// A deposit, a payment out of an account, or a hold on it.
pub(super) async fn pay(
    State(app): State<Arc<App>>,
    who: Operator,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Failure> {
    let prefix = &who.prefix;
    let id = account_id(&app, &who, &id).await?;
    let field = |name: &str, what: &str| {
        let field = fields.get(name);
        field.ok_or_else(|| Failure::bad_request(format!("{what} is missing."), prefix))
    };
    let other = account_id(&app, &who, field("other", "The other account")?).await?;
    let (debtor_account, creditor_account) = match field("direction", "The direction")? {
        "in" => (other, id),
        _ => (id, other),
    };
    let payment_id: PaymentId = field("payment_id", "The payment's id")?
        .parse()
        .map_err(|_| Failure::bad_request("The payment's id is none.", prefix))?;
    let payment = PaymentRequest {
        payment_id,
        debtor_account,
        creditor_account,
        amount: field("amount", "The amount")?.to_owned(),
        currency: field("currency", "The currency")?.to_owned(),
        reference: fields.get("reference").map(str::to_owned),
        effective_date: None,
        metadata: BTreeMap::new(),
    };
    let wait = Some(WAIT_SECONDS);
    let paid = if fields.get("hold") == Some("yes") {
        let hold = HoldRequest::of(payment, fields.get("expires_at").map(as_rfc3339));
        app.client.hold(&who.token, &hold, wait).await
    } else {
        app.client.pay(&who.token, &payment, wait).await
    };
    if let Err(error) = paid {
        // A rejection has a page of its own, with its timeline.
        let is_decided = error.refused().is_some_and(|refused| {
            refused.body["request_seq"].is_u64() && refused.code() != Some("AM05")
        });
        if !is_decided {
            return Err(Failure::of(error, prefix));
        }
    }
    Ok(see_other(&payment_path(&payment_id.to_string(), None)))
}

#[derive(Template)]
#[template(path = "account_new.html")]
struct NewAccount {
    frame: Frame,
    account_id: Uuid,
    owner: String,
    categories: [&'static str; 5],
}

#[derive(Deserialize)]
pub(super) struct Owner {
    owner: Option<String>,
}

pub(super) async fn new(who: Operator, Query(owner): Query<Owner>) -> Response {
    html(&NewAccount {
        frame: who.frame("Open an account", "Accounts"),
        account_id: Uuid::now_v7(),
        owner: owner.owner.unwrap_or_default(),
        categories: ["liability", "asset", "equity", "income", "expense"],
    })
}

pub(super) async fn open(
    State(app): State<Arc<App>>,
    who: Operator,
    fields: Fields,
) -> Result<Response, Failure> {
    let prefix = &who.prefix;
    let field = |name: &str, what: &str| {
        let field = fields.get(name);
        field.ok_or_else(|| Failure::bad_request(format!("{what} is missing."), prefix))
    };
    let category = field("category", "The category")?;
    let account = OpenAccount {
        account_id: account_id(&app, &who, field("account_id", "The account's id")?).await?,
        owner: field("owner", "The owner")?.to_owned(),
        currency: field("currency", "The currency")?.to_uppercase(),
        category: Category::from_word(category)
            .ok_or_else(|| Failure::bad_request("There is no such category.", prefix))?,
        name: fields.get("name").map(str::to_owned),
        overdraft_limit: fields.get("overdraft_limit").map(str::to_owned),
        metadata: fields
            .get("metadata")
            .map(|text| notes(text, prefix))
            .transpose()?,
    };
    let opened = app.client.open_account(&who.token, &account).await;
    opened.map_err(|error| Failure::of(error, prefix))?;
    let path = format!("/accounts/{}", account.account_id);
    Ok(see_other(&path))
}

/// The id of an account that is named by it or by its number.
pub(super) async fn account_id(
    app: &App,
    who: &Operator,
    text: &str,
) -> Result<AccountId, Failure> {
    let prefix = &who.prefix;
    match text.parse::<AccountName>() {
        Ok(AccountName::Id(id)) => Ok(id),
        Ok(AccountName::Number(number)) => {
            let id = app.client.account_id(&who.token, number).await;
            let id = id.map_err(|error| Failure::of(error, prefix))?;
            id.ok_or_else(|| Failure::not_found(format!("There is no account {number}."), prefix))
        }
        Err(error @ InvalidName::CheckDigits(_)) => {
            Err(Failure::bad_request(error.to_string(), prefix))
        }
        Err(InvalidName::Form) => {
            let what = format!("{text} is no account's id or number.");
            Err(Failure::not_found(what, prefix))
        }
    }
}

/// Notes as they are typed: a line each, with a name in front.
fn notes(text: &str, prefix: &Prefix) -> Result<BTreeMap<String, String>, Failure> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let notes = lines.map(|line| {
        let (name, text) = line.split_once('=').ok_or_else(|| {
            Failure::bad_request(
                "Write each note as name=text, on a line of its own.",
                prefix,
            )
        })?;
        Ok((name.trim().to_owned(), text.trim().to_owned()))
    });
    notes.collect()
}
