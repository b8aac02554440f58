//! Errors of the authorization server: RFC 6749, 5.2, and RFC 6750, 3.1.

use crate::access::Refused;
use crate::error::{ErrorKind, FhirError};
use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// What the next proof has to have in it (RFC 9449, 8).
pub const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// An error as the client gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OAuthError {
    pub status: u16,
    /// The code, such as `invalid_grant`.
    pub error: &'static str,
    /// Says what to mend, and nothing that the client does not know.
    pub description: String,
    /// `WWW-Authenticate`
    pub challenge: Option<&'static str>,
    /// `DPoP-Nonce`
    pub nonce: Option<String>,
}

pub type OAuthResult<T> = Result<T, OAuthError>;

impl OAuthError {
    /// 400 with one of the codes of the RFC.
    pub fn bad(error: &'static str, description: impl Into<String>) -> OAuthError {
        OAuthError {
            status: 400,
            error,
            description: description.into(),
            challenge: None,
            nonce: None,
        }
    }

    pub fn invalid_request(description: impl Into<String>) -> OAuthError {
        OAuthError::bad("invalid_request", description)
    }

    pub fn invalid_grant(description: impl Into<String>) -> OAuthError {
        OAuthError::bad("invalid_grant", description)
    }

    pub fn invalid_scope(description: impl Into<String>) -> OAuthError {
        OAuthError::bad("invalid_scope", description)
    }

    /// 401: who asks did not prove to be who it says. Always in the same words.
    pub fn invalid_client() -> OAuthError {
        let description = "The client is not known, or did not authenticate as it is registered";
        OAuthError { status: 401, ..OAuthError::bad("invalid_client", description) }
    }

    /// 401 for an access token that is not good.
    pub fn invalid_token() -> OAuthError {
        OAuthError {
            status: 401,
            challenge: Some("Bearer error=\"invalid_token\""),
            ..OAuthError::bad("invalid_token", "The access token is not valid")
        }
    }

    /// 400 for a proof of DPoP that is not good (RFC 9449, 5).
    pub fn invalid_proof(description: &str) -> OAuthError {
        OAuthError::bad("invalid_dpop_proof", format!("The DPoP proof is not valid: {description}"))
    }

    /// 400 that asks for a proof with that nonce (RFC 9449, 8).
    pub fn use_nonce(nonce: String) -> OAuthError {
        let text = "The DPoP proof needs the nonce of DPoP-Nonce";
        OAuthError { nonce: Some(nonce), ..OAuthError::bad("use_dpop_nonce", text) }
    }

    /// 403 for an access token that is good for other things.
    pub fn insufficient_scope(scope: &str) -> OAuthError {
        OAuthError {
            status: 403,
            challenge: Some("Bearer error=\"insufficient_scope\""),
            ..OAuthError::bad("insufficient_scope", format!("The scope {scope} is needed"))
        }
    }
}

/// Credentials at an endpoint that takes access tokens: 401, whatever is wrong with them.
impl From<Refused> for OAuthError {
    fn from(refused: Refused) -> OAuthError {
        match refused.challenge {
            None => refused.error.into(),
            Some(challenge) => OAuthError {
                challenge: Some(challenge.header()),
                nonce: challenge.nonce().map(str::to_owned),
                ..OAuthError::invalid_token()
            },
        }
    }
}

/// What the store says: 503 where it is away, 500 otherwise; the cause goes to the log.
impl From<FhirError> for OAuthError {
    fn from(error: FhirError) -> OAuthError {
        let is_away = error.kind == ErrorKind::Unavailable;
        let (status, code) = match is_away {
            true => (503, "temporarily_unavailable"),
            false => (500, "server_error"),
        };
        tracing::error!(?error, "a request for tokens failed");
        let description = "The server cannot answer now";
        OAuthError { status, ..OAuthError::bad(code, description) }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = answer(self.status, body);
        if let Some(challenge) = self.challenge {
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(nonce) = self.nonce.and_then(|nonce| HeaderValue::from_str(&nonce).ok()) {
            response.headers_mut().insert(DPOP_NONCE, nonce);
        }
        if self.status == 503 {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}

/// JSON that nobody may keep (RFC 6749, 5.1).
pub fn answer(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, not_kept(), Json(body)).into_response()
}

/// The headers that go with it.
pub fn not_kept() -> HeaderMap {
    HeaderMap::from_iter([
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::PRAGMA, HeaderValue::from_static("no-cache")),
    ])
}
