//! Attacks on `token::verify`, a row each: what is done to a good token, and the one rule that stops it.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use common::token::{
    KeyError, Keys, TOKEN_BYTES_MAX, TokenError, bearer, new_jti, thumbprint, verify,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const ISSUER: &str = "https://auth.test";
const OTHER_ISSUER: &str = "https://other.test";

struct Signer {
    pair: RsaKeyPair,
    kid: String,
    n: String,
    e: String,
}

impl Signer {
    fn new() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("random enough");
        let public = pair.public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        let kid = thumbprint(&n, &e).expect("a strong key");
        Self { pair, kid, n, e }
    }

    fn sign_as(&self, padding: &'static dyn RsaEncoding, message: &str) -> String {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                padding,
                &SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            )
            .expect("a strong key signs");
        URL_SAFE_NO_PAD.encode(signature)
    }

    /// Any header and any claims, well signed.
    fn token(&self, header: &str, claims: &str) -> String {
        let signed = parts(header, claims);
        let signature = self.sign_as(&RSA_PKCS1_SHA256, &signed);
        format!("{signed}.{signature}")
    }
}

fn parts(header: &str, claims: &str) -> String {
    let (header, claims) = (
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims),
    );
    format!("{header}.{claims}")
}

/// Announced for [`ISSUER`].
static OURS: LazyLock<Signer> = LazyLock::new(Signer::new);
/// Announced for [`OTHER_ISSUER`].
static OTHER: LazyLock<Signer> = LazyLock::new(Signer::new);
static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::default();
    for (signer, issuer) in [(&*OURS, ISSUER), (&*OTHER, OTHER_ISSUER)] {
        keys.insert(&signer.kid, issuer, &signer.n, &signer.e)
            .expect("a strong key");
    }
    keys
});

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("in range")
}

fn header() -> Value {
    json!({"alg": "RS256", "typ": "at+jwt", "kid": OURS.kid})
}

/// Issued 60 s ago, valid since 30 s, for 840 s to come.
fn claims() -> Value {
    let now = now().timestamp();
    json!({
        "iss": ISSUER, "sub": "somebody", "aud": "quittance", "client_id": "shop", "scope": "payments:submit",
        "iat": now - 60, "nbf": now - 30, "exp": now + 840, "jti": new_jti(), "token_type": "access",
        "user_id": "somebody",
    })
}

/// The object with one member changed; `null` removes it.
fn with(mut object: Value, name: &str, value: Value) -> String {
    let members = object.as_object_mut().expect("an object");
    members.remove(name);
    if !value.is_null() {
        members.insert(name.to_owned(), value);
    }
    object.to_string()
}

/// The object with one more member in front, even if it is there already.
fn with_twice(object: &Value, name: &str, value: &Value) -> String {
    object
        .to_string()
        .replacen('{', &format!("{{\"{name}\":{value},"), 1)
}

fn with_header(name: &str, value: Value) -> String {
    OURS.token(&with(header(), name, value), &claims().to_string())
}

fn with_claim(name: &str, value: Value) -> String {
    with_claims(&with(claims(), name, value))
}

fn with_claims(claims: &str) -> String {
    OURS.token(&header().to_string(), claims)
}

fn good() -> String {
    with_claims(&claims().to_string())
}

/// An attack: its name, its token, the rule that stops it.
type Row = (String, String, TokenError);

fn row(case: &str, token: String, expected: TokenError) -> Row {
    (case.to_owned(), token, expected)
}

fn check(rows: impl IntoIterator<Item = Row>) {
    let before = verify(&good(), now(), &KEYS);
    assert!(before.is_ok(), "the token before the attack: {before:?}");
    for (case, token, expected) in rows {
        assert_eq!(verify(&token, now(), &KEYS), Err(expected), "{case}");
    }
}

#[test]
fn only_rs256_is_an_algorithm() {
    let mut rows = Vec::new();
    let spellings = [
        "none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", "RS384", "PS256", "ES256", "EdDSA",
    ];
    for alg in spellings {
        let token = with_header("alg", json!(alg));
        let (signed, _) = token.rsplit_once('.').unwrap();
        rows.push(row(
            &format!("{alg}, unsigned"),
            format!("{signed}."),
            TokenError::Algorithm,
        ));
        rows.push(row(alg, token, TokenError::Algorithm));
    }
    rows.push(row(
        "absent",
        with_header("alg", Value::Null),
        TokenError::Algorithm,
    ));
    rows.push(row(
        "a number",
        with_header("alg", json!(256)),
        TokenError::Malformed,
    ));
    rows.push(row(
        "a list",
        with_header("alg", json!(["RS256"])),
        TokenError::Malformed,
    ));

    // The public key as an HMAC secret, in every form in which somebody may have it.
    let public = OURS.pair.public_key();
    let pkcs1 = public.as_ref().to_vec();
    let spki: PublicKeyX509Der<'_> = public.as_der().unwrap();
    let pem = |label: &str, der: &[u8]| {
        let text = STANDARD.encode(der).into_bytes();
        let lines: Vec<_> = text.chunks(64).map(String::from_utf8_lossy).collect();
        let body = lines.join("\n");
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes()
    };
    for (form, secret) in [
        ("n", OURS.n.clone().into_bytes()),
        ("PKCS#1", pkcs1.clone()),
        ("SPKI", spki.as_ref().to_vec()),
        ("PKCS#1 PEM", pem("RSA PUBLIC KEY", &pkcs1)),
        ("SPKI PEM", pem("PUBLIC KEY", spki.as_ref())),
    ] {
        let signed = parts(
            &with(header(), "alg", json!("HS256")),
            &claims().to_string(),
        );
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, &secret),
            signed.as_bytes(),
        );
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
        rows.push(row(
            &format!("HS256 with {form}"),
            token,
            TokenError::Algorithm,
        ));
    }
    check(rows);
}

#[test]
fn a_header_holds_three_parameters_of_ours_and_no_other() {
    let mut rows = Vec::new();
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("jku", json!("https://evil.test/jwks.json")),
        ("jwk", json!({"kty": "RSA", "n": OTHER.n, "e": OTHER.e})),
        ("x5u", json!("https://evil.test/x.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("x")),
        ("Kid", json!("x")),
    ] {
        rows.push(row(name, with_header(name, value), TokenError::Header));
    }
    for typ in [
        "JWT",
        "jwt",
        "",
        "AT+JWT",
        "application/at+jwt",
        "logout+jwt",
        "at+jwt\0",
    ] {
        rows.push(row(typ, with_header("typ", json!(typ)), TokenError::Type));
    }
    rows.push(row(
        "no typ",
        with_header("typ", Value::Null),
        TokenError::Type,
    ));
    rows.push(row(
        "no kid",
        with_header("kid", Value::Null),
        TokenError::Header,
    ));
    rows.push(row(
        "kid is a number",
        with_header("kid", json!(1)),
        TokenError::Header,
    ));
    for (name, value, expected) in [
        ("alg", "none", TokenError::Malformed),
        ("typ", "JWT", TokenError::Malformed),
        ("kid", "x", TokenError::Header),
    ] {
        let token = OURS.token(
            &with_twice(&header(), name, &json!(value)),
            &claims().to_string(),
        );
        rows.push(row(&format!("{name} twice"), token, expected));
    }
    for text in ["", "null", "\"RS256\"", "{", "\u{feff}{}", &"[".repeat(500)] {
        rows.push(row(
            text,
            OURS.token(text, &claims().to_string()),
            TokenError::Malformed,
        ));
    }
    rows.push(row(
        "{}",
        OURS.token("{}", &claims().to_string()),
        TokenError::Algorithm,
    ));
    check(rows);
}

#[test]
fn a_kid_is_looked_up_and_nothing_else() {
    let kid = &OURS.kid;
    let kids = [
        "",
        "x",
        "../../../../etc/passwd",
        "/dev/null",
        "x' or '1'='1",
        "'; drop table signing_keys; --",
        "https://evil.test/key",
        "$(id)",
        "\0",
        "\u{202e}",
        "null",
        &kid[1..],
        &kid.to_uppercase(),
        &format!("{kid} "),
        &"x".repeat(1500),
    ];
    check(kids.map(|kid| row(kid, with_header("kid", json!(kid)), TokenError::KeyUnknown)));
}

#[test]
fn a_signature_is_the_named_keys_over_these_very_bytes() {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let token = good();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (head, body) = signed.split_once('.').unwrap();
    // 256 bytes end in a character with four spare bits; the next character stands for the same byte.
    let (rest, last) = signature.split_at(signature.len() - 1);
    let next = ALPHABET.find(last).unwrap() + 1;
    let spare = format!("{signed}.{rest}{}", &ALPHABET[next..=next]);
    let padded = URL_SAFE.encode(URL_SAFE_NO_PAD.decode(signature).unwrap());
    let other_claims = URL_SAFE_NO_PAD.encode(with(claims(), "sub", json!("somebody else")));
    let zeros = URL_SAFE_NO_PAD.encode([0; 256]);
    let (by_other, by_sha512, over_claims) = (
        OTHER.sign_as(&RSA_PKCS1_SHA256, signed),
        OURS.sign_as(&RSA_PKCS1_SHA512, signed),
        OURS.sign_as(&RSA_PKCS1_SHA256, body),
    );
    check([
        row("none", format!("{signed}."), TokenError::Signature),
        row("zeros", format!("{signed}.{zeros}"), TokenError::Signature),
        row(
            "short",
            format!("{signed}.{}", &signature[..300]),
            TokenError::Signature,
        ),
        row(
            "first byte",
            format!("{signed}.AAAA{}", &signature[4..]),
            TokenError::Signature,
        ),
        row(
            "another's",
            format!("{signed}.{by_other}"),
            TokenError::Signature,
        ),
        row(
            "SHA-512",
            format!("{signed}.{by_sha512}"),
            TokenError::Signature,
        ),
        row(
            "of the claims only",
            format!("{signed}.{over_claims}"),
            TokenError::Signature,
        ),
        row(
            "other claims",
            format!("{head}.{other_claims}.{signature}"),
            TokenError::Signature,
        ),
        row(
            "no claims",
            format!("{head}..{signature}"),
            TokenError::Signature,
        ),
        row(
            "a fourth part",
            format!("{token}.AAAA"),
            TokenError::Signature,
        ),
        row("spare bits", spare, TokenError::Malformed),
        row(
            "padded",
            format!("{signed}.{padded}"),
            TokenError::Malformed,
        ),
        row(
            "no base64url",
            format!("{signed}.+/{}", &signature[2..]),
            TokenError::Malformed,
        ),
        row("a line's end", format!("{token}\n"), TokenError::Malformed),
        row("a space", format!(" {token}"), TokenError::Malformed),
        row("empty", String::new(), TokenError::Malformed),
        row("dots", "..".to_owned(), TokenError::Malformed),
        row("one part", head.to_owned(), TokenError::Malformed),
        row("two parts", signed.to_owned(), TokenError::Malformed),
    ]);
}

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
    assert!(verify(&theirs(OTHER_ISSUER), now(), &KEYS).is_ok());
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
    for audience in ["", "ledger", "Quittance", "quittance ", "quittance,ledger"] {
        rows.push(row(
            audience,
            with_claim("aud", json!(audience)),
            TokenError::Audience,
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
            verify(&token, at, &KEYS).err(),
            expected,
            "{milliseconds} ms"
        );
    }
    let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    assert_eq!(verify(&token, first, &KEYS), Err(TokenError::NotYetValid));
    assert_eq!(verify(&token, last, &KEYS), Err(TokenError::Expired));
}

#[test]
fn a_token_has_4096_bytes_at_most() {
    let padded = |length: usize| with_claim("scope", json!("x".repeat(length)));
    let spare = TOKEN_BYTES_MAX - padded(0).len();
    // Three bytes are four characters.
    let longest = padded(spare / 4 * 3);
    assert!((TOKEN_BYTES_MAX - 4..=TOKEN_BYTES_MAX).contains(&longest.len()));
    assert!(verify(&longest, now(), &KEYS).is_ok());
    check([
        row("a little", padded(spare / 4 * 3 + 6), TokenError::Oversize),
        row("much", "x".repeat(1_000_000), TokenError::Oversize),
    ]);
}

#[test]
fn a_weak_or_misnamed_key_is_not_taken_in() {
    let modulus = |bytes: usize| vec![0x81; bytes];
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let with_zero = [vec![0], modulus(256)].concat();
    let mut short_by_a_bit = modulus(256);
    short_by_a_bit[0] = 0x7f;
    for (case, n, e) in [
        ("1024 bits", part(&modulus(128)), "AQAB"),
        ("2040 bits", part(&modulus(255)), "AQAB"),
        ("2047 bits", part(&short_by_a_bit), "AQAB"),
        ("4104 bits", part(&modulus(513)), "AQAB"),
        ("none", String::new(), "AQAB"),
        ("zero", part(&[0; 256]), "AQAB"),
        ("a leading zero", part(&with_zero), "AQAB"),
        ("no base64url", "+/".repeat(171), "AQAB"),
        ("padded", URL_SAFE.encode(modulus(256)), "AQAB"),
        ("e = 1", part(&modulus(256)), "AQ"),
        ("e = 3", part(&modulus(256)), "Aw"),
        ("e with a zero", part(&modulus(256)), "AAEAAQ"),
        ("no e", part(&modulus(256)), ""),
    ] {
        assert_eq!(thumbprint(&n, e), Err(KeyError::Weak), "{case}");
        let mut keys = Keys::default();
        assert_eq!(
            keys.insert("x", ISSUER, &n, e),
            Err(KeyError::Weak),
            "{case}"
        );
        assert!(keys.is_empty(), "{case}");
    }
    let mut keys = Keys::default();
    for kid in ["", "x", &OTHER.kid, &format!("{}=", OURS.kid)] {
        let taken = keys.insert(kid, ISSUER, &OURS.n, &OURS.e);
        assert_eq!(taken, Err(KeyError::Thumbprint), "{kid}");
    }
    assert!(keys.is_empty());
}

#[test]
fn a_key_keeps_the_issuer_that_it_came_with() {
    let mut keys = KEYS.clone();
    keys.insert(&OURS.kid, OTHER_ISSUER, &OURS.n, &OURS.e)
        .unwrap();
    assert!(verify(&good(), now(), &keys).is_ok());
}

#[test]
fn a_thumbprint_is_the_one_of_rfc_7638() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    assert_eq!(
        thumbprint(n, "AQAB").unwrap(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
}

#[test]
fn a_bearer_header_is_a_scheme_and_a_token() {
    for (value, expected) in [
        ("Bearer a.b.c", Ok("a.b.c")),
        ("bearer a.b.c", Ok("a.b.c")),
        ("BEARER  a.b.c ", Ok("a.b.c")),
        ("", Err(TokenError::Missing)),
        ("Bearer", Err(TokenError::Missing)),
        ("Bearer ", Err(TokenError::Missing)),
        ("Basic a.b.c", Err(TokenError::Missing)),
        ("a.b.c", Err(TokenError::Missing)),
        (" Bearer a.b.c", Err(TokenError::Missing)),
    ] {
        assert_eq!(bearer(value), expected, "{value:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_or_passes(text in any::<String>()) {
        prop_assert!(verify(&text, now(), &KEYS).is_err());
        prop_assert!(bearer(&text).is_err() || text.len() > "bearer ".len());
    }

    #[test]
    fn no_parts_make_it_panic_or_pass(parts in any::<[Vec<u8>; 3]>()) {
        let token = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        prop_assert!(verify(&token, now(), &KEYS).is_err());
    }

    #[test]
    fn no_well_signed_bytes_make_it_panic_or_pass(header_text in any::<String>(), claims_text in any::<String>()) {
        prop_assert!(verify(&with_claims(&claims_text), now(), &KEYS).is_err());
        prop_assert!(verify(&OURS.token(&header_text, &claims().to_string()), now(), &KEYS).is_err());
    }

    #[test]
    fn of_all_times_only_those_around_now_pass(iat in any::<i64>(), nbf in any::<i64>(), exp in any::<i64>()) {
        let mut times = claims();
        for (name, time) in [("iat", iat), ("nbf", nbf), ("exp", exp)] {
            times[name] = json!(time);
        }
        let lives = i128::from(exp) - i128::from(iat);
        let now_s = now().timestamp();
        let expected = (1..=900).contains(&lives) && (nbf..exp).contains(&now_s);
        prop_assert_eq!(verify(&with_claims(&times.to_string()), now(), &KEYS).is_ok(), expected);
    }

    #[test]
    fn a_token_with_one_other_character_does_not_pass(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9._-]") {
        let mut token = good();
        let at = at.index(token.len());
        prop_assume!(token[at..=at] != to);
        token.replace_range(at..=at, &to);
        prop_assert!(verify(&token, now(), &KEYS).is_err());
    }

    #[test]
    fn an_unknown_kid_is_only_unknown(kid in "\\PC{0,200}") {
        prop_assume!(kid != OURS.kid && kid != OTHER.kid);
        prop_assert_eq!(verify(&with_header("kid", json!(kid)), now(), &KEYS), Err(TokenError::KeyUnknown));
    }
}
