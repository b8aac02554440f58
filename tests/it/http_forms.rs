//! Forms of bodies and headers over a real connection: negotiation, versions, compression,
//! Binary in its own form.

use super::harness::{TestServer, patient};
use serde_json::Value;

#[tokio::test]
async fn a_created_resource_is_read_back_with_the_headers_of_its_version() {
    let server = TestServer::start().await;
    let created = server.create(patient()).await.expect(201);
    let place = format!("{}/Patient/{}/_history/1", server.base(), created.id());
    assert_eq!(created.header("location"), place);
    assert_eq!(created.header("etag"), "W/\"1\"");
    let read = server.get(&format!("Patient/{}", created.id())).await.expect(200);
    assert_eq!(read.header("etag"), "W/\"1\"");
    assert_eq!(read.header("content-location"), place);
    assert_eq!(read.header("last-modified"), created.header("last-modified"));
    assert_eq!(read.header("content-type"), "application/fhir+json; charset=utf-8");
    assert_eq!(read.header("cache-control"), "private, no-store");
    assert_eq!(read.body, created.body);
    let head = server.request("HEAD", &format!("Patient/{}", created.id())).send().await;
    let head = head.expect(200);
    assert_eq!(head.bytes.len(), 0);
    assert_eq!(head.header("content-length"), read.bytes.len().to_string());
}

#[tokio::test]
async fn a_known_version_is_not_sent_again() {
    let server = TestServer::start().await;
    let created = server.create(patient()).await.expect(201);
    let path = format!("Patient/{}", created.id());
    let modified = created.header("last-modified").to_owned();
    let conditions = [("If-None-Match", "W/\"1\"".to_owned()), ("If-Modified-Since", modified)];
    for (name, value) in conditions {
        let reply = server.request("GET", &path).header(name, &value).send().await.expect(304);
        assert_eq!(reply.bytes.len(), 0, "{name}");
        assert_eq!(reply.header("etag"), "W/\"1\"", "{name}");
    }
    let other = server.request("GET", &path).header("If-None-Match", "W/\"2\"").send().await;
    other.expect(200);
}

#[tokio::test]
async fn a_deleted_resource_answers_410_with_its_version() {
    let server = TestServer::start().await;
    let created = server.create(patient()).await.expect(201);
    let path = format!("Patient/{}", created.id());
    server.delete(&path).await;
    let gone = server.get(&path).await.expect(410);
    assert_eq!(gone.header("etag"), "W/\"2\"");
    assert_eq!(gone.body["issue"][0]["code"], "deleted");
}

#[tokio::test]
async fn xml_goes_in_and_out() {
    let server = TestServer::start().await;
    let sent = "<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"x1\"/>\
        <active value=\"true\"/></Patient>";
    let put = server.request("PUT", "Patient/x1").body("application/fhir+xml", sent);
    let put = put.header("Accept", "*/*").send().await.expect(201);
    assert_eq!(put.header("content-type"), "application/fhir+xml; charset=utf-8");
    let json = server.get("Patient/x1?_format=json").await.expect(200);
    assert_eq!(json.body["active"], true);
    let pretty = server.get("Patient/x1?_format=xml&_pretty=true").await.expect(200);
    assert!(pretty.text().contains("\n  <active value=\"true\"/>"), "{}", pretty.text());
}

#[tokio::test]
async fn a_binary_is_kept_and_given_in_its_own_form() {
    let server = TestServer::start().await;
    let content: Vec<u8> = (0..=255).collect();
    let put = server.request("PUT", "Binary/b1").body("image/png", content.clone());
    put.header("Accept", "application/fhir+json").send().await.expect(201);
    let native = server.request("GET", "Binary/b1").header("Accept", "image/png").send().await;
    let native = native.expect(200);
    assert_eq!(native.bytes, content);
    assert_eq!(native.header("content-type"), "image/png");
    assert_eq!(native.header("x-content-type-options"), "nosniff");
    let resource = server.get("Binary/b1?_format=json").await.expect(200);
    assert_eq!(resource.body["contentType"], "image/png");
    let other = server.request("GET", "Binary/b1").header("Accept", "text/plain").send().await;
    other.expect(406);
}

#[tokio::test]
async fn prefer_decides_the_body_of_a_write() {
    let server = TestServer::start().await;
    let created = |prefer: &'static str| {
        let request = server.request("POST", "Patient").header("Prefer", prefer);
        request.json(&Value::from(patient())).send()
    };
    assert_eq!(created("return=minimal").await.expect(201).bytes.len(), 0);
    let full = created("return=representation").await.expect(201);
    assert_eq!(full.body["resourceType"], "Patient");
    let outcome = created("return=OperationOutcome").await.expect(201);
    assert_eq!(outcome.body["resourceType"], "OperationOutcome");
    assert_eq!(
        created("respond-async").await.expect(400).body["issue"][0]["code"],
        "not-supported"
    );
}

#[tokio::test]
async fn metadata_is_the_kept_statement_at_this_base() {
    let server = TestServer::start().await;
    let found = server.get("metadata").await.expect(200).body;
    let kept = include_str!("../../capability-statement.json");
    let at_its_base: Value = serde_json::from_str(kept).unwrap();
    let its_base = at_its_base["implementation"]["url"].as_str().unwrap();
    let kept: Value = serde_json::from_str(&kept.replace(its_base, server.base())).unwrap();
    assert_eq!(found["implementation"]["url"], server.base());
    assert!(found == kept, "the statement differs in more than the base");
    let terminology = server.get("metadata?mode=terminology").await.expect(200);
    assert_eq!(terminology.body["resourceType"], "TerminologyCapabilities");
    server.get("metadata?mode=all").await.expect(400);
}

#[tokio::test]
async fn an_unknown_type_or_method_is_refused_with_what_would_do() {
    let server = TestServer::start().await;
    let wrong_case = server.get("patient/1").await.expect(404);
    assert!(wrong_case.text().contains("'Patient'"), "{}", wrong_case.text());
    let method = server.request("POST", "Patient/1").json(&Value::from(patient())).send().await;
    assert_eq!(method.expect(405).header("allow"), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    let all = server.request("DELETE", "Patient").send().await.expect(412);
    assert_eq!(all.body["resourceType"], "OperationOutcome");
}
