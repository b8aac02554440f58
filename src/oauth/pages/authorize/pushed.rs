//! `POST /oauth/par`: authorization requests that clients push before they send the person: RFC
//! 9126. They come authenticated, and nobody between reads or changes them.

use super::super::posted::Fields;
use super::super::problem::Problem;
use super::{REQUESTS, Target, read};
use crate::error::FhirError;
use crate::oauth::accounts::secrets;
use crate::oauth::error::{OAuthError, OAuthResult, answer};
use crate::oauth::form::Form;
use crate::oauth::{AuthorizationServer, hash, new_secret};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use std::sync::Arc;

/// What a `request_uri` of this server begins with (RFC 9126, 2.2).
const URI: &str = "urn:ietf:params:oauth:request_uri:";
const GOOD_FOR: Duration = Duration::seconds(60);
/// What a client authenticates by is not kept.
const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// 201 with a `request_uri`, good for a minute and once. 400 for what `/oauth/authorize` would
/// refuse.
pub async fn push(
    State(server): State<Arc<AuthorizationServer>>,
    form: Form,
) -> OAuthResult<Response> {
    let client = server.client_of(&form).await?;
    let (store, now) = (&server.context.store, server.context.clock.now());
    let address = form.origin.address.map(|address| address.to_string()).unwrap_or_default();
    let key = secrets::hash_of("requests", &address);
    if store.attempt(&key, &REQUESTS, now).await?.is_some() {
        let text = "Too many requests come from this address";
        return Err(OAuthError { status: 429, ..OAuthError::bad("slow_down", text) });
    }
    let jkt = server.proven_key(&client, &form).await?;
    let fields = fields(&form, &client.id, jkt)?;
    let app = store.app(&client.id).await?.ok_or_else(OAuthError::invalid_client)?;
    let wrong = || OAuthError::invalid_request("redirect_uri is not one of the client's");
    let target = Target::of(app, &fields).ok_or_else(wrong)?;
    let context = server.context.current();
    let places = (context.settings.base_url.as_str(), context.registry.as_ref());
    read(&fields, &target, places)
        .map_err(|refused| OAuthError::bad(refused.error, refused.text))?;
    let name = new_secret()?;
    let kept = json!(fields.pairs());
    let times = (now, now + GOOD_FOR);
    store.keep_authorization_request(&hash_of(&name), (&client.id, &kept), times).await?;
    let body = json!({
        "request_uri": format!("{URI}{name}"),
        "expires_in": GOOD_FOR.num_seconds(),
    });
    Ok(answer(201, body))
}

/// The parameters of the request, with the key that it names or is proved by (RFC 9449, 10.1).
fn fields(form: &Form, client: &str, jkt: Option<String>) -> OAuthResult<Fields> {
    if form.get("request_uri").is_some() {
        return Err(OAuthError::invalid_request("request_uri is not pushed itself"));
    }
    let parameters = form.parameters().filter(|(name, _)| !CREDENTIALS.contains(name));
    let fields = Fields::of(parameters).with("client_id", client);
    let Some(jkt) = jkt else { return Ok(fields) };
    match form.get("dpop_jkt").is_none_or(|named| named == jkt) {
        true => Ok(fields.with("dpop_jkt", &jkt)),
        false => Err(OAuthError::invalid_request("dpop_jkt is another key than that of the proof")),
    }
}

/// Handles of requests under way are another matter, in the same table.
fn hash_of(name: &str) -> [u8; 32] {
    hash(&format!("pushed\n{name}"))
}

impl AuthorizationServer {
    /// The parameters that were pushed for a request, which are gone then. None where it names
    /// none; a page where they have ended, or are another client's.
    pub async fn pushed(
        &self,
        fields: &Fields,
        now: DateTime<Utc>,
    ) -> Result<Option<Fields>, Problem> {
        let Some(name) = fields.find("request_uri").and_then(|uri| uri.strip_prefix(URI)) else {
            return Ok(None);
        };
        if let Some(name) = fields.repeated(&["client_id", "request_uri"]) {
            return Err(Problem::bad_request(|texts| texts.sent_twice, name));
        }
        let store = &self.context.store;
        let ended = || Problem::new(400, |texts| texts.request_ended);
        let hash = hash_of(name);
        let (kept, _) = store.authorization_request(&hash, now).await?.ok_or_else(ended)?;
        let pairs: Vec<(String, String)> =
            serde_json::from_value(kept).map_err(FhirError::internal)?;
        let pushed = Fields::of(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        if pushed.find("client_id") != fields.find("client_id") {
            return Err(Problem::bad_request(|texts| texts.unknown_app, "client_id"));
        }
        match store.end_authorization_request(&hash).await? {
            true => Ok(Some(pushed)),
            false => Err(ended()),
        }
    }
}
