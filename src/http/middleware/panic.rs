//! A bug answers one request with 500; the server goes on.

use super::request_id::RequestId;
use crate::error::FhirError;
use crate::http::{headers, respond};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;

/// Turns a panic into 500 with the request id, under which the log has it.
pub async fn catch(request: Request, next: Next, request_id: &RequestId) -> Response {
    let uri = request.uri().clone();
    let accept = request.headers().get(ACCEPT).cloned();
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            // A literal message is ours; a formatted one may hold content.
            let message = panic.downcast_ref::<&str>().copied().unwrap_or("formatted message");
            tracing::error!(request_id = request_id.as_str(), message, "panic");
            let accept: HeaderMap = accept.map(|accept| (ACCEPT, accept)).into_iter().collect();
            let looks = headers::wishes(uri.query(), &accept, None).looks_of_error();
            respond::error(&FhirError::internal("panic"), looks, request_id)
        }
    }
}
