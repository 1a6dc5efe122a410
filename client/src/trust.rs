//! Who may vouch for a bank that speaks HTTPS: whom the machine trusts, or only those of a file.

use reqwest::redirect::Policy;
use reqwest::{Certificate, Url};

use crate::{Addresses, Client, TIMEOUT};

/// Why nobody could vouch for a bank.
#[derive(Debug, thiserror::Error)]
pub enum BadTrust {
    /// The PEM has none.
    #[error("it holds no certificate (PEM)")]
    NoCertificate,
    /// A certificate is damaged, or the machine trusts nobody.
    #[error("no certificate can be checked")]
    Unusable(#[source] reqwest::Error),
}

impl Client {
    /// A client of a bank elsewhere, behind its gateway. `ca` is PEM: the certificates of who may vouch for it, instead of
    /// those that the machine trusts. A proxy that the environment names is used, except on this machine.
    ///
    /// # Errors
    /// [`BadTrust`].
    pub fn of_gateway(gateway: &str, ca: Option<&[u8]>) -> Result<Self, BadTrust> {
        let mut http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // A password must go nowhere that was not named.
            .redirect(Policy::none());
        if let Some(ca) = ca {
            let certificates = Certificate::from_pem_bundle(ca).map_err(BadTrust::Unusable)?;
            if certificates.is_empty() {
                return Err(BadTrust::NoCertificate);
            }
            http = http.tls_certs_only(certificates);
        } else if !gateway.starts_with("https:") {
            http = http.tls_certs_only([]);
        }
        if Url::parse(gateway).is_ok_and(|url| is_loopback(&url)) {
            http = http.no_proxy();
        }
        Ok(Self {
            http: http.build().map_err(BadTrust::Unusable)?,
            addresses: Addresses::behind(gateway),
        })
    }
}

/// Whether an address never leaves this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            let address = host.trim_start_matches('[').trim_end_matches(']');
            address
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_never_leaves_the_machine_is_loopback() {
        for (url, expected) in [
            ("http://localhost:8080", true),
            ("http://127.0.0.2", true),
            ("http://[::1]:8080", true),
            ("http://bank.example", false),
            ("http://localhost.example", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_vouches_for_nobody() {
        let none = Client::of_gateway("https://bank.example", Some(b"nothing"));
        assert!(matches!(none, Err(BadTrust::NoCertificate)));
    }
}
