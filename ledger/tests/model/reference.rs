//! The reference ledger: what the ledger must answer, written to be read. It shares no code with the ledger, is slow where
//! that is clearer, and counts money in minor units. It takes the log in order, as the broker stored it.
//!
//! A new kind of request is a new arm of [`Reference::answer`] and a file beside `accounts` and `payments`.

mod accounts;
mod batches;
mod holds;
mod payments;
mod reversals;
mod transactions;

pub(crate) use batches::Item;
pub(crate) use payments::text;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::log::{Claims, Request};
use payments::Shown;
use reversals::Booked;

/// Money in minor units.
pub(crate) type Minor = i128;

/// What an answer says, as far as the reference says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) status: &'static str,
    pub(crate) reason: Option<&'static str>,
    pub(crate) amount: Option<String>,
    pub(crate) remaining: Option<String>,
    pub(crate) postings: Vec<Shown>,
    /// Request, status and reason of the first with this id.
    pub(crate) original: Option<(u64, String, Option<String>)>,
    /// Only requests about payments say it.
    pub(crate) may_retry: bool,
    /// What becomes of each payment of a batch.
    pub(crate) items: Vec<Item>,
}

/// The reason code of a refusal.
pub(crate) type Refused = &'static str;

impl Expected {
    fn status(status: &'static str) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    fn rejected(reason: Refused) -> Self {
        Self {
            reason: Some(reason),
            ..Self::status("rejected")
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Debit,
    Credit,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }
}

/// One posting on an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) seq: u64,
    /// Debits are positive.
    pub(crate) amount: Minor,
    /// On the account's own side.
    pub(crate) balance: Minor,
    /// Where it is not the day of the request.
    pub(crate) value_date: Option<NaiveDate>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) overdraft: Minor,
    pub(crate) minimum: Option<Minor>,
    pub(crate) maximum: Option<Minor>,
    pub(crate) day_amount: Option<Minor>,
    pub(crate) day_count: Option<u64>,
    pub(crate) month_amount: Option<Minor>,
    pub(crate) month_count: Option<u64>,
}

impl Limits {
    /// Whether what leaves is counted.
    fn count(&self) -> bool {
        self.day_amount.is_some()
            || self.day_count.is_some()
            || self.month_amount.is_some()
            || self.month_count.is_some()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) opened_seq: u64,
    pub(crate) owner: String,
    pub(crate) currency: String,
    pub(crate) category: String,
    pub(crate) no_debits: bool,
    pub(crate) no_credits: bool,
    pub(crate) is_closed: bool,
    pub(crate) limits: Limits,
    /// What left it since something is counted: the day and how much.
    left: Option<Vec<(NaiveDate, Minor)>>,
    pub(crate) lines: Vec<Line>,
}

impl Account {
    pub(crate) fn grows_by(&self) -> Side {
        match self.category.as_str() {
            "asset" | "expense" => Side::Debit,
            _ => Side::Credit,
        }
    }

    pub(crate) fn posted(&self) -> Minor {
        self.lines.last().map_or(0, |line| line.balance)
    }

    fn post(&mut self, seq: u64, side: Side, amount: Minor, value_date: Option<NaiveDate>) {
        let change = if side == self.grows_by() {
            amount
        } else {
            -amount
        };
        self.lines.push(Line {
            seq,
            amount: if side == Side::Debit { amount } else { -amount },
            balance: self.posted() + change,
            value_date,
        });
    }
}

/// Whose request it is, and its id.
pub(crate) type Key = (String, String);

/// A payment id that is used up.
struct Used {
    seq: u64,
    content: Value,
    status: &'static str,
    reason: Option<Refused>,
    /// Where that can be reversed.
    booked: Option<Booked>,
    /// How much of it was, of a transaction only whether.
    reversed: Minor,
}

#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(crate) debtor: Uuid,
    creditor: Uuid,
    pub(crate) remaining: Minor,
    /// `authorised`, `captured`, `voided` or `expired`.
    pub(crate) status: &'static str,
    pub(crate) ends: Option<DateTime<Utc>>,
    is_announced: bool,
}

/// The books by the reference.
#[derive(Default)]
pub(crate) struct Reference {
    pub(crate) accounts: BTreeMap<Uuid, Account>,
    pub(crate) holds: HashMap<Key, Hold>,
    used: HashMap<Key, Used>,
    revoked: Vec<Value>,
    knows_the_key: bool,
}

/// A request with what everybody looks at.
struct Asked<'r> {
    seq: u64,
    at: DateTime<Utc>,
    claims: &'r Claims,
    body: &'r Value,
}

impl Asked<'_> {
    fn day(&self) -> NaiveDate {
        self.at.date_naive()
    }

    fn is_bank(&self) -> bool {
        self.claims.has("bank:operate")
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.body[field].as_str()
    }

    fn account(&self, field: &str) -> Uuid {
        let id = self.text(field).and_then(|id| id.parse().ok());
        id.expect("the mix names accounts by their ids")
    }

    /// A key of the client that is named, or of the caller.
    fn key(&self, id: &str) -> Key {
        let client = self.text("client_id").unwrap_or(&self.claims.client_id);
        (
            client.to_owned(),
            self.text(id).unwrap_or_default().to_owned(),
        )
    }
}

impl Reference {
    /// What the ledger must answer to the next request of the log.
    pub(crate) fn answer(&mut self, request: &Request) -> Expected {
        self.end_due_holds(request.at);
        match request.kind.as_str() {
            "rules" => return Expected::status("raised"),
            "auth" if request.subject.ends_with("keys") => {
                let is_known = std::mem::replace(&mut self.knows_the_key, true);
                return Expected::status(if is_known { "duplicate" } else { "noted" });
            }
            "auth" => return self.revoke(request),
            "expiry" => return self.announce(&request.body),
            _ => {}
        }
        let is_payment = request.kind != "account";
        let refused = |reason| Expected {
            may_retry: is_payment,
            ..Expected::rejected(reason)
        };
        if request.body.get("surprise").is_some() || batches::is_broken(&request.body) {
            return refused("FF01");
        }
        let claims = match self.allowed(request) {
            Ok(claims) => claims,
            Err(reason) => return refused(reason),
        };
        let asked = Asked {
            seq: request.seq,
            at: request.at,
            claims,
            body: &request.body,
        };
        if request.kind == "payment-batch" {
            self.batch(&asked)
        } else if is_payment {
            self.once(&request.kind, &asked)
        } else {
            self.about_account(&asked)
        }
    }

    /// Whether the token allows the request: it lives, is the sender's, has a fitting scope and was not revoked.
    fn allowed<'r>(&self, request: &'r Request) -> Result<&'r Claims, Refused> {
        let claims = request.claims.as_ref().ok_or("AG01")?;
        let scopes: &[&str] = match request.kind.as_str() {
            "account" => &["accounts:write", "bank:operate"],
            _ => &["payments:submit", "payments:submit-any", "bank:operate"],
        };
        let now = request.at.timestamp();
        let lives = claims.nbf <= now && now < claims.exp;
        let is_sender = request.subject.ends_with(&format!(".{}", claims.client_id));
        let may = scopes.iter().any(|scope| claims.has(scope));
        if lives && is_sender && may && claims.aud == "quittance-log" && !self.is_revoked(claims) {
            Ok(claims)
        } else {
            Err("AG01")
        }
    }

    fn is_revoked(&self, claims: &Claims) -> bool {
        self.revoked.iter().any(|target| {
            let until = target["issued_until"].as_i64().unwrap_or(i64::MAX);
            let named = match target["kind"].as_str().unwrap_or_default() {
                "subject" => target["sub"] == claims.sub,
                "client" => target["client_id"] == claims.client_id,
                "session" => target["sid"].as_str() == claims.sid.as_deref(),
                "token" => target["jti"] == claims.jti,
                other => panic!("the mix revokes no {other}"),
            };
            named && claims.iat <= until
        })
    }

    fn revoke(&mut self, request: &Request) -> Expected {
        let target = request.body["target"].clone();
        let until = |target: &Value| target["issued_until"].as_i64().unwrap_or(i64::MAX);
        let name = |target: &Value| {
            let mut name = target.clone();
            name["issued_until"] = Value::Null;
            name
        };
        let is_known = self
            .revoked
            .iter()
            .any(|known| name(known) == name(&target) && until(known) >= until(&target));
        self.revoked.push(target);
        Expected::status(if is_known { "duplicate" } else { "noted" })
    }

    /// A payment id is used up once, whatever became of it; the same content again gets the first outcome.
    fn once(&mut self, kind: &str, asked: &Asked<'_>) -> Expected {
        let id = asked
            .text("payment_id")
            .expect("the mix names each request");
        let key = (asked.claims.client_id.clone(), id.to_owned());
        let content = payments::content(kind, asked.body);
        if let Some(again) = self.repeated(&key, &content) {
            return again;
        }
        let outcome = match kind {
            "payment" => self.pay(asked),
            "hold" => self.hold(asked),
            "capture" => self.capture(asked),
            "void" => self.void(asked),
            "reversal" => self.reverse(asked),
            "transaction" => self.book(asked),
            other => panic!("the reference knows no {other}"),
        };
        let (answer, booked) = outcome.unwrap_or_else(|reason| (Expected::rejected(reason), None));
        let used = Used {
            seq: asked.seq,
            content,
            status: answer.status,
            reason: answer.reason,
            booked,
            reversed: 0,
        };
        self.used.insert(key, used);
        answer
    }

    /// The answer to a request whose id was used up before.
    fn repeated(&self, key: &Key, content: &Value) -> Option<Expected> {
        let first = self.used.get(key)?;
        let original = Some((
            first.seq,
            first.status.to_owned(),
            first.reason.map(str::to_owned),
        ));
        let answer = if first.content == *content {
            Expected::status("duplicate")
        } else {
            Expected::rejected("AM05")
        };
        Some(Expected { original, ..answer })
    }

    /// What is held on an account by holds that have not ended.
    pub(crate) fn held(&self, account: Uuid) -> Minor {
        let holds = self.holds.values();
        let on_it = holds.filter(|hold| hold.debtor == account && hold.status == "authorised");
        on_it.map(|hold| hold.remaining).sum()
    }
}
