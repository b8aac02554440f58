//! The authorization server: SMART App Launch 2.2, OAuth 2.0 and OpenID Connect, beside the FHIR
//! base in the same process.

pub mod accounts;

use crate::interactions::Context;
use axum::Router;
use std::sync::Arc;

/// What its routes share.
pub struct AuthorizationServer {
    pub context: Arc<Context>,
}

impl AuthorizationServer {
    pub fn new(context: Arc<Context>) -> Arc<AuthorizationServer> {
        Arc::new(AuthorizationServer { context })
    }

    /// The issuer: the public URL of the server without the path of its FHIR base, and without a
    /// slash at its end: `https://bhn.example`.
    pub fn issuer(&self) -> &str {
        let base = self.context.settings.base_url.as_str();
        let after_scheme = base.find("://").map_or(0, |at| at + 3);
        let path = base[after_scheme..].find('/');
        path.map_or(base, |at| &base[..after_scheme + at])
    }

    /// Every route of the authorization server, by its path after the issuer.
    pub fn routes(self: Arc<Self>) -> Router {
        Router::new().with_state(self)
    }
}
