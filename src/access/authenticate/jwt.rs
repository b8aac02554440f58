//! Access tokens as JWTs: RFC 9068, checked as RFC 8725 wants it. The algorithm is that of the key
//! here, never what a token says.

use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `typ` of an access token (RFC 9068, 2.1).
pub const ACCESS_TOKEN: &str = "at+jwt";
/// Bytes of a token; beyond it is not looked at.
pub const MOST_BYTES: usize = 8 << 10;
/// Clocks of nodes may differ by this many seconds.
const LEEWAY_SECONDS: i64 = 5;

/// The claims of an access token. Roles and links are not among them: they are asked of the
/// database.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Claims {
    pub iss: String,
    /// The account, or the client of a backend service.
    pub sub: String,
    /// The FHIR base.
    pub aud: String,
    pub client_id: String,
    pub jti: String,
    /// The grant.
    pub gid: i64,
    pub iat: i64,
    pub exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Names scopes that are too long for a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_ref: Option<String>,
    /// What its bearer has to show beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// Keys that a token is bound to (RFC 7800, 3.1).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Confirmation {
    /// Thumbprint of the key of proofs (RFC 9449, 6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<String>,
    /// Thumbprint of a client certificate (RFC 8705, 3.1).
    #[serde(rename = "x5t#S256", default, skip_serializing_if = "Option::is_none")]
    pub x5t: Option<String>,
}

impl Confirmation {
    /// None where there is no key, so that whoever has the token may use it.
    pub fn of_keys(self) -> Option<Confirmation> {
        (self != Confirmation::default()).then_some(self)
    }
}

/// A public key that tokens are verified with.
#[derive(Clone)]
pub struct VerificationKey {
    pub kid: String,
    pub algorithm: Algorithm,
    key: DecodingKey,
}

impl VerificationKey {
    /// None for a JWK that is no public key of that algorithm.
    pub fn new(kid: &str, algorithm: Algorithm, jwk: &Jwk) -> Option<VerificationKey> {
        let key = DecodingKey::from_jwk(jwk).ok()?;
        let is_fit = key.family() == algorithm.family() && fits(algorithm, jwk);
        is_fit.then(|| VerificationKey { kid: kid.to_owned(), algorithm, key })
    }

    /// The claims of a JWT that this key signed. None for anything else, also where the header
    /// brings keys of its own or wants extensions that nobody here knows (RFC 8725, 3.10).
    pub fn claims<T: DeserializeOwned>(&self, token: &str) -> Option<T> {
        let (header, claims) = self.signed(token)?;
        (!brings_keys(&header)).then_some(claims)
    }

    /// Header and claims of a JWT that this key signed.
    pub fn signed<T: DeserializeOwned>(&self, token: &str) -> Option<(Header, T)> {
        let mut validation = Validation::new(self.algorithm);
        // Times and audiences are checked by whoever knows the clock.
        (validation.validate_exp, validation.validate_aud) = (false, false);
        validation.required_spec_claims.clear();
        let read = jsonwebtoken::decode::<T>(token, &self.key, &validation).ok()?;
        Some((read.header, read.claims))
    }
}

/// True where a JWK is of the curve that the algorithm is for.
fn fits(algorithm: Algorithm, jwk: &Jwk) -> bool {
    use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve};
    match (&jwk.algorithm, algorithm) {
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => {
            key.curve == EllipticCurve::P256
        }
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES384) => {
            key.curve == EllipticCurve::P384
        }
        (AlgorithmParameters::RSA(_), algorithm) => {
            matches!(algorithm, Algorithm::RS256 | Algorithm::RS384)
        }
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => {
            key.curve == EllipticCurve::Ed25519
        }
        _ => false,
    }
}

fn brings_keys(header: &Header) -> bool {
    header.jwk.is_some() || header.x5u.is_some() || header.x5c.is_some() || header.crit.is_some()
}

/// Members of a JWK that no public key has (RFC 7518, 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// True for a JWK without anything private in it.
pub fn is_public(key: &Value) -> bool {
    key.is_object() && PRIVATE.iter().all(|member| key.get(member).is_none())
}

/// The header of a JWT, before anything is known of it. None for what is no JWT, is too long, or
/// is not signed by an algorithm that there is.
pub fn header(token: &str) -> Option<Header> {
    let is_sized = token.len() <= MOST_BYTES && token.bytes().filter(|b| *b == b'.').count() == 2;
    is_sized.then(|| jsonwebtoken::decode_header(token).ok()).flatten()
}

/// Why an access token is not good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    Invalid,
    Expired,
}

/// For whom tokens must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    pub issuer: String,
    pub audience: String,
}

impl Expected {
    /// Checks the claims of an access token whose signature is good (RFC 9068, 4).
    pub fn check(&self, claims: &Claims, now: DateTime<Utc>) -> Result<(), Refusal> {
        let now = now.timestamp();
        let begins = claims.nbf.unwrap_or(claims.iat).max(claims.iat);
        if claims.iss != self.issuer || claims.aud != self.audience || begins > now + LEEWAY_SECONDS
        {
            return Err(Refusal::Invalid);
        }
        match now < claims.exp + LEEWAY_SECONDS {
            true => Ok(()),
            false => Err(Refusal::Expired),
        }
    }
}
