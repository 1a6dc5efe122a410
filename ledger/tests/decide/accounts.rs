//! What becomes of accounts.

use common::ids::AccountId;
use common::kinds::account::{AccountRequest, Category, OpenAccount};
use common::reason::Code;
use ledger::core::verify::{Accepted, Content};
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
