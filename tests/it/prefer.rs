//! `Prefer`: <https://hl7.org/fhir/R4/http.html#ops>, search.html#lenient, async.html.

use super::harness::{Reply, TestServer, patient};
use serde_json::json;

async fn create(server: &TestServer, prefer: &str) -> Reply {
    let request = server.request("POST", "Patient").header("Prefer", prefer);
    request.json(&patient().into()).send().await
}

#[tokio::test]
async fn return_minimal_has_no_body_but_all_headers() {
    let server = TestServer::start().await;
    let reply = create(&server, "return=minimal").await.expect(201);
    assert!(reply.bytes.is_empty());
    assert!(reply.header("location").ends_with("/_history/1"));
    assert_eq!(reply.etag_version(), 1);
    assert!(!reply.header("last-modified").is_empty());
    assert_eq!(reply.header("content-type"), "", "there is no content");
}

#[tokio::test]
async fn return_representation_has_the_resource_as_stored() {
    let server = TestServer::start().await;
    let reply = create(&server, "return=representation").await.expect(201);
    assert_eq!(reply.body["resourceType"], "Patient");
    assert_eq!(server.get(&format!("Patient/{}", reply.id())).await.bytes, reply.bytes);
}

#[tokio::test]
async fn return_operation_outcome_has_an_outcome() {
    let server = TestServer::start().await;
    let reply = create(&server, "return=OperationOutcome").await.expect(201);
    assert_eq!(reply.body["resourceType"], "OperationOutcome");
    assert_eq!(reply.body["issue"][0]["severity"], "information");
    assert!(!reply.header("location").is_empty());
}

#[tokio::test]
async fn return_holds_for_update_and_patch_as_well() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let request = server.request("PUT", "Patient/a").header("Prefer", "return=minimal");
    let reply = request.json(&patient().id("a").family("B").into()).send().await.expect(200);
    assert!(reply.bytes.is_empty());
    assert_eq!(reply.etag_version(), 2);
    let operations = json!([{"op": "replace", "path": "/active", "value": false}]);
    let request = server.request("PATCH", "Patient/a").header("Prefer", "return=OperationOutcome");
    let request = request.body("application/json-patch+json", operations.to_string());
    assert_eq!(request.send().await.expect(200).body["resourceType"], "OperationOutcome");
}

#[tokio::test]
async fn an_error_has_its_outcome_whatever_is_preferred() {
    let server = TestServer::start().await;
    let request = server.request("POST", "Patient").header("Prefer", "return=minimal");
    let request = request.json(&patient().with("hobby", "x").into());
    assert_eq!(request.send().await.expect(400).body["resourceType"], "OperationOutcome");
}

#[tokio::test]
async fn return_does_not_concern_reads() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    for path in ["Patient/a", "Patient?_id=a"] {
        let request = server.request("GET", path).header("Prefer", "return=minimal");
        assert!(!request.send().await.expect(200).bytes.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn unknown_preferences_are_ignored() {
    let server = TestServer::start().await;
    let reply = create(&server, "foo=bar, return=everything; x=y").await.expect(201);
    assert_eq!(reply.body["resourceType"], "Patient");
}

#[tokio::test]
async fn respond_async_is_refused_clearly_and_nothing_is_done() {
    let server = TestServer::start().await;
    let reply = create(&server, "respond-async").await.expect_outcome(400, "not-supported");
    assert_eq!(reply.expressions(), ["http.Prefer"]);
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn a_no_op_update_with_return_minimal_is_200_with_its_etag() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let request = server.request("PUT", "Patient/a").header("Prefer", "return=minimal");
    let reply = request.json(&patient().id("a").into()).send().await.expect(200);
    assert!(reply.bytes.is_empty());
    assert_eq!(reply.etag_version(), 1);
}
