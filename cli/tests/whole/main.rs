//! The whole system with real servers: nats-server, PostgreSQL and the three services as processes, used from outside.
//!
//! One binary, so that it is linked once. Each test starts a bank of its own on free ports.

mod accounts;
mod agreement;
mod audiences;
mod backup;
mod bad_input;
mod bank;
mod bulk;
mod by_hand;
mod chart;
mod crash;
mod discovery;
mod doctor;
mod door;
mod durability;
mod elsewhere;
mod empty_messages;
mod files;
mod freeze;
mod gateway;
mod history;
mod hostile;
mod idempotency;
mod keys;
mod log;
mod logs;
mod mandates;
mod metrics;
mod million;
mod mixed;
mod observability;
mod operators;
mod outage;
mod owner;
mod proof;
mod readiness;
mod receipts;
mod revocations;
mod rolling;
mod rules;
mod standby;
mod statements;
mod traces;
mod upgrade;
mod walk;
