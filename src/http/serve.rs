//! Takes connections: HTTP/1.1 and HTTP/2 without TLS, each with its timers, until told to stop.

use super::middleware::forwarded::Peer;
use super::paced_io::{Pace, PacedIo};
use super::{App, HttpSettings};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
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
        let connection = Connection {
            router: router.clone(),
            http: app.http.clone(),
            watcher: graceful.watcher(),
            peer,
        };
        tokio::spawn(async move {
            connection.serve(stream).await;
            drop(place);
        });
    }
    app.drain();
    drop(listener);
    if timeout(app.http.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way at the end of the drain");
    }
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
    http: HttpSettings,
    watcher: Watcher,
    peer: SocketAddr,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // Answers are written whole; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let Ok(Some(protocol)) = timeout(self.http.head_timeout, protocol(&stream)).await else {
            return;
        };
        let pace = Pace::default();
        let io = TokioIo::new(match protocol {
            Protocol::Http1 => PacedIo::new(stream, pace.clone(), self.http.head_timeout),
            Protocol::Http2 => PacedIo::unpaced(stream),
        });
        let (router, peer) = (self.router, self.peer);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let busy = pace.busy();
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
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
