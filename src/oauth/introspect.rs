//! Token introspection: RFC 7662, and SMART App Launch 2.2, Token Introspection.

use super::AuthorizationServer;
use super::error::{OAuthError, OAuthResult, answer};
use super::events::{Actor, SecurityEvent, report};
use super::form::Form;
use super::secrets::hash;
use super::token::{add_launch, token_type};
use crate::access::{Scopes, access_token};
use crate::error::ErrorKind;
use crate::storage::{ClientKind, Grant};
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// Lets a client look into tokens of others.
const SCOPE: &str = "__bhn.introspect";

/// Who looks into tokens.
struct Inspector {
    client: String,
    /// True for tokens of every client, false for its own alone.
    sees_all: bool,
}

/// `POST /oauth/introspect`. What is not an active token that the client may look into is answered
/// `{"active":false}`, whyever.
pub async fn introspect(
    State(server): State<Arc<AuthorizationServer>>,
    form: Form,
) -> OAuthResult<Response> {
    let inspector = server.inspector(&form).await?;
    let token = form.need("token")?;
    let seen = server.active(token).await?;
    let seen = seen.filter(|(client, _)| inspector.sees_all || *client == inspector.client);
    let actor = Actor { client_id: Some(inspector.client), ..form.actor() };
    let event = SecurityEvent::TokenIntrospected { is_active: seen.is_some() };
    report(&server.context, &actor, &event).await?;
    Ok(answer(200, seen.map_or_else(|| json!({ "active": false }), |(_, body)| body)))
}

impl AuthorizationServer {
    /// A client that keeps a secret, or the bearer of a token for this (SMART: SHALL be accepted).
    async fn inspector(&self, form: &Form) -> OAuthResult<Inspector> {
        let credentials = self.credentials(&form.parts);
        if credentials.authorization.is_some_and(|line| access_token(line).is_some()) {
            let bearer = self.bearer_of(&form.parts).await?;
            return match bearer.scopes.has(SCOPE) {
                true => Ok(Inspector { client: bearer.client_id.clone(), sees_all: true }),
                false => Err(OAuthError::insufficient_scope(SCOPE)),
            };
        }
        let client = self.client_of(form).await?;
        if client.kind == ClientKind::Public {
            return Err(OAuthError::invalid_client());
        }
        let sees_all = Scopes::parse(&client.scopes).is_some_and(|scopes| scopes.has(SCOPE));
        Ok(Inspector { client: client.id, sees_all })
    }

    /// The client of a token that is good, and what there is to say of the token.
    async fn active(&self, token: &str) -> OAuthResult<Option<(String, Value)>> {
        let now = self.context.clock.now();
        if !token.contains('.') {
            let found = self.context.store.refresh_token(&hash(token)).await?;
            let is_good = |expires| expires > now;
            let found = found
                .filter(|token| token.used.is_none())
                .filter(|token| is_good(token.expires) && is_good(token.idle_expires));
            let Some(found) = found else { return Ok(None) };
            let grant = self.context.store.grant(found.access_grant, now).await?;
            let expires = found.idle_expires.timestamp();
            return Ok(grant.map(|grant| self.seen(&grant, &grant.scopes, expires)));
        }
        let (verified, bearer) = match self.bearers.bearer(token).await {
            Ok(found) => found,
            Err(error) if error.kind == ErrorKind::Unauthorized => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(grant) = self.context.store.grant(bearer.grant, now).await? else {
            return Ok(None);
        };
        let (client, mut body) = self.seen(&grant, &bearer.scopes.to_string(), verified.claims.exp);
        body["token_type"] = token_type(verified.claims.cnf.as_ref()).into();
        if let Some(bound) = &verified.claims.cnf {
            body["cnf"] = json!(bound);
        }
        body["iat"] = verified.claims.iat.into();
        body["jti"] = verified.claims.jti.clone().into();
        Ok(Some((client, body)))
    }

    fn seen(&self, grant: &Grant, scopes: &str, expires: i64) -> (String, Value) {
        let mut body = json!({
            "active": true,
            "scope": scopes,
            "client_id": grant.client,
            "exp": expires,
        });
        add_launch(&mut body, grant);
        let scopes = Scopes::parse(scopes).unwrap_or_default();
        if let Some(account) = grant.account.as_ref().filter(|_| scopes.has("openid")) {
            body["iss"] = self.issuer().into();
            body["sub"] = account.clone().into();
            if let Some(fhir_user) = self.fhir_user(grant, &scopes) {
                body["fhirUser"] = fhir_user.into();
            }
        }
        (grant.client.clone(), body)
    }
}
