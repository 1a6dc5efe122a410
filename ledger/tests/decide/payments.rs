//! What becomes of payments.

use common::kinds::Answer;
use common::kinds::payment::PaymentStatus;
use common::reason::Code;

use crate::bank::{Bank, check};

#[test]
fn a_payment_moves_money_within_the_limits() {
    check("A=100 B=0 | A->B 30 | settled | A=70 B=30");
    check("A=100 B=0 | A->B 100 | settled | A=0 B=100");
    check("A=100 B=0 | A->B 100.01 | AM04 | A=100 B=0");
    check("A/50=0 B=0 | A->B 50 | settled | A=-50 B=50");
    check("A/50=0 B=0 | A->B 50.01 | AM04 | A=0 B=0");
    check("A=100 B=0 C=0 | A->B 60, A->C 60 | settled AM04 | A=40 B=60 C=0");
}

#[test]
fn a_later_request_sees_what_an_earlier_one_of_the_same_batch_did() {
    check("A=10 B=0 C=0 | A->B 10, B->C 10, C->A 10 | settled settled settled | A=10 B=0 C=0");
    check("A=10 B=0 C=0 | B->C 10, A->B 10 | AM04 settled | A=0 B=10 C=0");
}

#[test]
fn money_comes_in_from_an_asset_account_and_only_by_the_bank() {
    check("Cash:asset=0 A=0 | bank: Cash->A 100 | settled | Cash=100 A=100");
    check("Cash:asset=100 A=100 | bank: A->Cash 40 | settled | Cash=60 A=60");
    check("Cash:asset=10 A=100 | bank: A->Cash 40 | AM04 | Cash=10 A=100");
    check("Cash:asset=0 A=0 | shop: Cash->A 100 | AG01 | Cash=0 A=0");
    check("Cash:asset=50 A=50 | A->Cash 40 | AG01 | Cash=50 A=50");
    check("Fees:income=0 A=50 | bank: A->Fees 2 | settled | Fees=2 A=48");
}

#[test]
fn a_customer_pays_from_own_accounts_and_a_platform_from_any_customers() {
    check("A=100 B=0 | b: A->B 30 | AG01 | A=100 B=0");
    check("A=100 B=0 | shop: A->B 30 | settled | A=70 B=30");
    check("A=100 B=0 | bank: A->B 30 | settled | A=70 B=30");
}

#[test]
fn the_first_reason_in_the_order_of_precedence_is_the_answer() {
    check("A=100 B=0 | A->A 30 | NARR | A=100 B=0");
    check("A=100 B=0 | X->B 30 | AC02 | A=100 B=0");
    check("A=100 B=0 | A->X 30 | AC03 | A=100 B=0");
    check("A!frozen=100 B=0 | A->B 30 | AC06 | A=100 B=0");
    check("A=100 B!frozen=0 | A->B 30 | AC06 | A=100 B=0");
    check("A!closed=0 B=0 | A->B 30 | AC04 | A=0 B=0");
    check("A=100 Y:JPY=0 | A->Y 30 | AM03 | A=100 Y=0");
    check("A=100 B=0 | A->B 0.001 | AM12 | A=100 B=0");
    check("A=100 B=0 | A->B 0 | AM12 | A=100 B=0");
    check("A=100 B=0 | X->X 0 | AM12 | A=100 B=0");
    check("A!frozen=100 B=0 | b: A->B 3000 | AG01 | A=100 B=0");
    check("A!frozen=100 Y:JPY=0 | A->Y 3000 | AC06 | A=100 Y=0");
}

#[test]
fn the_same_payment_id_pays_once_whatever_came_of_it() {
    check("A=100 B=0 | A->B 30 #1, A->B 30 #1 | settled duplicate | A=70 B=30");
    check("A=100 B=0 | A->B 30 #1, A->B 30.00 #1 | settled duplicate | A=70 B=30");
    check("A=100 B=0 | A->B 30 #1, A->B 31 #1 | settled AM05 | A=70 B=30");
    check("A=100 B=0 C=0 | A->B 30 #1, A->C 30 #1 | settled AM05 | A=70 B=30 C=0");
    check("A=10 B=0 | A->B 30 #1, A->B 30 #1 | AM04 duplicate | A=10 B=0");
    check("A=10 B=20 | A->B 30 #1, B->A 20, A->B 30 #1 | AM04 settled duplicate | A=30 B=0");
    check("A=10 B=0 | A->B 0.001 #1, A->B 1 #1 | AM12 AM05 | A=10 B=0");
    check("A=50 B=0 | A->B 30 #1, A->B 31 #1, A->B 30 #1 | settled AM05 duplicate | A=20 B=30");
    // Payment ids are each client's own.
    check("A=100 B=100 | A->B 30 #1, B->A 5 #1 | settled settled | A=75 B=125");
}

#[test]
fn a_duplicate_carries_the_first_outcome() {
    let mut bank = Bank::parse("A=10 B=0");
    bank.send("A->B 30 #1");
    let Answer::Payment(answer) = bank.send("A->B 30 #1").answer else {
        panic!("a payment's answer")
    };
    let original = answer.original.expect("a duplicate has an original");
    assert_eq!(
        (original.request_seq, original.status, original.reason),
        (1, PaymentStatus::Rejected, Some(Code::AM04))
    );
}
