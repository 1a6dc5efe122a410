//! What auth answers a second by each grant, beside bare signatures of aws-lc in the same round.
//!
//! Over HTTP the whole service is measured, with its database and both cores; aws-lc signs on one core, the same number of
//! bytes. What a token costs besides its grant is measured on the same bank: [`trust`](super::trust).

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use auth::people::{Role, ensure_user};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::http::exchange::{ACCESS_TOKEN_TYPE, GRANT_TYPE};
use common::service::now;
use common::token::Audience;
use futures::future::try_join_all;
use indicatif::ProgressBar;
use local::Service;
use serde_json::{Value, json};
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::bank::{BenchBank, SHOP, token_request};
use crate::costs::Peaks;
use crate::figure::{Figure, Run};
use crate::http::{self, Connection};
use crate::numbers::per_second;
use crate::options::Size;
use crate::report::Report;
use crate::trust;

/// Connections that ask side by side; what is measured works on two cores.
pub(crate) const CONNECTIONS: usize = 4;
/// The program that proves itself with a key.
const KEYED: &str = "bench-keyed";
pub(crate) const PASSWORD: &str = "the password of a bank that lives for minutes";
/// How long aws-lc signs in each round.
const SIGNING: Duration = Duration::from_millis(200);
/// As many bytes as the signed part of a token.
const SIGNED_BYTES: usize = 700;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grant {
    Password,
    Refresh,
    Secret,
    Assertion,
    Exchange,
}

impl Grant {
    const ALL: [Self; 5] = [
        Self::Password,
        Self::Refresh,
        Self::Secret,
        Self::Assertion,
        Self::Exchange,
    ];

    fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Password => ("password", "log-ins with a password, two tokens each"),
            Self::Refresh => (
                "refresh",
                "refresh tokens exchanged for the next two tokens",
            ),
            Self::Secret => ("secret", "client_credentials with a secret"),
            Self::Assertion => ("private_key_jwt", "client_credentials with private_key_jwt"),
            Self::Exchange => ("exchange", "exchanges of a token for one of the log"),
        }
    }

    /// How many in a run: a password costs two orders of magnitude more than all others.
    fn count(self, size: Size) -> usize {
        let count = if size.is_quick { 400 } else { 4000 };
        if self == Self::Password {
            count / 10
        } else {
            count
        }
    }
}

/// How many steps the bar takes.
pub(crate) fn steps(size: Size) -> usize {
    Grant::ALL.len() * (size.runs + 1) + trust::STEPS
}

/// On a bank of its own; returns the memory of its processes.
pub(crate) async fn grants(
    program: &Path,
    size: Size,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<Peaks> {
    let mut bank = BenchBank::start(program, 100, bar).await?;
    let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("no key"))?;
    let people = people(&bank, CONNECTIONS).await?;
    register(&bank, &key).await?;
    let mut runs: [Vec<Run>; Grant::ALL.len()] = Default::default();
    let mut bare = Vec::new();
    for round in 0..=size.runs {
        bare.push(signatures(&key)?);
        for (grant, runs) in Grant::ALL.into_iter().zip(&mut runs) {
            let (_, title) = grant.name();
            bar.set_message(format!("round {round} of {}: {title}", size.runs));
            runs.push(saturate(&bank, grant, &people, &key, grant.count(size)).await?);
            bar.inc(1);
        }
    }
    // The first round has warmed up.
    bare.remove(0);
    for (grant, mut runs) in Grant::ALL.into_iter().zip(runs) {
        runs.remove(0);
        let (key, title) = grant.name();
        let title = format!("{title}, {CONNECTIONS} connections");
        let figure = Figure::of_runs(&format!("grant_{key}_per_s"), &title, &runs);
        report.figures.extend(figure);
        let ratios = runs.iter().zip(&bare);
        let ratios: Vec<f64> = ratios.map(|(run, bare)| run.per_second / bare).collect();
        report.figures.extend(Figure::new(
            &format!("grant_{key}_over_rsa_signatures"),
            &format!("{key} / aws-lc's signatures on one core"),
            "ratio",
            &ratios,
        ));
    }
    let title = "aws-lc: RS256 signatures between these runs, one core";
    report.figures.extend(Figure::new(
        "rsa_signatures_beside_grants_per_s",
        title,
        "1/s",
        &bare,
    ));
    trust::trust(&mut bank, size, report, bar).await?;
    bank.note_memory();
    bank.stop().await
}

/// Log-ins of people who exist.
pub(crate) async fn people(bank: &BenchBank, count: usize) -> Result<Vec<Vec<u8>>> {
    let url = bank.bank.url(Service::Auth);
    let directory = PgPool::connect(&bank.bank.servers().database_url(Service::Auth)).await?;
    let mut requests = Vec::new();
    for number in 0..count {
        let email = format!("person-{number}@bench.test");
        ensure_user(&directory, &email, PASSWORD, Role::Customer).await?;
        requests.push(log_in(&url, &email, PASSWORD));
    }
    directory.close().await;
    Ok(requests)
}

/// A log-in.
pub(crate) fn log_in(url: &str, email: &str, password: &str) -> Vec<u8> {
    let body = json!({"email": email, "password": password}).to_string();
    let json = "content-type: application/json\r\n";
    http::post(url, "/api/token/", json, body.as_bytes())
}

/// Makes the program with a key, by an administrator, as people do.
async fn register(bank: &BenchBank, key: &RsaKeyPair) -> Result<()> {
    let url = bank.bank.url(Service::Auth);
    let directory = PgPool::connect(&bank.bank.servers().database_url(Service::Auth)).await?;
    let email = "administrator@bench.test";
    ensure_user(&directory, email, PASSWORD, Role::Admin).await?;
    directory.close().await;
    let mut connection = Connection::open(&url).await?;
    let answer = connection.send_json(&log_in(&url, email, PASSWORD)).await?;
    let token = answer["access"].as_str().context("a token")?;
    let public = key.public_key();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let public_key = json!({
        "kty": "RSA",
        "n": part(public.modulus().big_endian_without_leading_zero()),
        "e": part(public.exponent().big_endian_without_leading_zero()),
    });
    let body = json!({
        "client_id": KEYED,
        "scopes": ["payments:read"],
        "credential": {"public_key": public_key},
    });
    let headers = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
    let body = body.to_string();
    let request = http::post(&url, "/api/service-accounts/", &headers, body.as_bytes());
    connection.send_json(&request).await?;
    Ok(())
}

/// What one connection sends.
enum Line {
    /// The same again and again.
    Same(Vec<u8>),
    /// Made before the clock starts: what the caller signs is not measured.
    Each(std::vec::IntoIter<Vec<u8>>),
    /// Each with the refresh token of the answer before.
    Next(String),
}

impl Line {
    fn request(&mut self, url: &str) -> Result<Vec<u8>> {
        match self {
            Self::Same(request) => Ok(request.clone()),
            Self::Each(requests) => requests.next().context("too few requests"),
            Self::Next(refresh) => {
                let body = json!({"refresh": refresh}).to_string();
                let json = "content-type: application/json\r\n";
                let path = "/api/token/refresh/";
                Ok(http::post(url, path, json, body.as_bytes()))
            }
        }
    }

    fn heard(&mut self, answer: &Value) -> Result<()> {
        if let Self::Next(refresh) = self {
            let next = answer["refresh"].as_str().context("a refresh token")?;
            next.clone_into(refresh);
        }
        Ok(())
    }
}

async fn saturate(
    bank: &BenchBank,
    grant: Grant,
    people: &[Vec<u8>],
    key: &RsaKeyPair,
    count: usize,
) -> Result<Run> {
    let url = bank.bank.url(Service::Auth);
    let share = count / CONNECTIONS;
    let mut open = Vec::new();
    for person in people {
        let mut connection = Connection::open(&url).await?;
        let line = line(bank, grant, person, key, share, &mut connection).await?;
        open.push((connection, line));
    }
    let processes = bank.processes();
    let (before, started) = (processes.cpu_times(), Instant::now());
    let asking = open.into_iter().map(async |(mut connection, mut line)| {
        for _ in 0..share {
            let request = line.request(&url)?;
            let answer = connection.send_json(&request).await?;
            ensure!(
                answer["access"].is_string() || answer["access_token"].is_string(),
                "an answer without a token"
            );
            line.heard(&answer)?;
        }
        anyhow::Ok(())
    });
    try_join_all(asking).await?;
    let count = share * people.len();
    Ok(Run {
        per_second: per_second(count, started.elapsed()),
        costs: processes.costs_since(&before, count),
    })
}

async fn line(
    bank: &BenchBank,
    grant: Grant,
    person: &[u8],
    key: &RsaKeyPair,
    share: usize,
    connection: &mut Connection,
) -> Result<Line> {
    let url = bank.bank.url(Service::Auth);
    Ok(match grant {
        Grant::Password => Line::Same(person.to_vec()),
        Grant::Refresh => {
            let answer = connection.send_json(person).await?;
            let refresh = answer["refresh"].as_str().context("a refresh token")?;
            Line::Next(refresh.to_owned())
        }
        Grant::Secret => Line::Same(token_request(&url, SHOP, Audience::Http)),
        Grant::Assertion => {
            let metadata = "/.well-known/oauth-authorization-server";
            let metadata = connection.send_json(&http::get(&url, metadata)).await?;
            let aud = metadata["issuer"].as_str().context("an issuer")?;
            let requests: Result<Vec<_>> = (0..share).map(|_| asserted(&url, key, aud)).collect();
            Line::Each(requests?.into_iter())
        }
        Grant::Exchange => {
            let token = bank.tokens(Audience::Http, 1).await?.concat();
            Line::Same(exchange(bank, &url, &token)?)
        }
    })
}

/// A request with an assertion of its own, as each counts once.
fn asserted(url: &str, key: &RsaKeyPair, aud: &str) -> Result<Vec<u8>> {
    let now = now().timestamp();
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "iss": KEYED, "sub": KEYED, "aud": aud, "iat": now, "exp": now + 240, "jti": Uuid::new_v4(),
    });
    let signed = format!("{}.{}", part(json!({"alg": "RS256"})), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(key, signed.as_bytes())?);
    let form = format!(
        "grant_type=client_credentials&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer\
         &client_assertion={signed}.{signature}"
    );
    Ok(http::post_form(url, "/oauth2/token", &form))
}

/// What payments sends for its caller's token.
fn exchange(bank: &BenchBank, url: &str, token: &str) -> Result<Vec<u8>> {
    let environment = bank.bank.servers().service_env(Service::Payments, 0);
    let secret = environment
        .into_iter()
        .find(|(name, _)| name == "QUITTANCE_EXCHANGE_SECRET");
    let (_, secret) = secret.context("payments has a secret for auth")?;
    let form = format!(
        "grant_type={GRANT_TYPE}&subject_token={token}&subject_token_type={ACCESS_TOKEN_TYPE}&audience={}\
         &client_id=payments&client_secret={secret}",
        Audience::Log.as_str()
    );
    Ok(http::post_form(url, "/oauth2/token", &form))
}

fn sign(key: &RsaKeyPair, message: &[u8]) -> Result<Vec<u8>> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message,
        &mut signature,
    )
    .map_err(|_| anyhow!("aws-lc does not sign"))?;
    Ok(signature)
}

/// Bare signatures a second, on one core.
fn signatures(key: &RsaKeyPair) -> Result<f64> {
    let message = vec![b'x'; SIGNED_BYTES];
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < SIGNING {
        sign(key, &message)?;
        count += 1;
    }
    Ok(per_second(count, started.elapsed()))
}
