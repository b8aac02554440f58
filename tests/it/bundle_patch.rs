//! Patches as entries of batches and transactions: a FHIRPath Patch is the Parameters that it
//! is, the other formats stand in a Binary (<https://hl7.org/fhir/R4/http.html#patch>).

use super::harness::{Reply, TestServer, patient};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const XML_PATCH: &str = "application/xml-patch+xml";
const KINDS: [&str; 2] = ["batch", "transaction"];

fn binary(content_type: &str, document: &str) -> Value {
    json!({"resourceType": "Binary", "contentType": content_type,
        "data": STANDARD.encode(document)})
}

fn fhirpath(path: &str, family: &str) -> Value {
    json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": path},
        {"name": "value", "valueString": family}]}]})
}

/// Sends the patch as the second entry, after a read.
async fn send(server: &TestServer, kind: &str, patch: Value) -> Reply {
    let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [
        {"request": {"method": "GET", "url": "Patient/a"}},
        {"resource": patch, "request": {"method": "PATCH", "url": "Patient/a"}}]});
    server.post("", &bundle).await
}

async fn with_patient() -> TestServer {
    let server = TestServer::start().await;
    server.update(patient().id("a").family("Old")).await.expect(201);
    server
}

#[tokio::test]
async fn each_of_the_four_formats_works_in_batches_and_transactions() {
    let server = with_patient().await;
    let mut version = 1;
    for kind in KINDS {
        let family = |form: &str| format!("{form} in a {kind}");
        let json_patch = json!([{"op": "replace", "path": "/name/0/family",
            "value": family("JSON")}]);
        let merge = json!({"name": [{"family": family("Merge")}]});
        let xml = format!(
            "<diff xmlns:f=\"http://hl7.org/fhir\"><replace \
             sel=\"f:Patient/f:name[1]/f:family/@value\">{}</replace></diff>",
            family("XML")
        );
        let parameters = fhirpath("Patient.name[0].family", &family("FHIRPath"));
        for (form, patch) in [
            ("JSON", binary(JSON_PATCH, &json_patch.to_string())),
            ("Merge", binary("Application/Merge-Patch+JSON; charset=utf-8", &merge.to_string())),
            ("XML", binary(XML_PATCH, &xml)),
            ("FHIRPath", parameters),
        ] {
            let reply = send(&server, kind, patch).await.expect(200);
            let response = &reply.body["entry"][1]["response"];
            assert_eq!(response["status"], "200 OK", "{form}: {}", reply.body);
            version += 1;
            assert_eq!(response["etag"], format!("W/\"{version}\""), "{form}");
            let read = server.get("Patient/a").await;
            assert_eq!(read.body["name"][0]["family"], family(form));
        }
    }
}

#[tokio::test]
async fn a_bad_patch_is_4xx_and_its_entry_is_named() {
    let server = with_patient().await;
    let nowhere = json!([{"op": "remove", "path": "/nothing"}]).to_string();
    let untyped = json!({"resourceType": "Binary", "contentType": "text/plain", "data": "W10="});
    for patch in [
        binary(JSON_PATCH, "nonsense"),
        binary(JSON_PATCH, "{}"),
        binary(JSON_PATCH, &nowhere),
        binary(JSON_PATCH, "[{\"op\":\"replace\",\"path\":\"/gender\",\"value\":\"x\"}]"),
        binary(MERGE_PATCH, "[]"),
        binary(MERGE_PATCH, "{"),
        binary(MERGE_PATCH, "{\"id\":\"b\"}"),
        binary(XML_PATCH, "<diff"),
        binary(XML_PATCH, "<diff><remove sel=\"Patient/nothing\"/></diff>"),
        binary(JSON_PATCH, ""),
        fhirpath("Patient.nothing.family", "x"),
        fhirpath("((", "x"),
        json!({"resourceType": "Parameters", "parameter": [{"name": "operation"}]}),
        json!({"resourceType": "Binary", "contentType": JSON_PATCH}),
        untyped,
        patient().id("a").into(),
    ] {
        let refused = send(&server, "transaction", patch.clone()).await;
        assert!((400..500).contains(&refused.status()), "{patch}: {}", refused.text());
        assert_ne!(refused.status(), 415, "the Bundle itself is of a known type: {patch}");
        let expressions = refused.expressions();
        let is_named = |place: &String| place.starts_with("Bundle.entry[1]");
        assert!(
            !expressions.is_empty() && expressions.iter().all(is_named),
            "{patch}: {expressions:?}"
        );
        let reply = send(&server, "batch", patch.clone()).await.expect(200);
        let first = &reply.body["entry"][0]["response"]["status"];
        assert_eq!(first, "200 OK", "the other entry stands for itself");
        let response = &reply.body["entry"][1]["response"];
        let status = response["status"].as_str().unwrap();
        assert!(status.starts_with('4') && !status.starts_with("415"), "{patch}: {status}");
        assert_eq!(response["outcome"]["issue"][0]["severity"], "error", "{patch}");
    }
    assert_eq!(server.get("Patient/a").await.etag_version(), 1);
}

#[tokio::test]
async fn a_patch_without_a_body_is_400() {
    let server = with_patient().await;
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "PATCH", "url": "Patient/a"}}]});
    let refused = server.post("", &bundle).await.expect(400);
    assert_eq!(refused.expressions(), ["Bundle.entry[0]"]);
}
