//! Keys of clients that are fetched from their servers.

use super::harness::{TestServer, folder};
use bhn_fhir::oauth::outbound::{Outbound, OutboundError};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A web server of somebody else's: it answers as the path says. Its port, and its certificate as
/// a file.
async fn elsewhere(folder: &Path) -> (u16, std::path::PathBuf) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let path = folder.join("authority.pem");
    std::fs::write(&path, cert.pem()).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(acceptor.clone(), stream));
        }
    });
    (port, path)
}

async fn answer(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut head = vec![0; 4_096];
    let read = stream.read(&mut head).await.unwrap_or(0);
    let head = String::from_utf8_lossy(&head[..read]).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let empty = "{\"keys\":[]}";
    let text = match path.as_str() {
        "/moved" => "HTTP/1.1 302 Found\r\nlocation: /keys\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "/stalled" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            return;
        }
        "/endless" => "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n".to_owned(),
        _ => format!(
            "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: {}\r\n\r\n{empty}",
            empty.len()
        ),
    };
    let _ = stream.write_all(text.as_bytes()).await;
    while path == "/endless" && stream.write_all(&[b'a'; 16_384]).await.is_ok() {}
    let _ = stream.shutdown().await;
}

#[tokio::test]
async fn rt_132_what_is_fetched_is_bounded_and_never_redirected() {
    let folder = folder();
    let (port, authority) = elsewhere(folder.path()).await;
    let host = format!("localhost:{port}");
    let allowed = [host.clone()];
    let outbound = Outbound::open(&allowed, Some(&authority)).unwrap();
    let get = async |path: &str| outbound.get(&format!("https://{host}{path}"), 64 << 10).await;
    let fetched = get("/keys").await.unwrap();
    assert_eq!(fetched.body, b"{\"keys\":[]}");
    assert_eq!(fetched.cache_control.as_deref(), Some("max-age=60"));
    assert!(matches!(get("/moved").await, Err(OutboundError::Status(302))));
    assert!(matches!(get("/endless").await, Err(OutboundError::TooLarge(_))));
    let started = Instant::now();
    assert!(matches!(get("/stalled").await, Err(OutboundError::Http(_))));
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    let stranger = Outbound::open(&allowed, None).unwrap();
    let refused = stranger.get(&format!("https://{host}/keys"), 64 << 10).await;
    assert!(matches!(refused, Err(OutboundError::Http(_))), "nobody vouches for it");
    let inside = Outbound::open(&[], Some(&authority)).unwrap();
    let refused = inside.get(&format!("https://{host}/keys"), 64 << 10).await;
    assert!(matches!(refused, Err(OutboundError::Port(_))), "{refused:?}");
}

#[tokio::test]
async fn a_file_without_authorities_is_refused_at_the_start() {
    let folder = folder();
    let path = folder.path().join("empty.pem");
    let error = Outbound::open(&[], Some(&path)).err().unwrap().to_string();
    assert!(error.contains("empty.pem"), "{error}");
    std::fs::write(&path, "nothing").unwrap();
    assert!(Outbound::open(&[], Some(&path)).is_err());
}

#[tokio::test]
async fn in_40_too_many_requests_of_one_address_are_429() {
    let server = TestServer::start_signed_in().await;
    let mut statuses = Vec::new();
    for _ in 0..140 {
        let reply = server.form("/oauth/token", &[]).await;
        statuses.push(reply.status());
        if reply.status() == 429 {
            assert!(!reply.header("retry-after").is_empty());
            break;
        }
    }
    assert_eq!((statuses[0], statuses.last()), (400, Some(&429)), "{}", statuses.len());
}
