//! Secrets that the authorization server gives out: 256 random bits each, of which it keeps the
//! SHA-256 alone.

use crate::error::{FhirError, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

const BYTES: usize = 32;

/// A new secret: 43 letters, digits, `-` and `_`.
pub fn new_secret() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random::<BYTES>()?))
}

/// Random bytes of the operating system.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(FhirError::internal)?;
    Ok(bytes)
}

/// What is stored of a secret.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// True where both are the same, in a time that does not tell where they differ.
pub fn are_equal(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}
