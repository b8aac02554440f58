//! HTML answers: no frames, nothing from elsewhere, and no scripts but that for passkeys.

use super::posted::TOKEN;
use super::texts::{Texts, filled};
use super::visit::Visit;
use askama::Template;
use axum::body::Body;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
};
use axum::http::{Response, StatusCode};
use chrono::{DateTime, Utc};

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
    /// Minutes until what is under way has to begin anew.
    pub ends: Option<i64>,
}

impl<'a> Page<'a> {
    pub fn of_nobody(t: &'static Texts) -> Page<'a> {
        let (token_name, token, here) = (TOKEN, String::new(), "/?".to_owned());
        Page { t, who: None, token_name, token, problem: None, notice: None, here, ends: None }
    }

    pub fn of(visit: &'a Visit) -> Page<'a> {
        let who = visit.signed_in.as_ref().map(|one| one.account.email.as_str());
        let (token, here) = (visit.form_token(), visit.here.clone());
        let half = visit.signed_in.as_ref().filter(|one| !one.is_complete());
        let ends = half.map(|one| minutes_until(one.session.expires, visit.now));
        Page { who, token, here, ends, ..Page::of_nobody(visit.texts) }
    }

    /// The same for what ends at that time, unless something of it ends before.
    pub fn until(self, end: DateTime<Utc>, now: DateTime<Utc>) -> Page<'a> {
        let minutes = minutes_until(end, now);
        Page { ends: Some(self.ends.map_or(minutes, |own| own.min(minutes))), ..self }
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

/// Whole minutes, one at least.
fn minutes_until(end: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    (end - now).num_minutes().max(1)
}

/// Whether a page has scripts: the one of this server, for passkeys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scripts {
    None,
    Own,
}

impl Scripts {
    pub fn where_any(is_any: bool) -> Scripts {
        if is_any { Scripts::Own } else { Scripts::None }
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

/// The same with our own script, where it has one.
pub fn page_with_scripts(
    visit: &Visit,
    template: &impl Template,
    (status, targets): (u16, &[&str]),
    scripts: Scripts,
) -> Response<Body> {
    let mut response = html(template, status, targets);
    if scripts == Scripts::Own {
        allow(&mut response, "script-src 'self'; ", targets);
    }
    visit.with_cookies(response)
}

/// What no page of this server asks a browser for (SECURITY.md, IN-50).
const UNUSED: &str = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), \
                      usb=()";

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
    allow(&mut response, "", targets);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    for (name, value) in [("x-frame-options", "DENY"), ("permissions-policy", UNUSED)] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Says what the page may load, and where its forms may lead.
fn allow(response: &mut Response<Body>, scripts: &str, targets: &[&str]) {
    let targets: String = targets.iter().map(|target| format!(" {target}")).collect();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; {scripts}\
         form-action 'self'{targets}; frame-ancestors 'none'; base-uri 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
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
