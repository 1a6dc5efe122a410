//! `private_key_jwt`: a program's key in the place of a secret.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::service::now;
use reqwest::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clients::{administrator, create};
use crate::harness::{Bank, text};
use crate::oauth::{error, with_shop};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(crate) static KEY: LazyLock<RsaKeyPair> =
    LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"));
static OTHER: LazyLock<RsaKeyPair> =
    LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"));

pub(crate) fn jwk(key: &RsaKeyPair) -> Value {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let public = key.public_key();
    json!({
        "kty": "RSA",
        "n": part(public.modulus().big_endian_without_leading_zero()),
        "e": part(public.exponent().big_endian_without_leading_zero()),
    })
}

pub(crate) fn signed(key: &RsaKeyPair, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        text.as_bytes(),
        &mut signature,
    )
    .expect("a signature");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": "any"})
}

fn claims() -> Value {
    let now = now().timestamp();
    json!({
        "iss": "keyed", "sub": "keyed", "aud": "https://auth.test/oauth2/token",
        "iat": now, "exp": now + 60, "jti": Uuid::new_v4(),
    })
}

/// The good claims with other values; `null` takes one out.
fn with(changes: &[(&str, Value)]) -> Value {
    let mut all = claims();
    for (name, value) in changes {
        all[*name] = value.clone();
        if value.is_null() {
            all.as_object_mut().expect("an object").remove(*name);
        }
    }
    all
}

async fn ask(bank: &Bank, assertion: &str) -> Response {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    bank.post_form("/oauth2/token", &form).await
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table reads best in one place")]
async fn an_assertion_passes_once_and_only_as_it_must_be() {
    let (bank, _running) = with_shop().await;
    let admin = administrator(&bank).await;
    let asked = json!({
        "client_id": "keyed", "scopes": ["payments:read"], "credential": {"public_key": jwk(&KEY)},
    });
    let made = create(&bank, &admin, &asked).await;
    assert!(made.get("client_secret").is_none(), "{made}");

    let good = signed(&KEY, &header(), &claims());
    let answer = ask(&bank, &good).await;
    assert_eq!(answer.status().as_u16(), 200);
    let body: Value = answer.json().await.expect("JSON");
    let token = bank.verified(text(&body, "access_token")).await;
    assert_eq!(token.claims.client_id.as_str(), "keyed");
    let credential = text(&made["credentials"][0], "id");
    assert_eq!(token.claims.sid.as_deref(), Some(credential));
    let again = error(ask(&bank, &good).await).await;
    assert_eq!(again, (401, "invalid_client".to_owned()), "a second time");

    for aud in [json!("https://auth.test"), json!(["https://auth.test"])] {
        let good = signed(&KEY, &header(), &with(&[("aud", aud)]));
        assert_eq!(ask(&bank, &good).await.status().as_u16(), 200);
    }

    let at = |seconds: i64| json!(now().timestamp() + seconds);
    for (what, assertion) in [
        ("another key", signed(&OTHER, &header(), &claims())),
        ("no JWT", "a.b.c".to_owned()),
        ("nothing", ".".to_owned()),
        ("alg none", signed(&KEY, &json!({"alg": "none"}), &claims())),
        (
            "alg HS256",
            signed(&KEY, &json!({"alg": "HS256"}), &claims()),
        ),
        (
            "alg PS256",
            signed(&KEY, &json!({"alg": "PS256"}), &claims()),
        ),
        (
            "typ at+jwt",
            signed(&KEY, &json!({"alg": "RS256", "typ": "at+jwt"}), &claims()),
        ),
        (
            "a key in it",
            signed(
                &OTHER,
                &json!({"alg": "RS256", "jwk": jwk(&OTHER)}),
                &claims(),
            ),
        ),
        (
            "crit",
            signed(&KEY, &json!({"alg": "RS256", "crit": ["exp"]}), &claims()),
        ),
        (
            "another audience",
            signed(&KEY, &header(), &with(&[("aud", json!("https://other"))])),
        ),
        (
            "a second audience",
            signed(
                &KEY,
                &header(),
                &with(&[("aud", json!(["https://auth.test", "https://other"]))]),
            ),
        ),
        (
            "no audience",
            signed(&KEY, &header(), &with(&[("aud", json!([]))])),
        ),
        (
            "expired",
            signed(
                &KEY,
                &header(),
                &with(&[("exp", at(-1)), ("iat", Value::Null)]),
            ),
        ),
        (
            "too long a life",
            signed(&KEY, &header(), &with(&[("exp", at(301))])),
        ),
        (
            "too far an end",
            signed(
                &KEY,
                &header(),
                &with(&[("exp", at(400)), ("iat", Value::Null)]),
            ),
        ),
        (
            "an endless life",
            signed(&KEY, &header(), &with(&[("exp", json!(i64::MAX))])),
        ),
        (
            "a fraction",
            signed(&KEY, &header(), &with(&[("exp", json!(1e300))])),
        ),
        (
            "no end",
            signed(&KEY, &header(), &with(&[("exp", Value::Null)])),
        ),
        (
            "not yet",
            signed(&KEY, &header(), &with(&[("nbf", at(60))])),
        ),
        (
            "of the future",
            signed(&KEY, &header(), &with(&[("iat", at(60)), ("exp", at(90))])),
        ),
        (
            "no id",
            signed(&KEY, &header(), &with(&[("jti", Value::Null)])),
        ),
        (
            "an empty id",
            signed(&KEY, &header(), &with(&[("jti", json!(""))])),
        ),
        (
            "a NUL in the id",
            signed(&KEY, &header(), &with(&[("jti", json!("a\0"))])),
        ),
        (
            "another issuer",
            signed(&KEY, &header(), &with(&[("iss", json!("demo-shop"))])),
        ),
        (
            "another client",
            signed(
                &KEY,
                &header(),
                &with(&[("iss", json!("demo-shop")), ("sub", json!("demo-shop"))]),
            ),
        ),
        (
            "an unknown client",
            signed(
                &KEY,
                &header(),
                &with(&[("iss", json!("nobody")), ("sub", json!("nobody"))]),
            ),
        ),
        (
            "a list",
            signed(&KEY, &header(), &json!(["keyed", "keyed"])),
        ),
    ] {
        let refused = error(ask(&bank, &assertion).await).await;
        assert_eq!(refused, (401, "invalid_client".to_owned()), "{what}");
    }
}

#[tokio::test]
async fn an_assertion_stands_alone() {
    let (bank, _running) = with_shop().await;
    let (grant, kind) = (
        ("grant_type", "client_credentials"),
        ("client_assertion_type", TYPE),
    );
    let good = signed(&KEY, &header(), &claims());
    let assertion = ("client_assertion", good.as_str());
    for form in [
        vec![grant, assertion],
        vec![grant, kind],
        vec![grant, ("client_assertion_type", "saml"), assertion],
        vec![grant, kind, assertion, ("client_secret", "x")],
        vec![grant, kind, assertion, ("client_id", "demo-shop")],
    ] {
        let answer = bank.post_form("/oauth2/token", &form).await;
        assert_eq!(
            error(answer).await,
            (400, "invalid_request".to_owned()),
            "{form:?}"
        );
    }
}
