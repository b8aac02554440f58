//! Bounds of a request's head: 414 and 431 before anything is read.

use super::request_id::RequestId;
use crate::error::{ErrorKind, FhirError, IssueCode};
use crate::http::negotiate::{Format, Looks};
use crate::http::{App, respond};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;

/// Lets a request through whose URL and headers are within bounds.
pub async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match breach(&app, &request) {
        None => next.run(request).await,
        Some(error) => {
            let looks = Looks { format: Format::Json, is_pretty: false };
            respond::error(&error, looks, &RequestId::of(request.extensions()))
        }
    }
}

fn breach(app: &App, request: &Request) -> Option<FhirError> {
    let uri = request.uri();
    let url_bytes = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    let limit = app.settings.limits.url_bytes;
    if url_bytes > limit {
        let text = format!("The URL is longer than {limit} bytes; a search may be a POST");
        return Some(FhirError::new(ErrorKind::UriTooLong, IssueCode::TooLong, text));
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(n, v)| n.as_str().len() + v.len() + 4).sum();
    let (most_bytes, most) = (app.http.header_bytes, app.http.header_count);
    if bytes > most_bytes || headers.len() > most {
        let text = format!("The headers are more than {most} or larger than {most_bytes} bytes");
        return Some(FhirError::new(ErrorKind::HeadersTooLarge, IssueCode::TooLong, text));
    }
    None
}
