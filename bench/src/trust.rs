//! What trust costs a payment: the exchange of a token that payments sees for the first time, and nothing after; and how soon
//! a revoked token is refused.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use common::token::Audience;
use indicatif::ProgressBar;
use local::Service;

use crate::bank::{BenchBank, PATIENCE, SHOP, SHOP_SECRET};
use crate::figure::Figure;
use crate::http::{self, Connection};
use crate::numbers::{float, microseconds};
use crate::options::Size;
use crate::pace;
use crate::report::Report;

/// Steps of the bar.
pub(crate) const STEPS: usize = 2;
/// Payments with each token.
const PAYMENTS: usize = 3;

/// Measures both, one thing at a time on a quiet bank.
pub(crate) async fn trust(
    bank: &mut BenchBank,
    size: Size,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<()> {
    let rounds = if size.is_quick { 20 } else { 200 };
    bar.set_message("first payments of new tokens");
    let payments = first_payments(bank, rounds).await?;
    bar.inc(1);
    for (ms, (key, which)) in
        payments
            .iter()
            .zip([("first", "first"), ("second", "second"), ("third", "third")])
    {
        let title = format!("the {which} payment of a token, to its acceptance");
        let key = format!("{key}_payment_of_a_token_ms");
        report.figures.extend(Figure::new(&key, &title, "ms", ms));
    }
    bar.set_message("revocations");
    let [answered, payments, ledger] = revocations(bank, rounds / 4).await?;
    bar.inc(1);
    for (key, title, ms) in [
        (
            "revoke_to_answer_ms",
            "a revocation, to auth's answer",
            answered,
        ),
        (
            "revoke_to_reject_by_payments_ms",
            "a revocation, to the refusal by payments",
            payments,
        ),
        (
            "revoke_to_reject_by_ledger_ms",
            "a revocation, to the refusal by the ledger",
            ledger,
        ),
    ] {
        report.figures.extend(Figure::new(key, title, "ms", &ms));
    }
    Ok(())
}

/// Milliseconds of the first, the second and the third payment of each token.
async fn first_payments(bank: &mut BenchBank, rounds: usize) -> Result<[Vec<f64>; PAYMENTS]> {
    let url = bank.bank.url(Service::Payments);
    let tokens = bank.tokens(Audience::Http, rounds + 1).await?;
    let mut connection = Connection::open(&url).await?;
    let mut all: [Vec<f64>; PAYMENTS] = Default::default();
    for (round, token) in tokens.into_iter().enumerate() {
        let requests = pace::requests(bank, &url, "/payments", &[token], PAYMENTS);
        for (request, ms) in requests.iter().zip(&mut all) {
            let started = Instant::now();
            let (status, body) = connection.send(request).await?;
            let took = started.elapsed();
            ensure!(
                status == 202,
                "{status}: {}",
                String::from_utf8_lossy(&body)
            );
            // The first one opens connections.
            if round > 0 {
                ms.push(float(microseconds(took)) / 1000.0);
            }
        }
    }
    Ok(all)
}

/// Milliseconds from asking for a revocation to auth's answer, and to the refusals of both services.
async fn revocations(bank: &BenchBank, rounds: usize) -> Result<[Vec<f64>; 3]> {
    let [auth, payments, ledger] =
        [Service::Auth, Service::Payments, Service::Ledger].map(|service| bank.bank.url(service));
    let account = bank.accounts.first().context("an account")?;
    let reading = format!("/accounts/{account}");
    let secret = SHOP_SECRET.replace(' ', "+");
    let mut all: [Vec<f64>; 3] = Default::default();
    for token in bank.tokens(Audience::Http, rounds).await? {
        let form = format!("token={token}&client_id={SHOP}&client_secret={secret}");
        let revoke = http::post_form(&auth, "/oauth2/revoke", &form);
        let mut connection = Connection::open(&auth).await?;
        let mut at_payments = Asking::open(&payments, "/payments?limit=1", &token).await?;
        let mut at_ledger = Asking::open(&ledger, &reading, &token).await?;
        let started = Instant::now();
        let answered = async {
            let (status, _) = connection.send(&revoke).await?;
            ensure!(status == 200, "a revocation is answered with {status}");
            anyhow::Ok(started.elapsed())
        };
        let (answered, payments, ledger) = tokio::try_join!(
            answered,
            at_payments.until_refused(started),
            at_ledger.until_refused(started),
        )?;
        for (ms, took) in all.iter_mut().zip([answered, payments, ledger]) {
            ms.push(float(microseconds(took)) / 1000.0);
        }
    }
    Ok(all)
}

/// Somebody who asks the same again and again.
struct Asking {
    connection: Connection,
    request: Vec<u8>,
}

impl Asking {
    /// The token is good at first.
    async fn open(url: &str, path: &str, token: &str) -> Result<Self> {
        let mut this = Self {
            connection: Connection::open(url).await?,
            request: http::get_as(url, path, token),
        };
        let (status, body) = this.connection.send(&this.request).await?;
        ensure!(
            status == 200,
            "{status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(this)
    }

    async fn until_refused(&mut self, started: Instant) -> Result<std::time::Duration> {
        loop {
            let (status, _) = self.connection.send(&self.request).await?;
            if status == 401 {
                return Ok(started.elapsed());
            }
            ensure!(started.elapsed() < PATIENCE, "a revoked token still passes");
        }
    }
}
