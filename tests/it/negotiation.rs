//! Formats and how they are agreed on: <https://hl7.org/fhir/R4/http.html#mime-type>,
//! #version-parameter, #parameters, and the `_summary` and `_elements` of answers.

use super::harness::{Reply, TestServer, patient};
use serde_json::{Value, json};

const JSON: &str = "application/fhir+json; charset=utf-8";
const XML: &str = "application/fhir+xml; charset=utf-8";

async fn with_patient() -> TestServer {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    server
}

async fn accepting(server: &TestServer, accept: &str) -> Reply {
    server.request("GET", "Patient/a").header("Accept", accept).send().await
}

#[tokio::test]
async fn accept_decides_the_format() {
    let server = with_patient().await;
    for (accept, expected) in [
        ("application/fhir+json", JSON),
        ("application/fhir+xml", XML),
        ("application/json", JSON),
        ("application/xml", XML),
        ("text/xml", XML),
        ("text/json", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("APPLICATION/FHIR+XML", XML),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", XML),
        ("application/fhir+xml;q=0.5, application/fhir+json;q=0.6", JSON),
        ("application/fhir+xml;q=0.6, application/fhir+json;q=0.5", XML),
        ("application/fhir+xml, application/fhir+json", XML),
        ("application/fhir+json;q=0, */*", XML),
        ("application/fhir+xml;fhirVersion=4.0", XML),
        ("application/fhir+json;fhirVersion=3.0, application/fhir+xml;fhirVersion=4.0", XML),
        ("application/fhir+json; charset=UTF-8", JSON),
    ] {
        let reply = accepting(&server, accept).await.expect(200);
        assert_eq!(reply.header("content-type"), expected, "{accept}");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_406() {
    let server = with_patient().await;
    for accept in [
        "text/turtle",
        "application/fhir+turtle",
        "text/html",
        "application/fhir+json;fhirVersion=3.0",
        "application/fhir+json;fhirVersion=5.0",
        "application/fhir+json;q=0",
    ] {
        accepting(&server, accept).await.expect_outcome(406, "not-supported");
    }
    server.get("Patient/a?_format=ttl").await.expect_outcome(406, "not-supported");
}

#[tokio::test]
async fn a_write_whose_answer_cannot_be_sent_is_not_done() {
    let server = TestServer::start().await;
    let request = server.request("PUT", "Patient/a").header("Accept", "text/turtle");
    request.json(&patient().id("a").into()).send().await.expect_outcome(406, "not-supported");
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn format_overrides_accept() {
    let server = with_patient().await;
    for (format, expected) in [
        ("xml", XML),
        ("json", JSON),
        ("text/xml", XML),
        ("application/xml", XML),
        ("application/fhir%2Bxml", XML),
        ("application/fhir+xml", XML),
        ("application/json", JSON),
        ("application/fhir%2Bjson;fhirVersion=4.0", JSON),
    ] {
        let path = format!("Patient/a?_format={format}");
        let request = server.request("GET", &path).header("Accept", "text/turtle");
        let reply = request.send().await.expect(200);
        assert_eq!(reply.header("content-type"), expected, "{format}");
    }
}

#[tokio::test]
async fn an_error_has_the_format_that_was_asked_for() {
    let server = TestServer::start().await;
    let request = server.request("GET", "Patient/x").header("Accept", "application/fhir+xml");
    assert!(request.send().await.expect(404).is_xml_outcome());
    assert!(server.get("Nonsense/x?_format=xml").await.expect(404).is_xml_outcome());
    assert!(server.get("Patient?nonsense=1&_format=xml").await.expect(400).is_xml_outcome());
}

#[tokio::test]
async fn a_client_that_sends_xml_and_accepts_anything_gets_xml() {
    let server = TestServer::start().await;
    let body = "<Patient xmlns=\"http://hl7.org/fhir\"><active value=\"true\"/></Patient>";
    let request = server.request("POST", "Patient").body("application/fhir+xml", body);
    let reply = request.send().await.expect(201);
    assert_eq!(reply.header("content-type"), XML);
}

#[tokio::test]
async fn bodies_of_other_types_are_415() {
    let server = TestServer::start().await;
    for content_type in [
        "text/plain",
        "application/pdf",
        "application/fhir+json; charset=iso-8859-1",
        "application/fhir+json; charset=utf-16",
        "application/fhir+json;fhirVersion=3.0",
        "nonsense",
        "application/fhir+turtle",
        "application/x-www-form-urlencoded",
    ] {
        let request = server.request("POST", "Patient");
        let request = request.body(content_type, Value::from(patient()).to_string());
        let reply = request.send().await;
        assert_eq!(reply.status(), 415, "{content_type}: {reply:?}");
        assert_eq!(reply.body["resourceType"], "OperationOutcome", "{content_type}");
    }
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn bodies_of_fhir_types_are_taken_with_their_parameters() {
    let server = TestServer::start().await;
    for content_type in [
        "application/fhir+json",
        "application/json",
        "application/fhir+json; charset=\"utf-8\"",
        "application/fhir+json;fhirVersion=4.0;charset=UTF-8",
        "Application/FHIR+JSON",
    ] {
        let request = server.request("POST", "Patient");
        let request = request.body(content_type, Value::from(patient()).to_string());
        request.send().await.expect(201);
    }
}

#[tokio::test]
async fn pretty_answers_say_the_same_on_several_lines() {
    let server = with_patient().await;
    for format in ["json", "xml"] {
        let plain = server.get(&format!("Patient/a?_format={format}")).await.expect(200);
        let pretty = server.get(&format!("Patient/a?_format={format}&_pretty=true")).await;
        let pretty = pretty.expect(200);
        // An XML declaration stands on a line of its own.
        assert!(plain.text().trim().lines().count() <= 2, "{format}");
        assert!(pretty.text().lines().count() > 5, "{format}");
        assert_eq!(pretty.body, plain.body);
    }
}

#[tokio::test]
async fn summary_has_five_values_for_a_search() {
    let server = TestServer::start().await;
    let text = json!({"status": "generated",
        "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"});
    let resource =
        patient().id("a").with("text", text).with("contact", json!([{"gender": "male"}]));
    server.update(resource).await.expect(201);
    let of = async |summary: &str| {
        let reply = server.get(&format!("Patient?_id=a&_summary={summary}")).await.expect(200);
        reply.body["entry"][0]["resource"].clone()
    };
    let all = of("false").await;
    assert!(all["text"].is_object() && all["contact"].is_array() && all["name"].is_array());
    let summary = of("true").await;
    assert!(summary["text"].is_null() && summary["contact"].is_null());
    assert!(summary["name"].is_array() && summary["gender"].is_string());
    let text = of("text").await;
    assert!(text["text"].is_object() && text["name"].is_null() && text["id"] == "a");
    let data = of("data").await;
    assert!(data["text"].is_null() && data["contact"].is_array());
    let count = server.get("Patient?_id=a&_summary=count").await.expect(200);
    assert_eq!((&count.body["total"], &count.body["entry"]), (&json!(1), &Value::Null));
    for part in [summary, text, data] {
        assert_eq!(part["meta"]["tag"][0]["code"], "SUBSETTED", "{part}");
    }
    assert_eq!(all["meta"]["tag"], Value::Null);
    server.get("Patient?_summary=nonsense").await.expect(400);
}

#[tokio::test]
async fn summaries_and_elements_are_for_reads_too() {
    let server = with_patient().await;
    let reply = server.get("Patient/a?_elements=gender,birthDate").await.expect(200);
    assert_eq!(reply.body["gender"], "female");
    assert_eq!(reply.body["name"], Value::Null);
    assert_eq!(reply.body["id"], "a");
    assert_eq!(reply.body["meta"]["tag"][0]["code"], "SUBSETTED");
    let reply = server.get("Patient/a?_summary=text").await.expect(200);
    assert_eq!(reply.body["gender"], Value::Null);
    let reply = server.get("Patient/a/_history/1?_summary=true").await.expect(200);
    assert_eq!(reply.body["gender"], "female");
}

#[tokio::test]
async fn elements_keep_what_is_mandatory() {
    let server = TestServer::start().await;
    let resource = super::harness::observation().id("o");
    server.update(resource).await.expect(201);
    let reply = server.get("Observation/o?_elements=value").await.expect(200);
    for kept in ["id", "meta", "status", "code", "valueQuantity"] {
        assert!(!reply.body[kept].is_null(), "{kept} in {}", reply.body);
    }
    assert!(reply.body["effectiveDateTime"].is_null());
}

#[tokio::test]
async fn an_answer_in_part_is_the_same_in_xml() {
    let server = with_patient().await;
    let reply = server.get("Patient/a?_elements=gender&_format=xml").await.expect(200);
    assert!(reply.text().contains("<gender value=\"female\"/>"), "{}", reply.text());
    assert!(!reply.text().contains("<birthDate"), "{}", reply.text());
}

#[tokio::test]
async fn summaries_and_elements_leave_the_bundle_of_an_answer_whole() {
    let server = TestServer::start().await;
    for subset in ["_elements=name", "_summary=true", "_summary=data", "_summary=text"] {
        let nothing = server.get(&format!("Patient?name=nobody&{subset}")).await.expect(200).body;
        assert_eq!(nothing["total"], 0, "{subset}");
        assert_eq!(nothing["link"][0]["relation"], "self", "{subset}");
        assert!(nothing["meta"].get("tag").is_none(), "{nothing}");
    }
    let history = server.get("Patient/_history?_elements=name").await.expect(200).body;
    assert_eq!(history["link"][0]["relation"], "self");
}

#[tokio::test]
async fn elements_of_a_stored_bundle_are_its_own() {
    let server = TestServer::start().await;
    let bundle = json!({"resourceType": "Bundle", "id": "b", "type": "collection",
        "timestamp": "2025-01-01T00:00:00Z",
        "entry": [{"resource": {"resourceType": "Patient", "active": true, "gender": "male"}}]});
    server.put("Bundle/b", &bundle).await.expect(201);
    let read = server.get("Bundle/b?_elements=timestamp").await.expect(200).body;
    assert_eq!(read["timestamp"], bundle["timestamp"]);
    assert!(read.get("entry").is_none(), "{read}");
    assert_eq!(read["meta"]["tag"][0]["code"], "SUBSETTED");
}
