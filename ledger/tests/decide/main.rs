//! What `decide` promises, as tables and properties. Pure: no server, no clock, no key.
//!
//! A row of a table reads `accounts | requests | outcomes | accounts after`:
//! - `A=100` is an open EUR account of the customer `a` with 100.00; `A/50=0` may go 50.00 below zero; `Cash:asset=500`
//!   is the bank's; `B!frozen=0`, `B!closed=0`; `Y:JPY=100` is kept in yen.
//! - `A->B 30` is a payment by the owner of A; `shop:` in front sends it as a trusted platform, `bank:` as bank staff,
//!   `b:` as another customer; `#1` names the payment id, otherwise each payment has its own.

mod accounts;
mod bank;
mod bulk;
mod controls;
mod holds;
mod payments;
mod properties;
mod reversals;
mod rules;
mod story;
mod transactions;
