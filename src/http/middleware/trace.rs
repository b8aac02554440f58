//! One log line a request, without content: neither URL nor query, which name people.

use super::request_id::RequestId;
use crate::fhir::interaction::Interaction;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use std::time::Instant;

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
        tracing::info!(
            request_id = self.request_id.as_str(),
            method = self.method.as_str(),
            interaction = traced.interaction,
            resource.r#type = traced.resource_type,
            status = response.status().as_u16(),
            duration_ms = self.start.elapsed().as_secs_f64() * 1_000.0,
            "request"
        );
    }
}
