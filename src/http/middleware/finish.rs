//! What every answer gets: headers of security and caching, and no body to HEAD.

use super::forwarded::IsSecure;
use super::request_id::RequestId;
use crate::http::headers::X_REQUEST_ID;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::Method;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use std::convert::Infallible;

/// Unless the answer has its own.
const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    // Answers depend on who asks, and clients share machines.
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");
const VARY: &str = "Accept, Accept-Encoding, Authorization, Origin, Prefer";

/// What of a request concerns the completion of its answer.
pub struct Finish {
    is_head: bool,
    is_secure: bool,
}

impl Finish {
    pub fn of(request: &Request) -> Self {
        let is_secure = request.extensions().get::<IsSecure>().is_some();
        Finish { is_head: request.method() == Method::HEAD, is_secure }
    }

    /// Completes the answer.
    pub fn complete(self, response: &mut Response, request_id: &RequestId) {
        let size = response.body().size_hint().exact();
        let headers = response.headers_mut();
        for (name, value) in ALWAYS {
            headers.entry(name).or_insert(value);
        }
        headers.insert(header::VARY, HeaderValue::from_static(VARY));
        if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
            headers.insert(X_REQUEST_ID, id);
        }
        if self.is_secure {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, TWO_YEARS);
        }
        if self.is_head {
            let has_length = headers.contains_key(header::CONTENT_LENGTH);
            if let Some(size) = size.filter(|_| !has_length) {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
            }
            *response.body_mut() = match size.is_some() || has_length {
                true => Body::empty(),
                // A GET would not tell the length, so HEAD does not say 0 (RFC 9110, 8.6).
                false => Body::from_stream(stream::empty::<Result<Bytes, Infallible>>()),
            };
        }
    }
}
