//! Token revocation: RFC 7009. Whichever token of a grant is revoked, the grant ends with all of
//! them, on every node as soon as access tokens are looked up again.

use super::AuthorizationServer;
use super::error::{OAuthError, OAuthResult, not_kept};
use super::events::{Actor, SecurityEvent, report};
use super::form::Form;
use super::secrets::hash;
use crate::error::ErrorKind;
use axum::extract::State;
use axum::http::HeaderMap;
use std::sync::Arc;

/// `POST /oauth/revoke`. 200 also for what is no token, or no longer.
pub async fn revoke(
    State(server): State<Arc<AuthorizationServer>>,
    form: Form,
) -> OAuthResult<HeaderMap> {
    let client = server.client_of(&form).await?;
    let token = form.need("token")?;
    let Some((owner, grant)) = server.grant_of(token).await? else { return Ok(not_kept()) };
    if owner != client.id {
        let text = "The token was issued to another client";
        return Err(OAuthError::bad("unauthorized_client", text));
    }
    if server.context.store.revoke_grant(grant, server.context.clock.now()).await? {
        let actor = Actor { client_id: Some(client.id), ..form.actor() };
        report(&server.context, &actor, &SecurityEvent::TokenRevoked { grant }).await?;
    }
    Ok(not_kept())
}

impl AuthorizationServer {
    /// The client and the grant of a token of either kind.
    async fn grant_of(&self, token: &str) -> OAuthResult<Option<(String, i64)>> {
        if !token.contains('.') {
            let found = self.context.store.refresh_token(&hash(token)).await?;
            return Ok(found.map(|token| (token.client, token.access_grant)));
        }
        match self.bearers.principal(token).await {
            Ok(bearer) => Ok(Some((bearer.client_id.clone(), bearer.grant))),
            Err(error) if error.kind == ErrorKind::Unauthorized => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
