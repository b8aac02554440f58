//! What every answer gets: headers of security and caching, and no body to HEAD.

use super::forwarded::IsSecure;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;

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

/// Completes the answer.
pub async fn finish(request: Request, next: Next) -> Response {
    let is_head = request.method() == Method::HEAD;
    let is_secure = request.extensions().get::<IsSecure>().is_some();
    let mut response = next.run(request).await;
    complete(response.headers_mut(), is_secure);
    if is_head {
        let size = response.body().size_hint().exact();
        let headers = response.headers_mut();
        if let Some(size) = size.filter(|_| !headers.contains_key(header::CONTENT_LENGTH)) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        }
        *response.body_mut() = Body::empty();
    }
    response
}

fn complete(headers: &mut HeaderMap, is_secure: bool) {
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
    if is_secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
    let vary = "Accept, Accept-Encoding, Authorization, Prefer";
    headers.insert(header::VARY, HeaderValue::from_static(vary));
}
