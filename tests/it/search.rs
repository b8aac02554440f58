//! Searches over HTTP: <https://hl7.org/fhir/R4/search.html>.

use crate::harness::{Reply, TestServer};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};

fn patient(id: &str, rest: Value) -> Value {
    let mut value = json!({"resourceType": "Patient", "id": id});
    value.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    value
}

fn observation(id: &str, patient: &str, rest: Value) -> Value {
    let mut value = json!({"resourceType": "Observation", "id": id, "status": "final",
        "subject": {"reference": format!("Patient/{patient}")}});
    value.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    value
}

fn coded(codes: &[(&str, &str)]) -> Value {
    let codings: Vec<Value> =
        codes.iter().map(|(system, code)| json!({"system": system, "code": code})).collect();
    json!({ "coding": codings })
}

fn people_and_observations() -> Vec<Value> {
    let ucum = "http://unitsofmeasure.org";
    vec![
        patient(
            "p1",
            json!({"gender": "female", "birthDate": "1990-05-01", "active": true,
            "name": [{"family": "Dupré", "given": ["Ève"]}],
            "identifier": [{"system": "urn:mrn", "value": "7"}],
            "telecom": [{"system": "phone", "value": "555"}],
            "meta": {"tag": [{"system": "urn:t", "code": "a"}], "profile": ["http://p|1"]}}),
        ),
        patient(
            "p2",
            json!({"gender": "male", "birthDate": "1990", "name": [{"family": "Zed"}],
            "identifier": [{"system": "urn:other", "value": "7"}]}),
        ),
        patient(
            "p3",
            json!({"name": [{"family": "dupont", "given": ["50%_off"]}],
            "managingOrganization": {"reference": "Organization/none"}}),
        ),
        observation(
            "o1",
            "p1",
            json!({"code": coded(&[("http://l", "w"), ("http://x", "w2")]),
            "effectiveDateTime": "2024-01-10",
            "valueQuantity": {"value": 5.4, "unit": "mg", "system": ucum, "code": "mg"}}),
        ),
        observation(
            "o2",
            "p1",
            json!({"code": coded(&[("http://x", "w2"), ("http://l", "w")]),
            "effectivePeriod": {"start": "2024-01-05"},
            "performer": [{"reference": "Patient/p2"}],
            "valueQuantity": {"value": 0.0070, "system": ucum, "code": "g"}}),
        ),
        observation(
            "o3",
            "p2",
            json!({"code": coded(&[("http://l", "bp")]),
            "component": [
                {"code": coded(&[("http://l", "sys")]),
                    "valueQuantity": {"value": 120, "unit": "mmHg"}},
                {"code": coded(&[("http://l", "dia")]),
                    "valueQuantity": {"value": 80, "unit": "mmHg"}}]}),
        ),
        json!({"resourceType": "ValueSet", "id": "v1", "status": "draft", "url": "http://v/1"}),
        json!({"resourceType": "RiskAssessment", "id": "r1", "status": "final",
            "subject": {"reference": "Patient/p1"}, "prediction": [{"probabilityDecimal": 0.8}]}),
        json!({"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"},
            "recordedDate": "2024-02-01", "onsetDateTime": "2023"}),
    ]
}

/// Searches and the ids that they find.
const FINDS: &[(&str, &str)] = &[
    ("Patient", "p1 p2 p3"),
    ("Patient?_id=p1,p3", "p1 p3"),
    ("Patient?gender=female", "p1"),
    ("Patient?gender=female,male", "p1 p2"),
    ("Patient?gender:not=male", "p1 p3"),
    ("Patient?gender:missing=true", "p3"),
    ("Patient?gender:missing=false&_id:missing=false", "p1 p2"),
    ("Patient?active=true", "p1"),
    ("Patient?identifier=7", "p1 p2"),
    ("Patient?identifier=urn:mrn|7", "p1"),
    ("Patient?identifier=urn:other|", "p2"),
    ("Patient?identifier=|7", ""),
    ("Patient?identifier=urn:mrn|7&gender=male", ""),
    ("Patient?phone=555", "p1"),
    ("Patient?name=dup", "p1 p3"),
    ("Patient?name=DUPRE", "p1"),
    ("Patient?family:exact=Dupré", "p1"),
    ("Patient?family:exact=Dupre", ""),
    ("Patient?family:contains=PON", "p3"),
    ("Patient?given:contains=%_", "p3"),
    ("Patient?given:contains=0_o", ""),
    ("Patient?birthdate=1990", "p1 p2"),
    ("Patient?birthdate=1990-05", "p1"),
    ("Patient?birthdate=ge1990-06", "p2"),
    ("Patient?_tag=urn:t|a", "p1"),
    ("Patient?_tag=urn:t|", "p1"),
    ("Patient?_profile=http://p", "p1"),
    ("Patient?organization=Organization/none", "p3"),
    ("Patient?organization=Organization/nobody", ""),
    ("Observation?code=w", "o1 o2"),
    ("Observation?code=http://l|w", "o1 o2"),
    ("Observation?code=http://x|w2&date=2024-01-10", "o1"),
    ("Observation?code=http://l|", "o1 o2 o3"),
    ("Observation?code=http://l|w,http://l|bp&status=final", "o1 o2 o3"),
    ("Observation?code=nothing", ""),
    ("Observation?code:not=w", "o3"),
    ("Observation?patient=p1", "o1 o2"),
    ("Observation?subject=Patient/p1&code=http://x|w2&_sort=date", "o1 o2"),
    ("Observation?patient=p1,p2&code=bp", "o3"),
    ("Observation?performer=Patient/p2", "o2"),
    ("Observation?date=ge2024-02", "o2"),
    ("Observation?date=lt2024-01-10", "o2"),
    ("Observation?date:missing=true", "o3"),
    ("Observation?value-quantity=5.4|http://unitsofmeasure.org|mg", "o1"),
    ("Observation?value-quantity=7|http://unitsofmeasure.org|mg", "o2"),
    ("Observation?value-quantity=gt5|http://unitsofmeasure.org|mg", "o1 o2"),
    ("Observation?value-quantity=5.4", "o1"),
    ("Observation?value-quantity=5.4||mg", "o1"),
    ("Observation?value-quantity=5.4|urn:x|mg", ""),
    ("Observation?value-quantity=0.0054|http://unitsofmeasure.org|g", "o1"),
    ("Observation?value-quantity=5400|http://unitsofmeasure.org|ug", "o1"),
    ("Observation?value-quantity=5.4|http://unitsofmeasure.org|mL", ""),
    ("Observation?value-quantity=lt0.006|http://unitsofmeasure.org|g", "o1"),
    ("Observation?code-value-quantity=w$5.4", "o1"),
    ("Observation?component-code-value-quantity=http://l|sys$gt100", "o3"),
    ("Observation?component-code-value-quantity=http://l|dia$gt100", ""),
    ("Observation?combo-code-value-quantity=http://l|dia$lt100||mmHg", "o3"),
    ("Observation?combo-code-value-quantity=http://l|w$5.4", "o1"),
    ("RiskAssessment?probability=gt0.5", "r1"),
    ("RiskAssessment?probability=0.8,0.9", "r1"),
    ("RiskAssessment?probability=ne0.8", ""),
    ("ValueSet?url=http://v/1", "v1"),
    ("Condition?recorded-date=2024-02-01", "c1"),
    ("Condition?onset-date=sa2022-12-31", "c1"),
    ("?_id=p1,o1", "o1 p1"),
    ("?_type=Patient,Condition&_lastUpdated=gt2020", "c1 p1 p2 p3"),
    ("?_type=Condition,Condition", "c1"),
    ("Patient?_lastUpdated=lt2020", ""),
    ("Patient/p1/Observation", "o1 o2"),
    ("Patient/p2/Observation", "o2 o3"),
    ("Patient/p1/*", "c1 o1 o2 p1 r1"),
    ("Patient/nobody/*", ""),
];

const KNOWN_INVALID: &str = include_str!("../data/r4-examples/known-invalid.txt");

/// What a URL does not carry as it is.
const ENCODED: &AsciiSet = &CONTROLS.add(b'|').add(b'%').add(b'<').add(b'>').add(b' ');

fn encoded(path: &str) -> String {
    utf8_percent_encode(path, ENCODED).to_string()
}

fn ids(reply: &Reply) -> Vec<String> {
    let entries = reply.body["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect()
}

fn link(reply: &Reply, relation: &str) -> Option<String> {
    let links = reply.body["link"].as_array()?;
    let link = links.iter().find(|link| link["relation"] == relation)?;
    let url = link["url"].as_str()?;
    Some(url.split_once("/fhir").unwrap().1.trim_start_matches('/').to_owned())
}

fn with(path: &str, parameter: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{}{separator}{parameter}", encoded(path))
}

async fn create_all(server: &TestServer, resources: Vec<Value>) {
    for chunk in resources.chunks(500) {
        let entries: Vec<Value> = chunk
            .iter()
            .map(|resource| {
                let url = format!(
                    "{}/{}",
                    resource["resourceType"].as_str().unwrap(),
                    resource["id"].as_str().unwrap()
                );
                json!({"resource": resource, "request": {"method": "PUT", "url": url}})
            })
            .collect();
        let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": entries});
        let reply = server.post("", &bundle).await.expect(200);
        // Some of HL7's examples are not valid (tests/data/r4-examples/known-invalid.txt).
        for (entry, resource) in reply.body["entry"].as_array().unwrap().iter().zip(chunk) {
            let is_known = KNOWN_INVALID.contains(&format!(
                "{}/{}",
                resource["resourceType"].as_str().unwrap(),
                resource["id"].as_str().unwrap()
            ));
            let expected = if is_known { "400 Bad Request" } else { "201 Created" };
            assert_eq!(entry["response"]["status"], expected, "{entry}");
        }
    }
}

#[tokio::test]
async fn every_kind_of_parameter_finds_what_it_should() {
    let server = TestServer::start().await;
    create_all(&server, people_and_observations()).await;
    for &(path, expected) in FINDS {
        let reply = server.get(&encoded(path)).await.expect(200);
        let mut found = ids(&reply);
        found.sort();
        assert_eq!(found.join(" "), expected, "{path}");
        let counted = server.get(&with(path, "_summary=count")).await.expect(200);
        let total = expected.split_whitespace().count();
        assert_eq!(counted.body["total"], total, "{path}");
        assert!(counted.body.get("entry").is_none());
    }
}

#[tokio::test]
async fn a_composite_is_missing_where_one_element_has_not_both_parts() {
    let server = TestServer::start().await;
    let mut resources = people_and_observations();
    let text = json!({"code": coded(&[("http://l", "t")]), "valueString": "text"});
    resources.push(observation("o4", "p2", text));
    create_all(&server, resources).await;
    for (composite, there, missing) in [
        ("code-value-quantity", "o1 o2", "o3 o4"),
        ("code-value-string", "o4", "o1 o2 o3"),
        ("code-value-concept", "", "o1 o2 o3 o4"),
        ("component-code-value-quantity", "o3", "o1 o2 o4"),
        ("combo-code-value-quantity", "o1 o2 o3", "o4"),
    ] {
        // `:missing` is for all others (search.html#modifiers).
        for (is_present, expected) in [(true, there), (false, missing)] {
            let path = format!("Observation?_filter={composite} pr {is_present}");
            let mut found = ids(&server.get(&path).await.expect(200));
            found.sort();
            assert_eq!(found.join(" "), expected, "{path}");
        }
    }
}

#[tokio::test]
async fn an_update_and_a_delete_move_what_is_found() {
    let server = TestServer::start().await;
    create_all(&server, people_and_observations()).await;
    let moved = patient("p1", json!({"gender": "other", "name": [{"family": "Moved"}]}));
    server.put("Patient/p1", &moved).await.expect(200);
    for (path, expected) in [
        ("Patient?gender=other", vec!["p1"]),
        ("Patient?gender=female", vec![]),
        ("Patient?name=moved", vec!["p1"]),
        ("Patient?name=dupre", vec![]),
        ("Patient?identifier=urn%3Amrn%7C7", vec![]),
        ("Patient?birthdate:missing=true&gender=other", vec!["p1"]),
    ] {
        assert_eq!(ids(&server.get(path).await.expect(200)), expected, "{path}");
    }
    server.delete("Patient/p1").await.expect(204);
    assert!(ids(&server.get("Patient?gender=other").await.expect(200)).is_empty());
    server.put("Patient/p1", &moved).await.expect(201);
    assert_eq!(ids(&server.get("Patient?gender=other").await.expect(200)), ["p1"]);
}

#[tokio::test]
async fn what_is_stored_through_one_server_is_found_through_the_other_at_once() {
    let (first, second) = TestServer::start_pair().await;
    for round in 0..5 {
        let id = format!("n{round}");
        let code = coded(&[("http://new", &id)]);
        let about = observation(&id, &id, json!({"code": code}));
        // Asked before there is such a code, so that a cached miss would show.
        let by_code = format!("Observation?code=http%3A%2F%2Fnew%7C{id}");
        let by_patient = format!("Observation?patient={id}");
        for path in [&by_code, &by_patient] {
            assert!(ids(&second.get(path).await.expect(200)).is_empty());
        }
        first.put(&format!("Observation/{id}"), &about).await.expect(201);
        for path in [&by_code, &by_patient] {
            assert_eq!(
                ids(&second.get(path).await.expect(200)),
                std::slice::from_ref(&id),
                "{path}"
            );
        }
    }
}

/// Small examples of the specification, one for each key.
fn examples() -> Vec<Value> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/r4-examples/examples.ndjson.gz");
    let lines = BufReader::new(flate2::read::GzDecoder::new(File::open(file).unwrap())).lines();
    let mut seen = HashSet::new();
    lines
        .map_while(Result::ok)
        .filter(|line| line.len() < 20_000)
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .filter(|value| value["id"].is_string())
        .filter(|value| seen.insert((value["resourceType"].to_string(), value["id"].to_string())))
        .collect()
}

/// Searches that are read page by page.
const PAGED: &[&str] = &[
    "Observation?_sort=date",
    "Observation?_sort=-date",
    "Observation?_sort=_id",
    "Observation?_sort=-_lastUpdated",
    "Observation?_sort=code",
    "Observation?_sort=-code",
    "Observation?_sort=value-quantity",
    "Observation?_sort=identifier",
    "Observation",
    "Observation?status=final",
    "Observation?code:missing=false&code=http://loinc.org|",
    "Observation?subject=Patient/example",
    "Patient?_sort=family",
    "Patient?_sort=-birthdate",
    "Patient?_sort=-name",
    "ValueSet?_sort=url",
    "Condition?_sort=recorded-date",
    "",
    "?_type=Observation,Procedure&code:missing=false&_sort=date",
    "?_type=Observation,Procedure&code:missing=false&_sort=-date",
];

#[tokio::test]
async fn pages_forward_and_backward_hold_every_match_once_and_in_order() {
    let server = TestServer::start().await;
    let resources = examples();
    assert!(resources.len() > 200);
    create_all(&server, resources).await;
    for &path in PAGED {
        let whole = server.get(&with(path, "_count=1000&_total=accurate")).await.expect(200);
        let expected = ids(&whole);
        assert_eq!(whole.body["total"], expected.len(), "{path}");
        let (mut forward, mut last) = (Vec::new(), None);
        let mut next = Some(with(path, "_count=7"));
        while let Some(page) = next {
            let reply = server.get(&page).await.expect(200);
            forward.extend(ids(&reply));
            last = link(&reply, "previous").or(last);
            next = link(&reply, "next");
        }
        assert_eq!(forward, expected, "{path}");
        let Some(at_end) = forward.len().checked_sub(1) else { continue };
        // From the last page back to the first.
        let mut backward = forward[at_end - at_end % 7..].to_vec();
        while let Some(page) = last.take() {
            let reply = server.get(&page).await.expect(200);
            assert!(link(&reply, "next").is_some());
            let mut found = ids(&reply);
            found.append(&mut backward);
            backward = found;
            last = link(&reply, "previous");
        }
        assert_eq!(backward, expected, "{path} backward");
    }
}

#[tokio::test]
async fn a_page_link_shows_no_value_and_works_for_its_path_alone() {
    let server = TestServer::start().await;
    create_all(&server, people_and_observations()).await;
    let first = server.get("Observation?status=final&_count=1").await.expect(200);
    let next = link(&first, "next").unwrap();
    assert!(!next.contains("final") && !next.contains("status"), "{next}");
    let token = next.split_once("_page=").unwrap().1;
    server.get(&format!("Patient?_page={token}")).await.expect(404);
    server.get(&format!("Observation?_page={}x", token)).await.expect(404);
    server.get(&format!("Observation?_page={token}&status=final")).await.expect(400);
    let second = server.get(&next).await.expect(200);
    assert_ne!(ids(&first), ids(&second));
    assert!(!link(&second, "self").unwrap().contains("final"));
}
