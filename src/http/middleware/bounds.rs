//! Bounds of a request's head: 414 and 431 before anything is read.

use super::request_id::RequestId;
use crate::error::{ErrorKind, FhirError, IssueCode, Result};
use crate::http::negotiate::{Format, Looks};
use crate::http::{App, respond};
use axum::extract::Request;
use axum::response::Response;

/// 414 and 431 for a URL and headers that are not within bounds.
pub fn check(app: &App, request: &Request) -> Result<()> {
    let uri = request.uri();
    let url_bytes = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    let limit = app.settings.limits.url_bytes;
    if url_bytes > limit {
        let text = format!("The URL is longer than {limit} bytes; a search may be a POST");
        return Err(FhirError::new(ErrorKind::UriTooLong, IssueCode::TooLong, text));
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(n, v)| n.as_str().len() + v.len() + 4).sum();
    let (most_bytes, most) = (app.http.header_bytes, app.http.header_count);
    if bytes > most_bytes || headers.len() > most {
        let text = format!("The headers are more than {most} or larger than {most_bytes} bytes");
        return Err(FhirError::new(ErrorKind::HeadersTooLarge, IssueCode::TooLong, text));
    }
    Ok(())
}

/// The refusal, in JSON: what is too large is not read for wishes.
pub fn refuse(error: &FhirError, request_id: &RequestId) -> Response {
    respond::error(error, Looks { format: Format::Json, is_pretty: false }, request_id)
}
