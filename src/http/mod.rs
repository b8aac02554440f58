//! HTTP.

use crate::interactions::Context;
use axum::Router;
use axum::routing::get;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Answers requests until `shutdown`, then finishes those under way.
pub async fn serve(
    listener: TcpListener,
    context: Arc<Context>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new().route("/livez", get(|| async { "ok" })).with_state(context);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}
