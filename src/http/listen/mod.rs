//! Takes connections: HTTP/1.1 and HTTP/2, with TLS or without, each with its timers, until told
//! to stop.

mod admin;
mod crowd;
mod paced_io;
#[cfg(test)]
mod tests;
mod tls;

use super::certificates::Shown;
use super::middleware::forwarded::{IsSecure, Peer};
use super::{App, HttpSettings};
pub use crowd::{Crowd, PlaceInCrowd};
pub use tls::TlsFiles;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use paced_io::{Pace, PacedIo};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tls::Tls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

/// What an HTTP/2 client says first (RFC 9113, 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Room for a head over the bounds that [`super::middleware::bounds`] answers well.
const HEAD_BUFFER_BYTES: usize = 64 << 10;
const HTTP2_STREAMS: u32 = 100;
const HTTP2_PENDING_RESETS: usize = 50;
const HTTP2_PING: Duration = Duration::from_secs(20);

/// Serves until `shutdown` is done; then takes no more connections, and gives requests under
/// way the time that the settings say. Errors of single connections end those alone.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let router = super::router(app.clone());
    let tls = app.http.tls.clone().map(Tls::open).transpose()?;
    let admin = match app.http.admin {
        Some(address) => Some(admin::start(address, app.clone()).await?),
        None => None,
    };
    let following = tls.clone().map(|tls| tokio::spawn(async move { tls.follow().await }));
    let crowd = Crowd::new(app.http.connections_of_address);
    let places = Arc::new(Semaphore::new(app.http.connections));
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut shutdown => break,
        };
        let Some((stream, peer, place)) = accepted else {
            continue;
        };
        let is_proxy = app.http.trusted_proxies.iter().any(|proxy| proxy.contains(peer.ip()));
        let Some(place_of_address) = crowd.enter(peer.ip().to_canonical(), is_proxy) else {
            metrics::counter!("bhn_connections_refused_total").increment(1);
            continue;
        };
        let connection = Connection {
            router: router.clone(),
            tls: tls.clone(),
            http: app.http.clone(),
            watcher: graceful.watcher(),
            peer,
        };
        tokio::spawn(async move {
            connection.serve(stream).await;
            drop((place, place_of_address));
        });
    }
    app.drain();
    drop(listener);
    if timeout(app.http.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way at the end of the drain");
    }
    admin.into_iter().chain(following).for_each(|task| task.abort());
    Ok(())
}

type Accepted = (TcpStream, SocketAddr, OwnedSemaphorePermit);

/// None where the system would not give the connection, such as for want of file descriptors.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "no connection taken");
            sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

struct Connection {
    router: Router,
    tls: Option<Arc<Tls>>,
    http: HttpSettings,
    watcher: Watcher,
    peer: SocketAddr,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // Answers are written whole; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            let protocol = timeout(self.http.head_timeout, protocol(&stream)).await;
            if let Ok(Some(protocol)) = protocol {
                self.carry(stream, (protocol, None)).await;
            }
            return;
        };
        let Some(stream) = tls.accept(stream).await else {
            return;
        };
        let session = stream.get_ref().1;
        let protocol = match session.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        let shown = session.peer_certificates();
        let shown = shown.and_then(|chain| self.http.client_certificates.shown(chain));
        self.carry(stream, (protocol, shown)).await;
    }

    /// Answers the requests of a connection, from the first to the last.
    async fn carry<S>(self, stream: S, (protocol, shown): (Protocol, Option<Shown>))
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let pace = Pace::default();
        let is_secure = self.tls.is_some();
        let io = TokioIo::new(match protocol {
            Protocol::Http1 => PacedIo::new(stream, pace.clone(), self.http.head_timeout),
            Protocol::Http2 => PacedIo::unpaced(stream),
        });
        let (router, peer) = (self.router, self.peer);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let busy = pace.busy();
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            if let Some(shown) = &shown {
                request.extensions_mut().insert(shown.clone());
            }
            if is_secure {
                request.extensions_mut().insert(IsSecure);
            }
            let answer = router.clone().oneshot(request);
            async move {
                let response = answer.await;
                drop(busy);
                response
            }
        });
        let builder = builder(&self.http, protocol);
        let connection = builder.serve_connection(io, service).into_owned();
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(error, "a connection ended early");
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Looks at the first bytes and leaves them there. None where the client went away.
async fn protocol(stream: &TcpStream) -> Option<Protocol> {
    let mut seen = [0; HTTP2_PREFACE.len()];
    loop {
        let count = stream.peek(&mut seen).await.ok().filter(|count| *count > 0)?;
        if seen[..count] != HTTP2_PREFACE[..count] {
            return Some(Protocol::Http1);
        }
        if count == HTTP2_PREFACE.len() {
            return Some(Protocol::Http2);
        }
        sleep(Duration::from_millis(10)).await;
    }
}

fn builder(http: &HttpSettings, protocol: Protocol) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(http.idle_timeout)
        .max_buf_size(HEAD_BUFFER_BYTES)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(http.head_timeout)
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_pending_accept_reset_streams(HTTP2_PENDING_RESETS)
        .max_header_list_size(HEAD_BUFFER_BYTES as u32);
    match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    }
}
