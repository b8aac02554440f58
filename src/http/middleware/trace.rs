//! One log line a request, without content: neither URL nor query, which name people.

use super::request_id::RequestId;
use crate::fhir::interaction::Interaction;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use std::time::Instant;

/// Statuses by their first digit: single ones would be too many series.
const STATUS_CLASSES: [&str; 6] = ["", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// What the log may know of an interaction; the endpoint leaves it with the response.
#[derive(Clone, Copy, Debug)]
pub struct Traced {
    interaction: &'static str,
    resource_type: &'static str,
}

impl Traced {
    pub fn of(interaction: &Interaction) -> Self {
        let resource_type = interaction.resource_type().map_or("", |kind| kind.name());
        Traced { interaction: interaction.code(), resource_type }
    }
}

/// The line of a request under way.
pub struct Log {
    start: Instant,
    request_id: RequestId,
    method: Method,
}

impl Log {
    pub fn start(request: &Request, request_id: &RequestId) -> Self {
        let (request_id, method) = (request_id.clone(), request.method().clone());
        Log { start: Instant::now(), request_id, method }
    }

    /// Writes method, interaction, status and duration.
    pub fn end(self, response: &Response) {
        let unread = Traced { interaction: "", resource_type: "" };
        let traced = response.extensions().get::<Traced>().copied().unwrap_or(unread);
        let seconds = self.start.elapsed().as_secs_f64();
        let status = response.status().as_u16();
        metrics::counter!(
            "bhn_http_requests_total",
            "interaction" => traced.interaction,
            "type" => traced.resource_type,
            "status" => STATUS_CLASSES[usize::from(status / 100).min(5)]
        )
        .increment(1);
        metrics::histogram!(
            "bhn_http_request_seconds", "interaction" => traced.interaction
        )
        .record(seconds);
        tracing::info!(
            request_id = self.request_id.as_str(),
            method = self.method.as_str(),
            interaction = traced.interaction,
            resource.r#type = traced.resource_type,
            status,
            duration_ms = seconds * 1_000.0,
            "request"
        );
    }
}
