//! What a client is registered with, read, changed and ended by itself: RFC 7592.

use super::metadata::Metadata;
use super::read;
use crate::access::{Origin, Scheme, Scopes, access_token};
use crate::oauth::AuthorizationServer;
use crate::oauth::error::{OAuthError, OAuthResult, answer, not_kept};
use crate::oauth::events::{Actor, SecurityEvent, report};
use crate::oauth::secrets::{are_equal, hash, new_secret};
use crate::storage::{Client, ClientKind, ClientTerms};
use axum::extract::{Path, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::sync::Arc;

/// What only the server says of a client (RFC 7592, 2.2).
const OF_SERVER: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

/// The client configuration endpoint.
pub fn configuration() -> MethodRouter<Arc<AuthorizationServer>> {
    get(show).put(change).delete(end)
}

/// A client that has brought its registration token.
struct Registered {
    client: Client,
    token: String,
    created: DateTime<Utc>,
    actor: Actor,
}

type Shared = State<Arc<AuthorizationServer>>;

async fn show(
    State(server): Shared,
    Path(id): Path<String>,
    request: Request,
) -> OAuthResult<Response> {
    let own = server.own_registration(&id, &request.into_parts().0).await?;
    Ok(answer(200, server.registered(&own.client, (&own.token, own.created))))
}

/// 200 with what the client is registered with from now on, and the next token. What was granted
/// to it before has ended: people allowed it to what it was.
async fn change(
    State(server): Shared,
    Path(id): Path<String>,
    request: Request,
) -> OAuthResult<Response> {
    let (parts, body) = request.into_parts();
    let own = server.own_registration(&id, &parts).await?;
    let bytes = read(body).await?;
    let metadata = Metadata::read(&bytes)?;
    server.check_own(&own.client, &metadata, &bytes).await?;
    let mut client = metadata.client(&id)?;
    check_change(&own.client, &client)?;
    client.terms = ClientTerms {
        is_dpop_bound: client.terms.is_dpop_bound,
        requires_pushed: client.terms.requires_pushed,
        ..own.client.terms.clone()
    };
    let (next, now) = (new_secret()?, server.context.clock.now());
    let tokens = (&hash(&own.token)[..], &hash(&next)[..]);
    if !server.context.store.change_registration(&client, tokens, now).await? {
        return Err(OAuthError::invalid_token());
    }
    report(&server.context, &own.actor, &SecurityEvent::ClientChanged).await?;
    Ok(answer(200, server.registered(&client, (&next, own.created))))
}

/// 204: the client has ended, with everything that was granted to it.
async fn end(
    State(server): Shared,
    Path(id): Path<String>,
    request: Request,
) -> OAuthResult<(StatusCode, HeaderMap)> {
    let own = server.own_registration(&id, &request.into_parts().0).await?;
    let now = server.context.clock.now();
    if !server.context.store.end_registration(&id, &hash(&own.token), now).await? {
        return Err(OAuthError::invalid_token());
    }
    report(&server.context, &own.actor, &SecurityEvent::ClientEnded).await?;
    Ok((StatusCode::NO_CONTENT, not_kept()))
}

/// What a change may not be, whatever its metadata is otherwise.
fn check_change(own: &Client, client: &Client) -> OAuthResult<()> {
    let wrong = |text: &str| Err(OAuthError::bad("invalid_client_metadata", text));
    let scopes = |client: &Client| Scopes::parse(&client.scopes).unwrap_or_default();
    match () {
        () if own.kind != client.kind => wrong("token_endpoint_auth_method cannot be changed"),
        () if !scopes(client).is_within(&scopes(own)) => {
            wrong("scope has more than the client was let have: an administrator registers that")
        }
        () if own.terms.is_dpop_bound && !client.terms.is_dpop_bound => {
            wrong("dpop_bound_access_tokens cannot be taken back")
        }
        () if own.terms.requires_pushed && !client.terms.requires_pushed => {
            wrong("require_pushed_authorization_requests cannot be taken back")
        }
        () => Ok(()),
    }
}

impl AuthorizationServer {
    /// 401 whatever is wrong: the client, its token, or that it has ended.
    async fn own_registration(&self, id: &str, parts: &Parts) -> OAuthResult<Registered> {
        let line = parts.headers.get(AUTHORIZATION).and_then(|line| line.to_str().ok());
        let token = line.and_then(access_token).filter(|(scheme, _)| *scheme == Scheme::Bearer);
        let (_, token) = token.ok_or_else(OAuthError::invalid_token)?;
        if id.contains('\0') {
            return Err(OAuthError::invalid_token());
        }
        let store = &self.context.store;
        let created = store.registration(id, &hash(token)).await?;
        let created = created.ok_or_else(OAuthError::invalid_token)?;
        let client = store.client(id).await?.ok_or_else(OAuthError::invalid_token)?;
        let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
        let actor = Actor { client_id: Some(id.to_owned()), ..Actor::from(origin) };
        Ok(Registered { client, token: token.to_owned(), created, actor })
    }

    /// The request is about the client that sends it (RFC 7592, 2.2).
    async fn check_own(
        &self,
        client: &Client,
        metadata: &Metadata,
        bytes: &[u8],
    ) -> OAuthResult<()> {
        let invalid = |text: String| Err(OAuthError::invalid_request(text));
        let sent: Value = serde_json::from_slice(bytes).unwrap_or_default();
        if let Some(name) = OF_SERVER.iter().find(|name| sent.get(name).is_some()) {
            return invalid(format!("{name} is what the server says"));
        }
        if metadata.client_id.as_deref() != Some(&client.id) {
            return invalid("client_id has to be that of the client".to_owned());
        }
        let Some(secret) = &metadata.client_secret else { return Ok(()) };
        let now = self.context.clock.now();
        let known = self.context.store.client_secrets(&client.id, now).await?;
        let is_own = client.kind == ClientKind::ConfidentialSymmetric
            && known.iter().any(|known| are_equal(known, &hash(secret)));
        match is_own {
            true => Ok(()),
            false => invalid("client_secret is not that of the client".to_owned()),
        }
    }
}
