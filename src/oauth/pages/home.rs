//! The start page, and what pages are made to look like.

use super::problem::Problem;
use super::render::{self, Page};
use super::visit::Visit;
use crate::oauth::AuthorizationServer;
use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue,
};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    page: Page<'a>,
    base_url: &'a str,
    has_registration: bool,
}

/// Tells people and developers where things are.
pub async fn home(visit: Visit) -> Result<Response<Body>, Problem> {
    let settings = &visit.server.context.settings;
    let home = Home {
        page: Page::of(&visit),
        base_url: &settings.base_url,
        has_registration: settings.registration_enabled,
    };
    Ok(render::page(&visit, &home, &[]))
}

/// The style sheet of all pages.
pub async fn style_sheet() -> Response<Body> {
    cached("text/css; charset=utf-8", include_str!("../templates/bhn.css").to_owned())
}

/// The mark of the network, for the tab of the browser.
pub async fn mark() -> Response<Body> {
    cached("image/svg+xml", include_str!("../templates/mark.svg").to_owned())
}

/// Styles for applications that are launched in context (SMART App Launch 2.2,
/// `smart_style_url`).
pub async fn smart_style(State(_): State<Arc<AuthorizationServer>>) -> Response<Body> {
    let style = serde_json::json!({
        "color_background": "#f6f8f9",
        "color_error": "#a4262c",
        "color_highlight": "#0b6670",
        "color_modal_backdrop": "",
        "color_success": "#1d6b3c",
        "color_text": "#17252b",
        "dim_border_radius": "8px",
        "dim_font_size": "16px",
        "dim_spacing_size": "16px",
        "font_family_body": "system-ui, 'Segoe UI', Roboto, sans-serif",
        "font_family_heading": "system-ui, 'Segoe UI', Roboto, sans-serif",
    });
    let mut response = cached("application/json", style.to_string());
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(policy, HeaderValue::from_static("cross-origin"));
    response
}

/// An answer that browsers keep for an hour.
pub fn cached(kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}
