//! Assertions of clients that sign (RFC 7523, 3; SMART App Launch 2.2, Asymmetric (public key)
//! Client Authentication).

use crate::access::jwt::{self, VerificationKey};
use crate::error::Result;
use crate::oauth::AuthorizationServer;
use crate::oauth::events::{Actor, SecurityEvent, report};
use crate::oauth::secrets::hash;
use crate::storage::Client;
use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, Header};
use serde::Deserialize;
use serde_json::Value;

/// An assertion ends within this time (SMART: no more than five minutes in the future).
const MOST_SECONDS: i64 = 300;
/// Clocks of clients may differ by this many seconds.
const LEEWAY_SECONDS: i64 = 60;
/// Bytes of a `jti`.
const JTI_BYTES: usize = 512;
/// Algorithms that a client may be registered with, or a provider of identities may sign by.
pub const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("RS384", Algorithm::RS384),
    ("ES384", Algorithm::ES384),
    ("RS256", Algorithm::RS256),
    ("ES256", Algorithm::ES256),
];

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    jti: String,
    iat: Option<i64>,
    nbf: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Who an assertion says it is from, before anything of it is believed.
pub fn issuer(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    jwt::header(assertion)?;
    let claims: Issuer = jsonwebtoken::dangerous::insecure_decode_claims(assertion).ok()?;
    Some(claims.iss)
}

impl AuthorizationServer {
    /// Whether the client has signed the assertion, for this server, now, and once; otherwise what
    /// is wrong with it, for the audit.
    pub(super) async fn check_assertion(
        &self,
        client: &Client,
        assertion: &str,
        actor: &Actor,
    ) -> Result<Result<(), &'static str>> {
        let Some(header) = jwt::header(assertion) else { return Ok(Err("no JWT")) };
        let (algorithm, kid) = match fit_header(&header, client) {
            Ok(fit) => fit,
            Err(reason) => return Ok(Err(reason)),
        };
        let keys = match self.client_keys.of(client, &|key| key["kid"] == *kid).await {
            Ok(keys) => keys,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(key) = the_key(&keys, &kid, algorithm) else {
            return Ok(Err("no key, or several, of that kid"));
        };
        let Some(claims) = key.claims::<Claims>(assertion) else {
            return Ok(Err("wrong signature, or a claim is missing"));
        };
        let now = self.context.clock.now();
        let audiences = [self.url("/oauth/token"), self.issuer().to_owned()];
        if let Err(reason) = claims.check(&client.id, &audiences, now) {
            return Ok(Err(reason));
        }
        // From here on it is the client's own: remembered until it could not come again.
        let until = claims.ends() + Duration::seconds(2 * LEEWAY_SECONDS);
        if self.context.store.use_jti(&client.id, &hash(&claims.jti), until).await? {
            return Ok(Ok(()));
        }
        report(&self.context, actor, &SecurityEvent::AssertionReplayed).await?;
        Ok(Err("the jti was used before"))
    }
}

/// The algorithm, among those of this client, and the id of the key.
fn fit_header(header: &Header, client: &Client) -> Result<(Algorithm, String), &'static str> {
    let known = ALGORITHMS.iter().find(|(_, algorithm)| *algorithm == header.alg);
    let known = known.filter(|(name, _)| client.algorithms.iter().any(|own| own == name));
    let (_, algorithm) = known.ok_or("an algorithm that the client is not registered with")?;
    if header.typ.as_deref() != Some("JWT") {
        return Err("typ is not JWT");
    }
    if header.jku.is_some() && header.jku != client.jwks_uri {
        return Err("jku is not the registered URL");
    }
    let kid = header.kid.clone().filter(|kid| !kid.is_empty()).ok_or("no kid")?;
    Ok((*algorithm, kid))
}

/// The one key of that id that fits the algorithm.
pub fn the_key(keys: &[Value], kid: &str, algorithm: Algorithm) -> Option<VerificationKey> {
    let named = keys.iter().filter(|key| key["kid"] == kid);
    let mut fitting = named.filter_map(|key| {
        let jwk = serde_json::from_value::<Jwk>(key.clone()).ok()?;
        VerificationKey::new(kid, algorithm, &jwk)
    });
    let key = fitting.next()?;
    fitting.next().is_none().then_some(key)
}

impl Claims {
    fn ends(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.exp, 0).unwrap_or(DateTime::UNIX_EPOCH)
    }

    fn check(
        &self,
        client: &str,
        audiences: &[String; 2],
        now: DateTime<Utc>,
    ) -> Result<(), &'static str> {
        let now = now.timestamp();
        let is_ours = |audience: &String| audiences.contains(audience);
        let is_for_us = match &self.aud {
            Audience::One(audience) => is_ours(audience),
            Audience::Several(all) => !all.is_empty() && all.iter().all(is_ours),
        };
        let begins = self.nbf.into_iter().chain(self.iat).max().unwrap_or(now);
        match () {
            () if self.iss != client || self.sub != client => Err("iss or sub is not the client"),
            () if !is_for_us => Err("aud is not this server"),
            () if self.exp <= now => Err("it has expired"),
            () if self.exp > now + MOST_SECONDS + LEEWAY_SECONDS => Err("it holds too long"),
            () if begins > now + LEEWAY_SECONDS => Err("it does not hold yet"),
            () if self.jti.is_empty() || self.jti.len() > JTI_BYTES => Err("no jti"),
            () => Ok(()),
        }
    }
}
