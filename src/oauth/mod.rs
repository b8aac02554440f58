//! The authorization server: SMART App Launch 2.2, OAuth 2.0 and OpenID Connect, beside the FHIR
//! base in the same process.

pub mod accounts;
mod brands;
mod clients;
pub mod cors;
mod credentials;
mod discovery;
mod error;
pub mod events;
mod form;
mod introspect;
mod keys;
pub mod outbound;
mod pages;
mod register;
mod revoke;
mod scopes;
mod secrets;
mod token;
pub mod upstream;
mod userinfo;

pub use clients::CertificateName;
pub use credentials::credentials;
pub use error::{DPOP_NONCE, OAuthError, OAuthResult};
pub use form::Form;
pub use keys::{Keyring, KeysError, Purpose, make_key_file, read_key_file, sealing_keys};
pub use scopes::supported;
pub use secrets::{are_equal, hash, new_secret};
pub use token::AccessToken;

use crate::access::dpop::Proofs;
use crate::access::jwt::Expected;
use crate::access::{BearerSettings, Bearers};
use crate::interactions::Context;
use accounts::People;
use axum::Router;
use axum::routing::{get, post};
use clients::ClientKeys;
use cors::Origins;
use outbound::Outbound;
use std::sync::Arc;
use std::time::Duration;
use upstream::Upstream;

/// How often what is due is done: keys turned, what has ended forgotten.
const TURNED_EVERY: Duration = Duration::from_secs(3_600);
/// Grants and codes are forgotten so long after their end.
const KEPT_AFTER_END: chrono::Duration = chrono::Duration::days(30);

/// Why the authorization server does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Authority(#[from] outbound::AuthorityError),
    #[error(transparent)]
    Providers(#[from] upstream::ProvidersError),
    #[error(transparent)]
    Brands(#[from] brands::BrandsError),
    #[error("letters cannot be sent: {0}")]
    Mail(#[from] crate::error::FhirError),
}

/// What its routes share.
pub struct AuthorizationServer {
    pub context: Arc<Context>,
    /// Signs tokens.
    pub keys: Keyring,
    /// Verifies access tokens, for the FHIR base, too.
    pub bearers: Arc<Bearers>,
    /// Calls addresses that others have chosen.
    pub outbound: Arc<Outbound>,
    /// How people prove who they are.
    pub people: People,
    proofs: Arc<Proofs>,
    /// By whom else they may sign in.
    pub upstream: Upstream,
    /// Who gives people access here, where the operator says so.
    brands: Option<brands::Brands>,
    client_keys: ClientKeys,
    origins: Origins,
}

impl AuthorizationServer {
    /// Over an open store. Makes the signing keys where there are none.
    pub async fn open(context: Arc<Context>) -> Result<Arc<AuthorizationServer>, OpenError> {
        let settings = &context.settings.oauth;
        let keys = Keyring::open(&context.store, settings, &context.clock).await?;
        let (issuer, audience) = (context.settings.issuer(), &context.settings.base_url);
        let expected = Expected { issuer: issuer.to_owned(), audience: audience.to_owned() };
        let holds = Duration::from_millis(settings.principal_ms.into());
        let clock = context.clock.clone();
        let proofs = Arc::new(Proofs::new(context.store.server_key(), settings.dpop_nonce));
        let bearers = BearerSettings { expected, clock, holds, proofs: proofs.clone() };
        let bearers = Bearers::new(context.store.clone(), bearers);
        let outbound = Outbound::open(&settings.outbound_hosts, settings.outbound_ca.as_deref())?;
        let outbound = Arc::new(outbound);
        let client_keys = ClientKeys::new(outbound.clone());
        let origins = Origins::default();
        let people = People::new(&context.store, &keys, &context.settings)?;
        let providers = context.settings.oauth.providers.as_deref();
        let upstream = Upstream::open(providers, &outbound, context.settings.issuer())?;
        let places = (context.settings.base_url.as_str(), context.settings.issuer());
        let file = context.settings.oauth.brands.as_deref();
        let brands = file.map(|file| brands::Brands::read(file, places)).transpose()?;
        Ok(Arc::new(AuthorizationServer {
            brands,
            context,
            keys,
            bearers,
            outbound,
            people,
            proofs,
            upstream,
            client_keys,
            origins,
        }))
    }

    /// The issuer: the public URL of the server without the path of its FHIR base, and without a
    /// slash at its end: `https://bhn.example`.
    pub fn issuer(&self) -> &str {
        self.context.settings.issuer()
    }

    /// The path of the FHIR base, without a slash at its end: `/fhir`.
    fn base_path(&self) -> &str {
        let base = self.context.settings.base_url.as_str();
        base[self.issuer().len()..].trim_end_matches('/')
    }

    /// Every route of the authorization server, by its path after the issuer.
    pub fn routes(self: Arc<Self>) -> Router {
        let smart = format!("{}/.well-known/smart-configuration", self.base_path());
        let routes = match self.context.settings.oauth.registration {
            true => Router::new()
                .route("/oauth/register", post(register::register))
                .route("/oauth/register/{client}", register::configuration()),
            false => Router::new(),
        };
        // The FHIR base may be the root itself.
        let has_root = !self.base_path().is_empty();
        routes
            .merge(pages::routes(has_root))
            .route(&smart, get(discovery::smart_configuration))
            .route("/.well-known/openid-configuration", get(discovery::openid_configuration))
            .route("/.well-known/oauth-authorization-server", get(discovery::authorization_server))
            .route("/.well-known/jwks.json", get(discovery::jwks))
            .route("/brands", get(brands::brands))
            .route("/oauth/token", post(token::token))
            .route("/oauth/par", post(pages::push))
            .route("/oauth/introspect", post(introspect::introspect))
            .route("/oauth/revoke", post(revoke::revoke))
            .route("/oauth/userinfo", get(userinfo::userinfo).post(userinfo::userinfo))
            .with_state(self)
    }

    /// Does what is due, for as long as the server runs: turns keys, forgets what has ended.
    pub async fn keep(self: Arc<Self>) {
        loop {
            tokio::time::sleep(TURNED_EVERY).await;
            let now = self.context.clock.now();
            if let Err(error) = self.keys.turn(now).await {
                tracing::error!(?error, "the signing keys were not turned");
            }
            if let Err(error) = self.keys.reseal(&self.people.keys).await {
                tracing::error!(?error, "not everything was sealed anew");
            }
            if let Err(error) = pages::settle(&self, now).await {
                tracing::error!(?error, "ended factors were not removed");
            }
            let upstream = (now, now - KEPT_AFTER_END);
            if let Err(error) = self.context.store.forget_upstream(upstream).await {
                tracing::warn!(?error, "ended sign-ins by providers were not forgotten");
            }
            if let Err(error) = self.context.store.sweep_tokens(now, KEPT_AFTER_END).await {
                tracing::warn!(?error, "ended grants were not forgotten");
            }
        }
    }
}
