//! Tokens issued and verified, against the bare cryptography of aws-lc.
//!
//! Over HTTP the whole service is measured, with its database and both cores. In process auth's own function is measured
//! on one core, in turns with bare signatures of the same bytes, so that a slow minute of the machine affects both.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use auth::SigningKey;
use auth::tokens::{Subject, Terms, access};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use common::service::now;
use common::token;
use common::token::{Audience, CheckedTokens, Keys, Policy, Revocations, Target};
use indicatif::ProgressBar;
use local::Service;
use sqlx::{Connection as _, PgConnection};

use crate::bank::{BenchBank, SHOP_SCOPES};
use crate::figure::{Figure, Run};
use crate::numbers::per_second;
use crate::options::Size;

/// Measures all of it.
pub(crate) async fn tokens(
    bank: &mut BenchBank,
    size: Size,
    bar: &ProgressBar,
) -> Result<Vec<Figure>> {
    bar.set_message("tokens over HTTP");
    let count = if size.is_quick { 1000 } else { 5000 };
    let mut issued = Vec::new();
    for _ in 0..if size.is_quick { 1 } else { size.runs } {
        let processes = bank.processes();
        let (before, started) = (processes.cpu_times(), Instant::now());
        bank.tokens(Audience::Log, count).await?;
        issued.push(Run {
            per_second: per_second(count, started.elapsed()),
            costs: processes.costs_since(&before, count),
        });
    }
    bar.set_message("tokens on one core, and aws-lc alone");
    let rounds = in_process(bank, size).await?;
    let figures = [
        Figure::of_runs(
            "tokens_issued_per_s",
            "tokens from POST /oauth2/token, 4 connections",
            &issued,
        ),
        rounds.signing.rate(
            "tokens_signed_per_s",
            "tokens signed by auth in process, one core",
        ),
        rounds.bare_signing.rate(
            "rsa_signatures_per_s",
            "aws-lc: RS256 signatures of the same bytes, one core",
        ),
        rounds.signing.over(
            &rounds.bare_signing,
            "tokens_signed_over_rsa_signatures",
            "tokens signed / aws-lc's signatures",
        ),
        rounds
            .verifying
            .rate("tokens_verified_per_s", "tokens verified, one core"),
        rounds.bare_verifying.rate(
            "rsa_verifications_per_s",
            "aws-lc: RS256 verifications with a parsed key, one core",
        ),
        rounds.remembered.rate(
            "tokens_remembered_per_s",
            "tokens verified before: time and revocation checked again, one core",
        ),
        rounds.verifying.over(
            &rounds.bare_verifying,
            "tokens_verified_over_rsa_verifications",
            "tokens verified / aws-lc's verifications",
        ),
    ];
    Ok(figures.into_iter().flatten().collect())
}

/// How often a second, in each round.
#[derive(Default)]
struct Rates(Vec<f64>);

impl Rates {
    fn rate(&self, key: &str, title: &str) -> Option<Figure> {
        Figure::new(key, title, "1/s", &self.0)
    }

    /// Each round's ratio.
    fn over(&self, other: &Self, key: &str, title: &str) -> Option<Figure> {
        let pairs = self.0.iter().zip(&other.0);
        let ratios: Vec<f64> = pairs.map(|(ours, theirs)| ours / theirs).collect();
        Figure::new(key, title, "ratio", &ratios)
    }
}

#[derive(Default)]
struct Rounds {
    signing: Rates,
    bare_signing: Rates,
    verifying: Rates,
    bare_verifying: Rates,
    remembered: Rates,
}

async fn in_process(bank: &BenchBank, size: Size) -> Result<Rounds> {
    let key = SigningKey::generate("https://quittance.localhost/bench").await?;
    let issue = || {
        let scopes = SHOP_SCOPES.to_owned();
        access(
            &key,
            Subject::client(bank.shop.clone(), scopes),
            Terms::longest(Audience::Http, now()),
        )
    };
    let like = issue();
    // The signed part of a token: all before its signature.
    let message = like.rsplit_once('.').map_or("", |(signed, _)| signed);
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("no key"))?;
    let (random, mut signature) = (SystemRandom::new(), vec![0; pair.public_modulus_len()]);
    let message = message.as_bytes();
    pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
        .map_err(|_| anyhow!("aws-lc does not sign"))?;
    let signed = signature.clone();
    let mut sign = || {
        pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
            .is_ok()
    };
    let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())
        .map_err(|_| anyhow!("aws-lc does not read its own key"))?;
    let (token, keys) = (
        bank.tokens(Audience::Http, 1).await?.concat(),
        announced(bank).await?,
    );
    let at = now();
    let (mut checked, mut revocations) = (CheckedTokens::default(), Revocations::default());
    for number in 0..1000 {
        let jti = format!("somebody else's {number}");
        revocations.insert(&Target::Token { jti }, at);
    }

    let turns = if size.is_quick { 10 } else { 100 };
    let mut rounds = Rounds::default();
    for _ in 0..size.runs {
        let mut tallies = [Tally::default(); 5];
        let [signing, bare_signing, verifying, bare_verifying, remembered] = &mut tallies;
        for _ in 0..turns {
            signing.turn(|| !issue().is_empty())?;
            bare_signing.turn(&mut sign)?;
            verifying.turn(|| token::verify(&token, at, Policy::HTTP, &keys).is_ok())?;
            bare_verifying.turn(|| public.verify_sig(message, &signed).is_ok())?;
            remembered.turn(|| {
                let verified = checked.verify(&token, at, Policy::HTTP, &keys);
                verified.is_ok_and(|token| !revocations.has_revoked(&token, at))
            })?;
            // Here the benchmark can be interrupted.
            tokio::task::yield_now().await;
        }
        rounds.signing.0.push(signing.rate());
        rounds.bare_signing.0.push(bare_signing.rate());
        rounds.verifying.0.push(verifying.rate());
        rounds.bare_verifying.0.push(bare_verifying.rate());
        rounds.remembered.0.push(remembered.rate());
    }
    Ok(rounds)
}

/// How often something was done in all its turns of one round.
#[derive(Default, Clone, Copy)]
struct Tally {
    count: usize,
    took: Duration,
}

impl Tally {
    /// Long enough for dozens of signatures, short enough that a disturbance of the machine affects every kind of turn.
    const TURN: Duration = Duration::from_millis(10);

    /// Does `works` for one turn.
    fn turn(&mut self, mut works: impl FnMut() -> bool) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < Self::TURN {
            ensure!(works(), "what is measured failed");
            self.count += 1;
        }
        self.took += started.elapsed();
        Ok(())
    }

    fn rate(self) -> f64 {
        per_second(self.count, self.took)
    }
}

/// The keys that the ledger knows.
async fn announced(bank: &BenchBank) -> Result<Keys> {
    let url = bank.bank.servers().database_url(Service::Ledger);
    let mut database = PgConnection::connect(&url).await?;
    let rows: Vec<(String, String, String, String)> =
        sqlx::query_as("select kid, issuer, n, e from signing_key")
            .fetch_all(&mut database)
            .await?;
    database.close().await?;
    let mut keys = Keys::default();
    for (kid, issuer, n, e) in rows {
        keys.insert(&kid, &issuer, &n, &e)?;
    }
    Ok(keys)
}
