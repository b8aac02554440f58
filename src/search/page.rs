//! Links to further pages (<https://hl7.org/fhir/R4/http.html#paging>): sealed, so that a URL
//! shows no search value, nobody makes one, and it works for its principal alone.

use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Bytes of a key of the [`Sealer`].
pub const KEY_BYTES: usize = 32;
/// How long a link works.
const LIFETIME: Duration = Duration::hours(1);
/// First byte of what is sealed; another layout takes another number.
const LAYOUT: u8 = 1;

/// Seals small texts for the server's own later use: AES-256-GCM under a key that all nodes
/// share.
pub struct Sealer {
    key: RandomizedNonceKey,
}

impl Sealer {
    /// `key` has [`KEY_BYTES`] random bytes.
    pub fn new(key: &[u8]) -> Result<Sealer> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(FhirError::internal)?;
        Ok(Sealer { key })
    }

    /// Letters, digits, `-` and `_`.
    pub fn seal(&self, plain: &[u8]) -> Result<String> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from([LAYOUT]), &mut sealed)
            .map_err(FhirError::internal)?;
        let parts = [&[LAYOUT][..], nonce.as_ref(), &sealed].concat();
        Ok(URL_SAFE_NO_PAD.encode(parts))
    }

    /// 404 for what this key did not seal.
    pub fn open(&self, token: &str) -> Result<Vec<u8>> {
        self.opened(token).ok_or_else(unknown_page)
    }

    fn opened(&self, token: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (layout, rest) = bytes.split_first().filter(|(layout, _)| **layout == LAYOUT)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let plain = self.key.open_in_place(nonce, Aad::from([*layout]), &mut sealed).ok()?;
        Some(plain.to_vec())
    }
}

/// 404 for a page that cannot be shown.
pub fn unknown_page() -> FhirError {
    let text = "This page is not known, or no longer: links to pages work for one hour and for \
                the client that got them; search again";
    FhirError::new(ErrorKind::NotFound, IssueCode::NotFound, text)
}

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    #[serde(rename = "s")]
    state: T,
    /// Of the caller ([`crate::access::Caller::principal`]).
    #[serde(rename = "w")]
    principal: String,
    /// Seconds of the Unix epoch.
    #[serde(rename = "e")]
    expires: i64,
}

impl Sealer {
    /// The token of a page for one principal; `state` says which page of what.
    pub fn seal_page<T: Serialize>(
        &self,
        state: &T,
        principal: &str,
        now: DateTime<Utc>,
    ) -> Result<String> {
        let expires = (now + LIFETIME).timestamp();
        let sealed = Sealed { state, principal: principal.to_owned(), expires };
        self.seal(&serde_json::to_vec(&sealed).map_err(FhirError::internal)?)
    }

    /// 404 for a token that is broken, too old, or another principal's.
    pub fn open_page<T: DeserializeOwned>(
        &self,
        token: &str,
        principal: &str,
        now: DateTime<Utc>,
    ) -> Result<T> {
        let plain = self.open(token)?;
        let sealed: Sealed<T> = serde_json::from_slice(&plain).map_err(|_| unknown_page())?;
        match sealed.principal == principal && now.timestamp() < sealed.expires {
            true => Ok(sealed.state),
            false => Err(unknown_page()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Vec<String> {
        vec!["Patient".to_owned(), "urn:mrn|secret".to_owned()]
    }

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    #[test]
    fn a_link_comes_back_and_shows_nothing_of_the_search() {
        let sealer = Sealer::new(&[7; KEY_BYTES]).unwrap();
        let token = sealer.seal_page(&link(), "me", now()).unwrap();
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        assert!(!bytes.windows(6).any(|part| part == b"secret"));
        assert_eq!(sealer.open_page::<Vec<String>>(&token, "me", now()).unwrap(), link());
        assert_ne!(token, sealer.seal_page(&link(), "me", now()).unwrap());
    }

    #[test]
    fn a_link_of_another_key_client_or_hour_is_404() {
        let sealer = Sealer::new(&[7; KEY_BYTES]).unwrap();
        let token = sealer.seal_page(&link(), "me", now()).unwrap();
        let refused =
            |outcome: Result<Vec<String>>| outcome.unwrap_err().kind == ErrorKind::NotFound;
        assert!(refused(sealer.open_page(&token, "you", now())));
        assert!(refused(sealer.open_page(&token, "me", now() + LIFETIME)));
        let other = Sealer::new(&[8; KEY_BYTES]).unwrap();
        assert!(refused(other.open_page(&token, "me", now())));
        for at in 0..token.len() {
            let mut broken = token.clone().into_bytes();
            broken[at] = if broken[at] == b'A' { b'B' } else { b'A' };
            let broken = String::from_utf8(broken).unwrap();
            assert!(sealer.open(&broken).is_err(), "letter {at}");
        }
        for broken in ["", "A", "AQ", "äö", &token[1..], &token[..40]] {
            assert!(sealer.open(broken).is_err(), "{broken}");
        }
        assert!(Sealer::new(&[0; 5]).is_err());
    }
}
