//! Random requests of every kind, by a seed. They name few accounts and few ids, so that most meet what others did.
//!
//! A new kind of request is a new arm of [`Mix::next`].

mod accounts;
mod batches;
mod following;

use std::collections::HashSet;

use chrono::{NaiveDate, TimeDelta};
use common::headers::HeaderLines;
use common::message::Outgoing;
use common::service::now;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::key::Key;
use crate::random::Random;

/// Who has accounts, in which currency and category.
const ACCOUNTS: [(&str, &str, &str); 11] = [
    ("ada", "EUR", "liability"),
    ("ada", "EUR", "liability"),
    ("ada", "JPY", "liability"),
    ("grace", "EUR", "liability"),
    ("grace", "JPY", "liability"),
    ("shop", "EUR", "liability"),
    ("bank", "EUR", "asset"),
    ("bank", "JPY", "asset"),
    ("bank", "EUR", "income"),
    ("bank", "EUR", "expense"),
    ("bank", "EUR", "equity"),
];

/// Who sends, with which scopes.
const SENDERS: [(&str, &str); 4] = [
    ("ada", "payments:submit accounts:write"),
    ("grace", "payments:submit accounts:write"),
    ("shop", "payments:submit-any"),
    ("bank", "bank:operate"),
];

/// The place of the bank among them.
const BANK: usize = 3;

/// A request about an earlier one: its kind, who may send it, its body.
type Follow = (&'static str, Option<usize>, Value);

/// Tokens of a sender that are alive at a time; each is replaced after some requests.
const TOKENS: usize = 4;

/// Which of the services' logins at the broker sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Door {
    Auth,
    Ledger,
    Payments,
}

pub(crate) struct Mix {
    random: Random,
    pub(crate) key: Key,
    /// One more than there are: the last is never opened.
    accounts: Vec<Uuid>,
    tokens: Vec<Vec<String>>,
    /// Ids that were used, with their kind, client and body.
    sent: Vec<(&'static str, usize, Value)>,
    /// Ids of what was granted, as far as the answers were heard.
    granted: HashSet<String>,
    minted: u64,
}

impl Mix {
    pub(crate) fn new(seed: u64) -> Self {
        let mut mix = Self {
            random: Random::new(seed),
            key: Key::new(),
            accounts: Vec::new(),
            tokens: vec![Vec::new(); SENDERS.len()],
            sent: Vec::new(),
            granted: HashSet::new(),
            minted: 0,
        };
        mix.accounts = vec![Uuid::nil(); ACCOUNTS.len() + 1];
        for sender in 0..SENDERS.len() {
            for _ in 0..TOKENS {
                let token = mix.mint(sender, 0);
                mix.tokens[sender].push(token);
            }
        }
        mix
    }

    /// What stands at the beginning of each round: the key, and new accounts with money on them.
    pub(crate) fn opening(&mut self) -> Vec<(Door, Outgoing)> {
        // Issued behind whatever was revoked.
        let times = json!({"iat": seconds(10), "nbf": seconds(-5), "exp": seconds(600)});
        let announce: Value = serde_json::from_str(&self.key.announcement()).expect("it is JSON");
        let auth = self.key.with("auth", "auth:admin", times.clone());
        let mut requests = vec![message(Door::Auth, "auth.v1.keys", &auth, &announce)];
        let bank = self.key.with("bank", "bank:operate", times);
        self.accounts = (0..=ACCOUNTS.len()).map(|_| self.random.id()).collect();
        for (id, (owner, currency, category)) in self.accounts.iter().zip(ACCOUNTS) {
            let body = json!({
                "action": "open", "account_id": id, "owner": owner, "currency": currency, "category": category,
            });
            requests.push(message(Door::Ledger, "account.v1.bank", &bank, &body));
        }
        for (number, cash) in [(0, 6), (1, 6), (2, 7), (3, 6), (4, 7), (5, 6)] {
            let body = json!({
                "payment_id": self.random.id(), "debtor_account": self.accounts[cash],
                "creditor_account": self.accounts[number], "amount": "500", "currency": ACCOUNTS[number].1,
            });
            requests.push(message(Door::Payments, "payment.v1.bank", &bank, &body));
        }
        // By chance a short run may have none that is booked.
        let transaction = self.random.id();
        let posting = |number: usize, direction: &str, amount: &str| json!({"account": self.accounts[number], "direction": direction, "amount": amount, "currency": "EUR"});
        let postings = [
            posting(6, "debit", "30"),
            posting(0, "credit", "20"),
            posting(1, "credit", "10"),
        ];
        let body = json!({"payment_id": transaction, "postings": postings});
        requests.push(message(Door::Payments, "transaction.v1.bank", &bank, &body));
        let body = json!({"payment_id": self.random.id(), "reverses": transaction});
        requests.push(message(Door::Payments, "reversal.v1.bank", &bank, &body));
        requests
    }

    /// The next request.
    pub(crate) fn next(&mut self) -> (Door, Outgoing) {
        let sender = [0, 0, 0, 1, 1, 2, 2, 2, BANK, BANK][self.random.below(10)];
        let slot = self.random.below(TOKENS);
        if self.random.one_in(12) {
            let age = self.random.below(120);
            self.tokens[sender][slot] = self.mint(sender, age);
        }
        // Most ask for what they may ask for.
        let is_fitting = !self.random.one_in(8);
        let (kind, wanted, body) = match self.random.below(200) {
            0 => return self.revocation(),
            1..20 => ("account", Some(BANK), self.account_action()),
            20..72 => ("payment", None, self.movement(sender)),
            72..110 => ("hold", None, self.hold(sender)),
            110..142 => self.capture(),
            142..154 => self.void(),
            154..172 => self.reversal(),
            172..182 => ("payment-batch", None, self.batch(sender)),
            _ => ("transaction", None, self.transaction(sender)),
        };
        let sender = wanted.filter(|_| is_fitting).unwrap_or(sender);
        let (kind, sender, mut body) = match self.repeated(kind) {
            Some(again) => again,
            None => (kind, sender, body),
        };
        if self.random.one_in(100) {
            body["surprise"] = json!(true);
        }
        if kind == "payment-batch" {
            self.note_payments(sender, &body);
        }
        if kind != "account" {
            self.sent.push((kind, sender, body.clone()));
        }
        let door = if kind == "account" {
            Door::Ledger
        } else {
            Door::Payments
        };
        // Now and then in somebody else's name.
        let named = if self.random.one_in(60) { 0 } else { sender };
        let subject = format!("{kind}.v1.{}", SENDERS[named].0);
        message(door, &subject, &self.tokens[sender][slot], &body)
    }

    /// A request that was sent before, as it was, in another spelling, or with something else under its id.
    fn repeated(&mut self, kind: &str) -> Option<(&'static str, usize, Value)> {
        if kind == "account" || self.sent.is_empty() || !self.random.one_in(12) {
            return None;
        }
        let (kind, sender, mut body) = self.sent[self.random.below(self.sent.len())].clone();
        if let Some(body) = body.as_object_mut() {
            body.remove("surprise");
        }
        match (
            self.random.below(3),
            body["amount"].as_str().map(str::to_owned),
        ) {
            (0, Some(amount)) if amount.ends_with(".00") => {
                body["amount"] = amount.trim_end_matches(".00").into();
            }
            (1, Some(_)) => body["amount"] = self.amount().into(),
            _ => {}
        }
        Some((kind, sender, body))
    }

    /// Takes in what was granted.
    pub(crate) fn hear(&mut self, granted: impl Iterator<Item = String>) {
        self.granted.extend(granted);
    }

    fn mint(&mut self, sender: usize, age: usize) -> String {
        self.minted += 1;
        let (client, scope) = SENDERS[sender];
        let age = i64::try_from(age).expect("small");
        // Some have ended before it is used.
        let age = if self.random.one_in(20) {
            age + 2000
        } else {
            age
        };
        // Asked twice, the clock may begin a second between.
        let from = seconds(-age);
        let mut claims = json!({
            "iat": from, "nbf": from, "exp": from + 900,
            "jti": format!("token {}", self.minted), "sid": format!("session {}", self.minted / 3),
        });
        if self.random.one_in(12) && sender < BANK {
            claims["payment_max"] = json!({"EUR": "20.00"});
        }
        if self.random.one_in(12) && sender < BANK {
            claims["accounts"] = json!([self.accounts[0], self.accounts[3]]);
        }
        if self.random.one_in(30) {
            claims["aud"] = json!("quittance");
        }
        self.key.with(client, scope, claims)
    }

    fn revocation(&mut self) -> (Door, Outgoing) {
        let recent = self.minted.saturating_sub(self.random.number(12));
        let until = seconds(-i64::try_from(self.random.below(200)).expect("small"));
        let (sub, _) = SENDERS[self.random.below(SENDERS.len())];
        let target = match self.random.below(20) {
            0 => json!({"kind": "subject", "sub": sub, "issued_until": until}),
            1 => json!({"kind": "client", "client_id": sub, "issued_until": until}),
            2..8 => json!({"kind": "session", "sid": format!("session {}", recent / 3)}),
            _ => json!({"kind": "token", "jti": format!("token {recent}")}),
        };
        let body = json!({"revocation_id": self.random.id(), "target": target, "because": "mixed"});
        let times = json!({"iat": seconds(0), "nbf": seconds(0), "exp": seconds(600)});
        let token = self.key.with("auth", "auth:admin", times);
        message(Door::Auth, "auth.v1.revocations", &token, &body)
    }

    /// Mostly an account that may pay or be paid.
    fn account(&mut self) -> Uuid {
        let number = match self.random.below(10) {
            0..7 => [0, 1, 3, 5][self.random.below(4)],
            7 => [2, 4][self.random.below(2)],
            _ => self.random.below(self.accounts.len()),
        };
        self.accounts[number]
    }

    fn amount(&mut self) -> String {
        match self.random.below(20) {
            0 => ["0", "-1", "1.001", "x", "100000", "0.5"][self.random.below(6)].to_owned(),
            1..4 => self.random.below(50).to_string(),
            4..6 => format!("{}.00", 1 + self.random.below(50)),
            _ => format!("{}.{:02}", self.random.below(60), 1 + self.random.below(99)),
        }
    }

    /// An account that this sender may debit, mostly.
    fn debtor(&mut self, sender: usize) -> Uuid {
        match (sender, self.random.below(8)) {
            (0, 1..) => self.accounts[self.random.below(2)],
            (1, 1..) => self.accounts[3],
            _ => self.account(),
        }
    }

    fn movement(&mut self, sender: usize) -> Value {
        let currency = match self.random.below(24) {
            0 => "XXX",
            1..3 => "JPY",
            _ => "EUR",
        };
        let mut body = json!({
            "payment_id": self.random.id(), "debtor_account": self.debtor(sender), "creditor_account": self.account(),
            "amount": self.amount(), "currency": currency,
        });
        if self.random.one_in(5) {
            body["effective_date"] = json!(self.date());
        }
        if self.random.one_in(5) {
            body["reference"] = json!("mixed");
            body["metadata"] = json!({"a": "b"});
        }
        body
    }

    /// Mostly in the past, for a tenth in the future.
    fn date(&mut self) -> NaiveDate {
        let days = i64::try_from(self.random.below(30)).expect("small") - 26;
        now().date_naive() + TimeDelta::days(days)
    }

    fn hold(&mut self, sender: usize) -> Value {
        let mut body = self.movement(sender);
        if self.random.one_in(2) {
            let wait = i64::try_from(self.random.below(3000)).expect("small") - 100;
            body["expires_at"] = json!(now() + TimeDelta::milliseconds(wait));
        }
        body
    }

    fn transaction(&mut self, sender: usize) -> Value {
        let cents = 100 + self.random.below(4000);
        let part = self.random.below(cents);
        let text = |cents: usize| format!("{}.{:02}", cents / 100, cents % 100);
        let posting = |account, direction: &str, cents: usize, currency: &str| json!({"account": account, "direction": direction, "amount": text(cents), "currency": currency});
        let mut postings = vec![
            posting(self.debtor(sender), "debit", cents, "EUR"),
            posting(self.account(), "credit", part, "EUR"),
            posting(self.account(), "credit", cents - part, "EUR"),
        ];
        match self.random.below(12) {
            0 => postings.truncate(1),
            1 => postings.truncate(2),
            2 => postings[0]["currency"] = json!("JPY"),
            3 => {
                postings.push(json!({"account": self.accounts[2], "direction": "debit", "amount": "30", "currency": "JPY"}));
                postings.push(json!({"account": self.accounts[4], "direction": "credit", "amount": "30", "currency": "JPY"}));
            }
            _ => {}
        }
        let mut body = json!({"payment_id": self.random.id(), "postings": postings});
        if self.random.one_in(5) {
            body["effective_date"] = json!(self.date());
        }
        body
    }
}

fn seconds(from_now: i64) -> i64 {
    now().timestamp() + from_now
}

fn message(door: Door, subject: &str, token: &str, body: &Value) -> (Door, Outgoing) {
    let mut headers = HeaderLines::default();
    headers.add("Authorization", format!("Bearer {token}"));
    let message = Outgoing {
        subject: format!("request.{subject}"),
        headers,
        payload: body.to_string().into(),
    };
    (door, message)
}
