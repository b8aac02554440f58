//! Dynamic client registration: RFC 7591 and RFC 7592. Off unless the operator enables it, and then
//! for bearers of tokens that administer clients: nobody lets himself in. What a client changes by
//! its registration token afterwards never widens what that bearer let it have.

mod configuration;
mod metadata;

pub use configuration::configuration;

use super::AuthorizationServer;
use super::error::{OAuthError, OAuthResult, answer};
use super::events::{Actor, SecurityEvent, report};
use super::secrets::{hash, new_secret};
use crate::access::Origin;
use crate::clock::new_id;
use crate::storage::{Client, ClientKind};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use metadata::Metadata;
use serde_json::{Value, json};
use std::sync::Arc;

/// Lets its bearer register clients.
const SCOPE: &str = "__bhn.clients.rw";
const MOST_BYTES: usize = 64 << 10;

/// `POST /oauth/register`: 201 with the client's id, its secret if it has one, and the token by
/// which it reads and changes what it is registered with.
pub async fn register(
    State(server): State<Arc<AuthorizationServer>>,
    request: Request,
) -> OAuthResult<Response> {
    let (parts, body) = request.into_parts();
    let bearer = server.bearer_of(&parts).await?;
    if !bearer.scopes.has(SCOPE) {
        return Err(OAuthError::insufficient_scope(SCOPE));
    }
    let metadata = Metadata::read(&read(body).await?)?;
    let client = metadata.client(&new_id())?;
    let (store, now) = (&server.context.store, server.context.clock.now());
    store.add_client(&client, now).await?;
    let token = new_secret()?;
    store.keep_registration_token(&client.id, &hash(&token)).await?;
    let mut body = server.registered(&client, (&token, now));
    body["token_endpoint_auth_method"] = metadata.token_endpoint_auth_method.into();
    if client.kind == ClientKind::ConfidentialSymmetric {
        let secret = new_secret()?;
        store.add_client_secret(&client.id, &hash(&secret), (now, now)).await?;
        body["client_secret"] = secret.into();
        body["client_secret_expires_at"] = 0.into();
    }
    let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
    let by = (Some(bearer.name.clone()), Some(client.id));
    let actor = Actor { principal: by.0, client_id: by.1, ..Actor::from(origin) };
    report(&server.context, &actor, &SecurityEvent::ClientRegistered).await?;
    Ok(answer(201, body))
}

/// The JSON of a body.
async fn read(body: Body) -> OAuthResult<Vec<u8>> {
    let too_large = |_| OAuthError::bad("invalid_client_metadata", "The body is too large");
    to_bytes(body, MOST_BYTES).await.map(Vec::from).map_err(too_large)
}

impl AuthorizationServer {
    /// What the client is registered with (RFC 7591, 3.2.1; RFC 7592, 3).
    fn registered(&self, client: &Client, (token, created): (&str, DateTime<Utc>)) -> Value {
        let method = match client.kind {
            ClientKind::Public => "none",
            ClientKind::ConfidentialSymmetric => "client_secret_basic",
            ClientKind::ConfidentialAsymmetric => "private_key_jwt",
            ClientKind::CertificateOfAuthority => "tls_client_auth",
            ClientKind::SelfSignedCertificate => "self_signed_tls_client_auth",
        };
        let mut body = json!({
            "client_id": client.id,
            "client_id_issued_at": created.timestamp(),
            "client_name": client.name,
            "scope": client.scopes,
            "grant_types": client.grant_types,
            "response_types": ["code"],
            "redirect_uris": client.redirect_uris,
            "token_endpoint_auth_method": method,
            "dpop_bound_access_tokens": client.terms.is_dpop_bound,
            "require_pushed_authorization_requests": client.terms.requires_pushed,
            "registration_client_uri": self.url(&format!("/oauth/register/{}", client.id)),
            "registration_access_token": token,
        });
        let optional = [
            ("jwks", client.jwks.clone()),
            ("jwks_uri", client.jwks_uri.clone().map(Value::from)),
            ("launch_uri", client.launch_uri.clone().map(Value::from)),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        body
    }
}
