//! Access tokens: the signature is verified once for each token, and what the database says of its
//! grant is at most a second old. What shows that its bearer is the one whom it was given to is
//! checked at each request.

use super::Authenticate;
use super::cache::{Current, Known, TokenCache, TokenHash, Verified};
use super::credentials::{Credentials, Refused, Scheme, access_token, refused};
use super::dpop::{Fault, Proof, Proofs};
use crate::access::caller::Caller;
use crate::access::jwt::{self, Claims, Confirmation, Expected, Refusal, VerificationKey};
use crate::access::principal::{Launch, Links, Principal};
use crate::access::role::Role;
use crate::access::smart_scope::{Level, Scopes};
use crate::clock::Clock;
use crate::error::{FhirError, Result};
use crate::network::{Network, is_within};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

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

    /// False where some node has seen that proof before.
    fn use_proof<'a>(&'a self, client: &'a str, proof: &'a Proof) -> BoxFuture<'a, Result<bool>>;
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
    pub terms: Terms,
}

/// On which terms tokens of a client are taken.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Where its requests come from; empty for anywhere.
    pub networks: Vec<Network>,
    /// Whether its tokens have to be bound to a key or a certificate.
    pub wants_binding: bool,
}

/// For whom tokens are, and how long an answer of the database holds.
pub struct BearerSettings {
    pub expected: Expected,
    pub clock: Clock,
    pub holds: Duration,
    pub proofs: Arc<Proofs>,
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

    /// Who has sent a request, None where it brings no token. 401 for a token that is not good, or
    /// not his who brings it; 503 where the database does not say.
    pub async fn authenticated(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Option<Arc<Principal>>, Refused> {
        let Some(authorization) = credentials.authorization else { return Ok(None) };
        let invalid = || Refused::from(refused(Refusal::Invalid));
        let (scheme, token) = access_token(authorization).ok_or_else(invalid)?;
        let found = self.known(token).await;
        let (verified, known) = found.map_err(|error| Refused::of(error, scheme))?;
        check_terms(&known.terms, &verified, (scheme, credentials))?;
        let bound = verified.claims.cnf.clone().unwrap_or_default();
        check_certificate(&bound, (scheme, credentials))?;
        self.check_key(&verified, (scheme, token), credentials).await?;
        Ok(Some(known.principal))
    }

    /// Whoever has the key of the token has signed the request with it (RFC 9449, 7.1).
    async fn check_key(
        &self,
        verified: &Verified,
        (scheme, token): (Scheme, &str),
        credentials: &Credentials<'_>,
    ) -> Result<(), Refused> {
        let bound = verified.claims.cnf.as_ref();
        let jkt = match (scheme, bound.and_then(|bound| bound.jkt.as_ref())) {
            (Scheme::Bearer, None) => return Ok(()),
            (Scheme::Dpop, None) => {
                return Err(Refused::token(scheme, "The access token is bound to no key"));
            }
            (Scheme::Bearer, Some(_)) => {
                let text = "The access token is bound to a key: bring it as DPoP, with a proof";
                return Err(Refused::token(Scheme::Dpop, text));
            }
            (Scheme::Dpop, Some(jkt)) => jkt,
        };
        let proof = credentials.proof.ok_or_else(|| Refused::proof("it is missing"))?;
        let (proofs, now) = (&self.settings.proofs, self.settings.clock.now());
        let checked = proofs.check((proof, credentials.target), Some(token), now);
        let proof = checked.map_err(|fault| match fault {
            Fault::Invalid(reason) => Refused::proof(reason),
            Fault::Nonce => Refused::nonce(proofs.nonce(now)),
        })?;
        if proof.jkt != *jkt {
            return Err(Refused::proof("it is of another key than the access token"));
        }
        match self.identities.use_proof(&verified.claims.client_id, &proof).await? {
            true => Ok(()),
            false => Err(Refused::proof("it was used before")),
        }
    }

    /// The bearer of an access token, whoever brings it. 401 for one that is not good, 503 where
    /// the database does not say.
    pub async fn principal(&self, token: &str) -> Result<Arc<Principal>> {
        Ok(self.known(token).await?.1.principal)
    }

    /// The same with the claims of the token.
    pub async fn bearer(&self, token: &str) -> Result<(Arc<Verified>, Arc<Principal>)> {
        let (verified, known) = self.known(token).await?;
        Ok((verified, known.principal))
    }

    async fn known(&self, token: &str) -> Result<(Arc<Verified>, Known)> {
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
        let known = self.current(&verified, now).await?;
        known.map(|known| (verified, known)).ok_or_else(|| refused(Refusal::Invalid))
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
    async fn current(&self, verified: &Verified, now: DateTime<Utc>) -> Result<Option<Known>> {
        let holding = |current: &Current| current.asked.elapsed() < self.settings.holds;
        if let Some(current) = verified.current().filter(holding) {
            return Ok(current.known);
        }
        let came = Instant::now();
        let mut failed = verified.asking.lock().await;
        if let Some(current) = verified.current().filter(holding) {
            return Ok(current.known);
        }
        if failed.is_some_and(|failed| failed >= came) {
            return Err(FhirError::unavailable("The database does not say who you are"));
        }
        // From before the question: what changes meanwhile may not be in the answer.
        let asked = Instant::now();
        let bearer = self.identities.bearer(&verified.kid, &verified.claims, now).await;
        let bearer = bearer.inspect_err(|_| *failed = Some(Instant::now()))?;
        let known = bearer.and_then(|bearer| {
            let terms = Arc::new(bearer.terms.clone());
            principal(verified, bearer)
                .map(|principal| Known { principal: principal.into(), terms })
        });
        verified.remember(Current { asked, known: known.clone() });
        Ok(known)
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

/// Where a request comes from, and whether its token has to be bound, are the client's terms.
fn check_terms(
    terms: &Terms,
    verified: &Verified,
    (scheme, credentials): (Scheme, &Credentials<'_>),
) -> Result<(), Refused> {
    if !is_within(&terms.networks, credentials.address) {
        return Err(Refused::token(scheme, "The client is not let in from this address"));
    }
    match terms.wants_binding && verified.claims.cnf.is_none() {
        true => Err(Refused::token(scheme, "The access token has to be bound to its client")),
        false => Ok(()),
    }
}

/// The certificate of the connection is that of the token (RFC 8705, 3).
fn check_certificate(
    bound: &Confirmation,
    (scheme, credentials): (Scheme, &Credentials<'_>),
) -> Result<(), Refused> {
    let Some(x5t) = &bound.x5t else { return Ok(()) };
    match credentials.certificate.is_some_and(|shown| shown.thumbprint() == *x5t) {
        true => Ok(()),
        false => {
            let text = "The access token is bound to another client certificate";
            Err(Refused::token(scheme, text))
        }
    }
}

impl Authenticate for Bearers {
    fn caller<'a>(
        &'a self,
        credentials: Credentials<'a>,
    ) -> BoxFuture<'a, Result<Caller, Refused>> {
        async move {
            let principal = self.authenticated(&credentials).await?;
            Ok(principal.map_or(Caller::Anonymous, Caller::Principal))
        }
        .boxed()
    }
}
