//! What an operator may set of the HTTP side alone.

use super::certificates::ClientCertificates;
use super::listen::TlsFiles;
use super::rates::RateSettings;
use crate::network::Network;
use std::net::SocketAddr;
use std::time::Duration;

/// Timers and bounds of connections. Bounds of content are in [`crate::limits::Limits`].
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<Network>,
    /// From the first byte of a request's head to its last.
    pub head_timeout: Duration,
    /// Without a request on a connection; longer than that of common load balancers (60 s).
    pub idle_timeout: Duration,
    /// Between two pieces of a body.
    pub body_idle_timeout: Duration,
    /// Bytes of all header fields of a request.
    pub header_bytes: usize,
    /// Header fields of a request.
    pub header_count: usize,
    /// Bytes of a form, which is a search with much to say.
    pub form_bytes: usize,
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// Connections of one address at once, unless it is a trusted proxy; more are closed.
    pub connections_of_address: usize,
    /// Requests of one caller in work at once; more are told to come again.
    pub requests_of_caller: usize,
    /// Where the server ends TLS itself.
    pub tls: Option<TlsFiles>,
    /// How clients show certificates.
    pub client_certificates: ClientCertificates,
    /// Where operators read metrics.
    pub admin: Option<SocketAddr>,
    /// How often callers may come.
    pub rates: RateSettings,
    /// How long a body waits for room among those admitted.
    pub admission_wait: Duration,
    /// How long one interaction may take, retries included: longer than any single statement.
    pub interaction_timeout: Duration,
    /// The same for a batch or transaction.
    pub bundle_timeout: Duration,
    /// How long requests under way may take to end at a shutdown.
    pub drain: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings {
            trusted_proxies: Vec::new(),
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_idle_timeout: Duration::from_secs(10),
            header_bytes: 16 << 10,
            header_count: 100,
            form_bytes: 64 << 10,
            connections: 4_096,
            connections_of_address: 200,
            requests_of_caller: 100,
            tls: None,
            client_certificates: ClientCertificates::default(),
            admin: None,
            rates: RateSettings::default(),
            admission_wait: Duration::from_secs(5),
            interaction_timeout: Duration::from_secs(30),
            bundle_timeout: Duration::from_secs(120),
            drain: Duration::from_secs(25),
        }
    }
}
