//! What becomes of transactions of several postings.

use crate::story::check;

#[test]
fn all_of_it_is_booked_or_nothing() {
    check("A=100 B=0 C=0 | book debit:A:30 credit:B:20 credit:C:10 #1 | settled | A=70 B=20 C=10");
    check(
        "A=100 B=0 C!closed=0 | book debit:A:30 credit:B:20 credit:C:10 #1 | AC04 | A=100 B=0 C=0",
    );
    check("A=100 B=0 C=0 | book debit:A:101 credit:B:91 credit:C:10 #1 | AM04 | A=100 B=0 C=0");
    check(
        "A=100 B=0 Fees:income=0 | bank: book debit:A:30 credit:B:29 credit:Fees:1 #1 | settled | A=70 B=29 Fees=1",
    );
    check(
        "A=100 B=10 | shop: book debit:A:30 credit:B:30 debit:B:5 credit:A:5 #1 | settled | A=75 B=35",
    );
}

#[test]
fn currencies_are_exchanged_over_accounts_of_the_bank() {
    check(
        "A=100 Y:JPY=0 Pot:asset=0 | bank: book debit:A:10 credit:Pot:10 #1 | AM04 | A=100 Pot=0",
    );
    check(
        "A=100 Y:JPY=0 B=0 Z:JPY=2000 | shop: book debit:A:10 credit:B:10 debit:Z:1600 credit:Y:1600 #1 | settled | A=90 B=10 Y=1600 Z=400",
    );
    check("A=100 Y:JPY=0 | book debit:A:10 credit:Y:10 #1 | NARR | A=100 Y=0");
    // What is left of a split by three goes to an account that is named.
    check(
        "A=10 B=0 C=0 D=0 Cents:income=0 | bank: book debit:A:10 credit:B:3.33 credit:C:3.33 credit:D:3.33 credit:Cents:0.01 #1 | settled | A=0 B=3.33 C=3.33 D=3.33 Cents=0.01",
    );
}

#[test]
fn an_account_needs_no_more_than_the_difference() {
    check(
        "A=0 B=100 C=0 | shop: book debit:A:50 credit:C:50 debit:B:60 credit:A:60 #1 | settled | A=10 B=40 C=50",
    );
    check(
        "A=0 B=100 C=0 | shop: book debit:A:61 credit:C:61 debit:B:60 credit:A:60 #1 | AM04 | A=0 B=100 C=0",
    );
    check(
        "A=100 B=0 C=0 | hold A->B 60 #1, book debit:A:40 credit:B:40 #2, book debit:A:1 credit:B:1 #3 | authorised settled AM04 | A=60/60 B=40",
    );
    check(
        "A=100 B=0 | hold A->B 60 until 13:00 #1, at 13:00, book debit:A:100 credit:B:100 #2 | authorised settled | A=0 B=100",
    );
}

#[test]
fn the_first_reason_in_the_order_of_precedence_is_the_answer() {
    check(
        "A=100 B=0 | book debit:A:1 #1, book debit:A:1 credit:B:2 #2, book debit:A:0 credit:B:0 #3 | FF01 NARR AM12 | A=100 B=0",
    );
    check(
        "A=100 B=0 | book debit:X:1 credit:B:1 #1, book debit:A:1 credit:X:1 #2 | AC02 AC03 | A=100 B=0",
    );
    check(
        "A=100 B=50 | b: book debit:A:1 credit:B:1 #1, book debit:A:1 credit:A:1 debit:B:1 credit:A:1 #2 | AG01 AG01 | A=100 B=50",
    );
    check(
        "A=100 Fees:income=0 | book debit:A:1 credit:Fees:1 #1, shop: book debit:A:1 credit:Fees:1 #2 | AG01 AG01 | A=100 Fees=0",
    );
    check(
        "A=100 B=0 | freeze A debit, book debit:A:1000 credit:B:1000 #1 | frozen AC06 | A=100 B=0",
    );
    check(
        "A=100 B=0 | limit B maximum_balance=5, book debit:A:10 credit:B:10 #1, book debit:A:10 credit:B:10 debit:B:5 credit:A:5 #2, shop: book debit:A:10 credit:B:10 debit:B:5 credit:A:5 #3 | limited AM02 AG01 settled | A=95 B=5",
    );
    check(
        "A=100 B=0 | limit A day_amount_max=30 day_count_max=2, book debit:A:20 credit:B:20 #1, book debit:A:11 credit:B:11 #2, book debit:A:10 credit:B:10 #3, book debit:A:0.01 credit:B:0.01 #4 | limited settled AM14 settled AM14 | A=70 B=30",
    );
}

#[test]
fn asked_twice_it_is_booked_once() {
    check(
        "A=100 B=0 | book debit:A:30 credit:B:30 #1, book debit:A:30.00 credit:B:30.0 #1 | settled duplicate | A=70 B=30",
    );
    check(
        "A=100 B=0 | book debit:A:30 credit:B:30 #1, book debit:A:31 credit:B:31 #1, A->B 30 #1 | settled AM05 AM05 | A=70 B=30",
    );
}
