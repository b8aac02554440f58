//! `X-Request-Id`: names a request in the answer, the log and the audit.

use crate::clock;
use crate::http::headers::X_REQUEST_ID;
use axum::http::{Extensions, HeaderMap};
use std::fmt;
use std::sync::Arc;

/// The client's own where it is 8 to 64 of `A-Z a-z 0-9 -`, else one of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The client's, or a new one.
    pub fn of_headers(headers: &HeaderMap) -> Self {
        let sent = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
        sent.and_then(RequestId::parse).unwrap_or_else(RequestId::new)
    }

    /// The id that the request was given.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get::<RequestId>().cloned().unwrap_or_else(RequestId::new)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn new() -> Self {
        RequestId(clock::new_id().into())
    }

    fn parse(text: &str) -> Option<Self> {
        let is_id = (8..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        is_id.then(|| RequestId(text.into()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_ids_of_clients_are_taken_over() {
        assert!(RequestId::parse("abcDEF-123").is_some());
        for id in ["short", "has space", "line\nbreak", "under_score", &"x".repeat(65)] {
            assert!(RequestId::parse(id).is_none(), "{id}");
        }
        assert!(RequestId::parse(RequestId::new().as_str()).is_some());
    }
}
