//! What becomes of reversals.

use crate::story::check;

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
