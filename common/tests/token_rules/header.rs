//! The header and the signature: nothing but RS256 by a named key.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use common::token::{TokenError, bearer};
use serde_json::{Value, json};

use crate::{OTHER, OURS, check, claims, good, header, parts, row, with, with_header, with_twice};

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
