//! One request to the FHIR base: bytes → body → interaction → answer.
//! <https://hl7.org/fhir/R4/http.html>

use super::headers::{self, Texts};
use super::listen::PlaceInCrowd;
use super::middleware::forwarded::ClientAddress;
use super::middleware::panic::panicked;
use super::middleware::request_id::RequestId;
use super::middleware::trace::Traced;
use super::negotiate::{BodyKind, Format, Wishes};
use super::rates::{self, Standing};
use super::respond::{self, Asked};
use super::router::base_path;
use super::{App, body};
use crate::access::{Asker, Caller, Challenge, Origin, Scheme, signed_out};
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::fhir::interaction::{self, Body, Interaction, Method, RequestParts};
use crate::interactions::Outcome;
use crate::oauth::{DPOP_NONCE, credentials};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{Extensions, HeaderMap, Response, StatusCode, request};
use axum::middleware::Next;
use futures_util::FutureExt;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use tokio::time::timeout;

/// The answer to any request under the FHIR base, errors included.
pub async fn answer(State(app): State<Arc<App>>, request: Request) -> Response<axum::body::Body> {
    let request_id = RequestId::of(request.extensions());
    let (parts, stream) = request.into_parts();
    let wishes = headers::wishes(parts.uri.query(), &parts.headers, sent_format(&parts));
    let origin = origin(&parts.extensions, &parts.headers);
    let asker = Asker { caller: Caller::Anonymous, origin };
    let mut visitor = Visitor { asker, challenge: None, standing: None };
    let carried = carry(&app, &parts, &wishes, (stream, &mut visitor));
    let carried = match AssertUnwindSafe(carried).catch_unwind().await {
        Ok(carried) => carried,
        // Written down with who asked, as every failure is.
        Err(panic) => Err(panicked(panic.as_ref(), &request_id)),
    };
    let mut response = match carried {
        Ok(response) => response,
        Err(error) => {
            let error = told(&app, &visitor.asker, &parts, error).await;
            respond::error(&error, wishes.looks_of_error(), &request_id)
        }
    };
    if let Some(standing) = visitor.standing {
        standing.tell(response.headers_mut());
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        let is_told = parts.headers.contains_key(AUTHORIZATION);
        challenge(response.headers_mut(), visitor.challenge.filter(|_| is_told), is_told);
    }
    response
}

/// Who asks, and what is said to who is not let in.
struct Visitor {
    asker: Asker,
    challenge: Option<Challenge>,
    /// How much of his rate is left.
    standing: Option<Standing>,
}

/// How to ask. RFC 6750, 3.1: who sent nothing is told no error.
fn challenge(headers: &mut HeaderMap, wrong: Option<Challenge>, is_told: bool) {
    let wrong = wrong.or(is_told.then_some(Challenge::Token(Scheme::Bearer)));
    if let Some(wrong) = &wrong {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(wrong.header()));
    }
    let nonce = wrong.as_ref().and_then(Challenge::nonce);
    if let Some(nonce) = nonce.and_then(|nonce| HeaderValue::from_str(nonce).ok()) {
        headers.insert(DPOP_NONCE, nonce);
    }
    if wrong.is_none_or(|wrong| wrong == Challenge::Token(Scheme::Bearer)) {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(Challenge::DPOP));
    }
}

/// The refusal of a request that was not understood, after it was written down; 503 where it
/// cannot be. `/metadata` says nothing about anybody and is not written down.
async fn told(app: &App, asker: &Asker, parts: &request::Parts, error: FhirError) -> FhirError {
    let path = path_after_base(app, parts);
    if path.trim_matches('/') == "metadata" {
        return error;
    }
    let (method, path) = named(app, parts);
    app.perform.refused(asker, (&method, &path), &error).await.err().unwrap_or(error)
}

/// A request outside of an interaction: from where, its method, and its path without the query,
/// which may hold codes.
pub struct Outside {
    pub origin: Origin,
    pub method: String,
    pub path: String,
}

impl Outside {
    pub fn of(request: &Request) -> Outside {
        Outside {
            origin: origin(request.extensions(), request.headers()),
            method: request.method().as_str().to_owned(),
            path: request.uri().path().to_owned(),
        }
    }

    /// Its refusal, after it was written down; 503 where it cannot be.
    pub async fn refused(self, app: &App, error: FhirError) -> FhirError {
        let asker = Asker { caller: Caller::Anonymous, origin: self.origin };
        let named = (self.method.as_str(), self.path.as_str());
        app.perform.refused(&asker, named, &error).await.err().unwrap_or(error)
    }
}

/// Method, and path with its query.
fn named(app: &App, parts: &request::Parts) -> (String, String) {
    let path = path_after_base(app, parts);
    let path = match parts.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    (parts.method.as_str().to_owned(), path)
}

async fn carry(
    app: &Arc<App>,
    parts: &request::Parts,
    wishes: &Wishes,
    (stream, visitor): (axum::body::Body, &mut Visitor),
) -> Result<Response<axum::body::Body>> {
    let path = path_after_base(app, parts);
    visitor.asker.origin.purposes = headers::purposes(&parts.headers)?;
    if parts.method == axum::http::Method::OPTIONS {
        return Ok(respond::options(interaction::allowed_methods(path, Method::Get)?));
    }
    let method = method(parts, path)?;
    // Before the body: strangers are not listened to.
    authenticate(app, parts, visitor).await?;
    let Visitor { asker, standing, .. } = visitor;
    // What is open to everybody has no body.
    if asker.caller == Caller::Anonymous && !method.is_safe() {
        return Err(signed_out());
    }
    let _place = place(app, &asker.caller)?;
    let texts = Texts::read(&parts.headers)?;
    let loaded = match method {
        Method::Post | Method::Put | Method::Patch => {
            Some(body::load(app, &parts.headers, stream).await?)
        }
        // Content in these has no meaning (RFC 9110, 9.3.1 and 9.3.5).
        Method::Get | Method::Head | Method::Delete => None,
    };
    let body = match &loaded {
        Some(loaded) => body::read(app, parts, &texts, (loaded, path)).await?,
        None => Body::None,
    };
    let mut request = interaction::read(RequestParts {
        method,
        path,
        query: parts.uri.query(),
        conditions: texts.conditions(),
        prefer: texts.prefer.as_deref(),
        body,
    })?;
    app.rates.admit(asker, rates::further_weight(&request.interaction), standing)?;
    if method == Method::Post {
        request.idempotency_key = headers::idempotency_key(&parts.headers)?;
    }
    if !method.is_safe() {
        request.provenance = headers::provenance(&parts.headers, &app.settings.limits)?;
    }
    let wishes = wishes.clone().with(&request.presentation);
    let asked = Asked::of(wishes, &request.interaction, (request.prefer, &request.subset));
    asked.looks()?;
    let traced = Traced::of(&request.interaction);
    let (outcome, _loaded) =
        perform(app, (asker.clone(), named(app, parts)), (request, loaded)).await;
    let response = match outcome {
        Ok(outcome) => respond::answer(outcome, &asked, &app.settings.base_url).await,
        Err(error) => Err(error),
    };
    let mut response = response.unwrap_or_else(|error| {
        let request_id = RequestId::of(&parts.extensions);
        respond::error(&error, asked.wishes.looks_of_error(), &request_id)
    });
    response.extensions_mut().insert(traced);
    Ok(response)
}

/// The outcome of an interaction, and the body's room back. What may write goes on though its
/// client leaves: what the database still works on must not pass for ended, or a poller of the
/// history would miss it. 503 where it takes too long, as over connections that went silent.
async fn perform(
    app: &Arc<App>,
    (asker, named): (Asker, (String, String)),
    (request, loaded): (interaction::Request, Option<body::Loaded>),
) -> (Result<Outcome>, Option<body::Loaded>) {
    let is_bundle = matches!(request.interaction, Interaction::Bundle { .. });
    let is_write = is_bundle || request.interaction.is_write();
    let patience = match is_bundle {
        true => app.http.bundle_timeout,
        false => app.http.interaction_timeout,
    };
    let app = app.clone();
    let work = async move {
        let outcome = match timeout(patience, app.perform.perform(&asker, request)).await {
            Ok(outcome) => outcome,
            // Given up before it was written down.
            Err(_) => {
                let (error, named) = (too_long(is_write), (named.0.as_str(), named.1.as_str()));
                Err(app.perform.refused(&asker, named, &error).await.err().unwrap_or(error))
            }
        };
        (outcome, loaded)
    };
    match is_write {
        false => work.await,
        true => tokio::spawn(work).await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(error) => (Err(FhirError::internal(error)), None),
        }),
    }
}

fn too_long(is_write: bool) -> FhirError {
    let text = match is_write {
        true => "The database took too long; it is not known whether anything was stored",
        false => "The database took too long",
    };
    FhirError::new(ErrorKind::Unavailable, IssueCode::Timeout, text)
}

/// 404 or 400 for a path that names nothing, 405 for methods that are not of the path; for those
/// that HTTP does not know either. Asked before the body is read.
fn method(parts: &request::Parts, path: &str) -> Result<Method> {
    let method = Method::parse(parts.method.as_str());
    let allowed = interaction::allowed_methods(path, method.unwrap_or(Method::Get))?;
    match method {
        Some(method) if allowed.contains(&method.as_str()) => Ok(method),
        _ => Err(FhirError::method_not_allowed(parts.method.as_str(), allowed)),
    }
}

fn path_after_base<'a>(app: &App, parts: &'a request::Parts) -> &'a str {
    let path = parts.uri.path();
    path.strip_prefix(base_path(&app.settings.base_url)).unwrap_or(path)
}

/// Tells the authorization server where its requests come from. 429 for an address from which too
/// many come: most of these have nobody's name on them yet.
pub async fn tell_origin(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response<axum::body::Body> {
    let origin = origin(request.extensions(), request.headers());
    if let Err(error) = app.rates.stranger(origin.address, 1) {
        let looks = headers::wishes(None, request.headers(), None).looks_of_error();
        let error = Outside::of(&request).refused(&app, error).await;
        return respond::error(&error, looks, &RequestId::of(request.extensions()));
    }
    request.extensions_mut().insert(origin);
    // For a launch, which systems ask for by a token.
    request.extensions_mut().insert(app.sign_in.authenticate.clone());
    next.run(request).await
}

/// Who asks: 401 for credentials that are not good, 429 for who comes too often.
async fn authenticate(app: &App, parts: &request::Parts, visitor: &mut Visitor) -> Result<()> {
    let Visitor { asker, standing, .. } = visitor;
    headers::authorization(&parts.headers)?;
    let credentials = credentials(parts, app.settings.issuer(), asker.origin.address);
    match app.sign_in.authenticate.caller(credentials).await {
        Ok(caller) => {
            asker.caller = caller;
            app.rates.admit(asker, 1, standing)
        }
        Err(refused) => {
            app.rates.stranger(asker.origin.address, 1)?;
            visitor.challenge = refused.challenge;
            Err(refused.error)
        }
    }
}

/// The caller's place among the requests in work. 503 where he has as many as he may.
fn place(app: &App, caller: &Caller) -> Result<Option<PlaceInCrowd<String>>> {
    let Caller::Principal(principal) = caller else {
        return Ok(None);
    };
    let place = app.in_work.enter(principal.name.clone(), false);
    let too_many = || FhirError::unavailable("Too many requests of yours are in work");
    place.ok_or_else(too_many).map(Some)
}

/// Where the request came from, for the audit.
fn origin(extensions: &Extensions, headers: &HeaderMap) -> Origin {
    let address = extensions.get::<ClientAddress>();
    Origin {
        address: address.map(|ClientAddress(address)| *address),
        user_agent: headers::user_agent(headers),
        request_id: RequestId::of(extensions).as_str().to_owned(),
        purposes: Vec::new(),
    }
}

fn sent_format(parts: &request::Parts) -> Option<Format> {
    let content_type = parts.headers.get(axum::http::header::CONTENT_TYPE)?.to_str().ok()?;
    match BodyKind::of(Some(content_type)) {
        Ok(BodyKind::Fhir { format, .. }) => Some(format),
        _ => None,
    }
}
