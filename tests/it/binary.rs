//! Binary in its own form: <https://hl7.org/fhir/R4/binary.html#rest>.

use super::harness::{Reply, TestServer};
use serde_json::json;

const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\xff\xfe";

async fn with_pixel() -> TestServer {
    let server = TestServer::start().await;
    let request = server.request("PUT", "Binary/a").body("image/png", PIXEL);
    request.send().await.expect(201);
    server
}

async fn accepting(server: &TestServer, accept: &str) -> Reply {
    server.request("GET", "Binary/a").header("Accept", accept).send().await
}

#[tokio::test]
async fn content_posted_as_it_is_becomes_a_binary() {
    let server = TestServer::start().await;
    let request = server.request("POST", "Binary").body("image/png", PIXEL);
    let reply = request.send().await.expect(201);
    let location = reply.header("location").to_owned();
    let request = server.request("GET", &location).header("Accept", "application/fhir+json");
    let read = request.send().await.expect(200);
    assert_eq!(read.body["resourceType"], "Binary");
    assert_eq!(read.body["contentType"], "image/png");
    assert_eq!(read.body["data"], "iVBORw0KGgoAAAANSUhEUgD//g==");
}

#[tokio::test]
async fn content_is_returned_as_it_is_where_no_fhir_format_is_asked_for() {
    let server = with_pixel().await;
    for accept in ["image/png", "image/*", "*/*", "text/html, image/png;q=0.5"] {
        let reply = accepting(&server, accept).await.expect(200);
        assert_eq!(reply.header("content-type"), "image/png", "{accept}");
        assert_eq!(reply.bytes, PIXEL, "{accept}");
    }
    let reply = server.get("Binary/a").await.expect(200);
    assert_eq!((reply.header("content-type"), reply.bytes.as_slice()), ("image/png", PIXEL));
    assert_eq!(reply.etag_version(), 1);
}

#[tokio::test]
async fn a_fhir_format_returns_the_resource() {
    let server = with_pixel().await;
    let reply = accepting(&server, "application/fhir+json").await.expect(200);
    assert_eq!(reply.body["resourceType"], "Binary");
    let reply = accepting(&server, "application/fhir+xml").await.expect(200);
    assert!(reply.text().contains("<Binary xmlns=\"http://hl7.org/fhir\">"), "{reply:?}");
    let reply = server.get("Binary/a?_format=json").await.expect(200);
    assert_eq!(reply.body["resourceType"], "Binary");
}

#[tokio::test]
async fn a_media_type_that_it_does_not_have_is_406() {
    let server = with_pixel().await;
    accepting(&server, "image/jpeg").await.expect_outcome(406, "not-supported");
}

#[tokio::test]
async fn a_binary_as_a_resource_is_served_as_its_content() {
    let server = TestServer::start().await;
    let binary = json!({"resourceType": "Binary", "id": "a", "contentType": "text/plain",
        "data": "aGVsbG8="});
    server.put("Binary/a", &binary).await.expect(201);
    let reply = server.get("Binary/a").await.expect(200);
    assert_eq!((reply.header("content-type"), reply.text()), ("text/plain", "hello"));
    let version = server.get("Binary/a/_history/1").await.expect(200);
    assert_eq!(version.text(), "hello");
}

#[tokio::test]
async fn an_update_with_content_makes_the_next_version() {
    let server = with_pixel().await;
    let request = server.request("PUT", "Binary/a").body("text/plain; charset=utf-8", "hello");
    assert_eq!(request.send().await.expect(200).etag_version(), 2);
    let reply = server.get("Binary/a").await.expect(200);
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(reply.text(), "hello");
    assert_eq!(server.get("Binary/a/_history/1").await.bytes, PIXEL);
}

#[tokio::test]
async fn the_security_context_header_becomes_the_element() {
    let server = TestServer::start().await;
    let request = server.request("PUT", "Binary/a").header("X-Security-Context", "Patient/1");
    request.body("text/plain", "hello").send().await.expect(201);
    let reply = accepting(&server, "application/fhir+json").await.expect(200);
    assert_eq!(reply.body["securityContext"]["reference"], "Patient/1");
}

#[tokio::test]
async fn content_is_sent_so_that_no_browser_runs_it() {
    let server = TestServer::start().await;
    let script = "<html><script>alert(1)</script></html>";
    let request = server.request("PUT", "Binary/a").body("text/html", script);
    request.send().await.expect(201);
    let reply = server.get("Binary/a").await.expect(200);
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert!(reply.header("content-security-policy").contains("sandbox"));
    assert!(reply.header("content-disposition").starts_with("attachment"));
}

#[tokio::test]
async fn json_that_is_no_fhir_is_content_of_a_binary() {
    let server = TestServer::start().await;
    let request = server.request("PUT", "Binary/a").body("application/json", "{\"a\": 1.10}");
    request.send().await.expect(201);
    let reply = accepting(&server, "application/json").await.expect(200);
    assert_eq!(reply.text(), "{\"a\": 1.10}", "named, and its own type");
}

#[tokio::test]
async fn fhir_json_for_a_binary_has_to_be_a_binary() {
    let server = TestServer::start().await;
    let body = json!({"resourceType": "Patient"});
    server.post("Binary", &body).await.expect_outcome(400, "invalid");
    let bad = json!({"resourceType": "Binary", "contentType": "text/plain", "data": "###"});
    assert_eq!(server.post("Binary", &bad).await.expect(400).expressions(), ["Binary.data"]);
}

#[tokio::test]
async fn binaries_in_searches_are_resources() {
    let server = with_pixel().await;
    let reply = server.get("Binary?_id=a").await.expect(200);
    assert_eq!(reply.body["entry"][0]["resource"]["resourceType"], "Binary");
}

#[tokio::test]
async fn an_empty_content_is_a_binary_without_data() {
    let server = TestServer::start().await;
    let request = server.request("PUT", "Binary/a").body("text/plain", "");
    request.send().await.expect(201);
    let reply = server.get("Binary/a").await.expect(200);
    assert_eq!((reply.header("content-type"), reply.bytes.len()), ("text/plain", 0));
}

#[tokio::test]
async fn an_unknown_binary_is_404_and_a_deleted_one_410() {
    let server = with_pixel().await;
    server.get("Binary/b").await.expect_outcome(404, "not-found");
    server.delete("Binary/a").await.expect(204);
    accepting(&server, "image/png").await.expect(410);
}

#[tokio::test]
async fn head_and_conditional_reads_are_for_binaries_too() {
    let server = with_pixel().await;
    let reply = server.request("HEAD", "Binary/a").send().await.expect(200);
    assert_eq!((reply.header("content-type"), reply.bytes.len()), ("image/png", 0));
    let request = server.request("GET", "Binary/a").header("If-None-Match", "W/\"1\"");
    assert!(request.send().await.expect(304).bytes.is_empty());
    let same = server.request("PUT", "Binary/a").body("image/png", PIXEL);
    assert_eq!(same.send().await.expect(200).etag_version(), 1);
    let operations = json!([{"op": "replace", "path": "/contentType", "value": "image/gif"}]);
    server.patch("Binary/a", &operations).await.expect(200);
    assert_eq!(server.get("Binary/a").await.expect(200).header("content-type"), "image/gif");
}
