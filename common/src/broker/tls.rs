//! TLS to the broker: whom a connection trusts, and the layer between what it says and what its socket carries.
//!
//! The layer does no I/O. So a connection reads and writes its socket in one way, with TLS and without, and a plain one
//! pays nothing. It is the TLS of the client library and of sqlx: rustls with aws-lc-rs.

use std::io::{self, BufRead as _, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// Room for some records; one is 16 KB at most.
const SEALED_BYTES: usize = 64 * 1024;

/// Trusts who is vouched for by the certificates in this file, or without a file, by those of the machine. They are read anew
/// for each connection.
pub(super) async fn client_config(ca: Option<PathBuf>) -> Result<ClientConfig, String> {
    let reading = tokio::task::spawn_blocking(move || read_client_config(ca.as_deref()));
    reading.await.map_err(|error| error.to_string())?
}

fn read_client_config(ca: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = match ca {
        Some(ca) => {
            roots_of(ca).map_err(|error| format!("QUITTANCE_NATS_CA, {}: {error}", ca.display()))?
        }
        None => roots_of_the_machine()?,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn roots_of(ca: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(ca).map_err(|error| error.to_string())?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(roots)
}

/// What can't be read there is left out, as by every other program.
fn roots_of_the_machine() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("this machine trusts nobody: name a file in QUITTANCE_NATS_CA".to_owned());
    }
    Ok(roots)
}

/// The client's end of one connection's TLS.
pub(super) struct Layer {
    session: ClientConnection,
    /// Came from the socket and is not opened yet.
    sealed: BytesMut,
}

impl Layer {
    /// Begins to speak with a server that must prove that it is `host`, a name or an address.
    pub(super) fn new(config: ClientConfig, host: &str) -> Result<Self, String> {
        let host = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let mut session =
            ClientConnection::new(Arc::new(config), host).map_err(|error| error.to_string())?;
        // What is said is taken out at once.
        session.set_buffer_limit(None);
        Ok(Self {
            session,
            sealed: BytesMut::new(),
        })
    }

    /// Whether the server has not proved yet who it is.
    pub(super) fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    /// Where the socket's bytes go, before [`Layer::open`].
    pub(super) fn room(&mut self) -> &mut BytesMut {
        self.sealed.reserve(SEALED_BYTES);
        &mut self.sealed
    }

    /// Opens what came, behind what was opened before.
    pub(super) fn open(&mut self, opened: &mut BytesMut) -> Result<(), String> {
        while !self.sealed.is_empty() {
            let mut rest = &self.sealed[..];
            let count = self.session.read_tls(&mut rest).map_err(text)?;
            if count == 0 {
                return Err("the broker said more after its last word".to_owned());
            }
            self.sealed.advance(count);
            self.session.process_new_packets().map_err(refusal)?;
            self.take_opened(opened).map_err(text)?;
        }
        Ok(())
    }

    fn take_opened(&mut self, opened: &mut BytesMut) -> io::Result<()> {
        let mut reader = self.session.reader();
        loop {
            let count = match reader.fill_buf() {
                // The server has said its last word; the socket's end follows.
                Ok([]) => return Ok(()),
                Ok(bytes) => {
                    opened.extend_from_slice(bytes);
                    bytes.len()
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            reader.consume(count);
        }
    }

    /// These bytes as the socket is to carry them.
    pub(super) fn seal(&mut self, bytes: &[u8]) -> Bytes {
        let written = self.session.writer().write_all(bytes);
        written.expect("its buffer has no limit");
        self.take_output()
    }

    /// What the layer itself has to say: greetings, keys, and why it refuses the server.
    pub(super) fn take_output(&mut self) -> Bytes {
        let mut sealed = Vec::new();
        while self.session.wants_write() {
            let written = self.session.write_tls(&mut sealed);
            written.expect("memory takes all");
        }
        sealed.into()
    }
}

fn refusal(error: rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => {
            format!("the broker's certificate is not accepted: {error}")
        }
        error => format!("no TLS with the broker: {error}"),
    }
}

fn text(error: io::Error) -> String {
    refusal(rustls::Error::General(error.to_string()))
}
