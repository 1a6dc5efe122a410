//! A log file is read as it was written, or refused: whatever is changed in it, and wherever it is cut.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::message::Stored;

use super::*;

/// Requests and answers with everything that the log may hold.
fn messages(count: u64) -> Vec<(Stored, Option<Stored>)> {
    let message = |sequence: u64, subject: &str, body: String| Stored {
        sequence,
        published_at: DateTime::from_timestamp_micros(
            1_764_000_000_000_000 + sequence.cast_signed(),
        )
        .expect("a time"),
        subject: subject.to_owned(),
        headers: [
            ("Authorization", "Bearer a.b.c"),
            ("ce-id", "1"),
            ("a", ""),
            ("a", "ü"),
        ]
        .into_iter()
        .collect(),
        unreadable_headers: None,
        payload: body.into(),
    };
    (1..=count)
        .map(|seq| {
            let mut request = message(seq, "request.payment.v1.shop", format!("{{\"n\":{seq}}}"));
            if seq == 2 {
                request.headers = common::headers::Headers::default();
                request.unreadable_headers = Some(vec![0xff, 0, b'\n'].into());
                request.payload = Vec::new().into();
            }
            let answer = message(seq, "settlement.payment.v1.shop", "{}".to_owned());
            (request, (seq < count).then_some(answer))
        })
        .collect()
}

fn write(path: &Path, count: u64) -> Vec<(Stored, Option<Stored>)> {
    let messages = messages(count);
    let head = Head {
        requests: count,
        answers: count - 1,
        exported_at: DateTime::UNIX_EPOCH,
        program: "a test".to_owned(),
    };
    let mut file = LogFileWriter::create(path, &head).expect("a file");
    for (request, answer) in &messages {
        file.add(request, answer.as_ref()).expect("room");
    }
    assert!(!path.exists(), "its name shows before it is whole");
    let bytes = file.finish().expect("room");
    assert_eq!(bytes, fs::metadata(path).expect("a file").len());
    messages
}

fn read(path: &Path) -> Result<Vec<String>, LogFileError> {
    let mut file = LogFileReader::open(path)?;
    let (mut requests, mut answers) = (Vec::new(), Vec::new());
    while let Some(portion) = file.portion()? {
        requests.extend(portion.requests);
        answers.extend(portion.answers);
    }
    let all = requests.iter().chain(&answers);
    Ok(all.map(|message| format!("{message:?}")).collect())
}

#[test]
fn a_log_file_is_read_as_it_was_written_by_its_owner_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    for count in [1, 3, 1000, 2501] {
        let written = write(&path, count);
        let requests = written.iter().map(|(request, _)| request);
        let answers = written.iter().filter_map(|(_, answer)| answer.as_ref());
        let expected: Vec<_> = requests
            .chain(answers)
            .map(|message| format!("{message:?}"))
            .collect();
        assert_eq!(read(&path).expect("it is whole"), expected);
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(&directory).expect("a directory").count(),
            1,
            "the temporary file is gone"
        );
        fs::remove_file(&path).expect("a file");
    }
}

#[test]
fn one_bit_changed_anywhere_and_every_cut_is_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    write(&path, 5);
    let whole = fs::read(&path).expect("a file");
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            fs::write(&path, changed).expect("room");
            assert!(read(&path).is_err(), "bit {bit} of byte {at}");
        }
        fs::write(&path, &whole[..at]).expect("room");
        assert!(read(&path).is_err(), "cut at {at}");
    }
    fs::write(&path, [&whole[..], b"\0"].concat()).expect("room");
    assert!(read(&path).is_err(), "a byte behind the end");
}

#[test]
fn errors_say_what_the_file_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    write(&path, 1500);
    let whole = fs::read(&path).expect("a file");
    let mut newer = whole.clone();
    newer[11] = 9;
    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    for (bytes, expected) in [
        (&b""[..], "no log that"),
        (b"{\"a log\": false}", "no log that"),
        (&newer, "version 9"),
        (&whole[..last], "ends in the middle, behind request 1500"),
        (&whole[..200], "ends in the middle, behind request 0"),
        (&changed, "changed or damaged behind request 1500"),
    ] {
        fs::write(&path, bytes).expect("room");
        let error = read(&path).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    let head = Head {
        requests: 1,
        answers: 0,
        exported_at: DateTime::UNIX_EPOCH,
        program: "a test".to_owned(),
    };
    drop(LogFileWriter::create(&path, &head).expect("a file"));
    assert_eq!(fs::read_dir(&directory).expect("a directory").count(), 0);
}
