//! The parameters of a request to the authorization server: a form, each parameter once.

use super::credentials::shown;
use super::error::{OAuthError, OAuthResult};
use super::events::Actor;
use crate::access::{ClientCertificate, Origin};
use crate::fhir::interaction::decode_query;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header;
use axum::http::request::Parts;
use std::collections::BTreeMap;
use std::time::Duration;

/// Bytes of a form (IN-01).
const MOST_BYTES: usize = 64 << 10;
/// From the first byte of a form to its last.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// A request with a form as its body.
pub struct Form {
    pub parts: Parts,
    pub origin: Origin,
    parameters: BTreeMap<String, String>,
}

impl Form {
    /// The value of a parameter; one without a value counts as left out (RFC 6749, 3.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// 400 where it is left out.
    pub fn need(&self, name: &str) -> OAuthResult<&str> {
        self.get(name).ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
    }

    /// All of them, each once.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The certificate that the client has shown.
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        shown(&self.parts)
    }

    /// Who sent it, as far as is known before it is looked into.
    pub fn actor(&self) -> Actor {
        Actor::from(self.origin.clone())
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = OAuthError;

    async fn from_request(request: Request, _: &S) -> OAuthResult<Form> {
        let (parts, body) = request.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
        {
            let text = "Parameters are sent as application/x-www-form-urlencoded";
            return Err(OAuthError::invalid_request(text));
        }
        let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
        let parameters = parameters(body).await?;
        Ok(Form { parts, origin, parameters })
    }
}

async fn parameters(body: Body) -> OAuthResult<BTreeMap<String, String>> {
    let read = tokio::time::timeout(READ_WITHIN, to_bytes(body, MOST_BYTES)).await;
    let bytes = read.ok().and_then(Result::ok).ok_or_else(|| OAuthError {
        status: 413,
        ..OAuthError::invalid_request(format!("A form has {MOST_BYTES} bytes at most"))
    })?;
    let text = std::str::from_utf8(&bytes).ok();
    let pairs = text.and_then(|text| decode_query(text).ok());
    let wrong = || OAuthError::invalid_request("The form is not UTF-8 in percent-encoding");
    let mut parameters = BTreeMap::new();
    for (name, value) in pairs.ok_or_else(wrong)? {
        if parameters.contains_key(&name) {
            return Err(OAuthError::invalid_request("A parameter is given more than once"));
        }
        parameters.insert(name, value);
    }
    Ok(parameters)
}
