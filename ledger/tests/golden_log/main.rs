//! Answers never change: a log of some years ago, replayed by today's code, leads to the same bytes.
//!
//! `ledger/tests/golden/` holds a log for each version of the rules: the requests as they were stored, under tokens of a
//! key that was made for it and thrown away, and the answers with the hash chain. The logs of old rules are never made
//! anew. `UPDATE_GOLDEN=1 cargo test -p ledger --test golden_log` makes the newest, which is right only until those rules
//! have been released.

mod bulk;
mod held;
mod key;
mod log;
mod opened;
mod revoked;

use std::path::PathBuf;
use std::{env, fs};

use chrono::{DateTime, Utc};
use common::message::Stored;
use common::token::CheckedTokens;
use ledger::core::batch::{decide_all, length, verify_all};
use ledger::core::book::Book;
use ledger::core::chain::Chain;
use ledger::core::rules::Rules;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) answer: String,
    pub(crate) answer_subject: String,
    pub(crate) chain: String,
}

#[test]
fn an_old_log_still_leads_to_the_same_answers() {
    for rules in Rules::ALL {
        let name = format!("tests/golden/rules-{}.json", rules.number());
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
        if rules == Rules::NEWEST && env::var_os("UPDATE_GOLDEN").is_some() {
            let text = serde_json::to_string_pretty(&answered(log::new())).expect("texts are JSON");
            fs::write(&file, text + "\n").expect("the golden log can be written");
        }
        let golden: Vec<Message> =
            serde_json::from_str(&fs::read_to_string(&file).expect("the golden log is there"))
                .expect("it is JSON");
        let bare = golden
            .iter()
            .map(|message| Message {
                headers: message.headers.clone(),
                ..bare(message)
            })
            .collect();
        for (index, (was, is)) in golden.iter().zip(answered(bare)).enumerate() {
            let place = format!("{} by {rules:?}", index + 1);
            assert_eq!(is.answer, was.answer, "answer {place}");
            assert_eq!(
                is.answer_subject, was.answer_subject,
                "the subject of answer {place}"
            );
            assert_eq!(is.chain, was.chain, "the chain after answer {place}");
        }
    }
}

fn bare(message: &Message) -> Message {
    Message {
        subject: message.subject.clone(),
        published_at: message.published_at,
        headers: Vec::new(),
        body: message.body.clone(),
        answer: String::new(),
        answer_subject: String::new(),
        chain: String::new(),
    }
}

/// Decides a log from its beginning.
fn answered(mut log: Vec<Message>) -> Vec<Message> {
    let mut waiting: Vec<Stored> = log
        .iter()
        .zip(1..)
        .map(|(message, seq)| stored(message, seq))
        .collect();
    let (mut book, mut chain, mut checked) =
        (Book::default(), Chain::START, CheckedTokens::default());
    let mut answers = log.iter_mut();
    while !waiting.is_empty() {
        let rest = waiting.split_off(length(&waiting));
        let verified = verify_all(&waiting, &book, &mut checked).expect("rules that are known");
        for item in decide_all(&mut book, chain, verified) {
            let message = answers.next().expect("as many answers as requests");
            message.answer = String::from_utf8(item.body.to_vec()).expect("JSON");
            message.answer_subject = item.request.answer_subject;
            message.chain = item.chain.to_string();
            chain = item.chain;
        }
        waiting = rest;
    }
    log
}

fn stored(message: &Message, sequence: u64) -> Stored {
    let headers = message.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
    Stored {
        sequence,
        published_at: message.published_at,
        subject: message.subject.clone(),
        headers: headers.collect(),
        unreadable_headers: None,
        payload: message.body.clone().into(),
    }
}
