//! What becomes of batches of payments.

use std::collections::BTreeMap;

use common::kinds::Answer;
use common::kinds::bulk::BatchAnswer;
use ledger::core::decide::Decision;
use ledger::core::rules::Rules;
use proptest::prelude::*;

use crate::bank::Bank;
use crate::story::{ask, check};

#[test]
fn each_payment_is_decided_as_if_it_had_come_alone() {
    check("A=100 B=0 C=0 | batch A->B 30 #1 + A->C 20 #2 | settled+settled | A=50 B=30 C=20");
    // One bad payment never spoils its neighbours.
    check(
        "A=100 B=0 C!closed=0 | batch A->B 30 #1 + A->C 20 #2 + ? + A->B 1 #3 | settled+AC04+FF01+settled | A=69 B=31 C=0",
    );
    // Each sees what those before it did.
    check(
        "A=10 B=0 | shop: batch A->B 10 #1 + A->B 1 #2 + B->A 4 #3 + A->B 4 #4 | settled+AM04+settled+settled | A=0 B=10",
    );
    check("A=10 B=10 | batch A->B 1 #1 + B->A 1 #2 | settled+AG01 | A=9 B=11");
    check("A=100 Fees:income=0 | bank: batch A->Fees 1 #1 | settled | A=99 Fees=1");
    check(
        "A=100 B=0 | limit A day_count_max=2, batch A->B 1 #1 + A->B 1 #2 + A->B 1 #3 | limited settled+settled+AM14 | A=98 B=2",
    );
}

#[test]
fn an_id_is_used_up_in_a_batch_or_alone() {
    check(
        "A=100 B=0 | batch A->B 30 #1 + A->B 30 #1 + A->B 31 #1 | settled+duplicate+AM05 | A=70 B=30",
    );
    check(
        "A=100 B=0 | batch A->B 30 #1, A->B 30 #1, A->B 31 #1 | settled duplicate AM05 | A=70 B=30",
    );
    check(
        "A=100 B=0 | A->B 30 #1, batch A->B 30 #1 + A->B 5 #2 | settled duplicate+settled | A=65 B=35",
    );
    check(
        "A=100 B=0 | batch A->B 101 #1, A->B 101 #1, batch A->B 101 #1 | AM04 duplicate duplicate | A=100 B=0",
    );
    // A payment that could not be read has used no id.
    check(
        "A=100 B=0 | batch ? + A->B 1 #1, batch A->B 1 #1 + A->B 2 #2 | FF01+settled duplicate+settled | A=97 B=3",
    );
    // Precedence: the id comes first.
    check("A=100 B!frozen=0 | batch A->B 1 #1 + A->B 1 #1 | AC06+duplicate | A=100 B=0");
}

#[test]
fn an_atomic_batch_is_booked_whole_or_not_at_all() {
    check("A=100 B=0 | atomic A->B 30 #1 + A->B 20 #2 | settled+settled | A=50 B=50");
    check("A=100 B=0 | atomic A->B 30 #1 + A->B 71 #2 + A->X 1 #3 | NARR+AM04+AC03 | A=100 B=0");
    // What kept it from being booked is used up too: a retry gets the same.
    check(
        "A=100 B=0 | atomic A->B 30 #1 + A->B 71 #2, bank: freeze A debit, atomic A->B 30 #1 + A->B 71 #2 | NARR+AM04 frozen duplicate+duplicate | A=100 B=0",
    );
    check(
        "A=100 B=0 | A->B 5 #1, atomic A->B 5 #1 + A->B 1 #2 | settled duplicate+NARR | A=95 B=5",
    );
    check("A=100 B=0 | atomic A->B 5 #1 + A->B 5 #1 | NARR+duplicate | A=100 B=0");
    check("A=100 B=0 | atomic A->B 500 #1 + A->B 600 #2 | AM04+AM04 | A=100 B=0");
    check(
        "A=100 B=0 | limit A day_amount_max=50, atomic A->B 40 #1 + A->B 11 #2, A->B 50 #3 | limited NARR+AM14 settled | A=50 B=50",
    );
}

#[test]
fn holds_that_are_due_end_before_a_batch() {
    check(
        "A=100 B=0 | hold A->B 60 until 13:00 #1, at 13:00, batch A->B 100 #2 | authorised settled | A=0 B=100",
    );
    // Also when none of it is booked.
    check(
        "A=100 B=0 | hold A->B 60 until 13:00 #1, at 13:00, atomic A->B 100 #2 + A->B 1 #3 | authorised NARR+AM04 | A=100 B=0",
    );
    check(
        "A=100 B=0 | hold A->B 60 #1, batch A->B 41 #2 + A->B 40 #3 | authorised AM04+settled | A=60/60 B=40",
    );
}

#[test]
fn a_payment_of_a_batch_is_reversed_as_any_other() {
    check(
        "A=100 B=0 | batch A->B 30 #1 + A->B 20 #2, b: reverse 2 5 of a #3, b: reverse 2 of a #4, b: reverse 1 31 of a #5 | settled+settled reversed reversed AM02 | A=70 B=30",
    );
    check(
        "A=100 B=0 | atomic A->B 30 #1 + A->B 90 #2, bank: reverse 1 of a #3 | NARR+AM04 NARR | A=100 B=0",
    );
}

#[test]
fn older_rules_know_no_batches() {
    let first = Rules::ALL.into_iter().find(|rules| rules.take_batches());
    assert_eq!(first, Some(Rules::Five));
}

fn batch(decision: &Decision) -> &BatchAnswer {
    let Answer::Bulk(batch) = &decision.answer else {
        panic!("an answer to a batch")
    };
    batch
}

fn any_payment() -> impl Strategy<Value = String> {
    let account = prop::sample::select(vec!["A", "B", "C", "X"]);
    (account.clone(), account, 0_u32..6000, 0_u8..12).prop_map(|(from, to, cents, id)| {
        format!("{from}->{to} {}.{:02} #{id}", cents / 100, cents % 100)
    })
}

proptest! {
    /// The fast lane leads where the slow one does.
    #[test]
    fn a_batch_does_what_its_payments_do_one_by_one(payments in prop::collection::vec(any_payment(), 1..20)) {
        let (mut bulk, mut single) = (bank(), bank());
        let decision = ask(&mut bulk, &format!("shop: batch {}", payments.join(" + "))).unwrap();
        for (payment, item) in payments.iter().zip(&batch(&decision).payments) {
            let alone = ask(&mut single, &format!("shop: {payment}")).unwrap();
            let Answer::Payment(alone) = alone.answer else { panic!("a payment's answer") };
            prop_assert_eq!(alone.status, item.status);
            prop_assert_eq!(&alone.reason.map(|reason| reason.code), &item.reason.as_ref().map(|reason| reason.code));
        }
        prop_assert_eq!(balances(&bulk), balances(&single));
    }

    /// An atomic batch that is not booked changes no account.
    #[test]
    fn an_atomic_batch_books_all_or_nothing(payments in prop::collection::vec(any_payment(), 1..20)) {
        let mut bank = bank();
        let before = balances(&bank);
        let decision = ask(&mut bank, &format!("shop: atomic {}", payments.join(" + "))).unwrap();
        let answer = batch(&decision);
        let all = usize::try_from(answer.settled).unwrap() == payments.len();
        prop_assert!(all || answer.settled == 0);
        if !all {
            prop_assert_eq!(before, balances(&bank));
        }
        prop_assert_eq!(answer.settled + answer.rejected + answer.duplicates, u32::try_from(payments.len()).unwrap());
        // A retry gets the same outcomes, as duplicates of them.
        let settled = balances(&bank);
        let again = ask(&mut bank, &format!("shop: atomic {}", payments.join(" + "))).unwrap();
        prop_assert_eq!(batch(&again).settled, 0);
        prop_assert_eq!(settled, balances(&bank));
    }
}

fn bank() -> Bank {
    let mut bank = Bank::parse("A=100 B/50=0 C!frozen=10");
    bank.book.rules = Rules::NEWEST;
    bank
}

fn balances(bank: &Bank) -> BTreeMap<String, String> {
    let accounts = bank.book.accounts.values();
    accounts
        .map(|account| (account.id.to_string(), account.posted.to_string()))
        .collect()
}
