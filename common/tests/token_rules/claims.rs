//! The claims: all there, once, of their types, for us, from the owner of the key, and in time.

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::NAME_CHARS_MAX;
use common::token::{
    Audience, CheckedTokens, Policy, TOKEN_BYTES_MAX, TokenError, new_jti, verify,
};
use serde_json::{Value, json};

use crate::{
    ISSUER, KEYS, OTHER, OTHER_ISSUER, OURS, check, claims, good, header, now, row, with,
    with_claim, with_claims, with_twice,
};

#[test]
fn every_claim_is_there_once_and_of_its_type() {
    let mut rows = Vec::new();
    for (name, value) in claims().as_object().unwrap() {
        let null = with(claims(), name, json!("NULL")).replace("\"NULL\"", "null");
        let twice = with_twice(&claims(), name, value);
        rows.push(row(
            &format!("no {name}"),
            with_claim(name, Value::Null),
            TokenError::Claim,
        ));
        rows.push(row(
            &format!("null {name}"),
            with_claims(&null),
            TokenError::Claim,
        ));
        rows.push(row(
            &format!("{name} twice"),
            with_claims(&twice),
            TokenError::Claim,
        ));
        let wrong = if value.is_string() {
            vec![json!(1), json!([value]), json!({}), json!(true)]
        } else {
            vec![
                json!(value.to_string()),
                json!([value]),
                json!(1.5),
                json!(1e9),
                json!(u64::MAX),
            ]
        };
        for wrong in wrong {
            rows.push(row(
                &format!("{name}: {wrong}"),
                with_claim(name, wrong),
                TokenError::Claim,
            ));
        }
    }
    for client in ["", "a.b", "*", ">", "a b", &"x".repeat(65)] {
        rows.push(row(
            client,
            with_claim("client_id", json!(client)),
            TokenError::Claim,
        ));
    }
    for name in ["sub", "jti", "user_id"] {
        for text in ["\0", "a\0b", "a\n", "\u{1b}[2J", "\u{7f}", "\u{9b}"] {
            rows.push(row(
                &format!("{name}: {text:?}"),
                with_claim(name, json!(text)),
                TokenError::Claim,
            ));
        }
        let long = "ä".repeat(NAME_CHARS_MAX);
        assert!(verify(&with_claim(name, json!(long)), now(), Policy::HTTP, &KEYS).is_ok());
        rows.push(row(
            &format!("long {name}"),
            with_claim(name, json!(long + "ä")),
            TokenError::Claim,
        ));
    }
    for text in ["", "{}", "null", "{", &"[".repeat(500)] {
        rows.push(row(text, with_claims(text), TokenError::Claim));
    }
    check(rows);
}

#[test]
fn claims_in_a_list_are_no_claims() {
    // serde's structs are happy with the values in their order.
    let now = now().timestamp();
    let list = json!([
        ISSUER,
        "somebody",
        "quittance",
        "shop",
        "payments:submit",
        now - 60,
        now - 30,
        now + 840,
        new_jti(),
        "access",
        "somebody",
    ]);
    let header = json!(["RS256", "at+jwt", OURS.kid]).to_string();
    check([
        row("claims", with_claims(&list.to_string()), TokenError::Claim),
        row(
            "header",
            OURS.token(&header, &claims().to_string()),
            TokenError::Malformed,
        ),
    ]);
}

#[test]
fn a_token_is_for_us_from_the_owner_of_the_key() {
    let theirs = |issuer: &str| {
        let header = with(header(), "kid", json!(OTHER.kid));
        OTHER.token(&header, &with(claims(), "iss", json!(issuer)))
    };
    assert!(verify(&theirs(OTHER_ISSUER), now(), Policy::HTTP, &KEYS).is_ok());
    let mut rows = vec![row(
        "their key, our issuer",
        theirs(ISSUER),
        TokenError::Issuer,
    )];
    for issuer in [
        OTHER_ISSUER,
        "",
        "https://auth.test/",
        "HTTPS://AUTH.TEST",
        " https://auth.test",
    ] {
        rows.push(row(
            issuer,
            with_claim("iss", json!(issuer)),
            TokenError::Issuer,
        ));
    }
    for audience in [
        "",
        "ledger",
        "Quittance",
        "quittance ",
        "quittance,ledger",
        "quittance-log",
    ] {
        rows.push(row(
            audience,
            with_claim("aud", json!(audience)),
            TokenError::Audience(Audience::Http),
        ));
    }
    for kind in ["refresh", "sliding", "Access", ""] {
        rows.push(row(
            kind,
            with_claim("token_type", json!(kind)),
            TokenError::Lifetime,
        ));
    }
    check(rows);
}

#[test]
fn a_token_lives_from_nbf_to_just_before_exp_and_not_too_long() {
    let seconds = now().timestamp();
    check([
        row(
            "901 s",
            with_claim("exp", json!(seconds + 841)),
            TokenError::Lifetime,
        ),
        row(
            "0 s",
            with_claim("exp", json!(seconds - 60)),
            TokenError::Lifetime,
        ),
        row(
            "less",
            with_claim("exp", json!(seconds - 61)),
            TokenError::Lifetime,
        ),
        row(
            "for ever",
            with_claim("exp", json!(i64::MAX)),
            TokenError::Lifetime,
        ),
        row(
            "since for ever",
            with_claim("iat", json!(i64::MIN)),
            TokenError::Lifetime,
        ),
        row(
            "backwards",
            with_claim("exp", json!(i64::MIN)),
            TokenError::Lifetime,
        ),
        row(
            "before it was issued",
            with_claim("nbf", json!(seconds - 91)),
            TokenError::Lifetime,
        ),
        row(
            "since always",
            with_claim("nbf", json!(i64::MIN)),
            TokenError::Lifetime,
        ),
        row(
            "issued in the future",
            with_claim("iat", json!(seconds + 31)),
            TokenError::NotYetValid,
        ),
        row(
            "not yet",
            with_claim("nbf", json!(seconds + 1)),
            TokenError::NotYetValid,
        ),
        row(
            "never",
            with_claim("nbf", json!(i64::MAX)),
            TokenError::NotYetValid,
        ),
    ]);
    let token = good();
    let mut checked = CheckedTokens::default();
    for (milliseconds, expected) in [
        (-30_001, Some(TokenError::NotYetValid)),
        (-30_000, None),
        (0, None),
        (839_999, None),
        (840_000, Some(TokenError::Expired)),
        (840_001, Some(TokenError::Expired)),
    ] {
        let at = now() + TimeDelta::milliseconds(milliseconds);
        assert_eq!(
            verify(&token, at, Policy::HTTP, &KEYS).err(),
            expected,
            "{milliseconds} ms"
        );
        assert_eq!(
            checked.verify(&token, at, Policy::HTTP, &KEYS).err(),
            expected,
            "{milliseconds} ms, remembered"
        );
    }
    let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    assert_eq!(
        verify(&token, first, Policy::HTTP, &KEYS),
        Err(TokenError::NotYetValid)
    );
    assert_eq!(
        verify(&token, last, Policy::HTTP, &KEYS),
        Err(TokenError::Expired)
    );
}

#[test]
fn a_token_has_4096_bytes_at_most() {
    let padded = |length: usize| with_claim("scope", json!("x".repeat(length)));
    let spare = TOKEN_BYTES_MAX - padded(0).len();
    // Three bytes are four characters.
    let longest = padded(spare / 4 * 3);
    assert!((TOKEN_BYTES_MAX - 4..=TOKEN_BYTES_MAX).contains(&longest.len()));
    assert!(verify(&longest, now(), Policy::HTTP, &KEYS).is_ok());
    check([
        row("a little", padded(spare / 4 * 3 + 6), TokenError::Oversize),
        row("much", "x".repeat(1_000_000), TokenError::Oversize),
    ]);
}

#[test]
fn a_token_passes_for_its_own_audience_only_also_when_it_is_remembered() {
    let policies = [Policy::HTTP, Policy::LOG];
    for own in policies {
        let token = with_claim("aud", json!(own.audience.as_str()));
        let mut checked = CheckedTokens::default();
        for policy in policies.into_iter().chain(policies) {
            let expected = if policy == own {
                None
            } else {
                Some(TokenError::Audience(policy.audience))
            };
            let fresh = verify(&token, now(), policy, &KEYS).err();
            let remembered = checked.verify(&token, now(), policy, &KEYS).err();
            assert_eq!(
                (fresh, remembered),
                (expected, expected),
                "{own:?} {policy:?}"
            );
        }
    }
}

#[test]
fn what_a_token_says_besides_has_its_form_too() {
    for (name, good, bad) in [
        ("sid", json!("a-login"), json!(1)),
        ("act", json!({"sub": "scheduler"}), json!("scheduler")),
        ("payment_max", json!({"EUR": "10.00"}), json!({"EUR": 10})),
        (
            "accounts",
            json!(["01900000-ada0-7000-8000-000000000002"]),
            json!(["ada"]),
        ),
    ] {
        let judged = |value| verify(&with_claim(name, value), now(), Policy::HTTP, &KEYS);
        assert!(judged(good).is_ok(), "{name}");
        assert_eq!(judged(bad), Err(TokenError::Claim), "{name}");
    }
    for name in ["sid", "jti", "sub"] {
        let odd = with_claim(name, json!("a\u{0}b"));
        assert_eq!(
            verify(&odd, now(), Policy::HTTP, &KEYS),
            Err(TokenError::Claim),
            "{name}"
        );
    }
}
