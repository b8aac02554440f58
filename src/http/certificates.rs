//! Certificates of clients (RFC 8705): from the handshake of TLS, or from a proxy that is trusted.

use crate::access::ClientCertificate;
use axum::http::{HeaderMap, HeaderName};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What the connection's client has shown, if it has shown one.
#[derive(Clone, Debug)]
pub struct Shown(pub Arc<ClientCertificate>);

/// How clients show certificates, and who vouches for them.
#[derive(Clone, Default, Debug)]
pub struct ClientCertificates {
    /// Whether the handshake asks for one.
    pub asks: bool,
    /// In which trusted proxies forward them.
    pub header: Option<HeaderName>,
    authorities: Option<Arc<dyn ClientCertVerifier>>,
}

impl ClientCertificates {
    /// With the authorities of a PEM file. An error that names what cannot be read.
    pub fn open(asks: bool, header: Option<&str>, authorities: Option<&Path>) -> io::Result<Self> {
        let header = header.map(|name| HeaderName::from_bytes(name.as_bytes()));
        let wrong = |_| io::Error::other("the client certificate header is no name of a header");
        let header = header.transpose().map_err(wrong)?;
        let authorities = authorities.map(verifier).transpose()?;
        Ok(ClientCertificates { asks, header, authorities })
    }

    /// What a chain shows, whose first certificate is the client's.
    pub fn shown(&self, chain: &[CertificateDer<'_>]) -> Option<Shown> {
        let (own, others) = chain.split_first()?;
        let vouch = |authorities: &Arc<dyn ClientCertVerifier>| {
            authorities.verify_client_cert(own, others, UnixTime::now()).is_ok()
        };
        let is_vouched_for = self.authorities.as_ref().is_some_and(vouch);
        Some(Shown(Arc::new(ClientCertificate { der: own.to_vec(), is_vouched_for })))
    }

    /// What a trusted proxy forwards. None where it is nothing, twice, or no certificate.
    pub fn forwarded(&self, headers: &HeaderMap) -> Option<Shown> {
        let mut lines = headers.get_all(self.header.as_ref()?).iter();
        let line = lines.next().filter(|_| lines.next().is_none())?;
        self.shown(&[certificate(line.to_str().ok()?.trim())?])
    }
}

/// `:BASE64:` (RFC 9440), or PEM in percent-encoding, as load balancers have it.
fn certificate(text: &str) -> Option<CertificateDer<'static>> {
    if let Some(encoded) = text.strip_prefix(':').and_then(|text| text.strip_suffix(':')) {
        return STANDARD.decode(encoded).ok().map(CertificateDer::from);
    }
    let pem = percent_decode_str(text).decode_utf8().ok()?;
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn verifier(path: &Path) -> io::Result<Arc<dyn ClientCertVerifier>> {
    let wrong =
        |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let verifier = verifier.build().map_err(|error| wrong(&error))?;
    Ok(verifier)
}

/// Asks for a certificate, takes any or none, and checks that its key is the client's. Who vouches
/// for it is asked afterwards: clients that are registered with their certificate need nobody.
#[derive(Debug)]
pub struct AnyCertificate(Arc<CryptoProvider>);

impl AnyCertificate {
    pub fn verifier() -> Arc<dyn ClientCertVerifier> {
        Arc::new(AnyCertificate(provider()))
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
