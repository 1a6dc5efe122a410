//! What a revocation revokes, and for how long: a row each.

use chrono::{DateTime, Utc};
use common::token::{Claims, Revocations, Target, Verified};

/// A second of 2027.
const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(NOW + seconds, 0).expect("in range")
}

/// A token of ada's, of login `s1`, with the id `j1`, signed by `k1`, issued at [`NOW`].
fn token() -> Verified {
    let claims = Claims {
        iss: "https://auth.test".to_owned(),
        sub: "ada".to_owned(),
        aud: "quittance-log".to_owned(),
        client_id: "user-ada".parse().expect("letters"),
        scope: String::new(),
        iat: NOW,
        nbf: NOW,
        exp: NOW + 900,
        jti: "j1".to_owned(),
        token_type: "access".to_owned(),
        user_id: "ada".to_owned(),
        sid: Some("s1".to_owned()),
        act: None,
        payment_max: None,
        accounts: None,
    };
    Verified {
        claims,
        kid: "k1".to_owned(),
    }
}

fn session(sid: &str) -> Target {
    Target::Session {
        sid: sid.to_owned(),
    }
}

fn subject(sub: &str, issued_until: i64) -> Target {
    Target::Subject {
        sub: sub.to_owned(),
        issued_until: NOW + issued_until,
    }
}

fn client(client_id: &str, issued_until: i64) -> Target {
    Target::Client {
        client_id: client_id.parse().expect("letters"),
        issued_until: NOW + issued_until,
    }
}

fn key(kid: &str) -> Target {
    Target::Key {
        kid: kid.to_owned(),
    }
}

fn one(jti: &str) -> Target {
    Target::Token {
        jti: jti.to_owned(),
    }
}

#[test]
fn a_revocation_revokes_what_it_names_and_nothing_else() {
    for (target, expected) in [
        (session("s1"), true),
        (session("s2"), false),
        (session("j1"), false),
        (one("j1"), true),
        (one("s1"), false),
        (subject("ada", 0), true),
        (subject("ada", 5), true),
        (subject("ada", -1), false),
        (subject("user-ada", 0), false),
        (client("user-ada", 0), true),
        (client("user-ada", -1), false),
        (client("ada", 0), false),
        (key("k1"), true),
        (key("k2"), false),
    ] {
        let mut revocations = Revocations::default();
        assert!(!revocations.has_revoked(&token(), at(0)));
        assert!(!revocations.covers(&target, at(0)));
        revocations.insert(&target, at(0));
        assert_eq!(
            revocations.has_revoked(&token(), at(1)),
            expected,
            "{target:?}"
        );
        assert!(revocations.covers(&target, at(1)), "{target:?}");
    }
}

#[test]
fn the_later_watermark_counts_in_whichever_order_they_come() {
    for order in [[-5, 0], [0, -5]] {
        let mut revocations = Revocations::default();
        for issued_until in order {
            revocations.insert(&subject("ada", issued_until), at(0));
        }
        assert!(revocations.has_revoked(&token(), at(1)), "{order:?}");
        assert!(revocations.covers(&subject("ada", -1), at(1)), "{order:?}");
        assert!(!revocations.covers(&subject("ada", 1), at(1)), "{order:?}");
    }
}

/// A key is revoked for ever; what names no key matters until the last token that it could concern has died.
#[test]
fn whether_a_token_is_revoked_depends_on_the_moment_and_not_on_what_was_forgotten() {
    let targets = [
        session("s1"),
        subject("ada", 0),
        client("user-ada", 0),
        one("j1"),
    ];
    let (mut kept, mut swept) = (Revocations::default(), Revocations::default());
    for target in &targets {
        kept.insert(target, at(0));
        swept.insert(target, at(0));
    }
    // Thousands of later ones make it forget.
    for number in 0..5000_i32 {
        swept.insert(&session(&number.to_string()), at(100_000));
    }
    for (seconds, expected) in [(0, true), (959, true), (960, false), (100_000, false)] {
        assert_eq!(
            kept.has_revoked(&token(), at(seconds)),
            expected,
            "{seconds}"
        );
    }
    for seconds in [100_000, 200_000] {
        assert!(!swept.has_revoked(&token(), at(seconds)), "{seconds}");
    }
    kept.insert(&key("k1"), at(0));
    assert!(kept.has_revoked(&token(), at(10_000_000)));
    // Revoking again later is new, because it reaches further.
    assert!(!kept.covers(&session("s1"), at(960)));
}
