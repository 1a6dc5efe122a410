//! A bank that is only a book, and requests to it as texts.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use common::ids::{AccountId, ClientId, PaymentId};
use common::kinds::account::Category;
use common::kinds::payment::PaymentRequest;
use common::money::{Currency, Money};
use common::reason::Code;
use common::token::{Claims, Verified};
use ledger::core::at::At;
use ledger::core::book::Book;
use ledger::core::book::account::{Account, Entry, Status};
use ledger::core::change::Change;
use ledger::core::decide::{Decision, decide};
use ledger::core::rules::Rules;
use ledger::core::verify::{Accepted, Content, Payment, VerifiedRequest};
use uuid::Uuid;

/// A book and the sequence of the last request.
pub(crate) struct Bank {
    pub(crate) book: Book,
    seq: u64,
    payments: u128,
    /// The published time of the next request.
    pub(crate) now: DateTime<Utc>,
}

impl Bank {
    pub(crate) fn parse(accounts: &str) -> Self {
        let mut book = Book::default();
        for text in accounts.split(' ') {
            let account = parse_account(text);
            book.accounts.insert(account.id, account);
        }
        Self {
            book,
            seq: 0,
            payments: 1000,
            now: "2026-11-23T12:00:00Z".parse().expect("a time"),
        }
    }

    pub(crate) fn send(&mut self, text: &str) -> Decision {
        let (caller, text) = text
            .split_once(": ")
            .map_or((None, text), |(caller, rest)| (Some(caller), rest));
        let (from, _) = text.split_once("->").expect("from->to amount");
        let caller = caller.map_or_else(|| from.to_lowercase(), str::to_owned);
        let request = self.payment(text);
        self.pay(&caller, request)
    }

    /// The payment that a text asks for.
    pub(crate) fn payment(&mut self, text: &str) -> PaymentRequest {
        let (text, id) = text
            .split_once(" #")
            .map_or((text, None), |(text, id)| (text, Some(id)));
        let (from, to) = text.split_once("->").expect("from->to amount");
        let (to, amount) = to.split_once(' ').expect("to amount");
        let yen = self
            .book
            .accounts
            .get(&account_id(from))
            .is_some_and(|account| account.posted.currency().code() == "JPY");
        self.payments += 1;
        let payment_id = id.map_or(self.payments, |id| id.parse().expect("a number"));
        PaymentRequest {
            payment_id: PaymentId(Uuid::from_u128(payment_id)),
            debtor_account: account_id(from),
            creditor_account: account_id(to),
            amount: amount.to_owned(),
            currency: if yen { "JPY" } else { "EUR" }.to_owned(),
            reference: None,
            effective_date: None,
            metadata: BTreeMap::new(),
        }
    }

    pub(crate) fn pay(&mut self, caller: &str, request: PaymentRequest) -> Decision {
        let token = token(caller);
        let request = Payment::new(request, self.next_at());
        self.decide(Content::Payment(Accepted { token, request }))
    }

    /// Place and time of the next request.
    pub(crate) fn next_at(&self) -> At {
        At {
            seq: self.seq + 1,
            published_at: self.now,
            rules: self.book.rules,
        }
    }

    pub(crate) fn decide(&mut self, content: Content) -> Decision {
        let at = self.next_at();
        self.seq = at.seq;
        let request = VerifiedRequest {
            at,
            answer_subject: String::new(),
            traceparent: None,
            digest: [0; 32],
            content,
        };
        decide(&mut self.book, &request)
    }
}

fn parse_account(text: &str) -> Account {
    let (name, balance) = text.split_once('=').expect("name=balance");
    let (name, overdraft) = name.split_once('/').unwrap_or((name, "0"));
    let (name, status) = name.split_once('!').unwrap_or((name, "open"));
    let (name, kind) = name.split_once(':').unwrap_or((name, "liability"));
    let currency =
        Currency::from_code(kind).unwrap_or(Currency::from_code("EUR").expect("a currency"));
    let stored = |text: &str| Money::stored(text.parse().expect("a number"), currency);
    Account {
        id: account_id(name),
        owner: name.to_lowercase(),
        name: None,
        metadata: std::collections::BTreeMap::new(),
        category: Category::from_word(kind).unwrap_or_default(),
        status: Status::from_word(status).expect("open, frozen or closed"),
        overdraft_limit: stored(overdraft),
        posted: stored(balance),
        held: Money::zero(currency),
        controls: None,
        postings: 0,
        opened_seq: 0,
    }
}

pub(crate) fn account_id(name: &str) -> AccountId {
    AccountId(Uuid::from_slice(format!("{name:>16}").as_bytes()).expect("16 bytes"))
}

pub(crate) fn token(caller: &str) -> Arc<Verified> {
    let scope = match caller {
        "bank" => "bank:operate",
        "shop" => "payments:submit-any",
        _ => "payments:submit accounts:write",
    };
    let client_id: ClientId = caller.parse().expect("the table names clients");
    let claims = Claims {
        iss: "issuer".to_owned(),
        sub: caller.to_owned(),
        aud: "quittance".to_owned(),
        client_id,
        scope: scope.to_owned(),
        iat: 0,
        nbf: 0,
        exp: 1,
        jti: String::new(),
        token_type: "access".to_owned(),
        user_id: String::new(),
        sid: None,
        act: None,
        payment_max: None,
        accounts: None,
    };
    Arc::new(Verified {
        claims,
        kid: String::new(),
    })
}

/// What a decision books.
pub(crate) fn entries_of(changes: &[Change]) -> Vec<Entry> {
    let entries = changes.iter().filter_map(|change| match change {
        Change::Posted(entry) => Some(*entry),
        _ => None,
    });
    entries.collect()
}

/// `accounts | requests | outcomes | accounts after`, by every version of the rules.
pub(crate) fn check(row: &str) {
    let parts: Vec<&str> = row.split(" | ").collect();
    let [accounts, requests, outcomes, after] = parts[..] else {
        panic!("{row}: four parts")
    };
    for rules in Rules::ALL {
        let mut bank = Bank::parse(accounts);
        bank.book.rules = rules;
        let got: Vec<&str> = requests
            .split(", ")
            .map(|request| {
                let (status, reason) = bank.send(request).answer.outcome();
                reason.map_or(status, Code::as_str)
            })
            .collect();
        assert_eq!(got.join(" "), outcomes, "{row} by {rules:?}");
        for account in after.split(' ') {
            let (name, balance) = account.split_once('=').expect("name=balance");
            let account = &bank.book.accounts[&account_id(name)];
            let expected = Money::stored(
                balance.parse().expect("a number"),
                account.posted.currency(),
            );
            assert_eq!(
                account.posted.to_string(),
                expected.to_string(),
                "{name} in {row} by {rules:?}"
            );
        }
    }
}
