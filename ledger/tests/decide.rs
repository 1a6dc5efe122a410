//! What `decide` promises, as tables and properties. Pure: no server, no clock, no key.
//!
//! A row of a table reads `accounts | requests | outcomes | accounts after`:
//! - `A=100` is an open EUR account of the customer `a` with 100.00; `A/50=0` may go 50.00 below zero; `Cash:asset=500`
//!   is the bank's; `B!frozen=0`, `B!closed=0`; `Y:JPY=100` is kept in yen.
//! - `A->B 30` is a payment by the owner of A; `shop:` in front sends it as a trusted platform, `bank:` as bank staff,
//!   `b:` as another customer; `#1` names the payment id, otherwise each payment has its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::ids::{AccountId, ClientId, PaymentId};
use common::kinds::Answer;
use common::kinds::account::{AccountRequest, Category, OpenAccount};
use common::kinds::payment::PaymentRequest;
use common::kinds::payment::PaymentStatus;
use common::kinds::posting::Direction;
use common::money::{Currency, Money};
use common::reason::Code;
use common::token::{Claims, Verified};
use ledger::core::at::At;
use ledger::core::book::Book;
use ledger::core::book::account::{Account, Entry, Status, normal_side};
use ledger::core::change::Change;
use ledger::core::decide::{Decision, decide};
use ledger::core::rules::Rules;
use ledger::core::verify::{Accepted, Content, Payment, VerifiedRequest};
use proptest::prelude::*;
use rust_decimal::Decimal;
use uuid::Uuid;

#[test]
fn a_payment_moves_money_within_the_limits() {
    check("A=100 B=0 | A->B 30 | settled | A=70 B=30");
    check("A=100 B=0 | A->B 100 | settled | A=0 B=100");
    check("A=100 B=0 | A->B 100.01 | AM04 | A=100 B=0");
    check("A/50=0 B=0 | A->B 50 | settled | A=-50 B=50");
    check("A/50=0 B=0 | A->B 50.01 | AM04 | A=0 B=0");
    check("A=100 B=0 C=0 | A->B 60, A->C 60 | settled AM04 | A=40 B=60 C=0");
}

#[test]
fn a_later_request_sees_what_an_earlier_one_of_the_same_batch_did() {
    check("A=10 B=0 C=0 | A->B 10, B->C 10, C->A 10 | settled settled settled | A=10 B=0 C=0");
    check("A=10 B=0 C=0 | B->C 10, A->B 10 | AM04 settled | A=0 B=10 C=0");
}

#[test]
fn money_comes_in_from_an_asset_account_and_only_by_the_bank() {
    check("Cash:asset=0 A=0 | bank: Cash->A 100 | settled | Cash=100 A=100");
    check("Cash:asset=100 A=100 | bank: A->Cash 40 | settled | Cash=60 A=60");
    check("Cash:asset=10 A=100 | bank: A->Cash 40 | AM04 | Cash=10 A=100");
    check("Cash:asset=0 A=0 | shop: Cash->A 100 | AG01 | Cash=0 A=0");
    check("Cash:asset=50 A=50 | A->Cash 40 | AG01 | Cash=50 A=50");
    check("Fees:income=0 A=50 | bank: A->Fees 2 | settled | Fees=2 A=48");
}

#[test]
fn a_customer_pays_from_own_accounts_and_a_platform_from_any_customers() {
    check("A=100 B=0 | b: A->B 30 | AG01 | A=100 B=0");
    check("A=100 B=0 | shop: A->B 30 | settled | A=70 B=30");
    check("A=100 B=0 | bank: A->B 30 | settled | A=70 B=30");
}

#[test]
fn the_first_reason_in_the_order_of_precedence_is_the_answer() {
    check("A=100 B=0 | A->A 30 | NARR | A=100 B=0");
    check("A=100 B=0 | X->B 30 | AC02 | A=100 B=0");
    check("A=100 B=0 | A->X 30 | AC03 | A=100 B=0");
    check("A!frozen=100 B=0 | A->B 30 | AC06 | A=100 B=0");
    check("A=100 B!frozen=0 | A->B 30 | AC06 | A=100 B=0");
    check("A!closed=0 B=0 | A->B 30 | AC04 | A=0 B=0");
    check("A=100 Y:JPY=0 | A->Y 30 | AM03 | A=100 Y=0");
    check("A=100 B=0 | A->B 0.001 | AM12 | A=100 B=0");
    check("A=100 B=0 | A->B 0 | AM12 | A=100 B=0");
    check("A=100 B=0 | X->X 0 | AM12 | A=100 B=0");
    check("A!frozen=100 B=0 | b: A->B 3000 | AG01 | A=100 B=0");
    check("A!frozen=100 Y:JPY=0 | A->Y 3000 | AC06 | A=100 Y=0");
}

#[test]
fn the_same_payment_id_pays_once_whatever_came_of_it() {
    check("A=100 B=0 | A->B 30 #1, A->B 30 #1 | settled duplicate | A=70 B=30");
    check("A=100 B=0 | A->B 30 #1, A->B 30.00 #1 | settled duplicate | A=70 B=30");
    check("A=100 B=0 | A->B 30 #1, A->B 31 #1 | settled AM05 | A=70 B=30");
    check("A=100 B=0 C=0 | A->B 30 #1, A->C 30 #1 | settled AM05 | A=70 B=30 C=0");
    check("A=10 B=0 | A->B 30 #1, A->B 30 #1 | AM04 duplicate | A=10 B=0");
    check("A=10 B=20 | A->B 30 #1, B->A 20, A->B 30 #1 | AM04 settled duplicate | A=30 B=0");
    check("A=10 B=0 | A->B 0.001 #1, A->B 1 #1 | AM12 AM05 | A=10 B=0");
    check("A=50 B=0 | A->B 30 #1, A->B 31 #1, A->B 30 #1 | settled AM05 duplicate | A=20 B=30");
    // Payment ids are each client's own.
    check("A=100 B=100 | A->B 30 #1, B->A 5 #1 | settled settled | A=75 B=125");
}

#[test]
fn a_duplicate_carries_the_first_outcome() {
    let mut bank = Bank::parse("A=10 B=0");
    bank.send("A->B 30 #1");
    let Answer::Payment(answer) = bank.send("A->B 30 #1").answer else {
        panic!("a payment's answer")
    };
    let original = answer.original.expect("a duplicate has an original");
    assert_eq!(
        (original.request_seq, original.status, original.reason),
        (1, PaymentStatus::Rejected, Some(Code::AM04))
    );
}

#[test]
fn opening_the_same_account_again_opens_nothing() {
    let open = |owner: &str, category, overdraft: Option<&str>| OpenAccount {
        account_id: AccountId(Uuid::from_u128(9)),
        owner: owner.to_owned(),
        currency: "EUR".to_owned(),
        category,
        name: None,
        overdraft_limit: overdraft.map(str::to_owned),
    };
    let mut bank = Bank::parse("A=0");
    let mut outcome = |who: &str, open: OpenAccount| {
        let content = Content::Account(Accepted {
            token: token(who),
            request: AccountRequest::Open(open),
        });
        let (status, reason) = bank.decide(content).answer.outcome();
        reason.map_or(status, Code::as_str)
    };
    assert_eq!(outcome("a", open("b", Category::Liability, None)), "AG01");
    assert_eq!(outcome("a", open("a", Category::Asset, None)), "AG01");
    assert_eq!(
        outcome("a", open("a", Category::Liability, Some("5"))),
        "AG01"
    );
    assert_eq!(outcome("a", open("a", Category::Liability, None)), "opened");
    assert_eq!(
        outcome("a", open("a", Category::Liability, None)),
        "duplicate"
    );
    assert_eq!(
        outcome("bank", open("a", Category::Liability, Some("0.00"))),
        "duplicate"
    );
    assert_eq!(
        outcome("bank", open("a", Category::Liability, Some("1"))),
        "AM05"
    );
    assert_eq!(outcome("bank", open("", Category::Liability, None)), "FF01");
    assert_eq!(
        outcome("bank", open("a\0", Category::Liability, None)),
        "FF01"
    );
    assert_eq!(
        outcome("bank", open("a", Category::Liability, Some("-1"))),
        "AM12"
    );
}

/// `rules accounts | request | what the answer shows`: the balances after it, or the reason.
fn check_shown(row: &str) {
    let parts: Vec<&str> = row.split(" | ").collect();
    let [accounts, request, expected] = parts[..] else {
        panic!("{row}: three parts")
    };
    let (rules, accounts) = accounts.split_once(' ').expect("rules and accounts");
    let mut bank = Bank::parse(accounts);
    let number = rules.parse().expect("a number");
    bank.book.rules = Rules::from_number(number).expect("rules that are known");
    let Answer::Payment(answer) = bank.send(request).answer else {
        panic!("a payment's answer")
    };
    let shown = match answer.reason {
        Some(reason) => reason.message,
        None => {
            let balances = answer.postings.into_iter().map(|posting| posting.balance);
            let balances = balances.map(|balance| balance.unwrap_or_else(|| "hidden".to_owned()));
            balances.collect::<Vec<_>>().join(" ")
        }
    };
    let expected = expected.replace("{A}", &account_id("A").to_string());
    assert_eq!(shown, expected, "{row}");
}

#[test]
fn what_an_account_holds_is_told_to_its_owner_and_the_bank_from_rules_2_on() {
    check_shown("1 A=100 B=7 | A->B 30 | 70.00 37.00");
    check_shown("2 A=100 B=7 | A->B 30 | 70.00 hidden");
    check_shown("2 A=100 B=7 | bank: A->B 30 | 70.00 37.00");
    check_shown("2 A=100 B=7 | shop: A->B 30 | hidden hidden");
    check_shown("1 A=1 B=7 | shop: A->B 30 | account {A} has 1.00 available, 30.00 needed");
    check_shown("2 A=1 B=7 | shop: A->B 30 | account {A} has not enough available, 30.00 needed");
    check_shown("2 A=1 B=7 | A->B 30 | account {A} has 1.00 available, 30.00 needed");
    check_shown("2 A=1 B=7 | bank: A->B 30 | account {A} has 1.00 available, 30.00 needed");
}

#[test]
fn value_date_and_notes_come_back_from_rules_2_on() {
    // The day that is asked for, the one that the answer names, and the one that postings keep.
    for (rules, asked, answered, kept) in [
        (Rules::One, None, None, None),
        (Rules::One, Some("2026-11-20"), None, None),
        (Rules::Two, None, Some("2026-11-23"), None),
        (Rules::Two, Some("2026-11-23"), Some("2026-11-23"), None),
        (
            Rules::Two,
            Some("2026-11-20"),
            Some("2026-11-20"),
            Some("2026-11-20"),
        ),
    ] {
        let mut bank = Bank::parse("A=100 B=0");
        bank.book.rules = rules;
        let mut payment = bank.payment("A->B 30");
        payment.effective_date = asked.map(str::to_owned);
        payment.metadata = BTreeMap::from([("order".to_owned(), "77".to_owned())]);
        let Decision { answer, changes } = bank.pay("a", payment.clone());
        let Answer::Payment(answer) = answer else {
            panic!("a payment's answer")
        };
        assert_eq!(
            answer.effective_date,
            answered.map(|day| Some(day.to_owned())),
            "{rules:?} {asked:?}"
        );
        let has_notes = rules >= Rules::Two;
        assert_eq!(answer.metadata, has_notes.then_some(payment.metadata));
        for entry in entries_of(&changes) {
            let day = entry.effective_date.map(|day| day.to_string());
            assert_eq!(day.as_deref(), kept, "{rules:?} {asked:?}");
        }
    }
}

#[test]
fn rules_are_only_ever_raised() {
    let mut bank = Bank::parse("A=100 B=0");
    let mut raise = |rules| {
        let decision = bank.decide(Content::Rules(rules));
        let status = decision.answer.outcome().0;
        (status, decision.changes, bank.book.rules)
    };
    assert_eq!(
        raise(Rules::Two),
        ("raised", vec![Change::RulesRaised(Rules::Two)], Rules::Two)
    );
    assert_eq!(raise(Rules::Two), ("duplicate", vec![], Rules::Two));
    assert_eq!(raise(Rules::One), ("duplicate", vec![], Rules::Two));
}

/// Requests over a handful of accounts, most of them sensible.
fn any_request() -> impl Strategy<Value = String> {
    let account = prop::sample::select(vec!["A", "B", "C", "Cash", "Fees", "Y", "X"]);
    let caller = prop::sample::select(vec!["", "shop: ", "bank: ", "b: "]);
    let amount = prop_oneof![
        (1_u32..20_000).prop_map(|cents| format!("{}.{:02}", cents / 100, cents % 100)),
        prop::sample::select(vec!["0", "0.001", "-1", "999999999999999.99", "x"])
            .prop_map(str::to_owned),
    ];
    let id = prop_oneof![3 => Just(String::new()), 1 => (0_u8..5).prop_map(|id| format!(" #{id}"))];
    (caller, account.clone(), account, amount, id)
        .prop_map(|(caller, from, to, amount, id)| format!("{caller}{from}->{to} {amount}{id}"))
}

proptest! {
    #[test]
    fn no_sequence_of_requests_makes_or_loses_money(requests in prop::collection::vec(any_request(), 1..80)) {
        let mut bank = Bank::parse("A=100 B/50=0 C!frozen=10 Cash:asset=110 Fees:income=0 Y:JPY=0");
        let accounts = bank.book.accounts.iter();
        let mut posted: BTreeMap<AccountId, Money> = accounts.map(|(id, account)| (*id, account.posted)).collect();
        for (index, request) in requests.iter().enumerate() {
            let before = bank.book.accounts.clone();
            let Decision { answer, changes } = bank.send(request);
            let entries = entries_of(&changes);
            prop_assert_eq!(answer.request_seq(), u64::try_from(index).unwrap() + 1);
            let settled = answer.outcome().0 == "settled";
            prop_assert_eq!(entries.len(), if settled { 2 } else { 0 });
            if !settled {
                prop_assert_eq!(&before, &bank.book.accounts, "a rejected request changed an account");
            }
            let sum: Decimal = entries.iter().map(|entry| signed(entry.direction, entry.amount)).sum();
            prop_assert_eq!(sum, Decimal::ZERO, "the postings do not sum to zero");
            for entry in entries {
                let account = &bank.book.accounts[&entry.account];
                let grows = entry.direction == normal_side(account.category);
                let balance = posted.get_mut(&entry.account).unwrap();
                *balance = if grows { balance.checked_add(entry.amount) } else { balance.checked_sub(entry.amount) }.unwrap();
                prop_assert_eq!(*balance, entry.balance, "the posting's balance is not the sum of the postings");
            }
        }
        let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
        for account in bank.book.accounts.values() {
            prop_assert_eq!(account.posted, posted[&account.id]);
            prop_assert!(!account.available().is_negative(), "{} is below its limit", account.id);
            *sums.entry(account.posted.currency().code()).or_default() +=
                signed(normal_side(account.category), account.posted);
        }
        prop_assert!(sums.values().all(Decimal::is_zero), "{:?}", sums);
    }

    #[test]
    fn the_same_requests_give_the_same_answers(requests in prop::collection::vec(any_request(), 1..40)) {
        let run = || {
            let mut bank = Bank::parse("A=100 B/50=0 C!frozen=10 Cash:asset=110 Fees:income=0 Y:JPY=0");
            requests.iter().map(|request| bank.send(request).answer.to_json()).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }
}

fn entries_of(changes: &[Change]) -> Vec<Entry> {
    let entries = changes.iter().filter_map(|change| match change {
        Change::Posted(entry) => Some(*entry),
        _ => None,
    });
    entries.collect()
}

fn signed(direction: Direction, money: Money) -> Decimal {
    match direction {
        Direction::Debit => money.amount(),
        Direction::Credit => -money.amount(),
    }
}

fn check(row: &str) {
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

/// A book and the sequence of the last request.
struct Bank {
    book: Book,
    seq: u64,
    payments: u128,
}

impl Bank {
    fn parse(accounts: &str) -> Self {
        let mut book = Book::default();
        for text in accounts.split(' ') {
            let account = parse_account(text);
            book.accounts.insert(account.id, account);
        }
        Self {
            book,
            seq: 0,
            payments: 1000,
        }
    }

    fn send(&mut self, text: &str) -> Decision {
        let (caller, text) = text
            .split_once(": ")
            .map_or((None, text), |(caller, rest)| (Some(caller), rest));
        let (from, _) = text.split_once("->").expect("from->to amount");
        let caller = caller.map_or_else(|| from.to_lowercase(), str::to_owned);
        let request = self.payment(text);
        self.pay(&caller, request)
    }

    /// The payment that a text asks for.
    fn payment(&mut self, text: &str) -> PaymentRequest {
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

    fn pay(&mut self, caller: &str, request: PaymentRequest) -> Decision {
        let token = token(caller);
        let request = Payment::new(request, self.next());
        self.decide(Content::Payment(Accepted { token, request }))
    }

    /// Place and time of the next request.
    fn next(&self) -> At {
        At {
            seq: self.seq + 1,
            published_at: "2026-11-23T12:00:00Z".parse().expect("a time"),
            rules: self.book.rules,
        }
    }

    fn decide(&mut self, content: Content) -> Decision {
        let at = self.next();
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
        category: Category::from_word(kind).unwrap_or_default(),
        status: Status::from_word(status).expect("open, frozen or closed"),
        overdraft_limit: stored(overdraft),
        posted: stored(balance),
        held: Money::zero(currency),
        postings: 0,
        opened_seq: 0,
    }
}

fn account_id(name: &str) -> AccountId {
    AccountId(Uuid::from_slice(format!("{name:>16}").as_bytes()).expect("16 bytes"))
}

fn token(caller: &str) -> Arc<Verified> {
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
    };
    Arc::new(Verified {
        claims,
        kid: String::new(),
    })
}
