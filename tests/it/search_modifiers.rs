//! Modifiers beyond the first ones: <https://hl7.org/fhir/R4/search.html#modifiers>.

use super::harness::{TestServer, patient};
use serde_json::{Value, json};

/// The ids of the matches, ascending.
async fn found(server: &TestServer, query: &str) -> Vec<String> {
    let bundle = server.get(query).await.expect(200).body;
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let id = |entry: &Value| entry["resource"]["id"].as_str().unwrap_or_default().to_owned();
    let mut ids: Vec<String> = entries.iter().map(id).collect();
    ids.sort_unstable();
    ids
}

async fn refused(server: &TestServer, query: &str, text: &str) {
    let outcome = server.get(query).await.expect(400).body;
    let said = outcome["issue"][0]["diagnostics"].as_str().unwrap_or_default();
    assert!(said.contains(text), "{query}: {outcome}");
}

async fn with_value_sets() -> TestServer {
    let server = TestServer::start().await;
    let urls = [
        ("a", "http://acme.org/fhir"),
        ("b", "http://acme.org/fhir/ValueSet/123"),
        ("c", "http://acme.org/fhir/ValueSet/1234"),
        ("d", "http://acme.org/fhir/ValueSet/123/_history/5"),
        ("e", "http://acme.org/fhirs/ValueSet/123"),
        ("f", "urn:oid:1.2.3"),
        ("g", "http://acme.org/fhir/"),
    ];
    for (id, url) in urls {
        let set = json!({"resourceType": "ValueSet", "id": id, "status": "draft", "url": url});
        server.put(&format!("ValueSet/{id}"), &set).await.expect(201);
    }
    server
}

#[tokio::test]
async fn uri_below_finds_the_url_and_what_is_under_it() {
    let server = with_value_sets().await;
    let below = async |url: &str| found(&server, &format!("ValueSet?url:below={url}")).await;
    assert_eq!(below("http://acme.org/fhir").await, ["a", "b", "c", "d", "g"]);
    assert_eq!(below("http://acme.org/fhir/").await, ["b", "c", "d", "g"]);
    assert_eq!(below("http://acme.org/fhir/ValueSet/123").await, ["b", "d"]);
    assert_eq!(below("http://acme.org/fhir/ValueSet/123/").await, ["d"]);
    assert_eq!(below("http://acme.org/fhirs,http://nowhere.org").await, ["e"]);
}

#[tokio::test]
async fn uri_above_finds_the_url_and_what_it_is_under() {
    let server = with_value_sets().await;
    let above = async |url: &str| found(&server, &format!("ValueSet?url:above={url}")).await;
    let all = ["a", "b", "d", "g"];
    assert_eq!(above("http://acme.org/fhir/ValueSet/123/_history/5").await, all);
    assert_eq!(above("http://acme.org/fhir/ValueSet/1234").await, ["a", "c", "g"]);
    assert_eq!(above("http://acme.org/fhir").await, ["a"]);
    assert_eq!(above("http://acme.org").await, [""; 0]);
}

#[tokio::test]
async fn uri_above_and_below_are_about_urls_and_not_urns() {
    let server = with_value_sets().await;
    refused(&server, "ValueSet?url:below=urn:oid:1.2", "URL").await;
    refused(&server, "ValueSet?url:above=urn:oid:1.2.3.4", "URL").await;
    refused(&server, "Patient?name:below=a", ":below is not offered for name").await;
}

async fn with_identifiers() -> TestServer {
    let server = TestServer::start().await;
    let v2 = "http://terminology.hl7.org/CodeSystem/v2-0203";
    let of = |system: &str, code: &str, value: &str| {
        json!([{"type": {"coding": [{"system": system, "code": code}, {"code": "own|kind"}]},
            "system": "http://a", "value": value}])
    };
    server.update(patient().id("mr").with("identifier", of(v2, "MR", "446053"))).await.expect(201);
    server.update(patient().id("dl").with("identifier", of(v2, "DL", "446053"))).await.expect(201);
    let plain = json!([{"system": "http://a", "value": "446053"}]);
    server.update(patient().id("plain").with("identifier", plain)).await.expect(201);
    server
}

#[tokio::test]
async fn of_type_finds_an_identifier_by_the_coding_of_its_type_and_its_value() {
    let server = with_identifiers().await;
    let of =
        async |value: &str| found(&server, &format!("Patient?identifier:of-type={value}")).await;
    let v2 = "http://terminology.hl7.org/CodeSystem/v2-0203";
    assert_eq!(of(&format!("{v2}|MR|446053")).await, ["mr"]);
    assert_eq!(of(&format!("{v2}|DL|446053,{v2}|MR|446053")).await, ["dl", "mr"]);
    assert_eq!(of(&format!("{v2}|MR|44605")).await, [""; 0]);
    assert_eq!(of(r"|own\|kind|446053").await, ["dl", "mr"]);
    assert_eq!(of("|MR|446053").await, [""; 0], "the type has a system");
    assert_eq!(found(&server, "Patient?identifier=446053").await, ["dl", "mr", "plain"]);
}

#[tokio::test]
async fn of_type_needs_all_three_parts_and_is_for_identifiers() {
    let server = with_identifiers().await;
    for value in ["446053", "MR|446053", "a||446053", "a|MR|", "a|b|c|d"] {
        let query = format!("Patient?identifier:of-type={value}");
        refused(&server, &query, "system|code|value").await;
    }
    refused(&server, "Patient?gender:of-type=a|b|c", ":of-type is not offered for gender").await;
    refused(&server, "Patient?telecom:of-type=a|b|c", ":of-type is not offered for telecom").await;
}

#[tokio::test]
async fn of_type_follows_the_identifier_when_it_changes() {
    let server = with_identifiers().await;
    let query =
        "Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|446053";
    let without = json!([{"system": "http://a", "value": "446053"}]);
    server.update(patient().id("mr").with("identifier", without)).await.expect(200);
    assert_eq!(found(&server, query).await, [""; 0]);
}
