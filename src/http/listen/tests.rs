use crate::http::HttpSettings;
use crate::http::tests::Server;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A server at a port of its own, and the switch that stops it.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    async fn start(set: impl FnOnce(&mut HttpSettings)) -> Self {
        let server = Server::with(|_, http| {
            http.head_timeout = Duration::from_millis(200);
            set(http);
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let task = tokio::spawn(super::serve(server.app, listener, shutdown));
        Running { address, stop, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

const READ: &[u8] = b"GET /fhir/Patient/1 HTTP/1.1\r\nhost: a\r\n\r\n";

/// Reads until the peer closes, or the time is over.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(3), stream.read_to_end(&mut all)).await;
    String::from_utf8_lossy(&all).into_owned()
}

async fn read_some(stream: &mut TcpStream) -> String {
    let mut buffer = vec![0; 8_192];
    let count = stream.read(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[tokio::test]
async fn a_connection_serves_several_requests() {
    let running = Running::start(|_| {}).await;
    let mut stream = running.connect().await;
    for _ in 0..3 {
        stream.write_all(READ).await.unwrap();
        assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
        // Longer than a head may take: between requests another time counts.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let running = Running::start(|_| {}).await;
    for begun in ["", "P", "PRI * HTTP/2.0", "GET /fhir/Patient/1 HTTP/1.1\r\n"] {
        let start = Instant::now();
        let mut stream = running.connect().await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        read_all(&mut stream).await;
        assert!(start.elapsed() < Duration::from_secs(2), "{begun}");
    }
    let mut stream = running.connect().await;
    stream.write_all(READ).await.unwrap();
    read_some(&mut stream).await;
    let start = Instant::now();
    stream.write_all(b"GET /fhir").await.unwrap();
    read_all(&mut stream).await;
    assert!(start.elapsed() < Duration::from_secs(2), "the second head counts as well");
}

#[tokio::test]
async fn a_shutdown_ends_idle_connections_and_takes_no_more() {
    let running = Running::start(|_| {}).await;
    let mut idle = running.connect().await;
    idle.write_all(READ).await.unwrap();
    read_some(&mut idle).await;
    running.stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(2), running.task).await;
    ended.expect("idle connections do not hold the shutdown").unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_waits_for_a_request_under_way() {
    let running = Running::start(|_| {}).await;
    let mut stream = running.connect().await;
    let head = b"POST /fhir/Patient HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
        content-type: application/fhir+json\r\ncontent-length: 26\r\n\r\n";
    stream.write_all(head).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    stream.write_all(b"{\"resourceType\":\"Patient\"}").await.unwrap();
    assert!(read_all(&mut stream).await.starts_with("HTTP/1.1 201 Created"));
    running.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_does_not_wait_longer_than_the_drain() {
    let running = Running::start(|http| http.drain = Duration::from_millis(100)).await;
    let mut stream = running.connect().await;
    let head = b"POST /fhir/Patient HTTP/1.1\r\nhost: a\r\ncontent-length: 26\r\n\r\n";
    stream.write_all(head).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(2), running.task).await;
    ended.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_by_the_protocol() {
    let running = Running::start(|_| {}).await;
    let mut stream = running.connect().await;
    let head = format!("GET /fhir/{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(70_000));
    let _ = stream.write_all(head.as_bytes()).await;
    let reply = read_some(&mut stream).await;
    assert!(reply.starts_with("HTTP/1.1 4"), "{reply}");
    let mut stream = running.connect().await;
    let headers: String = (0..150).map(|number| format!("x-{number}: a\r\n")).collect();
    let head = format!("GET /fhir/Patient/1 HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn http2_is_spoken_without_tls() {
    let running = Running::start(|_| {}).await;
    let stream = hyper_util::rt::TokioIo::new(running.connect().await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, stream).await.unwrap();
    tokio::spawn(connection);
    let url = format!("http://{}/fhir/Patient/1", running.address);
    let request = http::Request::get(url).body(axum::body::Body::empty()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.version(), http::Version::HTTP_2);
}
