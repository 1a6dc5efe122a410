//! The gateway's certificate: one's own, or a self-signed one that the bank makes and keeps.
//!
//! Either way nginx reads copies in its own directory, which nobody else may enter.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};

use crate::secrets::write_private;

/// The file names in nginx' directory.
pub(crate) const CERTIFICATE: &str = "certificate.pem";
pub(crate) const KEY: &str = "key.pem";
/// Names of this machine that lead to loopback.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const DAY: Duration = Duration::from_hours(24);
/// Browsers refuse certificates of more than 398 days.
const LIFE: Duration = Duration::from_hours(24 * 397);
/// With less of it left the bank makes another.
const LEFT_MIN: Duration = Duration::from_hours(24 * 30);

/// Where the gateway of the bank at `home` has its certificate, if it speaks TLS.
#[must_use]
pub fn certificate_of(home: &Path) -> PathBuf {
    home.join("gateway").join(CERTIFICATE)
}

/// Whether the gateway speaks TLS, and with which certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Tls {
    /// HTTP: on loopback only.
    #[default]
    Off,
    /// With a certificate that the bank makes for itself.
    SelfSigned,
    /// With this certificate and its chain, and its private key (PEM).
    Files {
        /// The certificate, then those between it and an authority.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
}

/// Puts the certificate and its key into this directory. `names` are those of the gateway besides localhost. False when
/// both were there already.
pub(crate) fn put(tls: &Tls, directory: &Path, names: &[String]) -> Result<bool> {
    match tls {
        Tls::Off => Ok(false),
        Tls::Files { certificate, key } => {
            let mut is_new = false;
            for (from, to) in [(certificate, CERTIFICATE), (key, KEY)] {
                let pem =
                    fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
                let to = directory.join(to);
                if fs::read(&to).ok().as_ref() != Some(&pem) {
                    write_private(&to, &pem)?;
                    is_new = true;
                }
            }
            // With `--tls` the bank makes one of its own again.
            fs::remove_file(directory.join(MADE_FOR)).ok();
            Ok(is_new)
        }
        Tls::SelfSigned => {
            let names: Vec<String> = NAMES
                .into_iter()
                .map(str::to_owned)
                .chain(names.iter().cloned())
                .collect();
            let is_new = !is_good(directory, &names);
            if is_new {
                make(directory, &names)?;
            }
            Ok(is_new)
        }
    }
}

/// The names that the self-signed certificate was made for, a line each. It is as old as the certificate.
const MADE_FOR: &str = "self-signed-for.txt";

fn is_good(directory: &Path, names: &[String]) -> bool {
    let made_for = directory.join(MADE_FOR);
    let age = || made_for.metadata().ok()?.modified().ok()?.elapsed().ok();
    let has_names = fs::read_to_string(&made_for).is_ok_and(|text| text == names.join("\n"));
    let has_files = [CERTIFICATE, KEY]
        .into_iter()
        .all(|file| directory.join(file).exists());
    has_names && has_files && age().is_some_and(|age| age + LEFT_MIN < LIFE)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a certificate is good from the moment it is made"
)]
fn make(directory: &Path, names: &[String]) -> Result<()> {
    let mut asked = CertificateParams::new(names)?;
    asked.distinguished_name = DistinguishedName::new();
    asked
        .distinguished_name
        .push(DnType::CommonName, "Quittance gateway, self-signed");
    asked.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    asked.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = SystemTime::now();
    // Clocks differ a little.
    asked.not_before = (now - DAY).into();
    asked.not_after = (now - DAY + LIFE).into();
    let key = KeyPair::generate()?;
    let certificate = asked.self_signed(&key)?;
    // The note comes last: without it all of it is made again.
    fs::remove_file(directory.join(MADE_FOR)).ok();
    write_private(&directory.join(KEY), key.serialize_pem().as_bytes())?;
    write_private(&directory.join(CERTIFICATE), certificate.pem().as_bytes())?;
    write_private(&directory.join(MADE_FOR), names.join("\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_self_signed_certificate_is_kept_until_it_is_old_or_for_other_names() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let put = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            put(&Tls::SelfSigned, directory, &names).unwrap();
            fs::read_to_string(directory.join(CERTIFICATE)).unwrap()
        };
        let first = put(&[]);
        assert_eq!(put(&[]), first);
        let other = put(&["bank.test"]);
        assert_ne!(other, first);
        let made_for = fs::File::options()
            .write(true)
            .open(directory.join(MADE_FOR))
            .unwrap();
        let made = made_for.metadata().unwrap().modified().unwrap();
        let long_ago = made - (LIFE - LEFT_MIN);
        made_for.set_modified(long_ago).unwrap();
        assert_ne!(put(&["bank.test"]), other);
    }
}
