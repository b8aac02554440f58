//! The authorization server: SMART App Launch 2.2, OAuth 2.0 and OpenID Connect, beside the FHIR
//! base in the same process.

pub mod events;
mod key_file;
mod keys;
mod rotation;
mod secrets;
mod tokens;

pub use key_file::make as make_key_file;
pub use keys::{Keyring, KeysError, Purpose};
pub use secrets::{are_equal, hash, new_secret};
pub use tokens::AccessToken;

use crate::access::jwt::Expected;
use crate::access::{BearerSettings, Bearers};
use crate::interactions::Context;
use axum::Router;
use std::sync::Arc;
use std::time::Duration;

/// What its routes share.
pub struct AuthorizationServer {
    pub context: Arc<Context>,
    /// Signs tokens.
    pub keys: Keyring,
    /// Verifies access tokens, for the FHIR base, too.
    pub bearers: Arc<Bearers>,
}

impl AuthorizationServer {
    /// Over an open store. Makes the signing keys where there are none.
    pub async fn open(context: Arc<Context>) -> Result<Arc<AuthorizationServer>, KeysError> {
        let settings = &context.settings.oauth;
        let keys = Keyring::open(&context.store, settings, &context.clock).await?;
        let base_url = &context.settings.base_url;
        let expected =
            Expected { issuer: issuer(base_url).to_owned(), audience: base_url.to_owned() };
        let holds = Duration::from_millis(settings.principal_ms.into());
        let clock = context.clock.clone();
        let bearers =
            Bearers::new(context.store.clone(), BearerSettings { expected, clock, holds });
        Ok(Arc::new(AuthorizationServer { context, keys, bearers }))
    }

    /// The issuer: the public URL of the server without the path of its FHIR base, and without a
    /// slash at its end: `https://bhn.example`.
    pub fn issuer(&self) -> &str {
        issuer(&self.context.settings.base_url)
    }

    /// Every route of the authorization server, by its path after the issuer.
    pub fn routes(self: Arc<Self>) -> Router {
        Router::new().with_state(self)
    }
}

fn issuer(base_url: &str) -> &str {
    let after_scheme = base_url.find("://").map_or(0, |at| at + 3);
    let path = base_url[after_scheme..].find('/');
    path.map_or(base_url, |at| &base_url[..after_scheme + at])
}
