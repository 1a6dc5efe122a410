//! What happened in auth and what operators did at the ledger, in one list; and what services logged.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Client, Error, Result};

/// What happens at the ledger begins so; all else happens in auth. Source: `ledger/src/http/events.rs`.
const AT_THE_LEDGER: [&str; 2] = ["replay.", "file."];

/// What a reader looks for; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// What it is about, by its id.
    pub about: Option<String>,
    /// `client_id` of who did it.
    pub actor: Option<String>,
    /// As in `user.logged_in`.
    pub what: Option<String>,
    /// The earliest time, RFC 3339.
    pub from: Option<String>,
    /// How many at most, 1 to 100.
    pub limit: u32,
    /// Where the page before ended.
    pub before: Before,
}

/// Where a page ended at each service: `120-7`, `120-` or `-7`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Before {
    auth: Option<i64>,
    ledger: Option<i64>,
}

/// A page of events, the newest first.
#[derive(Debug, Serialize)]
pub struct Events {
    /// The newest first.
    pub events: Vec<Event>,
    /// Where the page behind this one begins; `None` at the end.
    #[serde(serialize_with = "as_text")]
    pub next: Option<Before>,
    /// Why what happened at one of the services is missing.
    #[serde(skip)]
    pub missing: Option<Error>,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Where: `auth` or `ledger`.
    #[serde(skip_deserializing)]
    pub service: &'static str,
    /// In the order in which that service recorded them.
    pub id: i64,
    /// When.
    #[serde(with = "common::timestamp")]
    pub at: DateTime<Utc>,
    /// As in `user.logged_in`.
    pub what: String,
    /// `client_id` of who did it; `None` when nobody was logged in.
    pub actor: Option<String>,
    /// Whom or what it is about.
    pub about: Option<String>,
    /// More, such as the address it came from.
    pub detail: Map<String, Value>,
}

impl Event {
    /// What more is known, each with its name: `count 3`.
    pub fn details(&self) -> impl Iterator<Item = String> {
        self.detail.iter().filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some(format!("{name} {text}")),
            other => Some(format!("{name} {other}")),
        })
    }
}

/// What one service answers.
#[derive(Debug, Default, Deserialize)]
struct Page {
    events: Vec<Event>,
    next: Option<String>,
}

impl Client {
    /// A page of what people and programs did, the newest first. Who may see only what happened in auth gets that.
    ///
    /// # Errors
    /// [`Error`] when no service answers. When one of two does not, [`Events::missing`] says so.
    pub async fn events(&self, token: &str, query: &EventQuery) -> Result<Events> {
        let none = Page::default;
        if let Some(what) = &query.what {
            // One of the two alone knows the name.
            let is_at_ledger = AT_THE_LEDGER.iter().any(|noun| what.starts_with(noun));
            let (auth, ledger) = if is_at_ledger {
                (none(), self.events_at_ledger(token, query).await?)
            } else {
                (self.events_at_auth(token, query).await?, none())
            };
            return Ok(merged(query, auth, ledger, None));
        }
        let auth = self.events_at_auth(token, query).await;
        let ledger = self.events_at_ledger(token, query).await;
        match (auth, ledger) {
            (Ok(auth), Ok(ledger)) => Ok(merged(query, auth, ledger, None)),
            (Ok(auth), Err(Error::Refused(refused))) if refused.status == StatusCode::FORBIDDEN => {
                Ok(merged(query, auth, none(), None))
            }
            (Ok(auth), Err(error)) => Ok(merged(query, auth, none(), Some(error))),
            (Err(error), Ok(ledger)) => Ok(merged(query, none(), ledger, Some(error))),
            (Err(error), Err(_)) => Err(error),
        }
    }

    async fn events_at_auth(&self, token: &str, query: &EventQuery) -> Result<Page> {
        let (auth, asked) = (&self.addresses.auth, query.of(query.before.auth));
        self.get(token, auth, "/api/audit/", &asked).await
    }

    async fn events_at_ledger(&self, token: &str, query: &EventQuery) -> Result<Page> {
        let (ledger, asked) = (&self.addresses.ledger, query.of(query.before.ledger));
        self.get(token, ledger, "/audit/events", &asked).await
    }

    /// A page of what services logged: the newest first, or with `after` in order.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn logs(&self, token: &str, query: &[(&str, String)]) -> Result<Value> {
        let auth = &self.addresses.auth;
        self.get(token, auth, "/api/logs/", query).await
    }
}

impl EventQuery {
    fn of(&self, cursor: Option<i64>) -> Vec<(&'static str, String)> {
        let mut asked = vec![("limit", self.limit.to_string())];
        for (name, value) in [
            ("about", &self.about),
            ("actor", &self.actor),
            ("what", &self.what),
            ("from", &self.from),
        ] {
            asked.extend(value.clone().map(|value| (name, value)));
        }
        asked.extend(cursor.map(|id| ("cursor", id.to_string())));
        asked
    }
}

/// The newest of both pages. Each service's events stay in its own order, by which it goes on: by its clock alone, of which
/// there may be several, some would be left out at the end of a page.
fn merged(query: &EventQuery, auth: Page, ledger: Page, missing: Option<Error>) -> Events {
    let of = |service, events: Vec<Event>| {
        let named = events.into_iter();
        named
            .map(move |event| Event { service, ..event })
            .peekable()
    };
    let has_more = auth.next.is_some() || ledger.next.is_some();
    let mut auth = of("auth", auth.events);
    let mut ledger = of("ledger", ledger.events);
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let (mut events, mut next) = (Vec::new(), query.before);
    while events.len() < limit {
        let is_auths = match (auth.peek(), ledger.peek()) {
            (Some(auth), Some(ledger)) => auth.at >= ledger.at,
            (auth, _) => auth.is_some(),
        };
        let (source, end) = if is_auths {
            (&mut auth, &mut next.auth)
        } else {
            (&mut ledger, &mut next.ledger)
        };
        let Some(event) = source.next() else {
            break;
        };
        *end = Some(event.id);
        events.push(event);
    }
    let goes_on = has_more || auth.peek().is_some() || ledger.peek().is_some();
    Events {
        next: goes_on.then_some(next),
        events,
        missing,
    }
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |id: Option<i64>| id.map_or_else(String::new, |id| id.to_string());
        write!(f, "{}-{}", text(self.auth), text(self.ledger))
    }
}

impl FromStr for Before {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let number = |digits: &str| match digits {
            "" => Ok(None),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
                .parse()
                .map(Some)
                .map_err(|_| "no number of an event"),
            _ => Err("where a list goes on, such as 120-7"),
        };
        // A number alone is one of auth.
        let (auth, ledger) = text.split_once('-').unwrap_or((text, ""));
        Ok(Self {
            auth: number(auth)?,
            ledger: number(ledger)?,
        })
    }
}

fn as_text<S: serde::Serializer>(
    before: &Option<Before>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    before
        .map(|before| before.to_string())
        .serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events of these ids, each at the second of its second number.
    fn page(events: &[(i64, i64)], next: Option<&str>) -> Page {
        let event = |(id, second): &(i64, i64)| Event {
            service: "",
            id: *id,
            at: DateTime::from_timestamp(*second, 0).unwrap(),
            what: "a.b".to_owned(),
            actor: None,
            about: None,
            detail: Map::new(),
        };
        Page {
            events: events.iter().map(event).collect(),
            next: next.map(str::to_owned),
        }
    }

    fn check(auth: Page, ledger: Page, before: &str, expected: &[(&str, i64)], next: Option<&str>) {
        let query = EventQuery {
            limit: 3,
            before: before.parse().unwrap(),
            ..EventQuery::default()
        };
        let merged = merged(&query, auth, ledger, None);
        let shown: Vec<_> = merged
            .events
            .iter()
            .map(|event| (event.service, event.id))
            .collect();
        assert_eq!(shown, expected);
        let goes_on = merged.next.map(|before| before.to_string());
        assert_eq!(goes_on.as_deref(), next);
    }

    #[test]
    fn two_lists_become_one_that_goes_on_where_each_ended() {
        check(page(&[], None), page(&[], None), "", &[], None);
        let auth = || page(&[(9, 90), (8, 50)], None);
        check(
            auth(),
            page(&[(3, 70)], None),
            "",
            &[("auth", 9), ("ledger", 3), ("auth", 8)],
            None,
        );
        let ledger = || page(&[(4, 80), (3, 70)], None);
        check(
            auth(),
            ledger(),
            "",
            &[("auth", 9), ("ledger", 4), ("ledger", 3)],
            Some("9-3"),
        );
        // The ledger's are all older, and go on before where they went on.
        let newer = || page(&[(9, 90), (8, 89), (7, 88)], Some("/more"));
        let all_of_auth = [("auth", 9), ("auth", 8), ("auth", 7)];
        check(newer(), ledger(), "12-5", &all_of_auth, Some("7-5"));
        check(newer(), ledger(), "", &all_of_auth, Some("7-"));
        // A clock that was behind the one before: nothing is left out, nothing comes twice.
        let uneven = || page(&[(9, 50), (8, 51), (7, 40)], Some("/more"));
        check(uneven(), page(&[], None), "", &all_of_auth, Some("7-"));
        let first = [("ledger", 4), ("ledger", 3), ("auth", 9)];
        check(uneven(), ledger(), "", &first, Some("9-3"));
    }

    #[test]
    fn where_a_list_goes_on_is_read_as_it_is_written() {
        for text in ["120-7", "120-", "-7", "-"] {
            assert_eq!(text.parse::<Before>().unwrap().to_string(), text);
        }
        assert_eq!("120".parse::<Before>().unwrap().to_string(), "120-");
        for text in ["x", "1-2-3", "--1", "1-x", "+1", "99999999999999999999"] {
            assert!(text.parse::<Before>().is_err(), "{text}");
        }
    }
}
