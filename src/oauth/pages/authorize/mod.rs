//! `/oauth/authorize` and the pages between it and the code: RFC 6749 (4.1), RFC 7636, RFC 9207,
//! OpenID Connect Core (3.1.2), SMART App Launch 2.2.
//!
//! The request is kept under a handle; `/oauth/continue` looks each time what is still missing.

mod consent;
mod contexts;
mod offered;
mod patients;
mod pushed;
mod request;
mod steps;
mod words;

pub use consent::{consent, decide};
pub use contexts::{contexts, pick_context};
pub use patients::{
    Choice, encounters, patients, pick_encounter, pick_patient, principal_of, searched,
};
pub use pushed::push;
pub use request::{AuthorizationRequest, Refused, Target, form_target, read};
pub use steps::next_step;
pub use words::{Line, lines_of};

use super::posted::{self, Fields};
use super::problem::Problem;
use super::render;
use super::visit::{Visit, with_request};
use crate::oauth::AuthorizationServer;
use crate::oauth::accounts::secrets;
use crate::storage::Throttle;
use axum::body::Body;
use axum::extract::{FromRequestParts, RawQuery, Request, State};
use axum::http::Response;
use chrono::{DateTime, Duration, Utc};
use std::sync::Arc;

/// A person has so long to sign in, to pick and to decide.
const KEPT_FOR: Duration = Duration::minutes(30);

/// Requests that one address may begin in a quarter of an hour: each is kept.
const REQUESTS: Throttle = Throttle {
    free: 3_000,
    window: Duration::minutes(15),
    first: Duration::minutes(15),
    longest: Duration::minutes(15),
};

/// An authorization request under way.
pub struct Pending {
    /// SHA-256 of its handle.
    pub hash: Vec<u8>,
    pub request: AuthorizationRequest,
    pub created: DateTime<Utc>,
}

impl Pending {
    /// When the person has to begin anew.
    pub fn ends(&self) -> DateTime<Utc> {
        self.created + KEPT_FOR
    }
}

/// `GET /oauth/authorize`
pub async fn asked(visit: Visit, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    begin(visit, Fields::parse(query.unwrap_or_default().as_bytes())).await
}

/// `POST /oauth/authorize`, from the application's own page.
pub async fn asked_by_form(
    State(server): State<Arc<AuthorizationServer>>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (mut parts, body) = request.into_parts();
    let visit = Visit::from_request_parts(&mut parts, &server).await?;
    let fields = posted::form(&parts.headers, body).await?;
    begin(visit, fields).await
}

/// Checks the request and keeps it. Until client and redirect_uri are known to be good, what is
/// wrong is told to the person and nobody is redirected.
async fn begin(visit: Visit, fields: Fields) -> Result<Response<Body>, Problem> {
    let store = &visit.server.context.store;
    let pushed = visit.server.pushed(&fields, visit.now).await?;
    let (is_pushed, fields) = (pushed.is_some(), &pushed.unwrap_or(fields));
    let target = Target::read(store, fields).await?;
    if target.app.requires_pushed && !is_pushed {
        let text = "the client's authorization requests have to be pushed (RFC 9126)";
        let refused = Refused::new("invalid_request", text).with_state(fields);
        return Ok(refuse(&visit, &target.redirect_uri, &refused));
    }
    let context = visit.server.context.current();
    let places = (context.settings.base_url.as_str(), context.registry.as_ref());
    let mut asked = match read(fields, &target, places) {
        Ok(asked) => asked,
        Err(refused) => return Ok(refuse(&visit, &target.redirect_uri, &refused)),
    };
    if let Some(handle) = fields.find("launch") {
        let hash = crate::oauth::hash(handle);
        match store.take_launch(&hash, &target.app.client, visit.now).await? {
            Some((account, context)) => asked.launched(account, context),
            None => {
                let text = "launch is not known, was used, or has expired";
                let refused = Refused::new("invalid_request", text).with_state(fields);
                return Ok(refuse(&visit, &target.redirect_uri, &refused));
            }
        }
    }
    count(&visit).await?;
    let handle = crate::oauth::new_secret()?;
    let kept = serde_json::to_value(&asked).map_err(crate::error::FhirError::internal)?;
    let times = (visit.now, visit.now + KEPT_FOR);
    let hash = crate::oauth::hash(&handle);
    store.keep_authorization_request(&hash, (&target.app.client, &kept), times).await?;
    Ok(render::see_other(&visit, &with_request("/oauth/continue", Some(&handle))))
}

/// Counts a request that is kept. 429 where its address has begun too many.
pub async fn count(visit: &Visit) -> Result<(), Problem> {
    let address = visit.origin.address.map(|address| address.to_string()).unwrap_or_default();
    let key = secrets::hash_of("requests", &address);
    match visit.server.context.store.attempt(&key, &REQUESTS, visit.now).await? {
        Some(until) => Err(Problem::too_many((until - visit.now).num_seconds())),
        None => Ok(()),
    }
}

/// The request of that handle; an error page where it has ended.
pub async fn pending(visit: &Visit, handle: &str) -> Result<Pending, Problem> {
    let hash = crate::oauth::hash(handle);
    let found = visit.server.context.store.authorization_request(&hash, visit.now).await?;
    let (kept, created) = found.ok_or_else(|| Problem::new(400, |texts| texts.request_ended))?;
    let request = serde_json::from_value(kept).map_err(crate::error::FhirError::internal)?;
    Ok(Pending { hash: hash.to_vec(), request, created })
}

/// Keeps what was picked.
pub async fn keep(visit: &Visit, pending: &Pending) -> Result<(), Problem> {
    let kept = serde_json::to_value(&pending.request).map_err(crate::error::FhirError::internal)?;
    let times = (pending.created, pending.created + KEPT_FOR);
    let of_client = (pending.request.client.as_str(), &kept);
    let store = &visit.server.context.store;
    Ok(store.keep_authorization_request(&pending.hash, of_client, times).await?)
}

/// Sends the person back to the application with the error, and ends nothing else.
pub fn refuse(visit: &Visit, redirect_uri: &str, refused: &Refused) -> Response<Body> {
    let mut pairs = vec![("error", refused.error), ("error_description", refused.text.as_str())];
    pairs.extend(refused.state.as_deref().map(|state| ("state", state)));
    pairs.push(("iss", visit.server.issuer()));
    render::see_other(visit, &redirect(redirect_uri, &pairs))
}

/// The same for a request under way, which ends.
pub async fn end(
    visit: &Visit,
    pending: &Pending,
    refused: (&'static str, &str),
) -> Result<Response<Body>, Problem> {
    visit.server.context.store.end_authorization_request(&pending.hash).await?;
    let (error, text) = refused;
    let state = pending.request.state.clone();
    let refused = Refused { error, text: text.to_owned(), state };
    Ok(refuse(visit, &pending.request.redirect_uri, &refused))
}

/// The redirect URI with parameters added to those that it has.
pub fn redirect(uri: &str, pairs: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let joint = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{joint}{query}")
}

/// Where forms of a request under way may lead in the end, for `form-action`.
pub fn form_targets(pending: Option<&Pending>) -> Vec<&str> {
    pending.and_then(|pending| pending.request.target.as_deref()).into_iter().collect()
}
