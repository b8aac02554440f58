//! The id_token of a provider: OpenID Connect Core 3.1.3.7, and what AWS Cognito adds to it.

use aws_lc_rs::digest::{SHA256, SHA384, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Clocks may differ by this.
const LEEWAY: Duration = Duration::seconds(60);
/// An id_token comes at once: an older one was kept.
const ISSUED_WITHIN: Duration = Duration::minutes(10);
const MOST_SUBJECT_BYTES: usize = 255;

/// The claims that are looked into.
#[derive(Deserialize, Clone, Debug)]
pub struct IdClaims {
    iss: String,
    pub sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    auth_time: Option<i64>,
    nonce: Option<String>,
    at_hash: Option<String>,
    token_use: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
    pub email: Option<String>,
    #[serde(default)]
    email_verified: Value,
    pub name: Option<String>,
    /// Everything else, such as groups.
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Deserialize, Clone, Debug)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// What an id_token has to be.
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    /// None at a refresh, whose id_token has none (OpenID Connect Core, 12.2).
    pub nonce: Option<&'a str>,
    /// The person was asked anew, not before then.
    pub signed_in_since: Option<DateTime<Utc>>,
    /// It came with this access token, and was signed by this algorithm.
    pub access_token: &'a str,
    pub algorithm: Algorithm,
}

impl IdClaims {
    /// What is wrong with the claims, for the audit.
    pub fn check(&self, expected: &Expected<'_>, now: DateTime<Utc>) -> Result<(), &'static str> {
        let is_ours = |audience: &String| audience == expected.client_id;
        let is_for_us = match &self.aud {
            Audience::One(audience) => is_ours(audience),
            Audience::Several(all) => !all.is_empty() && all.iter().all(is_ours),
        };
        let soon = (now + LEEWAY).timestamp();
        let since = expected.signed_in_since.map(|at| (at - LEEWAY).timestamp());
        let is_asked_anew = since.zip(self.auth_time).is_none_or(|(since, at)| at >= since);
        match () {
            () if self.iss != expected.issuer => Err("iss is not the provider"),
            () if !is_for_us => Err("aud is not this server"),
            () if self.azp.as_ref().is_some_and(|azp| !is_ours(azp)) => {
                Err("azp is not this server")
            }
            () if self.exp <= (now - LEEWAY).timestamp() => Err("it has expired"),
            () if self.iat > soon => Err("iat is in the future"),
            () if self.iat < (now - ISSUED_WITHIN).timestamp() => Err("it was issued long ago"),
            () if expected.nonce.is_some() && self.nonce.as_deref() != expected.nonce => {
                Err("nonce is not that of the request")
            }
            () if !self.is_use(expected.issuer) => Err("token_use is not id"),
            () if !self.is_hash(expected) => Err("at_hash is not that of the access token"),
            () if !is_asked_anew => Err("the person was not asked anew"),
            () if self.sub.is_empty() || self.sub.len() > MOST_SUBJECT_BYTES => Err("no sub"),
            () if self.sub.contains('\0') => Err("no sub"),
            () => Ok(()),
        }
    }

    /// Cognito signs access tokens by the same keys, and tells them apart by this claim.
    fn is_use(&self, issuer: &str) -> bool {
        match self.token_use.as_deref() {
            Some(of) => of == "id",
            None => !issuer.starts_with("https://cognito-idp."),
        }
    }

    /// Where there is an `at_hash`, it is the left half of the hash of the access token.
    fn is_hash(&self, expected: &Expected<'_>) -> bool {
        let Some(own) = &self.at_hash else { return true };
        let algorithm = match expected.algorithm {
            Algorithm::RS384 | Algorithm::ES384 => &SHA384,
            _ => &SHA256,
        };
        let hash = digest(algorithm, expected.access_token.as_bytes());
        let half = &hash.as_ref()[..hash.as_ref().len() / 2];
        *own == URL_SAFE_NO_PAD.encode(half)
    }

    /// The address, if the provider has made sure that it is the person's.
    pub fn verified_email(&self) -> Option<&str> {
        // Cognito writes it as a text in places.
        let is_verified = self.email_verified == true || self.email_verified == "true";
        self.email.as_deref().filter(|_| is_verified)
    }

    pub fn has_method(&self, wanted: &[String]) -> bool {
        self.amr.iter().any(|method| wanted.contains(method))
    }

    /// The values of a claim of texts.
    pub fn values(&self, claim: &str) -> Vec<&str> {
        match self.others.get(claim) {
            Some(Value::String(value)) => vec![value],
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ISSUER: &str = "https://idp.example";
    const NOW: i64 = 1_800_000_000;

    fn checked(changes: &Value, issuer: &str) -> Result<(), &'static str> {
        let mut claims = json!({
            "iss": issuer, "sub": "s-1", "aud": "app", "exp": NOW + 300, "iat": NOW,
            "nonce": "n-1", "auth_time": NOW
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        let claims: IdClaims = serde_json::from_value(claims).map_err(|_| "no claims")?;
        let now = DateTime::from_timestamp(NOW, 0).unwrap();
        let expected = Expected {
            issuer,
            client_id: "app",
            nonce: Some("n-1"),
            signed_in_since: Some(now),
            access_token: "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y",
            algorithm: Algorithm::RS256,
        };
        claims.check(&expected, now)
    }

    #[test]
    fn as_50_an_id_token_is_for_us_from_the_provider_and_of_now() {
        for good in [
            json!({}),
            json!({"aud": ["app"]}),
            json!({"azp": "app"}),
            json!({"exp": NOW - 30}),
            json!({"token_use": "id"}),
            json!({"auth_time": null}),
            // OpenID Connect Core, A.3.
            json!({"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}),
        ] {
            assert_eq!(checked(&good, ISSUER), Ok(()), "{good}");
        }
        for wrong in [
            json!({"iss": "https://idp.example/"}),
            json!({"aud": "other"}),
            json!({"aud": ["app", "other"]}),
            json!({"aud": []}),
            json!({"azp": "other"}),
            json!({"exp": NOW - 61}),
            json!({"exp": null}),
            json!({"iat": NOW + 61}),
            json!({"iat": NOW - 700}),
            json!({"iat": null}),
            json!({"nonce": "n-2"}),
            json!({"nonce": null}),
            json!({"token_use": "access"}),
            json!({"at_hash": "77QmUPtjPfzWtF2AnpK9RR"}),
            json!({"auth_time": NOW - 3_600}),
            json!({"sub": ""}),
            json!({"sub": "a\0"}),
        ] {
            assert!(checked(&wrong, ISSUER).is_err(), "{wrong}");
        }
    }

    #[test]
    fn as_50_cognito_says_that_it_is_an_id_token() {
        let cognito = "https://cognito-idp.ca-central-1.amazonaws.com/ca-central-1_a";
        assert_eq!(checked(&json!({"token_use": "id"}), cognito), Ok(()));
        assert!(checked(&json!({}), cognito).is_err());
        assert!(checked(&json!({"token_use": "access"}), cognito).is_err());
    }
}
