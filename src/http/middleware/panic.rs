//! A bug answers one request with 500; the server goes on.

use super::forwarded::ClientAddress;
use super::request_id::RequestId;
use crate::access::Origin;
use crate::error::FhirError;
use crate::http::fhir_endpoint::Outside;
use crate::http::{App, headers, respond};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use std::any::Any;
use std::panic::AssertUnwindSafe;

/// Turns a panic outside of an interaction into 500, after it was written down.
pub async fn catch(app: &App, request: Request, next: Next) -> Response {
    let request_id = RequestId::of(request.extensions());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let accept = request.headers().get(ACCEPT).cloned();
    let address = request.extensions().get::<ClientAddress>().map(|ClientAddress(ip)| *ip);
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            let error = panicked(panic.as_ref(), &request_id);
            drop(panic);
            let request_id_text = request_id.as_str().to_owned();
            let origin = Origin { address, request_id: request_id_text, ..Origin::default() };
            let (method, path) = (method.as_str().to_owned(), uri.path().to_owned());
            let error = Outside { origin, method, path }.refused(app, error).await;
            let accept: HeaderMap = accept.map(|accept| (ACCEPT, accept)).into_iter().collect();
            let looks = headers::wishes(uri.query(), &accept, None).looks_of_error();
            respond::error(&error, looks, &request_id)
        }
    }
}

/// The error of a panic, with the request id under which the log has it.
pub fn panicked(panic: &(dyn Any + Send), request_id: &RequestId) -> FhirError {
    // A literal message is ours; a formatted one may hold content.
    let message = panic.downcast_ref::<&str>().copied().unwrap_or("formatted message");
    tracing::error!(request_id = request_id.as_str(), message, "panic");
    FhirError::internal("panic")
}
