//! What no sequence of requests can do.

use std::collections::BTreeMap;

use common::ids::AccountId;
use common::kinds::posting::Direction;
use common::money::Money;
use ledger::core::book::account::normal_side;
use ledger::core::decide::Decision;
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::bank::{Bank, entries_of};

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

fn signed(direction: Direction, money: Money) -> Decimal {
    match direction {
        Direction::Debit => money.amount(),
        Direction::Credit => -money.amount(),
    }
}
