//! Bearer tokens (RFC 6750): the signature is verified once for each token, and what the database
//! says of its grant is at most a second old.

use super::Authenticate;
use super::cache::{Current, TokenCache, TokenHash, Verified};
use crate::access::caller::Caller;
use crate::access::jwt::{self, Claims, Expected, Refusal, VerificationKey};
use crate::access::principal::{Launch, Links, Principal};
use crate::access::role::Role;
use crate::access::smart_scope::{Level, Scopes};
use crate::clock::Clock;
use crate::error::{ErrorKind, FhirError, Issue, IssueCode, Result};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Where an error about the token of a request points.
pub const AUTHORIZATION: &str = "http.Authorization";
/// An unknown key makes the keys be read anew, this seldom at most.
const KEYS_READ_AGAIN: Duration = Duration::from_secs(1);

/// What the database knows of keys, grants, accounts and clients.
pub trait Identities: Send + Sync + 'static {
    /// The public keys of access tokens.
    fn verification_keys(&self) -> BoxFuture<'_, Result<Vec<VerificationKey>>>;

    /// Who has the grant of these claims, as of `now`. None where the grant, its client or its
    /// account is no longer good, or the key `kid` is not to be believed any more.
    fn bearer<'a>(
        &'a self,
        kid: &'a str,
        claims: &'a Claims,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Option<Bearer>>>;
}

/// What the database says of the bearer of a grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bearer {
    /// `account/[uuid]` or `client/[client_id]`.
    pub name: String,
    pub client_id: String,
    pub role: Role,
    pub links: Links,
    pub launch: Launch,
    pub methods: Vec<String>,
    pub signed_in: Option<DateTime<Utc>>,
    /// Those that the token names by `scope_ref`.
    pub scopes: Option<String>,
}

/// For whom tokens are, and how long an answer of the database holds.
#[derive(Clone, Debug)]
pub struct BearerSettings {
    pub expected: Expected,
    pub clock: Clock,
    pub holds: Duration,
}

/// Tells callers apart by their access tokens.
pub struct Bearers {
    identities: Arc<dyn Identities>,
    settings: BearerSettings,
    tokens: TokenCache,
    keys: RwLock<Keys>,
    /// One request at a time reads the keys.
    reading_keys: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Keys {
    known: Vec<VerificationKey>,
    read: Option<Instant>,
}

impl Bearers {
    pub fn new(identities: Arc<dyn Identities>, settings: BearerSettings) -> Arc<Bearers> {
        let (tokens, keys, reading_keys) = Default::default();
        Arc::new(Bearers { identities, settings, tokens, keys, reading_keys })
    }

    /// The bearer of an access token. 401 for one that is not good, 503 where the database does
    /// not say.
    pub async fn principal(&self, token: &str) -> Result<Arc<Principal>> {
        Ok(self.bearer(token).await?.1)
    }

    /// The same with the claims of the token.
    pub async fn bearer(&self, token: &str) -> Result<(Arc<Verified>, Arc<Principal>)> {
        let hash = TokenCache::hash(token);
        let verified = match self.tokens.get(&hash) {
            Some(verified) => verified,
            None => self.verified(token, hash).await?,
        };
        let now = self.settings.clock.now();
        if let Err(refusal) = self.settings.expected.check(&verified.claims, now) {
            self.tokens.remove(&hash);
            return Err(refused(refusal));
        }
        let principal = self.current(&verified, now).await?;
        principal.map(|principal| (verified, principal)).ok_or_else(|| refused(Refusal::Invalid))
    }

    async fn verified(&self, token: &str, hash: TokenHash) -> Result<Arc<Verified>> {
        let header = jwt::header(token).filter(|header| {
            header.typ.as_deref().is_some_and(|typ| {
                let typ = typ.strip_prefix("application/").unwrap_or(typ);
                typ.eq_ignore_ascii_case(jwt::ACCESS_TOKEN)
            })
        });
        let kid = header.and_then(|header| header.kid).ok_or_else(|| refused(Refusal::Invalid))?;
        let key = self.key(&kid).await?.ok_or_else(|| refused(Refusal::Invalid))?;
        let claims: Claims = key.claims(token).ok_or_else(|| refused(Refusal::Invalid))?;
        let scopes = match &claims.scope {
            Some(scope) => Some(Scopes::parse(scope).ok_or_else(|| refused(Refusal::Invalid))?),
            None => None,
        };
        let now = self.settings.clock.now();
        self.settings.expected.check(&claims, now).map_err(refused)?;
        let verified = Verified::new(kid, claims, scopes);
        self.tokens.insert(hash, verified.clone());
        Ok(verified)
    }

    async fn key(&self, kid: &str) -> Result<Option<VerificationKey>> {
        if let Some(key) = self.known_key(kid).0 {
            return Ok(Some(key));
        }
        let _alone = self.reading_keys.lock().await;
        let (key, read) = self.known_key(kid);
        if key.is_some() || read.is_some_and(|read| read.elapsed() < KEYS_READ_AGAIN) {
            return Ok(key);
        }
        let known = self.identities.verification_keys().await?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) =
            Keys { known, read: Some(Instant::now()) };
        Ok(self.known_key(kid).0)
    }

    fn known_key(&self, kid: &str) -> (Option<VerificationKey>, Option<Instant>) {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        (keys.known.iter().find(|key| key.kid == kid).cloned(), keys.read)
    }

    /// The bearer now. What the database said holds for a moment; where it does not answer after
    /// that, neither is anybody let in.
    async fn current(
        &self,
        verified: &Verified,
        now: DateTime<Utc>,
    ) -> Result<Option<Arc<Principal>>> {
        let holding = |current: &Current| current.asked.elapsed() < self.settings.holds;
        if let Some(current) = verified.current().filter(holding) {
            return Ok(current.principal);
        }
        let came = Instant::now();
        let mut failed = verified.asking.lock().await;
        if let Some(current) = verified.current().filter(holding) {
            return Ok(current.principal);
        }
        if failed.is_some_and(|failed| failed >= came) {
            return Err(FhirError::unavailable("The database does not say who you are"));
        }
        // From before the question: what changes meanwhile may not be in the answer.
        let asked = Instant::now();
        let bearer = self.identities.bearer(&verified.kid, &verified.claims, now).await;
        let bearer = bearer.inspect_err(|_| *failed = Some(Instant::now()))?;
        let principal = bearer.and_then(|bearer| principal(verified, bearer)).map(Arc::new);
        verified.remember(Current { asked, principal: principal.clone() });
        Ok(principal)
    }
}

/// None where the account is nobody yet and the scopes are about what it may see: without a
/// `fhirUser` there is nothing to narrow that by.
fn principal(verified: &Verified, bearer: Bearer) -> Option<Principal> {
    let claims = &verified.claims;
    let scopes = match &verified.scopes {
        Some(scopes) => scopes.clone(),
        None => Scopes::parse(bearer.scopes.as_deref()?)?,
    };
    let is_of_person = scopes.resources().any(|scope| scope.level != Level::System);
    let is_whole = bearer.links.fhir_user.is_some() || !is_of_person;
    let subject = bearer.name.split_once('/').map(|(_, subject)| subject);
    let is_its_own = claims.client_id == bearer.client_id && subject == Some(&claims.sub);
    (is_whole && is_its_own).then(|| Principal {
        name: bearer.name,
        client_id: bearer.client_id,
        grant: claims.gid,
        token_id: claims.jti.clone(),
        scopes,
        role: bearer.role,
        links: bearer.links,
        launch: bearer.launch,
        methods: bearer.methods,
        signed_in: bearer.signed_in,
    })
}

impl Authenticate for Bearers {
    fn caller<'a>(&'a self, authorization: Option<&'a str>) -> BoxFuture<'a, Result<Caller>> {
        async move {
            let Some(authorization) = authorization else { return Ok(Caller::Anonymous) };
            let token = bearer_token(authorization).ok_or_else(|| refused(Refusal::Invalid))?;
            Ok(Caller::Principal(self.principal(token).await?))
        }
        .boxed()
    }
}

/// The token of `Authorization: Bearer [token]` (RFC 6750, 2.1).
pub fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then_some(token)
}

fn refused(refusal: Refusal) -> FhirError {
    let (code, text) = match refusal {
        Refusal::Invalid => (IssueCode::Login, "The access token is not valid"),
        Refusal::Expired => (IssueCode::Expired, "The access token has expired"),
    };
    let issue = Issue::error(code, AUTHORIZATION, text);
    FhirError::of_issues(ErrorKind::Unauthorized, vec![issue])
}
