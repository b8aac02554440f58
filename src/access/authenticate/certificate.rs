//! Certificates of clients: RFC 8705.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A certificate whose private key the client has: it took part in the handshake of TLS, here or
/// at a proxy that is trusted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientCertificate {
    pub der: Vec<u8>,
    /// Whether an authority that the operator has named vouches for it.
    pub is_vouched_for: bool,
}

impl ClientCertificate {
    /// `x5t#S256`
    pub fn thumbprint(&self) -> String {
        thumbprint(&self.der)
    }
}

/// The same of a certificate in DER.
pub fn thumbprint(der: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(der))
}
