//! What becomes of accounts.

use common::ids::AccountId;
use common::kinds::account::{AccountRequest, Category, OpenAccount};
use common::kinds::chart::Purpose;
use common::money::Currency;
use common::reason::Code;
use ledger::core::change::Change;
use ledger::core::rules::Rules;
use ledger::core::verify::{Accepted, BankAccount, Content};
use uuid::Uuid;

use crate::bank::{Bank, token};

#[test]
fn opening_the_same_account_again_opens_nothing() {
    let open = |owner: &str, category, overdraft: Option<&str>| OpenAccount {
        account_id: AccountId(Uuid::from_u128(9)),
        owner: owner.to_owned(),
        currency: "EUR".to_owned(),
        category,
        name: None,
        overdraft_limit: overdraft.map(str::to_owned),
        metadata: None,
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

#[test]
fn metadata_is_part_of_an_accounts_terms() {
    let open = |metadata: &[(&str, &str)]| OpenAccount {
        account_id: AccountId(Uuid::from_u128(9)),
        owner: "a".to_owned(),
        currency: "EUR".to_owned(),
        category: Category::Liability,
        name: None,
        overdraft_limit: None,
        metadata: Some(
            metadata
                .iter()
                .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
                .collect(),
        ),
    };
    let mut bank = Bank::parse("A=0");
    let mut outcome = |open: OpenAccount| {
        let content = Content::Account(Accepted {
            token: token("a"),
            request: AccountRequest::Open(open),
        });
        let (status, reason) = bank.decide(content).answer.outcome();
        reason.map_or(status, Code::as_str)
    };
    let keys: Vec<String> = (0..21).map(|number| number.to_string()).collect();
    let many: Vec<(&str, &str)> = keys.iter().map(|key| (&**key, "")).collect();
    assert_eq!(outcome(open(&many)), "FF01");
    assert_eq!(outcome(open(&[("a", "\0")])), "FF01");
    assert_eq!(outcome(open(&[("\n", "b")])), "FF01");
    assert_eq!(outcome(open(&[("branch", "Berlin")])), "opened");
    assert_eq!(outcome(open(&[("branch", "Berlin")])), "duplicate");
    assert_eq!(outcome(open(&[("branch", "Paris")])), "AM05");
    assert_eq!(outcome(open(&[])), "AM05");
}

#[test]
fn the_banks_own_accounts_are_opened_once() {
    let mut bank = Bank::parse("A=0");
    bank.book.rules = Rules::NEWEST;
    let mut opened = |purpose, code: &str| {
        let currency = Currency::from_code(code).expect("a currency");
        let decision = bank.decide(Content::Chart(BankAccount { purpose, currency }));
        let (status, reason) = decision.answer.outcome();
        let account = decision.changes.into_iter().next();
        (reason.map_or(status, Code::as_str), account)
    };
    for (purpose, category, limit) in [
        (Purpose::Cash, Category::Asset, "0.00"),
        (Purpose::Nostro, Category::Asset, "0.00"),
        (Purpose::Fees, Category::Income, "0.00"),
        (Purpose::Rounding, Category::Expense, "1000.00"),
    ] {
        let (status, change) = opened(purpose, "EUR");
        let Some(Change::AccountOpened(account)) = change else {
            panic!("{purpose:?} is not opened")
        };
        assert_eq!(status, "opened");
        assert_eq!((account.category, &*account.owner), (category, "bank"));
        assert_eq!(account.overdraft_limit.to_string(), limit);
        assert_eq!(opened(purpose, "EUR"), ("duplicate", None));
        assert_eq!(opened(purpose, "JPY").0, "opened");
    }
    assert_eq!(
        opened(Purpose::Cash, "BGN").0,
        "AM03",
        "a withdrawn currency"
    );
}

#[test]
fn nobody_gets_an_account_of_the_banks_by_being_first() {
    let currency = Currency::from_code("EUR").expect("a currency");
    let purpose = Purpose::Cash;
    let mut bank = Bank::parse("A=0");
    bank.book.rules = Rules::NEWEST;
    // Before it in the log: a customer for herself, and staff on other terms or in another currency than the id's.
    let open = |who, owner: &str, category, of: &str| {
        let open = OpenAccount {
            account_id: purpose.account_id(currency),
            owner: owner.to_owned(),
            currency: of.to_owned(),
            category,
            name: Some("Cash".to_owned()),
            overdraft_limit: None,
            metadata: None,
        };
        Content::Account(Accepted {
            token: token(who),
            request: AccountRequest::Open(open),
        })
    };
    for (who, owner, category, of) in [
        ("a", "a", Category::Liability, "EUR"),
        ("bank", "a", Category::Asset, "EUR"),
        ("bank", "bank", Category::Liability, "EUR"),
        ("bank", "bank", Category::Asset, "USD"),
    ] {
        let first = open(who, owner, category, of);
        let outcome = bank.decide(first).answer.outcome();
        assert_eq!(outcome, ("rejected", Some(Code::AG01)), "{who} {owner}");
    }
    let chart = || Content::Chart(BankAccount { purpose, currency });
    assert_eq!(bank.decide(chart()).answer.outcome(), ("opened", None));
    // Staff may open it as the ledger would.
    let mut bank = Bank::parse("A=0");
    bank.book.rules = Rules::NEWEST;
    let same = open("bank", "bank", Category::Asset, "EUR");
    assert_eq!(bank.decide(same).answer.outcome(), ("opened", None));
    assert_eq!(bank.decide(chart()).answer.outcome(), ("duplicate", None));
}
