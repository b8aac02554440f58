//! Seals what is stored and what a copy of the database must not tell: under keys derived from
//! those of the key file, each for one purpose, named by an id. What an earlier key has sealed is
//! opened for as long as that key stands in the file.

use super::file::KEY_BYTES;
use crate::error::{FhirError, Result};
use crate::storage::SealedSecret;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of the id of a key.
const ID_BYTES: usize = 9;

/// The keys of one purpose.
pub struct Seals {
    /// The first one seals.
    keys: Vec<SealKey>,
}

struct SealKey {
    id: String,
    key: RandomizedNonceKey,
}

impl Seals {
    /// From the keys of the file, the newest first.
    pub fn new(file: &[[u8; KEY_BYTES]], purpose: &str) -> Result<Seals> {
        let keys: Vec<SealKey> =
            file.iter().map(|key| derived(key, purpose)).collect::<Result<_>>()?;
        match keys.is_empty() {
            true => Err(FhirError::internal("there is no key to seal with")),
            false => Ok(Seals { keys }),
        }
    }

    /// The id of the key that seals.
    pub fn id(&self) -> &str {
        self.keys.first().map_or("", |key| &key.id)
    }

    /// Seals it for this place alone, such as an account.
    pub fn seal(&self, place: &str, secret: &[u8]) -> Result<SealedSecret> {
        let failed = || FhirError::internal("a secret cannot be sealed");
        let SealKey { id, key } = self.keys.first().ok_or_else(failed)?;
        let mut sealed = secret.to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(place), &mut sealed);
        let nonce = nonce.map_err(|_| failed())?;
        let bytes = [nonce.as_ref().as_slice(), &sealed].concat();
        Ok(SealedSecret { bytes, by: Some(id.clone()) })
    }

    /// Opens what stands at this place. 500 where it is another one's, or the key is not in the
    /// file any more.
    pub fn open(&self, place: &str, sealed: &SealedSecret) -> Result<Vec<u8>> {
        let by = sealed.by.as_deref();
        let known = self.keys.iter().find(|key| Some(key.id.as_str()) == by);
        let known = known.ok_or_else(|| {
            FhirError::internal("a secret is sealed under a key that is not in the key file")
        })?;
        opened(&known.key, place, &sealed.bytes)
    }
}

/// Opens a nonce with what it seals, under this key.
pub fn opened(key: &RandomizedNonceKey, place: &str, sealed: &[u8]) -> Result<Vec<u8>> {
    let broken = || FhirError::internal("a sealed secret cannot be opened");
    let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let mut rest = rest.to_vec();
    let opened = key.open_in_place(nonce, Aad::from(place), &mut rest);
    opened.map(|secret| secret.to_vec()).map_err(|_| broken())
}

fn derived(file: &[u8; KEY_BYTES], purpose: &str) -> Result<SealKey> {
    let root = hmac::Key::new(hmac::HMAC_SHA256, file);
    let of = |what: &str| hmac::sign(&root, format!("bhn-fhir {what} {purpose}").as_bytes());
    let id = URL_SAFE_NO_PAD.encode(&of("id of").as_ref()[..ID_BYTES]);
    let key = RandomizedNonceKey::new(&AES_256_GCM, of("seal of").as_ref());
    let key = key.map_err(|_| FhirError::internal("a key has the wrong length"))?;
    Ok(SealKey { id, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_at_its_place_alone() {
        let seals = Seals::new(&[[7; 32]], "factors").unwrap();
        let sealed = seals.seal("one", b"secret").unwrap();
        assert_ne!(sealed, seals.seal("one", b"secret").unwrap());
        assert_eq!(seals.open("one", &sealed).unwrap(), b"secret");
        assert!(seals.open("two", &sealed).is_err());
        let short = SealedSecret { bytes: b"short".to_vec(), ..sealed.clone() };
        assert!(seals.open("one", &short).is_err());
        assert!(Seals::new(&[[7; 32]], "other").unwrap().open("one", &sealed).is_err());
        assert!(Seals::new(&[[8; 32]], "factors").unwrap().open("one", &sealed).is_err());
        assert!(Seals::new(&[], "factors").is_err());
    }

    #[test]
    fn what_an_earlier_key_has_sealed_opens_while_it_stands_in_the_file() {
        let before = Seals::new(&[[7; 32]], "factors").unwrap();
        let sealed = before.seal("one", b"secret").unwrap();
        let both = Seals::new(&[[8; 32], [7; 32]], "factors").unwrap();
        assert_eq!(both.open("one", &sealed).unwrap(), b"secret");
        assert_ne!(both.id(), before.id());
        let anew = both.seal("one", b"secret").unwrap();
        assert_eq!(anew.by.as_deref(), Some(both.id()));
        assert!(before.open("one", &anew).is_err());
    }
}
