//! A listener of its own for operators: metrics in the format of Prometheus, and whether the
//! server is well. It is never reached by the way that clients take.

use crate::http::{App, health};
use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Bounds of durations, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// What was counted so far in this process.
#[derive(Clone)]
struct Metrics(PrometheusHandle);

impl Metrics {
    /// Counts from here on, once in a process. An error where somebody counts already.
    fn start() -> io::Result<Metrics> {
        let builder = PrometheusBuilder::new().set_buckets(&SECONDS).map_err(io::Error::other)?;
        builder.install_recorder().map(Metrics).map_err(io::Error::other)
    }
}

/// Answers at this address until the task is ended. An error where somebody else has it.
pub(super) async fn start(address: SocketAddr, app: Arc<App>) -> io::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
    let metrics = Metrics::start()?;
    let routes = Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .with_state(app)
        .route("/metrics", get(text).with_state(metrics));
    Ok(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::warn!(%error, "the listener of operators ended");
        }
    }))
}

async fn text(State(Metrics(handle)): State<Metrics>) -> Response {
    handle.run_upkeep();
    let mut response = handle.render().into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
