//! A bug answers one request with 500; the server goes on.

use super::request_id::RequestId;
use crate::error::FhirError;
use crate::http::{headers, respond};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;

/// Turns a panic into 500 with the request id, under which the log has it.
pub async fn catch(request: Request, next: Next) -> Response {
    let request_id = RequestId::of(request.extensions());
    let wishes = headers::wishes(request.uri().query(), request.headers(), None);
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            // A literal message is ours; a formatted one may hold content.
            let message = panic.downcast_ref::<&str>().copied().unwrap_or("formatted message");
            tracing::error!(request_id = request_id.as_str(), message, "panic");
            let error = FhirError::internal("panic");
            respond::error(&error, wishes.looks_of_error(), &request_id)
        }
    }
}
