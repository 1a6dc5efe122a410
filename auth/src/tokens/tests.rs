//! What is minted is what others verify, and nothing else passes for a refresh token.

use chrono::DateTime;
use common::token::{Keys, Policy, TokenError, verify};
use serde_json::{Map, Value, json};

use super::simplejwt::{Broken, Refresh, read_refresh, refresh};
use super::*;
use crate::keys::tests::{ring, signing_key};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("in range")
}

fn keys() -> Keys {
    let (key, mut keys) = (signing_key(), Keys::default());
    keys.insert(&key.kid, &key.issuer, &key.n, &key.e)
        .expect("ours is strong");
    keys
}

#[test]
fn an_access_token_is_what_every_service_verifies() {
    let (user, keys) = (Uuid::now_v7(), keys());
    let subject = Subject::user(user, Uuid::now_v7(), "payments:submit".to_owned());
    let token = access(
        signing_key(),
        subject,
        Terms::longest(Audience::Http, at(0)),
    );
    for (seconds, expected) in [
        (-31, Some(TokenError::NotYetValid)),
        (-30, None),
        (0, None),
        (899, None),
        (900, Some(TokenError::Expired)),
    ] {
        assert_eq!(
            verify(&token, at(seconds), Policy::HTTP, &keys).err(),
            expected,
            "at {seconds} s"
        );
    }
    let claims = verify(&token, at(0), Policy::HTTP, &keys).unwrap().claims;
    assert_eq!(
        (claims.sub.clone(), claims.user_id),
        (user.to_string(), user.to_string())
    );
    assert_eq!(claims.client_id, ClientId::of_user(user));
    assert_eq!(claims.jti.len(), 32);
    assert!(token.len() < 1200, "{} bytes", token.len());
}

#[test]
fn a_refresh_token_is_no_access_token_and_ends_with_its_family() {
    let family = Uuid::now_v7();
    let mut of = Refresh {
        user_id: Uuid::now_v7(),
        family,
        generation: 3,
        family_ends_at: at(14 * 86_400),
        issued_at: at(0),
    };
    let token = refresh(signing_key(), &of);
    assert_eq!(
        token,
        refresh(signing_key(), &of),
        "the same however often it is made"
    );
    assert_eq!(
        verify(&token, at(0), Policy::HTTP, &keys()),
        Err(TokenError::Type)
    );
    let claims = read_refresh(&token, ring(), at(0)).unwrap();
    assert_eq!((claims.family, claims.generation), (family, Some(3)));
    let is_over =
        |token: &str, seconds| read_refresh(token, ring(), at(seconds)) == Err(Broken::Expired);
    assert!(!is_over(&token, 86_399) && is_over(&token, 86_400));
    of.family_ends_at = at(60);
    let last = refresh(signing_key(), &of);
    assert!(!is_over(&last, 59) && is_over(&last, 60));
}

/// Signs a refresh token's claims with some of them changed; `null` removes one.
fn changed(typ: &str, changes: Value) -> String {
    let mut claims = json!({
        "token_type": "refresh", "exp": at(100).timestamp(), "iat": at(0).timestamp(), "jti": new_jti(),
        "user_id": Uuid::now_v7(), "family": Uuid::now_v7(), "iss": signing_key().issuer,
    });
    let Value::Object(changes) = changes else {
        panic!("changes are an object")
    };
    for (name, value) in changes {
        claims[name] = value;
    }
    let claims: Map<String, Value> = claims
        .as_object()
        .expect("made above")
        .clone()
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect();
    sign(signing_key(), typ, &claims)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table reads best in one place")]
fn a_refresh_token_breaks_rules_in_simplejwts_words() {
    let good = changed("JWT", json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (_, claims) = signed.split_once('.').unwrap();
    let with_header = |header: Value| {
        let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header.to_string()));
        let signature = signing_key().sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let kid = &signing_key().kid;
    let hs256 = {
        use aws_lc_rs::hmac;
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": kid}).to_string();
        let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
        let key = hmac::Key::new(hmac::HMAC_SHA256, signing_key().n.as_bytes());
        let tag = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let rows = [
        ("good", good.clone(), None),
        ("empty", String::new(), Some("Token is invalid")),
        ("garbage", "abc".to_owned(), Some("Token is invalid")),
        ("dots", "..".to_owned(), Some("Token is invalid")),
        ("long", "a.".repeat(3000), Some("Token is invalid")),
        (
            "no signature",
            format!("{signed}."),
            Some("Token is invalid"),
        ),
        (
            "tampered signature",
            format!("{signed}.AAAA{}", &signature[4..]),
            Some("Token is invalid"),
        ),
        (
            "tampered claims",
            good.replacen(".ey", ".eyAK", 1),
            Some("Token is invalid"),
        ),
        ("HS256 with the public key", hs256, Some("Token is invalid")),
        (
            "alg none",
            with_header(json!({"alg": "none", "typ": "JWT", "kid": kid})),
            Some("Token is invalid"),
        ),
        (
            "another kid",
            with_header(json!({"alg": "RS256", "typ": "JWT", "kid": "x"})),
            Some("Token is invalid"),
        ),
        (
            "crit",
            with_header(json!({"alg": "RS256", "typ": "JWT", "kid": kid, "crit": ["exp"]})),
            Some("Token is invalid"),
        ),
        (
            "expired",
            changed("JWT", json!({"exp": at(0).timestamp()})),
            Some("Token is expired"),
        ),
        (
            "expired access",
            changed("at+jwt", json!({"exp": 1, "token_type": "access"})),
            Some("Token is expired"),
        ),
        (
            "text exp",
            changed("JWT", json!({"exp": "9999999999"})),
            Some("Token is invalid"),
        ),
        (
            "no exp",
            changed("JWT", json!({"exp": null})),
            Some("Token has no 'exp' claim"),
        ),
        (
            "no jti",
            changed("JWT", json!({"jti": null})),
            Some("Token has no id"),
        ),
        (
            "no type",
            changed("JWT", json!({"token_type": null})),
            Some("Token has no type"),
        ),
        (
            "access",
            changed("at+jwt", json!({"token_type": "access"})),
            Some("Token has wrong type"),
        ),
        (
            "sliding",
            changed("JWT", json!({"token_type": "sliding"})),
            Some("Token has wrong type"),
        ),
        (
            "number for a type",
            changed("JWT", json!({"token_type": 1})),
            Some("Token has wrong type"),
        ),
        (
            "no family",
            changed("JWT", json!({"family": null})),
            Some("Token is invalid"),
        ),
        (
            "family is no id",
            changed("JWT", json!({"family": "x"})),
            Some("Token is invalid"),
        ),
    ];
    for (case, token, expected) in rows {
        let error = read_refresh(&token, ring(), at(0)).err();
        assert_eq!(
            error.map(|error| error.to_string()).as_deref(),
            expected,
            "{case}"
        );
    }
}
