//! Requests of every kind as texts, and what becomes of them: by the rules that know them.
//!
//! `caller: request` or `request`, whose caller is then the debtor in small letters, or `a`. Ids are numbers behind `#`:
//!
//! | request | text |
//! |---|---|
//! | payment | `A->B 30 #1` |
//! | hold | `hold A->B 30 #1`, `hold A->B 30 until 13:00 #1` |
//! | capture | `capture 1 #2`, `capture 1 10 #2`, `capture 1 10 final #2` |
//! | void | `void 1 #2`, `void 1 of shop #2` |
//! | reversal | `reverse 1 #2`, `reverse 1 10 #2`, `reverse 1 10 of shop #2` |
//! | transaction | `book debit:A:10 credit:B:9 credit:C:1 #1` |
//! | batch | `batch A->B 30 #1 + A->C 5 #2`, `atomic A->B 30 #1 + ? + A->C 5 #2`; `?` can't be read; outcomes join with `+` |
//! | end of a hold | `end 1`, `end 1 of shop` |
//! | controls | `freeze A debit`, `unfreeze A both`, `close A`, `limit A minimum_balance=10 day_count_max=2` |
//! | the clock | `at 13:00`, `on 2026-11-24`, which have no outcome |

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use common::ids::{BatchId, ClientId, PaymentId};
use common::kinds::Answer;
use common::kinds::account::{AccountRequest, CloseAccount, Freeze, Limit, Limits, Side};
use common::kinds::bulk::{Batch, BatchStatus, Malformed};
use common::kinds::expiry::AnnounceExpiry;
use common::kinds::hold::{CaptureRequest, HoldRequest, VoidRequest};
use common::kinds::posting::Direction;
use common::kinds::reversal::ReversalRequest;
use common::kinds::transaction::{NewPosting, TransactionRequest};
use common::money::Money;
use common::reason::{Code, Reason};
use ledger::core::decide::Decision;
use ledger::core::rules::Rules;
use ledger::core::verify::{Accepted, Asked, Bulk, Content};
use uuid::Uuid;

use crate::bank::{Bank, account_id, entries_of, token};

/// `accounts | requests | outcomes | accounts after`, by rules 5 and newer ones. An account after is `A=posted`, or
/// `A=posted/held`. An outcome is a status or a reason code.
pub(crate) fn check(row: &str) {
    check_by(Rules::Five..=Rules::NEWEST, row);
}

/// The same, by these rules.
pub(crate) fn check_by(versions: RangeInclusive<Rules>, row: &str) {
    let parts: Vec<&str> = row.split(" | ").collect();
    let [accounts, requests, outcomes, after] = parts[..] else {
        panic!("{row}: four parts")
    };
    for rules in Rules::ALL
        .into_iter()
        .filter(|rules| versions.contains(rules))
    {
        let mut bank = Bank::parse(accounts);
        bank.book.rules = rules;
        let got: Vec<String> = requests
            .split(", ")
            .filter_map(|request| ask(&mut bank, request))
            .map(|decision| outcome(&decision.answer))
            .collect();
        assert_eq!(got.join(" "), outcomes, "{row} by {rules:?}");
        for account in after.split(' ') {
            let (name, balance) = account.split_once('=').expect("name=balance");
            let (posted, held) = balance.split_once('/').unwrap_or((balance, "0"));
            let account = &bank.book.accounts[&account_id(name)];
            let money = |text: &str| {
                let amount = text.parse().expect("a number");
                Money::stored(amount, account.posted.currency())
            };
            assert_eq!(
                account.posted,
                money(posted),
                "{name} in {row} by {rules:?}"
            );
            assert_eq!(
                account.held,
                money(held),
                "held on {name} in {row} by {rules:?}"
            );
        }
    }
}

/// A status or a reason code; of a batch, those of its payments.
fn outcome(answer: &Answer) -> String {
    let word = |status: &'static str, reason: Option<Code>| reason.map_or(status, Code::as_str);
    match answer {
        Answer::Bulk(batch) if batch.status == BatchStatus::Answered => {
            let items = batch.payments.iter().map(|item| {
                let reason = item.reason.as_ref().map(|reason| reason.code);
                word(item.status.as_str(), reason)
            });
            items.collect::<Vec<_>>().join("+")
        }
        answer => {
            let (status, reason) = answer.outcome();
            word(status, reason).to_owned()
        }
    }
}

/// Sends one request; `None` for what only moves the clock.
pub(crate) fn ask(bank: &mut Bank, text: &str) -> Option<Decision> {
    let (caller, text) = text
        .split_once(": ")
        .map_or((None, text), |(caller, rest)| (Some(caller), rest));
    let words: Vec<&str> = text.split(' ').collect();
    let decision = match words[0] {
        "at" => {
            let time = format!("{}T{}:00Z", bank.now.date_naive(), words[1]);
            bank.now = time.parse().expect("a time");
            return None;
        }
        "on" => {
            let time = format!("{}T12:00:00Z", words[1]);
            bank.now = time.parse().expect("a time");
            return None;
        }
        "hold" => {
            let from = words[1]
                .split("->")
                .next()
                .expect("from->to")
                .to_lowercase();
            let content = hold(bank, &words, caller.unwrap_or(&from));
            bank.decide(content)
        }
        "end" => bank.decide(Content::Expiry(AnnounceExpiry {
            client_id: whose(&words).unwrap_or_else(|| client(caller.unwrap_or("a"))),
            hold_id: id(words[1]),
        })),
        "batch" | "atomic" => {
            let content = batch(bank, text, caller.unwrap_or("a"));
            bank.decide(content)
        }
        "book" => {
            let content = transaction(bank, &words, caller.unwrap_or("a"));
            bank.decide(content)
        }
        "capture" | "void" | "reverse" => {
            let content = of_a_payment(&words, caller.unwrap_or("a"));
            bank.decide(content)
        }
        "freeze" | "unfreeze" | "close" | "limit" => bank.decide(Content::Account(Accepted {
            token: token(caller.unwrap_or("bank")),
            request: control(&words),
        })),
        _ => bank.send(&caller.map_or(text.to_owned(), |caller| format!("{caller}: {text}"))),
    };
    let mut sums = BTreeMap::<&str, rust_decimal::Decimal>::new();
    for entry in entries_of(&decision.changes) {
        let sum = sums.entry(entry.amount.currency().code()).or_default();
        *sum += entry.debit_side().amount();
    }
    let is_even = sums.values().all(rust_decimal::Decimal::is_zero);
    assert!(is_even, "{text} books what does not sum to zero");
    Some(decision)
}

fn client(name: &str) -> ClientId {
    name.parse().expect("the table names clients")
}

fn id(text: &str) -> PaymentId {
    let number = text.trim_start_matches('#').parse().expect("a number");
    PaymentId(Uuid::from_u128(number))
}

fn own_id(words: &[&str]) -> PaymentId {
    id(words
        .iter()
        .find(|word| word.starts_with('#'))
        .expect("an id"))
}

fn after<'w>(words: &[&'w str], word: &str) -> Option<&'w str> {
    let place = words.iter().position(|known| *known == word)?;
    words.get(place + 1).copied()
}

fn whose(words: &[&str]) -> Option<ClientId> {
    after(words, "of").map(client)
}

fn amount(words: &[&str]) -> Option<String> {
    let is_amount = |word: &&&str| word.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    words
        .get(2)
        .filter(is_amount)
        .map(|word| (*word).to_owned())
}

fn hold(bank: &mut Bank, words: &[&str], caller: &str) -> Content {
    let payment = bank.payment(&format!(
        "{} {} {}",
        words[1],
        words[2],
        words[words.len() - 1]
    ));
    let until = after(words, "until").map(|time| match time.split_once(':') {
        Some(_) => format!("{}T{time}:00Z", bank.now.date_naive()),
        None => time.to_owned(),
    });
    let request = HoldRequest {
        payment_id: payment.payment_id,
        debtor_account: payment.debtor_account,
        creditor_account: payment.creditor_account,
        amount: payment.amount,
        currency: payment.currency,
        reference: None,
        effective_date: None,
        metadata: payment.metadata,
        expires_at: until,
    };
    Content::Hold(Accepted {
        token: token(caller),
        request: Asked::new(request),
    })
}

fn transaction(bank: &Bank, words: &[&str], caller: &str) -> Content {
    let posting = |text: &&str| {
        let parts: Vec<&str> = text.split(':').collect();
        let [side, name, amount] = parts[..] else {
            return None;
        };
        let account = bank.book.accounts.get(&account_id(name));
        let currency = account.map_or("EUR", |account| account.posted.currency().code());
        Some(NewPosting {
            account: account_id(name),
            direction: if side == "debit" {
                Direction::Debit
            } else {
                Direction::Credit
            },
            amount: amount.to_owned(),
            currency: currency.to_owned(),
        })
    };
    Content::Transaction(Accepted {
        token: token(caller),
        request: Asked::new(TransactionRequest {
            payment_id: own_id(words),
            postings: words.iter().filter_map(posting).collect(),
            rates: Vec::new(),
            reference: None,
            effective_date: None,
            metadata: BTreeMap::new(),
        }),
    })
}

fn batch(bank: &mut Bank, text: &str, caller: &str) -> Content {
    let (kind, payments) = text.split_once(' ').expect("payments");
    let payments = payments.split(" + ").map(|text| match text {
        "?" => Err(Malformed {
            payment_id: None,
            reason: Reason::new(Code::FF01, "unreadable"),
        }),
        text => Ok(bank.payment(text)),
    });
    let batch = Batch {
        batch_id: BatchId(Uuid::from_u128(1)),
        atomic: kind == "atomic",
        debtor_account: Some(account_id("A")),
        currency: Some("EUR".to_owned()),
        payments: payments.collect(),
    };
    Content::Bulk(Accepted {
        token: token(caller),
        request: Bulk::new(batch, bank.next_at()),
    })
}

fn of_a_payment(words: &[&str], caller: &str) -> Content {
    let token = token(caller);
    match words[0] {
        "capture" => Content::Capture(Accepted {
            token,
            request: Asked::new(CaptureRequest {
                payment_id: own_id(words),
                hold_id: id(words[1]),
                amount: amount(words),
                is_final: words.contains(&"final"),
            }),
        }),
        "void" => Content::Void(Accepted {
            token,
            request: Asked::new(VoidRequest {
                payment_id: own_id(words),
                hold_id: id(words[1]),
                client_id: whose(words),
            }),
        }),
        _ => Content::Reversal(Accepted {
            token,
            request: Asked::new(ReversalRequest {
                payment_id: own_id(words),
                reverses: id(words[1]),
                client_id: whose(words),
                amount: amount(words),
                reason: None,
            }),
        }),
    }
}

fn control(words: &[&str]) -> AccountRequest {
    let account_id = account_id(words[1]);
    let side = match words.get(2).copied() {
        Some("debit") => Side::Debit,
        Some("credit") => Side::Credit,
        _ => Side::Both,
    };
    match words[0] {
        "freeze" => AccountRequest::Freeze(Freeze { account_id, side }),
        "unfreeze" => AccountRequest::Unfreeze(Freeze { account_id, side }),
        "close" => AccountRequest::Close(CloseAccount { account_id }),
        _ => {
            let limits = words[2..].iter().map(|limit| {
                let (name, value) = limit.split_once('=').expect("name=value");
                let value = if name.contains("count") {
                    value.parse::<u32>().expect("a number").into()
                } else {
                    serde_json::Value::from(value)
                };
                (name.to_owned(), value)
            });
            let limits: serde_json::Map<String, serde_json::Value> = limits.collect();
            let limits: Limits = serde_json::from_value(limits.into()).expect("limits");
            AccountRequest::Limit(Limit { account_id, limits })
        }
    }
}
