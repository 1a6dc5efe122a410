//! TLS to real servers: who is trusted, who is refused and with which words, and what a refused one has seen.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

mod broker;
mod database;
mod greeting;
mod terminator;

use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, net};

use common::broker::Config;
use local::{Servers, testing};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

/// Vouches for the servers of a test.
struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn named(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        fs::write(directory.path().join("ca.crt"), certificate.pem()).unwrap();
        Self {
            directory,
            issuer: Issuer::new(params, key),
        }
    }

    /// The file that those who trust it name.
    fn file(&self) -> PathBuf {
        self.directory.path().join("ca.crt")
    }

    /// A certificate for the name `localhost`, and for no other, and its private key.
    fn vouch(&self) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate, key)
    }

    /// The server's end of TLS, with such a certificate.
    fn acceptor(&self) -> TlsAcceptor {
        let (certificate, key) = self.vouch();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(tls))
    }

    /// Fresh servers, the broker with such a certificate.
    async fn servers(&self) -> Servers {
        let (certificate, key) = self.vouch();
        let mut servers = testing::servers().await;
        testing::speak_tls(&mut servers, &certificate.pem(), &key.serialize_pem()).await;
        servers
    }
}

/// The ledger's login, at an address whose scheme and host are these.
fn ledger(servers: &Servers, address: &str, ca: Option<PathBuf>) -> Config {
    let url = servers.nats_url();
    let host = net::Ipv4Addr::LOCALHOST;
    Config {
        url: url.replace(&format!("nats://{host}"), address),
        user: "ledger".to_owned(),
        password: servers.nats_password("ledger").to_owned(),
        ca,
    }
}
