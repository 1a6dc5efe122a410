//! Whatever comes: no panic, and nothing passes that should not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::token::{Audience, Policy, Times, TokenError, bearer, verify};
use proptest::prelude::*;
use serde_json::json;

use crate::{KEYS, OTHER, OURS, claims, good, now, with_claims, with_header};

/// Any, half of them around now, where the limits are.
fn a_time() -> impl Strategy<Value = i64> {
    let seconds = now().timestamp();
    prop_oneof![any::<i64>(), seconds - 1000..seconds + 1000]
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_or_passes(text in any::<String>()) {
        prop_assert!(verify(&text, now(), Policy::HTTP, &KEYS).is_err());
        prop_assert!(bearer(&text).is_err() || text.len() > "bearer ".len());
    }

    #[test]
    fn no_parts_make_it_panic_or_pass(parts in any::<[Vec<u8>; 3]>()) {
        let token = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        prop_assert!(verify(&token, now(), Policy::HTTP, &KEYS).is_err());
    }

    #[test]
    fn no_well_signed_bytes_make_it_panic_or_pass(header_text in any::<String>(), claims_text in any::<String>()) {
        prop_assert!(verify(&with_claims(&claims_text), now(), Policy::HTTP, &KEYS).is_err());
        prop_assert!(verify(&OURS.token(&header_text, &claims().to_string()), now(), Policy::HTTP, &KEYS).is_err());
    }

    #[test]
    fn of_all_times_only_those_around_now_pass(iat in a_time(), nbf in a_time(), exp in a_time()) {
        let mut times = claims();
        for (name, time) in [("iat", iat), ("nbf", nbf), ("exp", exp)] {
            times[name] = json!(time);
        }
        let lives = i128::from(exp) - i128::from(iat);
        let now_s = now().timestamp();
        let as_written = (1..=900).contains(&lives) && (nbf..exp).contains(&now_s);
        let bounded = as_written && i128::from(exp) - i128::from(nbf) <= 930 && iat <= now_s + 30;
        let token = with_claims(&times.to_string());
        prop_assert_eq!(verify(&token, now(), Policy { audience: Audience::Http, times: Times::AsWritten }, &KEYS).is_ok(), as_written);
        prop_assert_eq!(verify(&token, now(), Policy::HTTP, &KEYS).is_ok(), bounded);
    }

    #[test]
    fn a_token_with_one_other_character_does_not_pass(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9._-]") {
        let mut token = good();
        let at = at.index(token.len());
        prop_assume!(token[at..=at] != to);
        token.replace_range(at..=at, &to);
        prop_assert!(verify(&token, now(), Policy::HTTP, &KEYS).is_err());
    }

    #[test]
    fn an_unknown_kid_is_only_unknown(kid in "\\PC{0,200}") {
        prop_assume!(kid != OURS.kid && kid != OTHER.kid);
        prop_assert_eq!(verify(&with_header("kid", json!(kid)), now(), Policy::HTTP, &KEYS), Err(TokenError::KeyUnknown));
    }
}
