//! The history of accounts, at the ledger: balances of a day, statements in pages, and statements as files.

#![expect(
    missing_docs,
    reason = "the names of the JSON; the ledger says what they mean"
)]

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use common::account_number::AccountName;
use common::ids::AccountId;
use reqwest::{RequestBuilder, Response, Url};
use serde::Deserialize;
use serde_json::Value;

use crate::accounts::AccountPosting;
use crate::error::{Error, Refused};
use crate::{Client, Result, join};

/// A statement of a million postings takes a minute.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(3600);
/// Postings of a page that is part of a file. Source: `ledger/src/http/statements.rs`.
const PAGE: &str = "1000";

/// An account's balance by two clocks.
#[derive(Debug, Deserialize)]
pub struct Balance {
    pub account_id: AccountId,
    pub currency: String,
    pub effective: NaiveDate,
    pub recorded: DateTime<Utc>,
    pub balance: String,
    pub seq: u64,
}

/// A page of a statement.
#[derive(Debug, Deserialize)]
pub struct Statement<P = AccountPosting> {
    pub account_id: AccountId,
    pub account_number: String,
    pub name: Option<String>,
    pub category: String,
    pub currency: String,
    pub by: String,
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub seq: u64,
    pub opening_balance: String,
    pub closing_balance: String,
    pub count: u64,
    pub postings: Vec<P>,
    pub next: Option<String>,
}

impl<P> Statement<P> {
    /// The cursor of the page behind this one.
    #[must_use]
    pub fn cursor(&self) -> Option<String> {
        let query = query_of(self.next.as_deref()?).into_iter();
        let mut cursors = query.filter(|(name, _)| name == "cursor");
        cursors.next().map(|(_, cursor)| cursor)
    }
}

/// A whole statement on its way here, piece by piece.
pub struct Download {
    /// As which file it might be kept.
    pub file_name: String,
    pub media_type: String,
    /// Where the gateway has it, which then hands it out: there is no body.
    pub at_gateway: Option<String>,
    body: Body,
}

enum Body {
    /// As the ledger writes it.
    Written(String, Response),
    /// JSON, made of pages.
    Pages(Box<Pages>),
}

struct Pages {
    client: Client,
    token: String,
    account: AccountName,
    next: Next,
}

enum Next {
    /// The first page, which is here.
    First(Box<Statement<Value>>, Value),
    /// A page as the one before names it.
    Page(String),
    End,
    Nothing,
}

impl Client {
    /// What an account came to on a day, as it was known at a time.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn balance<T: serde::de::DeserializeOwned>(
        &self,
        token: &str,
        account: impl Into<AccountName>,
        query: &[(&str, String)],
    ) -> Result<T> {
        let account = account.into();
        let path = format!("/accounts/{account}/balance");
        self.get(token, &self.addresses.ledger, &path, query).await
    }

    /// A page of a statement.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn statement<T: serde::de::DeserializeOwned>(
        &self,
        token: &str,
        account: impl Into<AccountName>,
        query: &[(&str, String)],
    ) -> Result<T> {
        let account = account.into();
        let path = format!("/accounts/{account}/statement");
        self.get(token, &self.addresses.ledger, &path, query).await
    }

    /// A whole statement as `json`, `csv` or `camt.053`.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn download_statement(
        &self,
        token: &str,
        account: impl Into<AccountName>,
        format: &str,
        query: &[(&'static str, String)],
    ) -> Result<Download> {
        let account = account.into();
        let path = format!("/accounts/{account}/statement");
        if format == "json" {
            let mut query = query.to_vec();
            query.push(("limit", PAGE.to_owned()));
            let mut head: Value = self.statement(token, account, &query).await?;
            let first = Statement::<Value>::deserialize(&head);
            let first = first.map_err(|error| Error::Unreadable {
                service: "the ledger".to_owned(),
                cause: error.to_string(),
            })?;
            for list in ["postings", "next"] {
                head.as_object_mut().map(|members| members.remove(list));
            }
            return Ok(Download {
                file_name: format!("statement-{account}-{}-{}.json", first.from, first.to),
                media_type: "application/json".to_owned(),
                at_gateway: None,
                body: Body::Pages(Box::new(Pages {
                    client: self.clone(),
                    token: token.to_owned(),
                    account,
                    next: Next::First(Box::new(first), head),
                })),
            });
        }
        let mut url = join(&self.addresses.ledger, &path)?;
        url.query_pairs_mut()
            .extend_pairs(query)
            .append_pair("format", format);
        self.download(self.http.get(url.clone()).bearer_auth(token), &url)
            .await
    }

    /// A file on its way here.
    pub(crate) async fn download(&self, request: RequestBuilder, url: &Url) -> Result<Download> {
        let service = self.name(url);
        let answer = request.timeout(DOWNLOAD_TIMEOUT).send().await;
        let answer = answer.map_err(|error| silent(&service, error))?;
        let status = answer.status();
        if !status.is_success() {
            let body = answer.json().await.unwrap_or_default();
            return Err(Error::Refused(Refused {
                status,
                is_repeated: false,
                body,
            }));
        }
        let header = |name: &str| {
            let value = answer.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let file_name = header("content-disposition").and_then(|disposition| {
            let (_, name) = disposition.split_once("filename=\"")?;
            Some(name.trim_end_matches('"').to_owned())
        });
        Ok(Download {
            file_name: file_name.unwrap_or_else(|| "file".to_owned()),
            media_type: header("content-type").unwrap_or_default(),
            at_gateway: header("x-accel-redirect"),
            body: Body::Written(service, answer),
        })
    }
}

impl Download {
    /// The next piece; `None` at the end. A statement that breaks off is an error.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>> {
        match &mut self.body {
            Body::Written(service, answer) => {
                let piece = answer.chunk().await;
                let piece = piece.map_err(|error| silent(service, error))?;
                Ok(piece.map(|bytes| bytes.to_vec()))
            }
            Body::Pages(pages) => pages.piece().await,
        }
    }
}

impl Pages {
    /// One JSON document: the first page's members, and the postings of all pages.
    async fn piece(&mut self) -> Result<Option<Vec<u8>>> {
        let (before, page) = match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Nothing => return Ok(None),
            Next::End => return Ok(Some(b"\n]}\n".to_vec())),
            Next::First(page, head) => {
                let head = head.to_string();
                let open = head.trim_end_matches('}');
                (format!("{open},\"postings\":["), *page)
            }
            Next::Page(next) => {
                let query = query_of(&next);
                let query: Vec<_> = query
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.clone()))
                    .collect();
                let page = self.client.statement(&self.token, self.account, &query);
                (",".to_owned(), page.await?)
            }
        };
        let lines = page.postings.iter().map(|line| format!("\n{line}"));
        let lines: Vec<_> = lines.collect();
        self.next = page.next.map_or(Next::End, Next::Page);
        Ok(Some((before + &lines.join(",")).into_bytes()))
    }
}

/// What the address of a page asks for.
pub(crate) fn query_of(next: &str) -> Vec<(String, String)> {
    // The path alone is no address; any host will do.
    let url = Url::parse("http://ledger").and_then(|host| host.join(next));
    url.map_or_else(
        |_| Vec::new(),
        |url| url.query_pairs().into_owned().collect(),
    )
}

fn silent(service: &str, source: reqwest::Error) -> Error {
    Error::Silent {
        service: service.to_owned(),
        source: source.without_url(),
    }
}
