//! What ends a request before its page: an error page in the person's language, or another page.

use super::render::{self, Page};
use super::texts::{self, Texts};
use crate::error::FhirError;
use askama::Template;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{HeaderValue, LOCATION, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use axum::middleware::Next;
use axum::response::IntoResponse;

/// Why there is no page.
#[derive(Clone)]
pub struct Problem {
    status: u16,
    text: fn(&Texts) -> &str,
    /// Said after the text as it is: the name of a parameter, in no language.
    detail: String,
    /// Where to go instead, at this server.
    elsewhere: Option<String>,
    retry_after_seconds: Option<i64>,
}

impl Problem {
    pub fn new(status: u16, text: fn(&Texts) -> &str) -> Problem {
        let (detail, elsewhere) = (String::new(), None);
        Problem { status, text, detail, elsewhere, retry_after_seconds: None }
    }

    /// 303 to a path of this server.
    pub fn elsewhere(path: String) -> Problem {
        Problem { elsewhere: Some(path), ..Problem::new(303, |texts| texts.failed) }
    }

    /// 400 with what is wrong.
    pub fn bad_request(text: fn(&Texts) -> &str, detail: impl Into<String>) -> Problem {
        Problem { detail: detail.into(), ..Problem::new(400, text) }
    }

    /// 429: nothing goes on for so long.
    pub fn too_many(seconds: i64) -> Problem {
        let seconds = Some(seconds.max(1));
        Problem {
            retry_after_seconds: seconds,
            ..Problem::new(429, |texts| texts.too_many_attempts)
        }
    }
}

impl From<FhirError> for Problem {
    /// The cause goes to the log, not to the page.
    fn from(error: FhirError) -> Problem {
        let status = error.kind.status();
        if status >= 500 {
            tracing::error!(status, cause = ?error.source, "a page failed: {error}");
        }
        match status {
            503 | 429 => {
                Problem { retry_after_seconds: Some(5), ..Problem::new(503, |texts| texts.busy) }
            }
            403 => Problem::new(403, |texts| texts.not_yours),
            404 | 410 => Problem::new(404, |texts| texts.not_found),
            400..500 => Problem::new(400, |texts| texts.not_understood),
            _ => Problem::new(500, |texts| texts.failed),
        }
    }
}

impl IntoResponse for Problem {
    /// The page is made by [`in_words`], which knows the language.
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        let status = StatusCode::from_u16(self.status);
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Some(path) = &self.elsewhere {
            let location = HeaderValue::from_str(path);
            response.headers_mut().extend(location.ok().map(|value| (LOCATION, value)));
            return response;
        }
        let seconds = self.retry_after_seconds.map(HeaderValue::from);
        response.headers_mut().extend(seconds.map(|value| (RETRY_AFTER, value)));
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    page: Page<'a>,
    text: &'a str,
    detail: &'a str,
    minutes: Option<i64>,
}

/// Writes the page of a [`Problem`] in the language of the request.
pub async fn in_words(request: Request, next: Next) -> Response<Body> {
    let texts = texts::of_request(request.uri().query(), request.headers());
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let page = ProblemPage {
        page: Page::of_nobody(texts),
        text: (problem.text)(texts),
        detail: &problem.detail,
        minutes: problem
            .retry_after_seconds
            .filter(|_| problem.status == 429)
            .map(|s| (s + 59) / 60),
    };
    let (parts, _) = response.into_parts();
    let mut written = render::html(&page, parts.status.as_u16(), &[]);
    written.headers_mut().extend(parts.headers);
    written
}
