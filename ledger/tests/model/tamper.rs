//! A long log replays to the books, and one byte that was changed anywhere in it is found.

use std::env;
use std::path::Path;
use std::time::Instant;

use chrono::TimeDelta;
use common::message::Stored;
use ledger::audit::log_file::{LogFileReader, LogFileWriter};
use ledger::audit::{Verdict, export, replay_file};

use crate::mix::Mix;
use crate::random::Random;
use crate::system::System;
use crate::{Model, seeded};

/// Requests in the log, unless asked for otherwise: `QUITTANCE_MODEL_REQUESTS=100000` takes minutes.
const REQUESTS: u64 = 3000;
/// Bytes that are flipped, one at a time, unless asked for otherwise.
const FLIPS: u64 = 12;
const PORTION: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_replays_and_one_flipped_byte_is_found() {
    let seed = seeded();
    let number = |name: &str, or: u64| {
        let asked = env::var(name).ok();
        asked.map_or(or, |text| text.parse().expect("a number"))
    };
    let (requests, flips) = (
        number("QUITTANCE_MODEL_REQUESTS", REQUESTS),
        number("QUITTANCE_MODEL_FLIPS", FLIPS),
    );
    let mut system = System::start().await;
    let mut model = Model::default();
    let mut mix = Mix::new(seed);
    let begun = Instant::now();
    while model.seen < requests {
        system.publish(mix.opening()).await;
        let mut portion: Vec<_> = (0..PORTION).map(|_| mix.next()).collect();
        // In any order, so that the broker takes many at a time.
        portion.sort_by_key(|(door, _)| *door);
        let last = system.publish(portion).await;
        mix.hear(model.compare(system.answered(last).await).into_iter());
    }
    eprintln!("{} requests answered in {:?}", model.seen, begun.elapsed());
    let directory = tempfile::tempdir().expect("a directory");
    let whole = directory.path().join("log");
    let exported = export(&system.auditor(), &whole, |_, _| {}).await;
    let exported = exported.expect("a log");
    let begun = Instant::now();
    let verdict = replayed(&system, &whole).await;
    let Ok(Verdict::Agrees(summary)) = verdict else {
        panic!("the log does not lead to the books: {verdict:?}")
    };
    eprintln!(
        "{} requests replayed from {} bytes in {:?}: {} settled, {} accounts",
        summary.requests,
        exported.bytes,
        begun.elapsed(),
        summary.settled,
        summary.accounts
    );
    let mut random = Random::new(seed);
    for flip in 0..flips {
        let seq = 1 + random.number(exported.answers);
        let (forged, what) = (directory.path().join("forged"), random.below(5));
        let what = forge(&whole, &forged, seq, what, &mut random);
        let verdict = replayed(&system, &forged).await;
        eprintln!("{flip}: {what} of {seq}: {verdict:?}");
        assert!(
            !matches!(verdict, Ok(Verdict::Agrees(_))),
            "{what} of message {seq} was changed, and nobody noticed"
        );
    }
}

async fn replayed(system: &System, file: &Path) -> Result<Verdict, String> {
    let mut database = system.database().await;
    let replaying = replay_file(file.to_owned(), Some(&mut database), |_, _| {});
    replaying.await.map_err(|error| error.to_string())
}

/// Copies a log with one byte changed in one message, and with digests that fit, as only somebody makes them who knows
/// the format.
fn forge(whole: &Path, forged: &Path, seq: u64, what: usize, random: &mut Random) -> &'static str {
    let mut file = LogFileReader::open(whole).expect("a log");
    let mut copy = LogFileWriter::create(forged, file.head()).expect("a file");
    let mut changed = "";
    while let Some(mut portion) = file.portion().expect("a log") {
        let messages = if what == 0 {
            &mut portion.answers
        } else {
            &mut portion.requests
        };
        if let Some(message) = messages.iter_mut().find(|message| message.sequence == seq) {
            changed = change(message, what, random);
        }
        for (index, request) in portion.requests.iter().enumerate() {
            copy.add(request, portion.answers.get(index))
                .expect("a disk");
        }
    }
    copy.finish().expect("a disk");
    changed
}

fn change(message: &mut Stored, what: usize, random: &mut Random) -> &'static str {
    match what {
        0 | 1 => {
            let mut bytes = message.payload.to_vec();
            let place = random.below(bytes.len());
            bytes[place] ^= 1;
            message.payload = bytes.into();
            if what == 0 {
                "a byte of the answer"
            } else {
                "a byte of the request"
            }
        }
        2 => {
            let mut bytes = message.subject.clone().into_bytes();
            let place = random.below(bytes.len());
            bytes[place] ^= 1;
            message.subject = String::from_utf8(bytes).expect("plain letters");
            "a byte of the subject"
        }
        3 => {
            message.published_at += TimeDelta::microseconds(1);
            "the time"
        }
        _ => {
            let chosen = random.below(message.headers.iter().count());
            let values = message.headers.iter().enumerate();
            let values = values.map(|(place, (name, value))| {
                let mut bytes = value.as_bytes().to_vec();
                if place == chosen {
                    bytes[0] ^= 1;
                }
                (name, String::from_utf8(bytes).expect("plain letters"))
            });
            let values: Vec<_> = values.collect();
            let forged = values.iter().map(|(name, value)| (*name, value.as_str()));
            message.headers = forged.collect();
            "a byte of a header"
        }
    }
}
