//! Every route of the server.

use super::{App, fhir_endpoint, health, middleware, respond};
use crate::oauth::cors;
use axum::Router;
use axum::http::{HeaderMap, StatusCode, Version, header};
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use std::sync::Arc;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

/// Smaller answers gain nothing by compression.
const COMPRESSED_ABOVE_BYTES: u16 = 1_024;

/// The routes, with what every request passes through; the last layer is the outermost.
pub fn router(app: Arc<App>) -> Router {
    let base = base_path(&app.settings.base_url).to_owned();
    let fhir = any(fhir_endpoint::answer);
    let routes = Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/health", get(health::health))
        .route(&format!("{base}/"), fhir.clone())
        .route(&format!("{base}/{{*path}}"), fhir.clone());
    let routes = match base.as_str() {
        "" => routes,
        base => routes.route(base, fhir),
    };
    let routes = routes.fallback(respond::no_route).with_state(app.clone());
    let told = from_fn_with_state(app.clone(), fhir_endpoint::tell_origin);
    let routes = match &app.sign_in.oauth {
        Some(oauth) => routes
            .merge(oauth.clone().routes().layer(told))
            .layer(from_fn_with_state(oauth.clone(), cors::around)),
        None => routes,
    };
    let compressible = SizeAbove::new(COMPRESSED_ABOVE_BYTES).and(is_compressible);
    routes
        .layer(CompressionLayer::new().gzip(true).br(true).compress_when(compressible))
        .layer(from_fn_with_state(app, middleware::around))
}

/// The path of the public base URL, without a slash at its end: `/fhir`.
pub(super) fn base_path(base_url: &str) -> &str {
    let after_scheme = base_url.find("://").map_or(0, |at| at + 3);
    match base_url[after_scheme..].find('/') {
        Some(at) => base_url[after_scheme + at..].trim_end_matches('/'),
        None => "",
    }
}

/// Resources are; the content of a Binary may hold secrets beside what its sender chose, and
/// pictures and archives are compressed already.
fn is_compressible(
    _: StatusCode,
    _: Version,
    headers: &HeaderMap,
    _: &axum::http::Extensions,
) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/fhir+"))
}
