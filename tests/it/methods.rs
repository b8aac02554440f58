//! Which methods a path takes, OPTIONS, and the capabilities interaction:
//! <https://hl7.org/fhir/R4/http.html#summary>, <https://hl7.org/fhir/R4/http.html#capabilities>.

use super::harness::{TestServer, patient, send_raw};
use serde_json::json;

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_405_with_allow() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    for (method, path, allowed) in [
        ("POST", "Patient/a", "GET"),
        ("PUT", "", "POST"),
        ("PATCH", "", "POST"),
        ("DELETE", "", "POST"),
        ("PUT", "metadata", "GET"),
        ("POST", "metadata", "GET"),
        ("DELETE", "Patient/a/_history/1", "GET"),
        ("PUT", "Patient/a/_history/1", "GET"),
        ("POST", "_history", "GET"),
        ("GET", "_search", "POST"),
        ("PUT", "Patient/_search", "POST"),
        ("BREW", "Patient/a", "GET"),
        ("TRACE", "Patient/a", "GET"),
    ] {
        let reply = server.request(method, path).send().await;
        assert_eq!(reply.status(), 405, "{method} {path}: {reply:?}");
        let allow = reply.header("allow");
        assert!(allow.split(", ").any(|name| name == allowed), "{method} {path}: {allow}");
        assert!(!allow.split(", ").any(|name| name == method), "{method} {path}: {allow}");
        assert_eq!(reply.body["resourceType"], "OperationOutcome", "{method} {path}");
    }
}

#[tokio::test]
async fn options_tells_the_methods_of_a_path() {
    let server = TestServer::start().await;
    for (path, allowed) in [
        ("", "GET, HEAD, POST, OPTIONS"),
        ("Patient", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ("Patient/a", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("Patient/a/_history/1", "GET, HEAD, OPTIONS"),
        ("Patient/_search", "POST, OPTIONS"),
        ("metadata", "GET, HEAD, OPTIONS"),
    ] {
        let reply = server.request("OPTIONS", path).send().await;
        assert!(matches!(reply.status(), 200 | 204), "{path}: {reply:?}");
        assert_eq!(reply.header("allow"), allowed, "{path}");
    }
    server.request("OPTIONS", "Nonsense").send().await.expect(404);
}

#[tokio::test]
async fn metadata_is_a_capability_statement_of_this_server() {
    let server = TestServer::start().await;
    let body = server.get("metadata").await.expect(200).body;
    assert_eq!(body["resourceType"], "CapabilityStatement");
    assert_eq!(body["fhirVersion"], "4.0.1");
    assert_eq!(body["kind"], "instance");
    assert_eq!(body["implementation"]["url"], json!(server.base()));
    let resources = body["rest"][0]["resource"].as_array().unwrap();
    let patient = resources.iter().find(|resource| resource["type"] == "Patient").unwrap();
    for (name, value) in [
        ("versioning", json!("versioned-update")),
        ("readHistory", json!(true)),
        ("updateCreate", json!(true)),
        ("conditionalCreate", json!(true)),
        ("conditionalRead", json!("full-support")),
        ("conditionalUpdate", json!(true)),
        ("conditionalDelete", json!("multiple")),
    ] {
        assert_eq!(patient[name], value, "{name}");
    }
}

#[tokio::test]
async fn the_capability_statement_is_a_valid_resource() {
    let server = TestServer::start().await;
    let body = server.get("metadata").await.expect(200).body;
    server.post("CapabilityStatement", &body).await.expect(201);
    let xml = server.get("metadata?_format=xml").await.expect(200);
    let request = server.request("POST", "CapabilityStatement");
    request.body("application/fhir+xml", xml.bytes).send().await.expect(201);
    let body = server.get("metadata?mode=terminology").await.expect(200).body;
    server.post("TerminologyCapabilities", &body).await.expect(201);
}

#[tokio::test]
async fn mode_selects_the_statement() {
    let server = TestServer::start().await;
    for (mode, expected) in [
        ("full", "CapabilityStatement"),
        ("normative", "CapabilityStatement"),
        ("terminology", "TerminologyCapabilities"),
    ] {
        let reply = server.get(&format!("metadata?mode={mode}")).await.expect(200);
        assert_eq!(reply.body["resourceType"], expected, "{mode}");
    }
    server.get("metadata?mode=nonsense").await.expect_outcome(400, "value");
}

#[tokio::test]
async fn an_unknown_operation_is_refused_with_an_outcome() {
    let server = TestServer::start().await;
    for path in ["$nonsense", "Patient/$nonsense", "Patient/a/$nonsense"] {
        server.get(path).await.expect_outcome(404, "not-supported");
        let body = json!({"resourceType": "Parameters"});
        server.post(path, &body).await.expect_outcome(404, "not-supported");
    }
}

#[tokio::test]
async fn a_path_that_names_nothing_is_404_with_an_outcome() {
    let server = TestServer::start().await;
    for path in ["Patient/a/b/c/d", "Patient/a/_history/1/x", "_nonsense", "Patient//a//x"] {
        server.get(path).await.expect_outcome(404, "not-found");
    }
    server.get_beside("/nonsense").await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let server = TestServer::start().await;
    let reply = server.get("metadata").await.expect(200);
    assert!(!reply.header("x-request-id").is_empty());
    let request = server.request("GET", "metadata").header("X-Request-Id", "abc-12345678");
    assert_eq!(request.send().await.header("x-request-id"), "abc-12345678");
}

#[tokio::test]
async fn unusual_request_targets_are_answered_with_an_outcome() {
    let server = TestServer::start().await;
    let base = server.base();
    let reply = send_raw(base, ("GET", &format!("{base}/metadata")), &[], b"").await;
    assert_eq!(reply.status, 200, "the absolute form (RFC 9112, 3.2.2)");
    for (method, target) in [("OPTIONS", "*"), ("GET", "/fhir/Patient%2Fa"), ("GET", "//fhir//")] {
        let reply = send_raw(base, (method, target), &[], b"").await;
        assert!((200..500).contains(&reply.status), "{target}: {} {}", reply.status, reply.body);
    }
}

#[tokio::test]
async fn content_of_a_get_or_delete_is_ignored_and_the_connection_goes_on() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let body = json!({"resourceType": "Patient"});
    server.request("GET", "Patient/a").json(&body).send().await.expect(200);
    server.request("DELETE", "Patient/a").json(&body).send().await.expect(204);
    server.get("Patient/a").await.expect(410);
}

#[tokio::test]
async fn the_capability_statement_may_be_asked_for_in_part() {
    let server = TestServer::start().await;
    let whole = server.get("metadata").await.expect(200);
    let summary = server.get("metadata?_summary=true").await.expect(200);
    assert!(summary.bytes.len() < whole.bytes.len());
    assert_eq!(summary.body["meta"]["tag"][0]["code"], "SUBSETTED");
    assert_eq!(summary.body["fhirVersion"], "4.0.1");
    let elements = server.get("metadata?_elements=software").await.expect(200);
    assert_eq!(elements.body["software"], whole.body["software"]);
    assert!(elements.body.get("rest").is_none());
    assert!(elements.body.get("meta").is_some());
    for path in ["metadata?_summary=count", "Patient/_history?_summary=count"] {
        server.get(path).await.expect_outcome(400, "value");
    }
}
