//! All axum: bytes and headers in, bytes and headers out. Translates; decides nothing.
//! <https://hl7.org/fhir/R4/http.html>
//!
//! `listen` takes connections, `router` has every route on one page, `fhir_endpoint` carries one
//! request through `negotiate`, `body`, [`crate::fhir::interaction::read`], [`Perform`] and
//! `respond`. TLS ends here, or at a proxy before this server.

mod binary;
mod body;
mod certificates;
mod content;
mod fhir_endpoint;
mod headers;
mod health;
mod listen;
mod media_type;
mod middleware;
mod negotiate;
mod perform;
mod rates;
mod respond;
mod router;
mod settings;
#[cfg(test)]
mod tests;

pub use certificates::ClientCertificates;
pub use listen::TlsFiles;
pub use middleware::forwarded::ClientAddress;
pub use middleware::request_id::RequestId;
pub use perform::Perform;
pub use rates::{Rate, RateSettings};
pub use router::router;
pub use settings::HttpSettings;

use crate::access::Authenticate;
use crate::clock::Clock;
use crate::config::Settings;
use crate::interactions::Context;
use crate::oauth::AuthorizationServer;
use listen::Crowd;
use middleware::admission::Admission;
use rates::Rates;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpListener;

/// How callers sign in.
pub struct SignIn {
    /// Tells callers apart.
    pub authenticate: Arc<dyn Authenticate>,
    /// Where they get their tokens, if it is here.
    pub oauth: Option<Arc<AuthorizationServer>>,
}

/// Answers requests from the store until `shutdown`, then finishes those under way.
pub async fn serve_with(
    listener: TcpListener,
    (context, http): (Arc<Context>, HttpSettings),
    sign_in: SignIn,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let settings = context.settings.clone();
    let (is_shared, store) = (http.rates.is_shared, context.store.clone());
    let app = App::new(context, settings, http, sign_in);
    let sharing = is_shared.then(|| tokio::spawn(rates::share(app.clone(), store)));
    let served = listen::serve(app, listener, shutdown).await;
    sharing.into_iter().for_each(|task| task.abort());
    served
}

/// What the routes share.
pub struct App {
    perform: Arc<dyn Perform>,
    settings: Settings,
    http: HttpSettings,
    sign_in: SignIn,
    clock: Clock,
    admission: Admission,
    rates: Rates,
    in_work: Crowd<String>,
    is_draining: AtomicBool,
}

impl App {
    /// `sign_in` tells who asks.
    pub fn new(
        perform: Arc<dyn Perform>,
        settings: Settings,
        http: HttpSettings,
        sign_in: SignIn,
    ) -> Arc<Self> {
        let admission = Admission::new(settings.limits.admitted_bytes, http.admission_wait);
        let (rates, in_work) = (Rates::new(&http.rates), Crowd::new(http.requests_of_caller));
        let (clock, is_draining) = (Clock::default(), AtomicBool::new(false));
        Arc::new(App {
            perform,
            settings,
            http,
            sign_in,
            clock,
            admission,
            rates,
            in_work,
            is_draining,
        })
    }

    /// From here on `/readyz` answers 503, so that no more requests are sent here.
    fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }
}
