//! What the controls of accounts do.

use crate::bank::Bank;
use crate::story::{ask, check};
use common::kinds::Answer;
use ledger::core::rules::Rules;

#[test]
fn a_frozen_side_takes_no_postings() {
    check("A=100 B=0 | freeze A debit, A->B 30 | frozen AC06 | A=100 B=0");
    check("A=100 B=10 | freeze A debit, B->A 10 | frozen settled | A=110 B=0");
    check("A=100 B=10 | freeze A credit, B->A 10, A->B 30 | frozen AC06 settled | A=70 B=40");
    check("A=100 B=10 | freeze A both, B->A 10, A->B 30 | frozen AC06 AC06 | A=100 B=10");
    check(
        "A=100 B=0 | freeze A debit, unfreeze A debit, A->B 30 | frozen unfrozen settled | A=70 B=30",
    );
    check(
        "A=100 B=10 | freeze A debit, freeze A credit, unfreeze A debit, A->B 30, B->A 1 | frozen frozen unfrozen settled AC06 | A=70 B=40",
    );
    check(
        "A=100 B=0 | freeze A debit, freeze A debit, unfreeze A credit | frozen duplicate duplicate | A=100 B=0",
    );
    check(
        "A=100 B=0 | freeze A both, freeze A debit, unfreeze A both, unfreeze A both | frozen duplicate unfrozen duplicate | A=100 B=0",
    );
}

#[test]
fn an_account_closes_at_zero_and_without_holds() {
    check("A=0 B=10 | close A, B->A 10, close A | closed AC04 duplicate | A=0 B=10");
    check("A=100 B=0 | close A | NARR | A=100 B=0");
    check(
        "A/10=0 B=0 | hold A->B 10 #1, close A, void 1 #2, close A | authorised NARR voided closed | A=0 B=0",
    );
    check(
        "A/10=0 B=0 | hold A->B 10 until 13:00 #1, at 13:00, close A | authorised closed | A=0 B=0",
    );
    check(
        "A=0 B=0 | close A, freeze A both, unfreeze A both, limit A | closed AC04 AC04 AC04 | A=0 B=0",
    );
}

#[test]
fn only_the_bank_controls() {
    check(
        "A=0 B=0 | a: freeze A both, shop: close A, a: limit A, a: unfreeze A both | AG01 AG01 AG01 AG01 | A=0 B=0",
    );
    check("A=0 B=0 | freeze X both, close X, limit X | AC02 AC02 AC02 | A=0 B=0");
}

#[test]
fn an_account_keeps_its_minimum_and_its_maximum() {
    check(
        "A=100 B=0 | limit A minimum_balance=80, A->B 20, A->B 0.01 | limited settled AM04 | A=80 B=20",
    );
    check(
        "A=100 B=0 | limit A minimum_balance=80, hold A->B 20 #1, A->B 0.01 | limited authorised AM04 | A=100/20 B=0",
    );
    check(
        "A=100 B=0 | limit B maximum_balance=50, A->B 50, A->B 0.01 | limited settled AM02 | A=50 B=50",
    );
    check(
        "A=100 B=0 | limit B maximum_balance=50, hold A->B 60 #1, capture 1 51 #2, capture 1 50 #3 | limited authorised AM02 captured | A=50/10 B=50",
    );
    check(
        "A=0 B=0 | limit A overdraft_limit=50, A->B 50, A->B 0.01, limit A overdraft_limit=60, A->B 10 | limited settled AM04 limited settled | A=-60 B=60",
    );
    check(
        "Cash:asset=0 A=0 | limit Cash maximum_balance=50, bank: Cash->A 51, bank: Cash->A 50 | limited AM02 settled | Cash=50 A=50",
    );
    check(
        "A=100 B=0 | limit A minimum_balance=80, limit A, A->B 100 | limited limited settled | A=0 B=100",
    );
}

#[test]
fn what_leaves_an_account_in_a_day_and_a_month_is_limited() {
    check(
        "A=100 B=0 | limit A day_amount_max=30, A->B 20, A->B 11, A->B 10 | limited settled AM14 settled | A=70 B=30",
    );
    check(
        "A=100 B=0 | limit A day_amount_max=30, A->B 30, on 2026-11-24, A->B 30 | limited settled settled | A=40 B=60",
    );
    check(
        "A=100 B=0 | limit A day_count_max=2, A->B 1, A->B 1, A->B 1, on 2026-11-24, A->B 1 | limited settled settled AM14 settled | A=97 B=3",
    );
    check(
        "A=100 B=0 | limit A month_amount_max=30, A->B 20, on 2026-11-30, A->B 11, on 2026-12-01, A->B 30 | limited settled AM14 settled | A=50 B=50",
    );
    check(
        "A=100 B=0 | limit A month_count_max=1, A->B 20, on 2026-11-30, A->B 1 | limited settled AM14 | A=80 B=20",
    );
    // What is refused, or comes in, counts nothing.
    check(
        "A=10 B=50 | limit A day_count_max=1, A->B 20, B->A 50, A->B 20, A->B 1 | limited AM04 settled settled AM14 | A=40 B=20",
    );
    // An authorisation counts, its capture does not, and a void gives nothing back.
    check(
        "A=100 B=0 | limit A day_amount_max=30, hold A->B 30 #1, capture 1 30 #2, A->B 1 | limited authorised captured AM14 | A=70 B=30",
    );
    check(
        "A=100 B=0 | limit A day_amount_max=30, hold A->B 30 #1, void 1 #2, A->B 1 | limited authorised voided AM14 | A=100 B=0",
    );
    // Changing a limit forgets nothing; taking it away and setting it again does.
    check(
        "A=100 B=0 | limit A day_amount_max=30, A->B 30, limit A day_amount_max=31, A->B 2, A->B 1 | limited settled limited AM14 settled | A=69 B=31",
    );
    check(
        "A=100 B=0 | limit A day_amount_max=30, A->B 30, limit A, limit A day_amount_max=30, A->B 30 | limited settled limited limited settled | A=40 B=60",
    );
}

#[test]
fn a_limit_below_the_present_use_is_refused() {
    check(
        "A=100 B=0 | limit A maximum_balance=99.99, limit A minimum_balance=100.01, limit A minimum_balance=100 | AM02 AM02 limited | A=100 B=0",
    );
    check(
        "A=100 B=0 | hold A->B 10 #1, limit A minimum_balance=90.01, limit A minimum_balance=90 | authorised AM02 limited | A=100/10 B=0",
    );
    check(
        "A/50=0 B=0 | A->B 50, limit A overdraft_limit=49, limit A overdraft_limit=50.00 | settled AM02 duplicate | A=-50 B=50",
    );
    check(
        "A=100 B=0 | limit A day_amount_max=30, A->B 30, limit A day_amount_max=29, limit A day_count_max=0 | limited settled AM02 AM02 | A=70 B=30",
    );
    check("A=100 B=0 | limit A minimum_balance=50 maximum_balance=49 | NARR | A=100 B=0");
    check(
        "A=100 B=0 | limit A minimum_balance=-1, limit A day_amount_max=0.001, limit A maximum_balance=x | AM12 AM12 AM12 | A=100 B=0",
    );
    check(
        "A=100 B=0 | limit A day_count_max=3, limit A day_count_max=3 | limited duplicate | A=100 B=0",
    );
}

#[test]
fn by_how_much_says_a_refusal_only_to_whom_it_concerns() {
    let mut bank = Bank::parse("A=100 B=0");
    bank.book.rules = Rules::NEWEST;
    ask(&mut bank, "limit A day_amount_max=30 minimum_balance=10");
    ask(&mut bank, "limit B maximum_balance=50");
    let mut check = |request: &str, expected: &str| {
        let decision = ask(&mut bank, request).expect("a request");
        let Answer::Payment(answer) = decision.answer else {
            panic!("a payment's answer")
        };
        let message = answer.reason.expect("a refusal").message;
        assert!(message.contains(expected), "{request}: {message}");
    };
    check("A->B 31", "30.00 may leave account");
    check("A->B 95", "10.00 must stay on account");
    check("shop: A->B 31", "has reached a limit");
    check("shop: A->B 95", "has not enough available");
    check("A->B 60", "may not hold so much");
    check("bank: A->B 60", "may hold 50.00 at most and holds 0.00");
}
