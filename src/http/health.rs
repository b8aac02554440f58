//! For load balancers and operators: alive, ready, and a summary. No error text.

use super::App;
use super::respond::empty;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Whoever asks waits no longer than this.
const PATIENCE: Duration = Duration::from_secs(2);

/// 200 while the process answers at all.
pub async fn live() -> StatusCode {
    StatusCode::OK
}

/// 200 where interactions can be answered, 503 without the database or at a shutdown.
pub async fn ready(State(app): State<Arc<App>>) -> StatusCode {
    match !is_draining(&app) && has_database(&app).await {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The same in words: `status`, `timestamp`, `services`.
pub async fn health(State(app): State<Arc<App>>) -> Response<Body> {
    let has_database = has_database(&app).await;
    let is_healthy = has_database && !is_draining(&app);
    let word = |is_well: bool| if is_well { "healthy" } else { "unhealthy" };
    let value = serde_json::json!({
        "status": word(is_healthy),
        "timestamp": app.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "services": { "database": word(has_database) },
    });
    let mut response = empty(if is_healthy { 200 } else { 503 });
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    *response.body_mut() = value.to_string().into();
    response
}

fn is_draining(app: &App) -> bool {
    app.is_draining.load(Ordering::Acquire)
}

async fn has_database(app: &App) -> bool {
    tokio::time::timeout(PATIENCE, app.perform.is_ready()).await.unwrap_or(false)
}
