//! The authorization server: SMART App Launch 2.2, OAuth 2.0 and OpenID Connect, beside the FHIR
//! base in the same process.

pub mod accounts;
pub mod events;
mod pages;

use crate::error::Result;
use crate::interactions::Context;
use accounts::People;
use axum::Router;
use std::sync::Arc;

/// What its routes share.
pub struct AuthorizationServer {
    pub context: Arc<Context>,
    pub people: People,
}

impl AuthorizationServer {
    /// An error where the settings of mail are none.
    pub fn new(context: Arc<Context>) -> Result<Arc<AuthorizationServer>> {
        let people = People::new(&context.store, &context.settings.mail)?;
        Ok(Arc::new(AuthorizationServer { context, people }))
    }

    /// The issuer: the public URL of the server without the path of its FHIR base, and without a
    /// slash at its end: `https://bhn.example`.
    pub fn issuer(&self) -> &str {
        self.context.settings.issuer()
    }

    /// Whether people reach it over TLS.
    pub fn is_https(&self) -> bool {
        self.issuer().starts_with("https://")
    }

    /// Passwords and cookies go over TLS, or stay on this machine.
    pub fn is_safe_for_people(&self) -> bool {
        let url = url::Url::parse(self.issuer()).ok();
        let is_loopback = match url.as_ref().and_then(url::Url::host) {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        self.is_https() || is_loopback
    }

    /// A cookie's name: of this host alone where there is TLS (RFC 6265bis, 4.1.3.2).
    pub fn cookie_name(&self, name: &'static str) -> &'static str {
        match (name, self.is_https()) {
            ("session", true) => "__Host-bhn-session",
            ("session", false) => "bhn-session",
            ("language", true) => "__Host-bhn-language",
            ("language", false) => "bhn-language",
            ("device", true) => "__Host-bhn-device",
            ("device", false) => "bhn-device",
            (_, true) => "__Host-bhn-visit",
            (_, false) => "bhn-visit",
        }
    }

    /// Every route of the authorization server, by its path after the issuer.
    pub fn routes(self: Arc<Self>) -> Router {
        // The FHIR base may be the root itself.
        let has_root = self.context.settings.base_url != self.issuer();
        Router::new().merge(pages::routes(has_root)).with_state(self)
    }
}
