//! Proofs of possession of a key, a JWT for each request: RFC 9449.

use super::jwt::{self, VerificationKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

/// Algorithms of proofs.
pub const ALGORITHMS: [&str; 3] = ["ES256", "EdDSA", "RS256"];
/// `typ` of a proof (RFC 9449, 4.2).
const PROOF: &str = "dpop+jwt";
/// A proof is as old, or as early, at most.
const WINDOW: Duration = Duration::seconds(60);
/// Bytes of a `jti`.
const JTI_BYTES: usize = 512;
/// A nonce is good for so long.
const NONCE_GOOD_FOR: Duration = Duration::minutes(5);
const NONCE_TAG_BYTES: usize = 16;

/// The request that a proof has to be for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target<'a> {
    pub method: &'a str,
    /// The issuer, as it is configured: headers of requests do not say where they were sent to.
    pub origin: &'a str,
    pub path: &'a str,
}

/// A proof that is good, unless it was used before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// The thumbprint of its key (RFC 7638).
    pub jkt: String,
    /// SHA-256 of the key and the `jti`.
    pub once: [u8; 32],
    /// It could not come again after that.
    pub ends: DateTime<Utc>,
}

/// What is wrong with a proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    Invalid(&'static str),
    /// It has no nonce of this server, or an old one.
    Nonce,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    nonce: Option<String>,
    ath: Option<String>,
}

/// Checks proofs. Nodes that share a key take each other's nonces.
pub struct Proofs {
    nonces: hmac::Key,
    wants_nonce: bool,
}

impl Proofs {
    /// `wants_nonce`: whether each proof has to have a nonce of the server (RFC 9449, 8 and 9).
    pub fn new(server_key: &[u8], wants_nonce: bool) -> Proofs {
        let root = hmac::Key::new(hmac::HMAC_SHA256, server_key);
        let derived = hmac::sign(&root, b"bhn-fhir nonces of DPoP");
        Proofs { nonces: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()), wants_nonce }
    }

    /// A nonce that is good for five minutes.
    pub fn nonce(&self, now: DateTime<Utc>) -> String {
        URL_SAFE_NO_PAD.encode(self.nonce_of(now.timestamp()))
    }

    /// The proof, which is for this request, now, and for this access token where there is one.
    /// Whether it came before has to be asked of all nodes.
    pub fn check(
        &self,
        (proof, target): (&str, Target<'_>),
        token: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Proof, Fault> {
        let invalid = Fault::Invalid;
        let (jwk, key) = own_key(proof).map_err(invalid)?;
        let signed = key.signed::<Claims>(proof);
        let (header, claims) = signed.ok_or(invalid("wrong signature, or a claim is missing"))?;
        if header.crit.is_some() || header.x5u.is_some() || header.x5c.is_some() {
            return Err(invalid("its header has what nobody here knows"));
        }
        claims.check(target, token, now).map_err(invalid)?;
        let is_good = |nonce: &String| self.is_nonce(nonce, now);
        match &claims.nonce {
            Some(nonce) if !is_good(nonce) => return Err(Fault::Nonce),
            None if self.wants_nonce => return Err(Fault::Nonce),
            _ => {}
        }
        let jkt = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| invalid("jwk is no key"))?;
        let once = Sha256::digest(format!("dpop\n{jkt}\n{}", claims.jti)).into();
        let issued = DateTime::from_timestamp(claims.iat, 0).unwrap_or(now);
        Ok(Proof { jkt, once, ends: issued.max(now) + WINDOW * 2 })
    }

    fn nonce_of(&self, seconds: i64) -> Vec<u8> {
        let seconds = seconds.to_be_bytes();
        let tag = hmac::sign(&self.nonces, &seconds);
        [&seconds[..], &tag.as_ref()[..NONCE_TAG_BYTES]].concat()
    }

    fn is_nonce(&self, nonce: &str, now: DateTime<Utc>) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else { return false };
        let Some(seconds) = bytes.first_chunk().map(|bytes| i64::from_be_bytes(*bytes)) else {
            return false;
        };
        let good = self.nonce_of(seconds);
        let is_ours = aws_lc_rs::constant_time::verify_slices_are_equal(&good, &bytes).is_ok();
        let age = now.timestamp() - if is_ours { seconds } else { 0 };
        // Clocks of nodes may differ.
        is_ours && (-5..NONCE_GOOD_FOR.num_seconds()).contains(&age)
    }
}

/// The public key in the header of a proof, with which it says to be signed.
fn own_key(proof: &str) -> Result<(Jwk, VerificationKey), &'static str> {
    let header = jwt::header(proof).ok_or("no JWT, or of an algorithm that is not known")?;
    if !header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(PROOF)) {
        return Err("typ is not dpop+jwt");
    }
    let is_known = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256].contains(&header.alg);
    if !is_known {
        return Err("an algorithm that proofs do not have here");
    }
    // As it was sent: what the typed key leaves out might be private.
    let sent = proof.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let sent = sent.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    if !sent.is_some_and(|header| jwt::is_public(&header["jwk"])) {
        return Err("jwk is no public key");
    }
    let jwk = header.jwk.ok_or("jwk is missing")?;
    let key = VerificationKey::new("", header.alg, &jwk);
    let key = key.ok_or("jwk is no key of that algorithm")?;
    Ok((jwk, key))
}

impl Claims {
    /// RFC 9449, 4.3.
    fn check(
        &self,
        target: Target<'_>,
        token: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), &'static str> {
        let age = (now.timestamp()).saturating_sub(self.iat);
        let hash = token.map(|token| URL_SAFE_NO_PAD.encode(Sha256::digest(token)));
        match () {
            () if self.jti.is_empty() || self.jti.len() > JTI_BYTES => Err("no jti"),
            () if self.htm != target.method => Err("htm is another method"),
            () if !is_same_place(&self.htu, target) => Err("htu is another URL"),
            () if age.saturating_abs() > WINDOW.num_seconds() => Err("iat is not now"),
            () if hash.is_some() && self.ath != hash => Err("ath is not of the access token"),
            () => Ok(()),
        }
    }
}

/// Without query and fragment, and as RFC 3986 (6.2.2 and 6.2.3) compares.
fn is_same_place(htu: &str, target: Target<'_>) -> bool {
    let Ok(mut url) = Url::parse(htu) else { return false };
    url.set_query(None);
    url.set_fragment(None);
    Url::parse(&format!("{}{}", target.origin, target.path)).is_ok_and(|own| own == url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_28_a_nonce_is_good_for_five_minutes_on_every_node() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let (first, second) = (Proofs::new(b"shared", true), Proofs::new(b"shared", true));
        let nonce = first.nonce(now);
        assert!(second.is_nonce(&nonce, now + Duration::seconds(299)));
        assert!(!second.is_nonce(&nonce, now + Duration::seconds(301)));
        assert!(!second.is_nonce(&nonce, now - Duration::seconds(60)));
        assert!(!Proofs::new(b"other", true).is_nonce(&nonce, now));
        for other in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "no base64!"] {
            assert!(!second.is_nonce(other, now), "{other}");
        }
    }

    #[test]
    fn as_28_htu_is_compared_as_urls_are_and_without_its_query() {
        let target =
            Target { method: "GET", origin: "https://bhn.example", path: "/fhir/Patient/1" };
        for same in [
            "https://bhn.example/fhir/Patient/1",
            "https://BHN.example:443/fhir/Patient/1?a=b#c",
            "https://bhn.example/fhir/./Patient/1",
        ] {
            assert!(is_same_place(same, target), "{same}");
        }
        for other in [
            "http://bhn.example/fhir/Patient/1",
            "https://bhn.example/fhir/Patient/1/",
            "https://bhn.example/fhir/patient/1",
            "https://bhn.example:8443/fhir/Patient/1",
            "https://bhn.example.evil.example/fhir/Patient/1",
            "https://user@bhn.example/fhir/Patient/1",
            "/fhir/Patient/1",
            "",
        ] {
            assert!(!is_same_place(other, target), "{other}");
        }
    }
}
