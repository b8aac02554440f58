//! Names under which attempts are counted, and keys of this server, each for one purpose.

use crate::error::{FhirError, Result};
use crate::oauth::keys::{Seals, opened};
use crate::oauth::secrets::hash;
use crate::storage::SealedSecret;
use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The hash of a kind and a name, for counting.
pub fn hash_of(kind: &str, name: &str) -> Vec<u8> {
    hash(&format!("{kind}\n{name}")).to_vec()
}

/// For what the key file seals here.
pub const FACTORS: &str = "secrets of second factors";

/// Keys that all nodes share.
pub struct Keys {
    forms: hmac::Key,
    /// Of the key file.
    seals: Seals,
    /// Of the database, for secrets that were sealed before there were keys of the file for them.
    older: RandomizedNonceKey,
}

impl Keys {
    /// From the key in the database, and those of the key file for [`FACTORS`].
    pub fn new(server_key: &[u8], seals: Seals) -> Result<Keys> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, server_key);
        let derived = |purpose: &str| hmac::sign(&root, purpose.as_bytes());
        let forms = derived("bhn-fhir tokens of forms");
        let older = derived("bhn-fhir secrets of second factors");
        let older = RandomizedNonceKey::new(&AES_256_GCM, older.as_ref());
        Ok(Keys {
            forms: hmac::Key::new(hmac::HMAC_SHA256, forms.as_ref()),
            seals,
            older: older.map_err(|_| FhirError::internal("a key has the wrong length"))?,
        })
    }

    pub fn seals(&self) -> &Seals {
        &self.seals
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
    pub fn seal(&self, account: &str, secret: &[u8]) -> Result<SealedSecret> {
        self.seals.seal(account, secret)
    }

    /// Opens it. 500 where it is another account's, or was sealed by another key.
    pub fn open(&self, account: &str, sealed: &SealedSecret) -> Result<Vec<u8>> {
        match sealed.by {
            Some(_) => self.seals.open(account, sealed),
            None => opened(&self.older, account, &sealed.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::aead::Aad;

    fn keys(server_key: [u8; 32]) -> Keys {
        Keys::new(&server_key, Seals::new(&[[9; 32]], FACTORS).unwrap()).unwrap()
    }

    #[test]
    fn a_secret_of_before_the_key_file_opens_still() {
        let keys = keys([7; 32]);
        let mut bytes = b"secret".to_vec();
        let nonce = keys.older.seal_in_place_append_tag(Aad::from("one"), &mut bytes).unwrap();
        let bytes = [nonce.as_ref().as_slice(), &bytes].concat();
        let sealed = SealedSecret { bytes, by: None };
        assert_eq!(keys.open("one", &sealed).unwrap(), b"secret");
        assert!(keys.open("two", &sealed).is_err());
        assert!(super::tests::keys([8; 32]).open("one", &sealed).is_err());
        let anew = keys.seal("one", b"secret").unwrap();
        assert_eq!(keys.open("one", &anew).unwrap(), b"secret");
        let unnamed = SealedSecret { by: None, ..anew };
        assert!(keys.open("one", &unnamed).is_err(), "the database alone opens nothing new");
    }

    #[test]
    fn a_form_token_is_of_one_binding() {
        let keys = keys([7; 32]);
        let token = keys.form_token(b"session");
        assert!(keys.is_form_token(b"session", &token));
        assert!(!keys.is_form_token(b"other", &token));
        assert!(!keys.is_form_token(b"session", ""));
    }
}
