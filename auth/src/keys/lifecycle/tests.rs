//! The steps of keys, one table for each story.

use super::*;

const MONTH: TimeDelta = TimeDelta::days(30);

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn key(kid: &str, state: State) -> Life {
    Life {
        kid: kid.to_owned(),
        state,
        is_announced: true,
        has_private_half: state != State::Retired && state != State::Revoked,
        activates_at: Some(at(0)),
        activated_at: (state != State::Pending).then(|| at(0)),
        retires_at: (state == State::Retiring).then(|| at(1000)),
    }
}

fn vouching(kid: &str) -> Life {
    Life {
        has_private_half: true,
        ..key(kid, State::Revoked)
    }
}

fn activate(kid: &str, now: i64) -> Option<Step> {
    Some(Step::Activate {
        kid: kid.to_owned(),
        predecessor_retires_at: at(now + 990),
    })
}

#[test]
fn each_step_has_its_time() {
    use State::{Active, Pending, Retired, Retiring, Revoked};
    let unannounced = |kid| Life {
        is_announced: false,
        ..key(kid, Pending)
    };
    let from = |kid, seconds| Life {
        activates_at: Some(at(seconds)),
        ..key(kid, Pending)
    };
    let month = MONTH.num_seconds();
    for (case, keys, now, expected) in [
        (
            "the first of all",
            vec![],
            5,
            Some(Step::Create {
                activates_at: at(5),
            }),
        ),
        ("it is not noted yet", vec![unannounced("a")], 5, None),
        ("it is noted", vec![key("a", Pending)], 5, activate("a", 5)),
        (
            "its time goes on",
            vec![key("a", Active)],
            month - 1201,
            None,
        ),
        (
            "its successor is made before its time is over",
            vec![key("a", Active)],
            month - 1200,
            Some(Step::Create {
                activates_at: at(month),
            }),
        ),
        (
            "nobody was there to make it: verifiers get their time all the same",
            vec![key("a", Active)],
            month + 7,
            Some(Step::Create {
                activates_at: at(month + 1207),
            }),
        ),
        (
            "verifiers fetch it",
            vec![key("a", Active), from("b", 50)],
            49,
            None,
        ),
        (
            "they have",
            vec![key("a", Active), from("b", 50)],
            50,
            activate("b", 50),
        ),
        (
            "the ledger has not noted it",
            vec![key("a", Active), unannounced("b")],
            month * 2,
            None,
        ),
        (
            "its last tokens go on",
            vec![key("a", Retiring), key("b", Active)],
            999,
            None,
        ),
        (
            "they are over",
            vec![key("a", Retiring), key("b", Active)],
            1000,
            Some(Step::Retire {
                kid: "a".to_owned(),
            }),
        ),
        (
            "retired and revoked stay",
            vec![key("a", Retired), key("b", Revoked), key("c", Active)],
            5,
            None,
        ),
    ] {
        assert_eq!(next(&keys, MONTH, at(now)), expected, "{case}");
    }
}

#[test]
fn a_revoked_key_vouches_for_its_successor_first() {
    use State::{Active, Pending};
    let unannounced = |kid| Life {
        is_announced: false,
        ..key(kid, Pending)
    };
    let from = |kid, seconds| Life {
        activates_at: Some(at(seconds)),
        ..key(kid, Pending)
    };
    for (case, keys, now, expected) in [
        (
            "the one that signed is revoked: another is made at once",
            vec![vouching("a")],
            5,
            Some(Step::Create {
                activates_at: at(5),
            }),
        ),
        (
            "it still vouches",
            vec![vouching("a"), unannounced("b")],
            5,
            None,
        ),
        (
            "a noted successor signs at once",
            vec![vouching("a"), from("b", 50)],
            5,
            activate("b", 5),
        ),
        (
            "then it is disowned",
            vec![vouching("a"), key("b", Active)],
            5,
            Some(Step::Disown {
                kid: "a".to_owned(),
            }),
        ),
    ] {
        assert_eq!(next(&keys, MONTH, at(now)), expected, "{case}");
    }
}

#[test]
fn who_vouches() {
    use State::{Active, Pending, Retiring, Revoked};
    for (keys, expected) in [
        (vec![], None),
        (vec![key("a", Pending)], Some("a")),
        (vec![key("a", Active), key("b", Pending)], Some("a")),
        (vec![key("a", Retiring), key("b", Active)], Some("b")),
        (vec![vouching("a"), key("b", Pending)], Some("a")),
        (vec![vouching("a"), key("b", Active)], Some("b")),
        (vec![key("a", Revoked), key("b", Pending)], Some("b")),
    ] {
        assert_eq!(voucher(&keys).map(|key| &*key.kid), expected, "{keys:?}");
    }
}

#[test]
fn words_and_states_belong_together() {
    for word in ["pending", "active", "retiring", "retired", "revoked"] {
        assert_eq!(State::from_word(word).map(State::as_str), Some(word));
    }
    assert_eq!(State::from_word("lost"), None);
}
