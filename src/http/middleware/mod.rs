//! What every request passes through, whatever it asks for: [`around`], in one layer.

pub mod admission;
pub mod bounds;
pub mod finish;
pub mod forwarded;
pub mod inflate;
pub mod panic;
pub mod request_id;
pub mod trace;

use super::{App, fhir_endpoint};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use request_id::RequestId;
use std::sync::Arc;

/// Gives the request its id and its client's address, bounds its head, and gives the answer, a
/// caught panic's as well, its headers and its line in the log.
pub async fn around(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of_headers(request.headers());
    let log = trace::Log::start(&request, &id);
    request.extensions_mut().insert(id.clone());
    forwarded::read(&app, &mut request);
    let finish = finish::Finish::of(&request);
    let mut response = match bounds::check(&app, &request) {
        Ok(()) => panic::catch(&app, request, next).await,
        Err(error) => {
            let error = fhir_endpoint::Outside::of(&request).refused(&app, error).await;
            bounds::refuse(&error, &id)
        }
    };
    finish.complete(&mut response, &id);
    log.end(&response);
    response
}
