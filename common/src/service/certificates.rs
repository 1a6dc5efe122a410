//! When certificates end. Nobody is let in with one that has ended, and that comes without a warning.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use metrics::gauge;
use x509_parser::pem::Pem;

use super::as_gauge;

/// So long before its end somebody should know: authorities that renew by themselves do so with a month to go.
pub const CERTIFICATE_SOON: TimeDelta = TimeDelta::days(14);
/// How often the files are read. At the start the gateway may still be about to write its own.
const INTERVAL: Duration = Duration::from_secs(10);
/// Far more than a chain of certificates has.
const BYTES_MAX: u64 = 1024 * 1024;

/// When the first of the certificates in a PEM file ends.
///
/// # Errors
/// When the file can't be read, or holds none.
pub fn certificate_end(file: &Path) -> anyhow::Result<DateTime<Utc>> {
    let shown = file.display();
    let read = || -> std::io::Result<Vec<u8>> {
        let length = file.metadata()?.len();
        if length > BYTES_MAX {
            return Err(std::io::Error::other("it is too large"));
        }
        std::fs::read(file)
    };
    end(&read().with_context(|| format!("{shown} can't be read"))?)
        .with_context(|| format!("{shown} holds no certificate"))
}

fn end(pem: &[u8]) -> anyhow::Result<DateTime<Utc>> {
    let mut first: Option<DateTime<Utc>> = None;
    for block in Pem::iter_from_buffer(pem) {
        let block = block.context("no PEM")?;
        if block.label != "CERTIFICATE" {
            continue;
        }
        let Ok(certificate) = block.parse_x509() else {
            bail!("a block that is no certificate");
        };
        let end = certificate.validity().not_after.timestamp();
        let end = DateTime::from_timestamp(end, 0).context("an end out of any calendar")?;
        first = Some(first.map_or(end, |first| first.min(end)));
    }
    ensure!(first.is_some(), "no block of it is one");
    first.context("checked above")
}

/// Tells for ever when the certificates in these files end.
pub async fn watch_certificates(files: &[PathBuf]) -> Infallible {
    loop {
        tokio::time::sleep(INTERVAL).await;
        for file in files {
            // Another user than ours may be writing it just now.
            match certificate_end(file) {
                Ok(end) => {
                    let end = u64::try_from(end.timestamp()).unwrap_or_default();
                    let name = file.display().to_string();
                    let gauge =
                        gauge!("quittance_certificate_end_timestamp_seconds", "file" => name);
                    gauge.set(as_gauge(end));
                }
                Err(error) => tracing::warn!("when a certificate ends is not known: {error:#}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_end_of_a_chain_counts_and_what_is_no_certificate_is_refused() {
        let pem = |days: i64| {
            let mut asked = rcgen::CertificateParams::new(["bank.test".to_owned()]).unwrap();
            let end = DateTime::from_timestamp(1_900_000_000 + days * 86_400, 0).unwrap();
            asked.not_after = std::time::SystemTime::from(end).into();
            let key = rcgen::KeyPair::generate().unwrap();
            asked.self_signed(&key).unwrap().pem()
        };
        let chain = pem(90) + &pem(30) + &pem(365);
        let found = end(chain.as_bytes()).unwrap();
        assert_eq!(found.timestamp(), 1_900_000_000 + 30 * 86_400);
        for wrong in [
            "",
            "no PEM",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(end(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
