//! What the rules changed, version by version.

use std::collections::BTreeMap;

use common::kinds::Answer;
use common::kinds::account::{AccountRequest, OpenAccount};
use ledger::core::change::Change;
use ledger::core::decide::Decision;
use ledger::core::rules::Rules;
use ledger::core::verify::{Accepted, Content};

use crate::bank::{Bank, account_id, entries_of, token};

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

/// By each version of the rules: the outcome of opening an account, and its owner.
fn check_opened(change: &str, by_rules: [&str; 2]) {
    let mut json = serde_json::json!({
        "account_id": "0198c0de-0000-7000-8000-000000000009", "owner": "a", "currency": "EUR",
    });
    let change: serde_json::Value = serde_json::from_str(change).expect("the table holds JSON");
    for (name, value) in change.as_object().expect("the table holds objects") {
        json[name] = value.clone();
    }
    for (rules, expected) in Rules::ALL.into_iter().zip(by_rules) {
        let mut bank = Bank::parse("A=0");
        bank.book.rules = rules;
        let open: OpenAccount = serde_json::from_value(json.clone()).expect("well-formed");
        let content = Content::Account(Accepted {
            token: token("bank"),
            request: AccountRequest::Open(open),
        });
        let Answer::Account(answer) = bank.decide(content).answer else {
            panic!("an account's answer")
        };
        let got = match answer.reason {
            Some(reason) => format!("{} {}", reason.code.as_str(), reason.message),
            None => answer.owner.expect("an opened account has an owner"),
        };
        assert_eq!(got, expected, "{change} by {rules:?}");
    }
}

#[test]
fn from_rules_2_on_owners_are_ids_in_one_spelling() {
    let id = "0198c0de-0000-7000-8000-0000000000ad";
    check_opened("{}", ["a", "a"]);
    for spelled in [id.to_uppercase(), format!(" {id}"), id.replace('-', "")] {
        check_opened(&format!(r#"{{"owner":"{spelled}"}}"#), [&spelled, id]);
    }
    check_opened(
        r#"{"owner":"demo shop"}"#,
        ["demo shop", "FF01 an owner is an id, without spaces"],
    );
}

#[test]
fn from_rules_2_on_withdrawn_currencies_get_no_new_accounts() {
    for code in ["HRK", "BGN"] {
        let refused = format!("AM03 {code} has been withdrawn: no new account is opened in it");
        check_opened(&format!(r#"{{"currency":"{code}"}}"#), ["a", &refused]);
    }
    // An account that is there goes on: opening it again says so, and it pays.
    let mut bank = Bank::parse("K:HRK=100 L:HRK=0");
    bank.book.rules = Rules::Two;
    let mut payment = bank.payment("K->L 30");
    payment.currency = "HRK".to_owned();
    assert_eq!(bank.pay("k", payment).answer.outcome().0, "settled");
}

#[test]
fn from_rules_2_on_a_limit_below_zero_hears_of_limits() {
    check_opened(
        r#"{"overdraft_limit":"-1"}"#,
        [
            "AM12 the amount must be above zero",
            "AM12 a limit is zero or above",
        ],
    );
}
