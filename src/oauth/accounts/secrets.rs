//! Names under which attempts are counted, and keys of this server, each for one purpose.

use crate::error::{FhirError, Result};
use crate::oauth::secrets::hash;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The hash of a kind and a name, for counting.
pub fn hash_of(kind: &str, name: &str) -> Vec<u8> {
    hash(&format!("{kind}\n{name}")).to_vec()
}

/// Keys derived from the one that all nodes share.
pub struct Keys {
    forms: hmac::Key,
    factors: RandomizedNonceKey,
}

impl Keys {
    pub fn new(server_key: &[u8]) -> Result<Keys> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, server_key);
        let derived = |purpose: &str| hmac::sign(&root, purpose.as_bytes());
        let forms = derived("bhn-fhir tokens of forms");
        let factors = derived("bhn-fhir secrets of second factors");
        let factors = RandomizedNonceKey::new(&AES_256_GCM, factors.as_ref());
        Ok(Keys {
            forms: hmac::Key::new(hmac::HMAC_SHA256, forms.as_ref()),
            factors: factors.map_err(|_| FhirError::internal("a key has the wrong length"))?,
        })
    }

    /// What every form of this browser, or of this session, brings back.
    pub fn form_token(&self, binding: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.forms, binding).as_ref())
    }

    /// Whether it is the one of that binding; in constant time.
    pub fn is_form_token(&self, binding: &[u8], token: &str) -> bool {
        let token = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
        hmac::verify(&self.forms, binding, &token).is_ok()
    }

    /// Seals the secret of an account.
    pub fn seal(&self, account: &str, secret: &[u8]) -> Result<Vec<u8>> {
        let mut sealed = secret.to_vec();
        let nonce = self.factors.seal_in_place_append_tag(Aad::from(account), &mut sealed);
        let nonce = nonce.map_err(|_| FhirError::internal("a secret cannot be sealed"))?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// Opens it. 500 where it is another account's, or was sealed by another key.
    pub fn open(&self, account: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let broken = || FhirError::internal("the secret of a second factor cannot be opened");
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let mut rest = rest.to_vec();
        let opened = self.factors.open_in_place(nonce, Aad::from(account), &mut rest);
        opened.map(|secret| secret.to_vec()).map_err(|_| broken())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_for_its_account_alone() {
        let keys = Keys::new(&[7; 32]).unwrap();
        let sealed = keys.seal("one", b"secret").unwrap();
        assert_ne!(sealed, keys.seal("one", b"secret").unwrap());
        assert_eq!(keys.open("one", &sealed).unwrap(), b"secret");
        assert!(keys.open("two", &sealed).is_err());
        assert!(Keys::new(&[8; 32]).unwrap().open("one", &sealed).is_err());
        assert!(keys.open("one", b"short").is_err());
    }

    #[test]
    fn a_form_token_is_of_one_binding() {
        let keys = Keys::new(&[7; 32]).unwrap();
        let token = keys.form_token(b"session");
        assert!(keys.is_form_token(b"session", &token));
        assert!(!keys.is_form_token(b"other", &token));
        assert!(!keys.is_form_token(b"session", ""));
    }
}
