//! TLS by the operator's own certificate, for where no proxy ends it. The files are read anew when
//! they change, so that a certificate is replaced without a restart.

use crate::http::certificates::AnyCertificate;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// From the connection to the end of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(30);
/// RFC 7301; what a client chooses first of these.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Where certificate and key are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// PEM: the certificate of the server, then those between it and the authority.
    pub certificate: PathBuf,
    /// PEM: PKCS #8, PKCS #1 or SEC 1. Nobody but its owner and group may read it.
    pub key: PathBuf,
    /// Whether clients that have TLS 1.2 alone are served too.
    pub allows_tls12: bool,
    /// Whether clients are asked for a certificate.
    pub asks_clients: bool,
}

/// The newest certificate that could be read.
pub struct Tls {
    files: TlsFiles,
    acceptor: RwLock<TlsAcceptor>,
}

impl Tls {
    /// An error that names the file where one cannot be read, is no PEM, does not fit the other,
    /// or is a key that everybody may read.
    pub fn open(files: TlsFiles) -> io::Result<Arc<Tls>> {
        let acceptor = RwLock::new(acceptor(&files)?);
        Ok(Arc::new(Tls { files, acceptor }))
    }

    /// The connection after its handshake; None where there was none in time.
    pub async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let acceptor = self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone();
        match timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => None,
        }
    }

    /// Reads the files again whenever they change, for ever.
    pub async fn follow(&self) {
        let mut known = changed(&self.files);
        loop {
            sleep(LOOK).await;
            let now = changed(&self.files);
            if now != known && self.read_again() {
                known = now;
            }
        }
    }

    /// False where the files cannot be read: the certificate that there is stays.
    fn read_again(&self) -> bool {
        match acceptor(&self.files) {
            Ok(newer) => {
                *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = newer;
                tracing::info!("the certificate was read anew");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the changed certificate was not read");
                false
            }
        }
    }
}

fn changed(files: &TlsFiles) -> [Option<SystemTime>; 2] {
    let of = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    [of(&files.certificate), of(&files.key)]
}

fn acceptor(files: &TlsFiles) -> io::Result<TlsAcceptor> {
    let TlsFiles { certificate, key, allows_tls12, asks_clients } = files;
    let wrong = |path: &Path, error: &dyn std::fmt::Display| {
        io::Error::other(format!("{}: {error}", path.display()))
    };
    refuse_open_key(key)?;
    let chain: Vec<CertificateDer> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let versions: &[_] = if *allows_tls12 { &[&TLS13, &TLS12] } else { &[&TLS13] };
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .map_err(io::Error::other)?;
    let builder = match asks_clients {
        true => builder.with_client_cert_verifier(AnyCertificate::verifier()),
        false => builder.with_no_client_auth(),
    };
    let mut config =
        builder.with_single_cert(chain, private).map_err(|error| wrong(certificate, &error))?;
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A key that everybody on the machine may read is nobody's secret.
fn refuse_open_key(key: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = key
        .metadata()
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", key.display())))?;
    match metadata.permissions().mode() & 0o007 {
        0 => Ok(()),
        _ => {
            let text = format!("{}: everybody may read this key; chmod 600 it", key.display());
            Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
        }
    }
}
