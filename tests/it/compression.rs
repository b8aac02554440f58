//! Compressed answers and bodies: RFC 9110, 8.4 and 12.5.3; http.html#security notes on size.

use super::harness::{Reply, TestServer, patient};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::{Read, Write};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    brotli::CompressorWriter::new(&mut out, 4_096, 5, 22).write_all(bytes).unwrap();
    out
}

/// Large enough to be compressed.
fn large() -> Value {
    let names: Vec<Value> = (0..200).map(|n| json!({"family": format!("Name{n}")})).collect();
    patient().id("a").with("name", names).into()
}

async fn send(server: &TestServer, encoding: &str, body: Vec<u8>) -> Reply {
    let request = server.request("PUT", "Patient/a").header("Content-Encoding", encoding);
    request.body("application/fhir+json", body).send().await
}

#[tokio::test]
async fn answers_are_compressed_as_the_client_accepts() {
    let server = TestServer::start().await;
    server.put("Patient/a", &large()).await.expect(201);
    let plain = server.get("Patient/a").await.expect(200);
    assert_eq!(plain.header("content-encoding"), "");
    let get = |accept: &'static str| {
        server.request("GET", "Patient/a").header("Accept-Encoding", accept).send()
    };
    let reply = get("gzip").await.expect(200);
    assert_eq!(reply.header("content-encoding"), "gzip");
    assert!(reply.header("vary").to_ascii_lowercase().contains("accept-encoding"));
    let mut bytes = Vec::new();
    GzDecoder::new(reply.bytes.as_slice()).read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, plain.bytes);
    let reply = get("br").await.expect(200);
    assert_eq!(reply.header("content-encoding"), "br");
    let mut bytes = Vec::new();
    brotli::Decompressor::new(reply.bytes.as_slice(), 4_096).read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, plain.bytes);
    for accept in ["identity", "gzip;q=0", "zstd"] {
        assert_eq!(get(accept).await.expect(200).header("content-encoding"), "", "{accept}");
    }
}

#[tokio::test]
async fn compressed_bodies_are_taken() {
    let server = TestServer::start().await;
    let body = large().to_string();
    send(&server, "gzip", gzip(body.as_bytes())).await.expect(201);
    let reply = send(&server, "br", brotli(body.as_bytes())).await.expect(200);
    assert_eq!(reply.etag_version(), 1, "it is the same resource");
    assert_eq!(reply.body["name"].as_array().unwrap().len(), 200);
}

#[tokio::test]
async fn a_body_that_grows_beyond_bounds_is_413() {
    let server = TestServer::start().await;
    let flood = vec![b' '; 100 << 20];
    for (encoding, bomb) in [("gzip", gzip(&flood)), ("br", brotli(&flood))] {
        assert!(bomb.len() < 1 << 20, "{encoding}");
        send(&server, encoding, bomb).await.expect_outcome(413, "too-long");
    }
    // Two members of gzip are one stream.
    let half = gzip(&vec![b' '; 8 << 20]);
    send(&server, "gzip", [half.clone(), half].concat()).await.expect_outcome(413, "too-long");
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn a_body_that_is_not_encoded_as_said_is_400() {
    let server = TestServer::start().await;
    let body = large().to_string().into_bytes();
    let whole = gzip(&body);
    for broken in [body, whole[..whole.len() / 2].to_vec(), b"\x1f\x8b".to_vec()] {
        send(&server, "gzip", broken).await.expect_outcome(400, "invalid");
    }
    send(&server, "br", b"nonsense".to_vec()).await.expect_outcome(400, "invalid");
}

#[tokio::test]
async fn other_encodings_are_415_with_those_that_are_taken() {
    let server = TestServer::start().await;
    for encoding in ["zstd", "compress", "gzip, gzip", "nonsense"] {
        let reply =
            send(&server, encoding, b"x".to_vec()).await.expect_outcome(415, "not-supported");
        assert!(reply.header("accept-encoding").contains("gzip"), "{encoding}");
    }
}

#[tokio::test]
async fn head_tells_no_length_that_a_get_would_not_tell() {
    let server = TestServer::start().await;
    server.put("Patient/a", &large()).await.expect(201);
    for accept in ["gzip", "br", "identity"] {
        let asked = |method| server.request(method, "Patient/a").header("Accept-Encoding", accept);
        let get = asked("GET").send().await.expect(200);
        let head = asked("HEAD").send().await.expect(200);
        for name in ["content-length", "content-encoding", "content-type", "vary"] {
            assert_eq!(head.header(name), get.header(name), "{name} with {accept}");
        }
        assert!(head.bytes.is_empty(), "{accept}");
    }
}
