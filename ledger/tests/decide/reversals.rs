//! What becomes of reversals.

use ledger::core::rules::Rules;

use crate::story::{check, check_by};

#[test]
fn a_payment_is_booked_back_in_full_or_in_part_and_never_more() {
    check("A=100 B=0 | A->B 30 #1, bank: reverse 1 of a #2 | settled reversed | A=100 B=0");
    check("A=100 B=0 | A->B 30 #1, bank: reverse 1 10 of a #2 | settled reversed | A=80 B=20");
    check(
        "A=100 B=0 | A->B 30 #1, bank: reverse 1 10 of a #2, bank: reverse 1 of a #3 | settled reversed reversed | A=100 B=0",
    );
    check(
        "A=100 B=0 | A->B 30 #1, bank: reverse 1 10 of a #2, bank: reverse 1 21 of a #3 | settled reversed AM02 | A=80 B=20",
    );
    check(
        "A=100 B=0 | A->B 30 #1, bank: reverse 1 of a #2, bank: reverse 1 of a #3 | settled reversed NARR | A=100 B=0",
    );
    check("A=100 B=0 | A->B 30 #1, bank: reverse 1 30.01 of a #2 | settled AM02 | A=70 B=30");
    check("A=100 B=0 | A->B 30 #1, bank: reverse 1 0 of a #2 | settled AM12 | A=70 B=30");
    check(
        "A=100 B=0 C=0 | A->B 30 #1, B->C 30, bank: reverse 1 of a #2 | settled settled AM04 | A=70 B=0 C=30",
    );
}

#[test]
fn the_bank_or_who_was_paid_may_reverse() {
    check("A=100 B=0 | A->B 30 #1, b: reverse 1 of a #2 | settled reversed | A=100 B=0");
    check("A=100 B=0 | A->B 30 #1, reverse 1 #2 | settled AG01 | A=70 B=30");
    check("A=100 B=0 | A->B 30 #1, c: reverse 1 of a #2 | settled NOOR | A=70 B=30");
    check(
        "A=100 B=0 | b: reverse 1 of a #2, bank: reverse 1 of a #3, reverse 1 #4 | NOOR NOOR NOOR | A=100 B=0",
    );
    // A platform is no owner of what it pays to.
    check(
        "A=100 B=0 | shop: A->B 30 #1, shop: reverse 1 #2, bank: reverse 1 of shop #3 | settled AG01 reversed | A=100 B=0",
    );
}

#[test]
fn only_what_was_booked_can_be_reversed() {
    check(
        "A=100 B=0 | A->B 30 #1, bank: reverse 1 of a #2, bank: reverse 2 #3 | settled reversed NARR | A=100 B=0",
    );
    check("A=10 B=0 | A->B 30 #1, bank: reverse 1 of a #2 | AM04 NARR | A=10 B=0");
    check("A=100 B=0 | hold A->B 30 #1, bank: reverse 1 of a #2 | authorised NARR | A=100/30 B=0");
    check(
        "A=100 B=0 | hold A->B 30 #1, capture 1 20 #2, b: reverse 2 of a #3 | authorised captured reversed | A=100/10 B=0",
    );
    check(
        "A=100 B=0 | hold A->B 30 #1, void 1 #2, bank: reverse 2 of a #3 | authorised voided NARR | A=100 B=0",
    );
    // Who may not reverse learns nothing.
    check("A=10 B=0 | A->B 30 #1, b: reverse 1 of a #2 | AM04 NOOR | A=10 B=0");
}

#[test]
fn a_reversal_asked_twice_reverses_once() {
    check(
        "A=100 B=0 | A->B 30 #1, b: reverse 1 10 of a #2, b: reverse 1 10.00 of a #2 | settled reversed duplicate | A=80 B=20",
    );
    check(
        "A=100 B=0 | A->B 30 #1, b: reverse 1 10 of a #2, b: reverse 1 11 of a #2 | settled reversed AM05 | A=80 B=20",
    );
}

#[test]
fn controls_hold_for_reversals_too() {
    check(
        "A=100 B=0 | A->B 30 #1, freeze B debit, b: reverse 1 of a #2 | settled frozen AC06 | A=70 B=30",
    );
    check(
        "A=100 B=0 | A->B 30 #1, freeze A debit, b: reverse 1 of a #2 | settled frozen reversed | A=100 B=0",
    );
    check("A=30 B=0 | A->B 30 #1, close A, b: reverse 1 of a #2 | settled closed AC04 | A=0 B=30");
    check(
        "A=100 B=0 | A->B 30 #1, limit A maximum_balance=80, b: reverse 1 of a #2 | settled limited AM02 | A=70 B=30",
    );
    // What is held is not free to go back.
    check(
        "A=100 B=0 C=0 | A->B 30 #1, hold B->C 10 #1, b: reverse 1 of a #2 | settled authorised AM04 | A=70 B=30/10",
    );
    check(
        "A=100 B=0 C=0 | A->B 30 #1, hold B->C 10 until 13:00 #1, at 13:00, b: reverse 1 of a #2 | settled authorised reversed | A=100 B=0",
    );
}

/// By the rules that know it.
fn check_transaction(row: &str) {
    check_by(Rules::Six..=Rules::NEWEST, row);
}

#[test]
fn a_transaction_is_booked_back_whole_from_rules_6_on() {
    check_by(
        Rules::Five..=Rules::Five,
        "A=100 B=0 | book debit:A:30 credit:B:30 #1, bank: reverse 1 of a #2, b: book debit:B:30 credit:A:30 #3 | settled NARR settled | A=100 B=0",
    );
    check_transaction(
        "A=100 B=0 C=5 | book debit:A:30 credit:B:20 credit:C:10 #1, bank: reverse 1 of a #2 | settled reversed | A=100 B=0 C=5",
    );
    // Two currencies, each with its own sum.
    check_transaction(
        "A=100 B=0 Y:JPY=1000 Z:JPY=0 | shop: book debit:A:30 credit:B:30 debit:Y:300 credit:Z:300 #1, bank: reverse 1 of shop #2 | settled reversed | A=100 B=0 Y=1000 Z=0",
    );
    // An account on both sides needs the difference only.
    check_transaction(
        "A=100 B=0 C=0 | book debit:A:50 credit:B:50 #1, shop: book debit:B:50 credit:C:40 credit:B:10 #2, bank: reverse 2 of shop #3 | settled settled reversed | A=50 B=50 C=0",
    );
    check_transaction(
        "A=100 B=0 | book debit:A:30 credit:B:30 #1, bank: reverse 1 30 of a #2, bank: reverse 1 10 of a #3 | settled AM12 AM12 | A=70 B=30",
    );
    check_transaction(
        "A=100 B=0 | book debit:A:30 credit:B:30 #1, bank: reverse 1 of a #2, bank: reverse 1 of a #3, bank: reverse 1 5 of a #4, bank: reverse 2 #5 | settled reversed NARR NARR NARR | A=100 B=0",
    );
    check_transaction(
        "A=10 B=0 | book debit:A:30 credit:B:30 #1, bank: reverse 1 of a #2 | AM04 NARR | A=10 B=0",
    );
}

#[test]
fn only_the_bank_reverses_a_transaction() {
    check_transaction(
        "A=100 B=0 | book debit:A:30 credit:B:20 credit:B:10 #1, b: reverse 1 of a #2, reverse 1 #3, bank: reverse 1 of a #4 | settled NOOR AG01 reversed | A=100 B=0",
    );
    check_transaction(
        "A=100 B=0 | shop: book debit:A:30 credit:B:30 #1, shop: reverse 1 #2 | settled AG01 | A=70 B=30",
    );
}

#[test]
fn a_reversal_of_a_transaction_asked_twice_reverses_once() {
    check_transaction(
        "A=100 B=0 | book debit:A:30 credit:B:30 #1, bank: reverse 1 of a #2, bank: reverse 1 of a #2, bank: reverse 1 10 of a #2 | settled reversed duplicate AM05 | A=100 B=0",
    );
}

#[test]
fn from_rules_6_on_only_the_bank_reverses_what_was_paid_to_no_customers_account() {
    // A loan: whoever owes it owns the account, and a payment to it makes the debt smaller.
    let row = |outcome: &str, after: &str| {
        format!(
            "A=100 Loan:asset=70 | bank: A->Loan 30 #1, loan: reverse 1 of bank #2 | settled {outcome} | {after}"
        )
    };
    check_by(Rules::Five..=Rules::Five, &row("reversed", "A=100 Loan=70"));
    check_transaction(&row("NOOR", "A=70 Loan=40"));
    check_transaction(
        "A=100 Fees:income=0 | bank: A->Fees 30 #1, bank: reverse 1 #2 | settled reversed | A=100 Fees=0",
    );
}

#[test]
fn controls_hold_for_reversals_of_transactions_too() {
    check_transaction(
        "A=100 B=0 C=0 | book debit:A:30 credit:B:20 credit:C:10 #1, freeze C debit, bank: reverse 1 of a #2 | settled frozen AC06 | A=70 B=20 C=10",
    );
    check_transaction(
        "A=30 B=0 C=0 | book debit:A:30 credit:B:20 credit:C:10 #1, close A, bank: reverse 1 of a #2 | settled closed AC04 | A=0 B=20 C=10",
    );
    check_transaction(
        "A=100 B=0 C=0 | book debit:A:30 credit:B:20 credit:C:10 #1, limit A maximum_balance=80, bank: reverse 1 of a #2 | settled limited AM02 | A=70 B=20 C=10",
    );
    // As with payments, what goes back does not count for the day.
    check_transaction(
        "A=100 B=50 C=0 | book debit:A:30 credit:B:20 credit:C:10 #1, limit B day_amount_max=19, bank: reverse 1 of a #2, B->A 19, B->A 0.01 | settled limited reversed settled AM14 | A=119 B=31 C=0",
    );
    check(
        "A=100 B=50 | A->B 30 #1, limit B day_amount_max=19, bank: reverse 1 of a #2, B->A 19, B->A 0.01 | settled limited reversed settled AM14 | A=119 B=31",
    );
    check_transaction(
        "A=100 B=0 C=0 D=0 | book debit:A:30 credit:B:20 credit:C:10 #1, C->D 1 #2, bank: reverse 1 of a #3 | settled settled AM04 | A=70 B=20 C=9 D=1",
    );
    // What is held is not free to go back, until the hold has ended.
    check_transaction(
        "A=100 B=0 C=0 | book debit:A:30 credit:B:20 credit:C:10 #1, hold C->B 10 #2, bank: reverse 1 of a #3 | settled authorised AM04 | A=70 B=20 C=10/10",
    );
    check_transaction(
        "A=100 B=0 C=0 | book debit:A:30 credit:B:20 credit:C:10 #1, hold C->B 10 until 13:00 #2, at 13:00, bank: reverse 1 of a #3 | settled authorised reversed | A=100 B=0 C=0",
    );
}

#[test]
fn by_rules_5_a_refused_reversal_of_a_transaction_ends_no_hold() {
    check_by(
        Rules::Five..=Rules::Five,
        "A=100 B=0 C=0 | book debit:A:30 credit:B:30 #1, hold B->C 10 until 13:00 #2, at 13:00, bank: reverse 1 of a #3 | settled authorised NARR | A=70 B=30/10 C=0",
    );
}
