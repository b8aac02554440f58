//! What requests bring to show who they are from, for the FHIR base and for those endpoints that
//! take access tokens themselves.

use super::AuthorizationServer;
use super::error::{OAuthError, OAuthResult};
use crate::access::dpop::Target;
use crate::access::{ClientCertificate, Credentials, Origin, Principal};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use std::net::IpAddr;
use std::sync::Arc;

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// What a request brings. The issuer is where it was sent to.
pub fn credentials<'a>(
    parts: &'a Parts,
    issuer: &'a str,
    address: Option<IpAddr>,
) -> Credentials<'a> {
    Credentials {
        authorization: single(&parts.headers, &header::AUTHORIZATION),
        proof: single(&parts.headers, &DPOP),
        target: Target { method: parts.method.as_str(), origin: issuer, path: parts.uri.path() },
        certificate: shown(parts),
        address,
    }
}

/// The certificate that the client has shown, or that a trusted proxy has forwarded.
pub fn shown(parts: &Parts) -> Option<&ClientCertificate> {
    parts.extensions.get::<Arc<ClientCertificate>>().map(Arc::as_ref)
}

/// The value of a header; empty where it comes twice or is no text, which is never good.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    let is_single = lines.next().is_none();
    Some(first.to_str().ok().filter(|_| is_single).unwrap_or_default())
}

impl AuthorizationServer {
    /// What a request to one of its own endpoints brings.
    pub fn credentials<'a>(&'a self, parts: &'a Parts) -> Credentials<'a> {
        let origin = parts.extensions.get::<Origin>();
        credentials(parts, self.issuer(), origin.and_then(|origin| origin.address))
    }

    /// The bearer of the access token of a request. 401 where there is none, or it is not good.
    pub async fn bearer_of(&self, parts: &Parts) -> OAuthResult<Arc<Principal>> {
        let bearer = self.bearers.authenticated(&self.credentials(parts)).await?;
        bearer.ok_or_else(OAuthError::invalid_token)
    }
}
