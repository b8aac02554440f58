//! HTML answers: no scripts, no frames, nothing from elsewhere.

use super::posted::TOKEN;
use super::texts::{Texts, filled};
use super::visit::Visit;
use askama::Template;
use axum::body::Body;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
};
use axum::http::{Response, StatusCode};

/// What every page shows.
pub struct Page<'a> {
    pub t: &'static Texts,
    /// The address of who is signed in.
    pub who: Option<&'a str>,
    /// The hidden field of every form.
    pub token_name: &'static str,
    pub token: String,
    /// What went wrong with what was sent before.
    pub problem: Option<String>,
    /// What went well.
    pub notice: Option<&'a str>,
    /// This page, up to one more parameter of its query.
    pub here: String,
}

impl<'a> Page<'a> {
    pub fn of_nobody(t: &'static Texts) -> Page<'a> {
        let (token_name, token, here) = (TOKEN, String::new(), "/?".to_owned());
        Page { t, who: None, token_name, token, problem: None, notice: None, here }
    }

    pub fn of(visit: &'a Visit) -> Page<'a> {
        let who = visit.signed_in.as_ref().map(|one| one.account.email.as_str());
        let (token, here) = (visit.form_token(), visit.here.clone());
        Page { who, token, here, ..Page::of_nobody(visit.texts) }
    }

    /// A text with a value in it.
    pub fn fill(&self, text: &str, value: &impl std::fmt::Display) -> String {
        filled(text, value)
    }

    /// The same with what went wrong.
    pub fn with_problem(self, problem: Option<String>) -> Page<'a> {
        Page { problem, ..self }
    }
}

/// A page of this visit. `targets` are origins that its forms may lead to.
pub fn page(visit: &Visit, template: &impl Template, targets: &[&str]) -> Response<Body> {
    visit.with_cookies(html(template, 200, targets))
}

/// The same with a status: 422 for a form that was refused.
pub fn page_with(
    visit: &Visit,
    template: &impl Template,
    (status, targets): (u16, &[&str]),
) -> Response<Body> {
    visit.with_cookies(html(template, status, targets))
}

/// An answer of HTML.
pub fn html(template: &impl Template, status: u16, targets: &[&str]) -> Response<Body> {
    let (status, text) = match template.render() {
        Ok(text) => (status, text),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            (500, String::new())
        }
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let targets: String = targets.iter().map(|target| format!(" {target}")).collect();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'{targets}; \
         frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let frames = HeaderName::from_static("x-frame-options");
    headers.insert(frames, HeaderValue::from_static("DENY"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// 303: whatever was sent is not sent again.
pub fn see_other(visit: &Visit, location: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    match HeaderValue::from_str(location) {
        Ok(location) => drop(response.headers_mut().insert(LOCATION, location)),
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    visit.with_cookies(response)
}
