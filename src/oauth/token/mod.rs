//! The token endpoint: RFC 6749, 3.2 and 5; SMART App Launch 2.2, Obtain access token.

mod backend;
mod binding;
mod code;
mod issue;
mod refresh;

pub use binding::token_type;
pub use issue::AccessToken;

use super::AuthorizationServer;
use super::error::{OAuthError, OAuthResult, answer};
use super::events::{Actor, SecurityEvent, report};
use super::form::Form;
use crate::access::Scopes;
use crate::storage::{Client, Grant};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use std::sync::Arc;

/// What the launch context adds to the answer.
const LAUNCH: [&str; 7] = [
    "patient",
    "encounter",
    "fhirContext",
    "need_patient_banner",
    "intent",
    "smart_style_url",
    "tenant",
];

/// What is given out for a grant.
struct Given {
    grant: Grant,
    /// As they are answered, and as the token has them.
    scopes: String,
    lifetime: Duration,
    refresh_token: Option<String>,
    nonce: Option<String>,
    grant_type: &'static str,
}

/// `POST /oauth/token`
pub async fn token(State(server): State<Arc<AuthorizationServer>>, form: Form) -> Response {
    match server.answer_token(&form).await {
        Ok(body) => answer(200, body),
        Err(error) => {
            let event = SecurityEvent::TokenRefused {
                error: error.error,
                reason: error.description.clone(),
            };
            let client_id = form.get("client_id").map(str::to_owned);
            let actor = Actor { client_id, ..form.actor() };
            match report(&server.context, &actor, &event).await {
                Ok(()) => error.into_response(),
                Err(unwritten) => OAuthError::from(unwritten).into_response(),
            }
        }
    }
}

impl AuthorizationServer {
    async fn answer_token(&self, form: &Form) -> OAuthResult<Value> {
        let grant_type = form.need("grant_type")?;
        if !super::discovery::GRANT_TYPES.contains(&grant_type) {
            let text = "grant_type is one of authorization_code, refresh_token, client_credentials";
            return Err(OAuthError::bad("unsupported_grant_type", text));
        }
        let client = self.client_of(form).await?;
        if !client.may(grant_type) {
            let text = format!("The client is not registered for {grant_type}");
            return Err(OAuthError::bad("unauthorized_client", text));
        }
        let bound = self.binding(&client, form).await?;
        let mut given = match grant_type {
            "authorization_code" => self.redeem(&client, form, &bound).await?,
            "refresh_token" => self.refresh(&client, form, &bound).await?,
            _ => self.backend(&client, form).await?,
        };
        given.grant.bound = bound;
        self.given(given, form).await
    }

    /// The answer, with everything in it that the grant is for.
    async fn given(&self, given: Given, form: &Form) -> OAuthResult<Value> {
        let Given { grant, scopes, lifetime, refresh_token, nonce, grant_type } = given;
        let access = self.access_token(&grant, &scopes, lifetime).await?;
        let granted = Scopes::parse(&scopes).unwrap_or_default();
        let mut body = json!({
            "access_token": access.token,
            "token_type": token_type(Some(&grant.bound)),
            "expires_in": access.expires_in,
            "scope": scopes,
        });
        if let Some(id_token) = self.id_token(&grant, &granted, nonce.as_deref()).await? {
            body["id_token"] = id_token.into();
        }
        if let Some(refresh_token) = refresh_token {
            body["refresh_token"] = refresh_token.into();
        }
        add_launch(&mut body, &grant);
        let actor = Actor {
            principal: Some(grant.principal()),
            client_id: Some(grant.client.clone()),
            ..form.actor()
        };
        let event = SecurityEvent::TokenIssued { grant: grant.id, grant_type, scopes };
        report(&self.context, &actor, &event).await?;
        Ok(body)
    }

    /// Ends a grant because something of it was used twice.
    async fn end_misused(&self, event: SecurityEvent, grant: i64, form: &Form) -> OAuthResult<()> {
        self.context.store.revoke_grant(grant, self.context.clock.now()).await?;
        report(&self.context, &form.actor(), &event).await?;
        Ok(())
    }

    /// How long access tokens of people hold: those of our own applications may be capped.
    fn access_lifetime(&self, client: &Client) -> Duration {
        let settings = &self.context.settings.oauth;
        let cap = settings.first_party_caps.0.filter(|_| client.is_first_party);
        let seconds = cap.unwrap_or(u32::MAX).min(settings.access_token_seconds);
        Duration::seconds(seconds.into())
    }

    /// How long refresh tokens hold. Ours are used daily; those of others must serve three months
    /// without their person (ONC, 170.315(g)(10)).
    fn lifetimes(&self, client: &Client) -> Lifetimes {
        let (idle, absolute) = if client.is_first_party { (7, 30) } else { (90, 365) };
        let cap = self.context.settings.oauth.first_party_caps.1;
        let cap = cap.filter(|_| client.is_first_party).map(|cap| Duration::seconds(cap.into()));
        let idle = Duration::days(idle);
        Lifetimes {
            idle: cap.map_or(idle, |cap| cap.min(idle)),
            absolute: Duration::days(absolute),
        }
    }
}

/// What the launch context of a grant says, as members of the answer.
pub(super) fn add_launch(body: &mut Value, grant: &Grant) {
    for name in LAUNCH {
        if let Some(value) = grant.launch.get(name).filter(|value| !value.is_null()) {
            body[name] = value.clone();
        }
    }
}

/// How long refresh tokens of a client hold: where it is not used, and in all.
struct Lifetimes {
    idle: Duration,
    absolute: Duration,
}

impl Lifetimes {
    /// When a token that is given out now ends where nobody uses it.
    fn idle_until(&self, now: DateTime<Utc>, ends: DateTime<Utc>) -> DateTime<Utc> {
        (now + self.idle).min(ends)
    }
}
