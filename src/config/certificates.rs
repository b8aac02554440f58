//! Settings of client certificates: RFC 8705.

use clap::{ArgAction, Args};
use std::path::PathBuf;

/// How clients show certificates. None of it is on by default.
#[derive(Args, Clone, Default, Debug)]
pub struct CertificateConfig {
    /// Whether clients are asked for a certificate at the TLS handshake of this server.
    #[arg(long, env = "BHN_TLS_CLIENT_CERTIFICATES", default_value_t = false,
        action = ArgAction::Set, requires_if("true", "tls_certificate"))]
    pub tls_client_certificates: bool,
    /// PEM file of the authorities that vouch for certificates of clients.
    #[arg(long, env = "BHN_TLS_CLIENT_CA")]
    pub tls_client_ca: Option<PathBuf>,
    /// The header in which trusted proxies forward the certificate of a client.
    #[arg(long, env = "BHN_CLIENT_CERTIFICATE_HEADER", requires = "trusted_proxies")]
    pub client_certificate_header: Option<String>,
}

impl CertificateConfig {
    /// Whether clients can show a certificate at all.
    pub fn is_on(&self) -> bool {
        self.tls_client_certificates || self.client_certificate_header.is_some()
    }
}
