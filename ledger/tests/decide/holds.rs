//! What becomes of holds: authorised, captured, voided, ended.

use crate::story::check;

#[test]
fn what_is_held_can_not_be_spent_otherwise() {
    check("A=100 B=0 | hold A->B 60 #1 | authorised | A=100/60 B=0");
    check("A=100 B=0 | hold A->B 60 #1, A->B 40 | authorised settled | A=60/60 B=40");
    check("A=100 B=0 | hold A->B 60 #1, A->B 41 | authorised AM04 | A=100/60 B=0");
    check("A=100 B=0 | hold A->B 60 #1, hold A->B 41 #2 | authorised AM04 | A=100/60 B=0");
    check("A=100 B=0 | hold A->B 101 #1 | AM04 | A=100 B=0");
    check("A/50=0 B=0 | hold A->B 50 #1, A->B 0.01 | authorised AM04 | A=0/50 B=0");
}

#[test]
fn a_hold_is_captured_in_parts_up_to_what_is_held() {
    check("A=100 B=0 | hold A->B 60 #1, capture 1 #2 | authorised captured | A=40 B=60");
    check("A=100 B=0 | hold A->B 60 #1, capture 1 20 #2 | authorised captured | A=80/40 B=20");
    check(
        "A=100 B=0 | hold A->B 60 #1, capture 1 20 #2, capture 1 40 #3 | authorised captured captured | A=40 B=60",
    );
    check(
        "A=100 B=0 | hold A->B 60 #1, capture 1 20 #2, capture 1 #3 | authorised captured captured | A=40 B=60",
    );
    check("A=100 B=0 | hold A->B 60 #1, capture 1 20 final #2 | authorised captured | A=80 B=20");
    check(
        "A=100 B=0 | hold A->B 60 #1, capture 1 20 final #2, capture 1 #3 | authorised captured NARR | A=80 B=20",
    );
    check("A=100 B=0 | hold A->B 60 #1, capture 1 60.01 #2 | authorised AM02 | A=100/60 B=0");
    check(
        "A=100 B=0 | hold A->B 60 #1, capture 1 20 #2, capture 1 41 #3 | authorised captured AM02 | A=80/40 B=20",
    );
    check(
        "A=100 B=0 | hold A->B 60 #1, capture 1 #2, capture 1 #3 | authorised captured NARR | A=40 B=60",
    );
    check(
        "A=100 B=0 | hold A->B 60 #1, capture 1 0 #2, capture 1 0.001 #3 | authorised AM12 AM12 | A=100/60 B=0",
    );
    check("A=100 B=0 | capture 1 #2 | NOOR | A=100 B=0");
}

#[test]
fn a_void_frees_what_is_left() {
    check("A=100 B=0 | hold A->B 60 #1, void 1 #2 | authorised voided | A=100 B=0");
    check(
        "A=100 B=0 | hold A->B 60 #1, capture 1 20 #2, void 1 #3 | authorised captured voided | A=80 B=20",
    );
    check(
        "A=100 B=0 | hold A->B 60 #1, capture 1 #2, void 1 #3 | authorised captured NARR | A=40 B=60",
    );
    check("A=100 B=0 | hold A->B 60 #1, void 1 #2, void 1 #3 | authorised voided NARR | A=100 B=0");
    check(
        "A=100 B=0 | hold A->B 60 #1, void 1 #2, capture 1 #3 | authorised voided NARR | A=100 B=0",
    );
    check("A=100 B=0 | void 1 #2 | NOOR | A=100 B=0");
    // The bank may void anybody's hold, and nobody else may name another client's.
    check("A=100 B=0 | hold A->B 60 #1, bank: void 1 of a #2 | authorised voided | A=100 B=0");
    check("A=100 B=0 | hold A->B 60 #1, b: void 1 of a #2 | authorised AG01 | A=100/60 B=0");
    check(
        "A=100 B=0 | hold A->B 60 #1, b: void 1 #2, b: capture 1 #3 | authorised NOOR NOOR | A=100/60 B=0",
    );
}

#[test]
fn a_hold_that_is_due_counts_as_ended_whoever_comes_next() {
    check(
        "A=100 B=0 | hold A->B 60 until 13:00 #1, at 12:59, A->B 41 | authorised AM04 | A=100/60 B=0",
    );
    check(
        "A=100 B=0 | hold A->B 60 until 13:00 #1, at 13:00, A->B 41 | authorised settled | A=59 B=41",
    );
    check(
        "A=100 B=0 | hold A->B 60 until 13:00 #1, at 13:00, hold A->B 100 #2 | authorised authorised | A=100/100 B=0",
    );
    check(
        "A=100 B=0 | hold A->B 60 until 13:00 #1, at 13:00, capture 1 #2 | authorised NARR | A=100 B=0",
    );
    check(
        "A=100 B=0 | hold A->B 60 until 13:00 #1, at 13:00, void 1 #2 | authorised NARR | A=100 B=0",
    );
    check(
        "A=100 B=0 | hold A->B 60 until 13:00 #1, capture 1 20 #2, at 13:00, A->B 80 | authorised captured settled | A=0 B=100",
    );
    check(
        "A=100 B=0 | hold A->B 10 until 13:00 #1, hold A->B 20 until 14:00 #2, hold A->B 30 #3, at 13:30, A->B 50 | authorised authorised authorised settled | A=50/50 B=50",
    );
    check(
        "A=100 B=0 | hold A->B 10 until 13:00 #1, hold A->B 20 until 14:00 #2, hold A->B 30 #3, at 15:00, A->B 71 | authorised authorised authorised AM04 | A=100/30 B=0",
    );
    // Money that comes in ends nothing, and needs nothing to end.
    check(
        "A=100 B=10 | hold A->B 60 until 13:00 #1, at 13:00, B->A 10 | authorised settled | A=110/60 B=0",
    );
}

#[test]
fn the_end_of_a_hold_is_announced_once() {
    check(
        "A=100 B=0 | hold A->B 60 until 13:00 #1, at 13:00, end 1, end 1 | authorised expired duplicate | A=100 B=0",
    );
    check(
        "A=100 B=0 | hold A->B 60 until 13:00 #1, at 13:00, A->B 50, end 1, end 1 | authorised settled expired duplicate | A=50 B=50",
    );
    check(
        "A=100 B=0 | hold A->B 60 until 13:00 #1, at 12:59, end 1 | authorised DT01 | A=100/60 B=0",
    );
    check("A=100 B=0 | hold A->B 60 #1, end 1 | authorised DT01 | A=100/60 B=0");
    check(
        "A=100 B=0 | hold A->B 60 until 13:00 #1, capture 1 #2, at 13:00, end 1 | authorised captured NARR | A=40 B=60",
    );
    check("A=100 B=0 | end 1 | NOOR | A=100 B=0");
}

#[test]
fn an_id_is_used_up_once_whatever_the_kind() {
    check("A=100 B=0 | hold A->B 60 #1, hold A->B 60 #1 | authorised duplicate | A=100/60 B=0");
    check("A=100 B=0 | hold A->B 60 #1, hold A->B 60.00 #1 | authorised duplicate | A=100/60 B=0");
    check("A=100 B=0 | hold A->B 60 #1, hold A->B 61 #1 | authorised AM05 | A=100/60 B=0");
    check("A=100 B=0 | hold A->B 60 #1, A->B 60 #1 | authorised AM05 | A=100/60 B=0");
    check("A=100 B=0 | A->B 60 #1, hold A->B 60 #1 | settled AM05 | A=40 B=60");
    check(
        "A=100 B=0 | hold A->B 60 #1, capture 1 20 #2, capture 1 20.0 #2 | authorised captured duplicate | A=80/40 B=20",
    );
    check(
        "A=100 B=0 | hold A->B 60 #1, capture 1 20 #2, capture 1 21 #2 | authorised captured AM05 | A=80/40 B=20",
    );
    check(
        "A=100 B=0 | hold A->B 60 #1, capture 1 20 #2, void 1 #2 | authorised captured AM05 | A=80/40 B=20",
    );
    check(
        "A=100 B=0 | hold A->B 101 #1, hold A->B 101 #1, capture 1 #2 | AM04 duplicate NOOR | A=100 B=0",
    );
}

#[test]
fn the_first_reason_in_the_order_of_precedence_is_the_answer() {
    check("A=100 B=0 | hold A->B 0 #1, hold A->A 1 #2 | AM12 NARR | A=100 B=0");
    check(
        "A=100 B=0 | hold A->B 1 until 12:00 #1, hold A->B 1 until x #2, hold A->B 1 until 2027-01-01T00:00:00Z #3 | DT01 DT01 DT01 | A=100 B=0",
    );
    check(
        "A=100 B=0 | hold X->B 1 until x #1, hold X->B 1 #2, hold A->X 1 #3 | DT01 AC02 AC03 | A=100 B=0",
    );
    check("A=100 B=0 | b: hold A->B 1 #1, shop: hold A->B 1 #2 | AG01 authorised | A=100/1 B=0");
    check(
        "Cash:asset=0 A=0 | bank: hold Cash->A 1 #1, bank: hold A->Cash 1 #2 | NARR AM04 | Cash=0 A=0",
    );
    check("A!frozen=100 B=0 | hold A->B 1000 #1 | AC06 | A=100 B=0");
    check("A!closed=0 B=0 | hold A->B 1000 #1 | AC04 | A=0 B=0");
    check("A=100 Y:JPY=0 | hold A->Y 1000 #1 | AM03 | A=100 Y=0");
    check(
        "A=100 B=0 | hold A->B 60 #1, freeze A debit, capture 1 100 #2, void 1 #3 | authorised frozen AC06 voided | A=100 B=0",
    );
    check(
        "A=100 B=0 | hold A->B 60 #1, close B, capture 1 #2 | authorised closed AC04 | A=100/60 B=0",
    );
}
