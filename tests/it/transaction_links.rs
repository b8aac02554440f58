//! Links between the entries of a transaction, and its conditional references:
//! <https://hl7.org/fhir/R4/http.html#trules>, <https://hl7.org/fhir/R4/bundle.html#references>.

use super::harness::{MRN, Reply, TestServer, observation, patient};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const URN: &str = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0";
const OLD: &str = "urn:uuid:f9a1e9c5-60d8-4f0c-a2a5-1f6f8c5d5f3b";

fn entry(method: &str, url: &str, resource: impl Into<Value>) -> Value {
    json!({"request": {"method": method, "url": url}, "resource": resource.into()})
}

fn without_body(method: &str, url: &str) -> Value {
    json!({"request": {"method": method, "url": url}})
}

fn with_url(full_url: &str, mut entry: Value) -> Value {
    entry["fullUrl"] = json!(full_url);
    entry
}

async fn transaction(server: &TestServer, entries: Vec<Value>) -> Reply {
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    server.post("", &bundle).await
}

/// `Type/id/_history/version` of an entry's location.
fn location(reply: &Reply, index: usize) -> &str {
    let location = reply.body["entry"][index]["response"]["location"].as_str().unwrap();
    location.split("/fhir/").nth(1).unwrap()
}

fn place(reply: &Reply, index: usize) -> &str {
    location(reply, index).split("/_history").next().unwrap()
}

async fn subject(server: &TestServer, path: &str) -> String {
    let stored = server.get(path).await.expect(200);
    stored.body["subject"]["reference"].as_str().unwrap().to_owned()
}

fn by_mrn(value: &str) -> Value {
    entry(
        "POST",
        "Observation",
        observation().subject(&format!("Patient?identifier={MRN}|{value}")),
    )
}

#[tokio::test]
async fn links_that_a_patch_brings_are_replaced_as_well() {
    let server = TestServer::start().await;
    let fhirpath = json!({"resourceType": "Parameters", "parameter": [{"name": "operation",
        "part": [{"name": "type", "valueCode": "replace"},
            {"name": "path", "valueString": "Observation.subject"},
            {"name": "value", "valueReference": {"reference": URN}}]}]});
    let json_patch =
        json!([{"op": "replace", "path": "/subject", "value": {"reference": URN}}]).to_string();
    let binary = json!({"resourceType": "Binary", "contentType": "application/json-patch+json",
        "data": STANDARD.encode(json_patch)});
    for (id, patch) in [("a", fhirpath), ("b", binary)] {
        let about = observation().id(id).subject("Patient/before");
        let about = about.with("focus", json!([{"reference": OLD}]));
        server.update(about).await.expect(201);
        let reply = transaction(
            &server,
            vec![
                entry("PATCH", &format!("Observation/{id}"), patch),
                with_url(URN, entry("POST", "Patient", patient())),
                // What the resource had before is not a link of this Bundle.
                with_url(OLD, entry("POST", "Patient", patient())),
            ],
        )
        .await
        .expect(200);
        let stored = server.get(&format!("Observation/{id}")).await.expect(200);
        assert_eq!(stored.body["subject"]["reference"], place(&reply, 1), "{id}");
        assert_eq!(stored.body["focus"][0]["reference"], OLD, "{id}");
    }
}

#[tokio::test]
async fn references_to_a_version_stay_references_to_a_version() {
    let server = TestServer::start().await;
    let there = "http://elsewhere.example/fhir";
    let known = server.create(patient().mrn("1")).await.expect(201).id().to_owned();
    server.update(patient().id(&known).mrn("1").family("Second")).await.expect(200);
    let about = |id: &str, subject: &str| {
        let resource = observation().subject(subject);
        with_url(&format!("{there}/Observation/{id}"), entry("POST", "Observation", resource))
    };
    let mut found = entry("POST", "Patient", patient());
    found["request"]["ifNoneExist"] = json!(format!("identifier={MRN}|1"));
    let reply = transaction(
        &server,
        vec![
            with_url(&format!("{there}/Patient/7"), entry("POST", "Patient", patient())),
            with_url(&format!("{there}/Patient/8"), found),
            about("1", &format!("{there}/Patient/7/_history/5")),
            about("2", "Patient/7/_history/5"),
            about("3", &format!("{there}/Patient/8/_history/5")),
            about("4", &format!("{there}/Patient/9/_history/5")),
        ],
    )
    .await
    .expect(200);
    let created = format!("{}/_history/1", place(&reply, 0));
    assert_eq!(subject(&server, place(&reply, 2)).await, created);
    assert_eq!(subject(&server, place(&reply, 3)).await, created);
    assert_eq!(subject(&server, place(&reply, 4)).await, format!("Patient/{known}/_history/2"));
    let elsewhere = format!("{there}/Patient/9/_history/5");
    assert_eq!(subject(&server, place(&reply, 5)).await, elsewhere);
}

#[tokio::test]
async fn a_conditional_reference_finds_what_its_own_transaction_stores() {
    let server = TestServer::start().await;
    server.update(patient().id("b").family("Before").mrn("9")).await.expect(201);
    for (criteria, method, url, resource) in [
        (format!("identifier={MRN}|1"), "POST", "Patient", patient().mrn("1")),
        ("_id=a".to_owned(), "PUT", "Patient/a", patient().id("a")),
        ("family=after&gender=female".to_owned(), "PUT", "Patient/b", {
            patient().id("b").family("After").with("gender", "female")
        }),
        ("birthdate=2001-02-03&active:missing=true".to_owned(), "POST", "Patient", {
            patient().without("active").with("birthDate", "2001-02-03")
        }),
    ] {
        let about = observation().subject(&format!("Patient?{criteria}"));
        let reply = transaction(
            &server,
            vec![entry("POST", "Observation", about), entry(method, url, resource)],
        )
        .await
        .expect(200);
        assert_eq!(subject(&server, place(&reply, 0)).await, place(&reply, 1), "{criteria}");
    }
}

#[tokio::test]
async fn a_conditional_reference_by_a_quantity_finds_what_its_own_transaction_stores() {
    let server = TestServer::start().await;
    let report = |criteria: &str| {
        json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"},
            "result": [{"reference": format!("Observation?value-quantity={criteria}")}]})
    };
    let all = |criteria: &str| {
        let observation = entry("POST", "Observation", observation());
        vec![observation, entry("POST", "DiagnosticReport", report(criteria))]
    };
    transaction(&server, all("gt70|http://unitsofmeasure.org|kg")).await.expect(412);
    assert_eq!(server.count("Observation").await, 0);
    let reply = transaction(&server, all("62500|http://unitsofmeasure.org|g")).await.expect(200);
    let stored = server.get(place(&reply, 1)).await.expect(200);
    assert_eq!(stored.body["result"][0]["reference"].as_str(), Some(place(&reply, 0)));
}

#[tokio::test]
async fn a_conditional_reference_does_not_find_what_its_own_transaction_takes_away() {
    let server = TestServer::start().await;
    server.update(patient().id("a").mrn("1")).await.expect(201);
    for taken in [
        without_body("DELETE", "Patient/a"),
        without_body("DELETE", &format!("Patient?identifier={MRN}|1")),
        entry("PUT", "Patient/a", patient().id("a").mrn("2")),
    ] {
        let reply = transaction(&server, vec![by_mrn("1"), taken]).await;
        let refused = reply.expect_outcome(412, "not-found");
        assert_eq!(refused.expressions(), ["Bundle.entry[0]"]);
    }
    // One is deleted and another takes its place.
    let reply = transaction(
        &server,
        vec![
            by_mrn("1"),
            without_body("DELETE", "Patient/a"),
            entry("PUT", "Patient/b", patient().id("b").mrn("1")),
        ],
    )
    .await
    .expect(200);
    assert_eq!(subject(&server, place(&reply, 0)).await, "Patient/b");
}

#[tokio::test]
async fn a_conditional_reference_to_several_of_its_own_transaction_is_412() {
    let server = TestServer::start().await;
    server.create(patient().mrn("1")).await.expect(201);
    let entries = vec![by_mrn("1"), entry("POST", "Patient", patient().mrn("1"))];
    transaction(&server, entries).await.expect_outcome(412, "multiple-matches");
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn the_entry_that_fails_is_named_whatever_it_is() {
    let server = TestServer::start().await;
    for (failing, status, expression) in [
        (without_body("GET", "Patient/nobody"), 404, "Bundle.entry[1]"),
        (by_mrn("none"), 412, "Bundle.entry[1]"),
        (entry("PUT", "Patient/a", patient().id("b")), 400, "Bundle.entry[1].resource.id"),
        (entry("POST", "Patient", observation()), 400, "Bundle.entry[1].resource"),
    ] {
        let entries = vec![entry("POST", "Patient", patient()), failing];
        let reply = transaction(&server, entries).await.expect(status);
        assert_eq!(reply.expressions(), [expression]);
    }
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn images_of_the_narrative_lead_to_entries_as_well() {
    let server = TestServer::start().await;
    let div = format!(
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"><img src=\"{URN}\" alt=\"scan\"/></div>"
    );
    let about = observation().with("text", json!({"status": "generated", "div": div}));
    let image = json!({"resourceType": "Binary", "contentType": "image/png", "data": "aGk="});
    let reply = transaction(
        &server,
        vec![entry("POST", "Observation", about), with_url(URN, entry("POST", "Binary", image))],
    )
    .await
    .expect(200);
    let stored = server.get(place(&reply, 0)).await.expect(200);
    let div = stored.body["text"]["div"].as_str().unwrap();
    assert!(div.contains(&format!("<img src=\"{}\"", place(&reply, 1))), "{div}");
}

#[tokio::test]
async fn entries_are_handled_as_their_bundle_asks() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    for kind in ["batch", "transaction"] {
        let bundle = json!({"resourceType": "Bundle", "type": kind,
            "entry": [without_body("GET", "Patient?colour=red&_id=a")]});
        let lenient = server.request("POST", "").header("Prefer", "handling=lenient");
        let reply = lenient.json(&bundle).send().await.expect(200);
        assert_eq!(reply.body["entry"][0]["resource"]["total"], 1, "{kind}: {}", reply.body);
        let strict = server.post("", &bundle).await;
        assert!(!strict.text().contains("searchset"), "{kind}: {}", strict.body);
    }
}

#[tokio::test]
async fn head_in_a_bundle_is_answered_without_the_resource() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    for kind in ["batch", "transaction"] {
        let bundle = json!({"resourceType": "Bundle", "type": kind,
            "entry": [without_body("HEAD", "Patient/a"), without_body("GET", "Patient/a")]});
        let reply = server.post("", &bundle).await.expect(200);
        let (head, get) = (&reply.body["entry"][0], &reply.body["entry"][1]);
        assert!(head.get("resource").is_none(), "{kind}: {head}");
        assert_eq!(head["response"], get["response"], "{kind}");
    }
}
