//! Which web pages may read answers (IN-45): discovery and `/metadata` are everybody's, the token
//! endpoint and the FHIR base are for the origins that clients are registered with. Cookies are
//! never sent along, and pages for people are not for scripts of others at all.

use super::AuthorizationServer;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Accept, Content-Type, If-Match, If-None-Match, If-Modified-Since, \
     If-None-Exist, Prefer, X-Request-Id, X-Provenance, \
     Idempotency-Key, Purpose-Of-Use, DPoP",
);
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "ETag, Location, Content-Location, Last-Modified, X-Request-Id, WWW-Authenticate, \
     Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, DPoP-Nonce",
);
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// What is known holds this long; what is not known is looked up no oftener than every second.
const KNOWN_FOR: Duration = Duration::from_secs(30);
const LOOKED_UP_AGAIN: Duration = Duration::from_secs(1);

/// Whose pages may read the answers of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Readers {
    Everybody,
    Registered,
    Nobody,
}

/// Origins of registered clients, as last read.
#[derive(Default)]
pub struct Origins {
    known: RwLock<(HashSet<String>, Option<Instant>)>,
}

impl AuthorizationServer {
    fn readers(&self, path: &str) -> Readers {
        let base = self.base_path();
        let in_base = path
            .strip_prefix(base)
            .filter(|rest| base.is_empty() || rest.is_empty() || rest.starts_with('/'));
        match path {
            "/oauth/token" | "/oauth/par" | "/oauth/revoke" | "/oauth/userinfo" => {
                return Readers::Registered;
            }
            _ if path.starts_with("/.well-known/") => return Readers::Everybody,
            _ => {}
        }
        match in_base {
            Some("/metadata" | "/.well-known/smart-configuration") => Readers::Everybody,
            // Where the FHIR base is the root, its paths are those of types and operations.
            Some(rest) if !base.is_empty() || is_fhir(rest) => Readers::Registered,
            _ => Readers::Nobody,
        }
    }

    /// Whether some client is registered with the origin.
    async fn is_registered(&self, origin: &str) -> bool {
        let (found, read) = {
            let known = self.origins.known.read().unwrap_or_else(PoisonError::into_inner);
            (known.0.contains(origin), known.1)
        };
        let holds = if found { KNOWN_FOR } else { LOOKED_UP_AGAIN };
        if read.is_some_and(|read| read.elapsed() < holds) {
            return found;
        }
        let now = Instant::now();
        let origins = match self.context.store.client_origins().await {
            Ok(origins) => HashSet::from_iter(origins),
            // Nobody then: a page that cannot read an answer does no harm.
            Err(_) => HashSet::new(),
        };
        let found = origins.contains(origin);
        *self.origins.known.write().unwrap_or_else(PoisonError::into_inner) = (origins, Some(now));
        found
    }
}

fn is_fhir(rest: &str) -> bool {
    let first = rest.trim_start_matches('/').chars().next();
    first.is_none_or(|c| c.is_ascii_uppercase() || c == '_' || c == '$')
}

/// Answers preflights, and lets origins read answers.
pub async fn around(
    State(server): State<Arc<AuthorizationServer>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        return next.run(request).await;
    };
    let readers = server.readers(request.uri().path());
    let allowed = match (readers, origin.to_str()) {
        (Readers::Everybody, _) => Some(ANY),
        (Readers::Registered, Ok(text)) if server.is_registered(text).await => Some(origin),
        _ => None,
    };
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match is_preflight && readers != Readers::Nobody {
        true => StatusCode::NO_CONTENT.into_response(),
        false => next.run(request).await,
    };
    if let Some(allowed) = allowed {
        allow(response.headers_mut(), allowed, is_preflight);
    }
    response
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue, is_preflight: bool) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let further: &[(HeaderName, HeaderValue)] = match is_preflight {
        true => &[
            (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ],
        false => &[(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED)],
    };
    for (name, value) in further {
        headers.insert(name, value.clone());
    }
}
