//! TLS at the gateway: with a certificate of one's own, with a self-signed one, and each form of the configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use local::testing::{Front, programs};
use local::{GatewayOptions, Tls};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use crate::client::{connect, get};
use crate::stub::Stub;
use crate::{behind, front};

/// Starts nginx with TLS; `names` are those it has besides localhost.
async fn secure(stub: &Stub, tls: Tls, names: &[&str]) -> Front {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Front::start(behind(stub), GatewayOptions { tls, names }).await
}

/// `GET path` of this host by a client that trusts this certificate and nothing else; the answer, or why there is none.
async fn get_trusting(
    front: &Front,
    certificate: &Path,
    host: &str,
    version: &'static SupportedProtocolVersion,
    path: &str,
) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = connect(front.port()).await;
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    let mut socket = connector
        .connect(name, socket)
        .await
        .map_err(|error| error.to_string())?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn the_self_signed_certificate_is_good_for_this_machine_and_its_key_is_private() {
    let stub = Stub::start().await;
    let front = secure(&stub, Tls::SelfSigned, &["bank.test"]).await;
    assert!(front.url().starts_with("https://127.0.0.1:"));
    let certificate = front.directory().join("certificate.pem");
    for host in ["localhost", "127.0.0.1", "bank.test"] {
        for version in [&TLS12, &TLS13] {
            let answer = get_trusting(&front, &certificate, host, version, "/bank/x").await;
            let answer = answer.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
            assert!(answer.contains("X-Forwarded-Proto: https\r\n"));
            // It would hold for everything else on this machine's localhost.
            let is_strict = answer.contains("Strict-Transport-Security: max-age=31536000\r\n");
            assert_eq!(is_strict, host != "localhost", "{answer}");
        }
    }
    let error = get_trusting(&front, &certificate, "other.test", &TLS13, "/").await;
    assert!(error.unwrap_err().contains("not valid for name"));
    // As root, nginx' user reads them through its group, and changes none.
    for file in ["key.pem", "certificate.pem", "nginx.conf"] {
        let mode = fs::metadata(front.directory().join(file))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o137, 0, "{file}");
    }
    let mode = fs::metadata(front.directory())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o027, 0);
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_used_and_http_is_told_to_come_with_tls() {
    let stub = Stub::start().await;
    let directory = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let [certificate, key] = ["own.pem", "own.key"].map(|name| directory.path().join(name));
    fs::write(&certificate, own.cert.pem()).unwrap();
    fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let tls = Tls::Files {
        certificate: certificate.clone(),
        key,
    };
    let front = secure(&stub, tls, &[]).await;
    let answer = get_trusting(&front, &certificate, "localhost", &TLS13, "/bank/x").await;
    assert!(answer.unwrap().starts_with("HTTP/1.1 200"));
    let plain = get(front.port(), "/bank/x").await;
    assert_eq!(plain.status, 400);
    assert!(
        plain.body.contains("this address speaks HTTPS"),
        "{plain:?}"
    );
    assert_eq!(
        plain.header("content-type"),
        Some("application/problem+json")
    );
    assert!(stub.asked("GET /x").len() == 1, "only the one with TLS");
}

/// The containers' form too, which no test starts: there is no engine here, and so no name server of one.
#[tokio::test]
async fn nginx_accepts_each_form_of_its_configuration() {
    let stub = Stub::start().await;
    for tls in [Tls::Off, Tls::SelfSigned] {
        let front = secure(&stub, tls, &["bank.test"]).await;
        check(&front.directory());
    }
    // Names that are asked for again while nginx runs came with 1.27.3; the image has a newer one.
    if front(&stub).await.version() < (1, 28) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("run")).unwrap();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway");
    for file in fs::read_dir(committed).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), directory.path().join(file.file_name())).unwrap();
    }
    check(directory.path());
}

fn check(directory: &Path) {
    let output = Command::new(programs().nginx)
        .args(["-t", "-q", "-e", "stderr", "-c", "nginx.conf", "-p"])
        .arg(directory.join(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
