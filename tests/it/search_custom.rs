//! Custom search parameters: <https://hl7.org/fhir/R4/searchparameter.html>.

use super::harness::{Reply, TestServer, observation, patient};
use bhn_fhir::jobs::search_parameters::build_next;
use serde_json::{Value, json};

const EXTENSION: &str = "http://hospital.example/blood-group";

/// `GET Patient?blood-group=...`, an extension with a code.
fn blood_group() -> Value {
    json!({
        "resourceType": "SearchParameter",
        "id": "blood-group",
        "url": "http://hospital.example/SearchParameter/blood-group",
        "name": "BloodGroup",
        "status": "active",
        "description": "The blood group of a patient",
        "code": "blood-group",
        "base": ["Patient"],
        "type": "token",
        "expression": format!("Patient.extension('{EXTENSION}').value"),
    })
}

fn with(mut resource: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(resource.as_object_mut().unwrap().remove(name)),
            value => resource[name] = value.clone(),
        }
    }
    resource
}

fn of_group(id: &str, group: &str) -> Value {
    patient().id(id).with("extension", json!([{"url": EXTENSION, "valueCode": group}])).into()
}

async fn build(server: &TestServer) {
    while build_next(&server.context, "test").await.unwrap() {}
}

/// The state of the first status of an answer of `$index-status`.
fn part<'r>(reply: &'r Reply, name: &str) -> &'r Value {
    let parts = reply.body["parameter"][0]["part"].as_array().unwrap();
    let found = parts.iter().find(|part| part["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {}", reply.body));
    found.as_object().unwrap().iter().find(|(key, _)| *key != "name").unwrap().1
}

async fn state(server: &TestServer) -> String {
    let status = server.get("SearchParameter/blood-group/$index-status").await.expect(200);
    part(&status, "state").as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_parameter_finds_what_was_stored_before_and_after_it() {
    let server = TestServer::start().await;
    server.update(of_group("before", "A")).await.expect(201);
    server.update(patient().id("without")).await.expect(201);
    server.update(blood_group()).await.expect(201);
    server.update(of_group("after", "A")).await.expect(201);
    server.update(of_group("other", "B")).await.expect(201);
    assert_eq!(state(&server).await, "building");
    build(&server).await;
    assert_eq!(state(&server).await, "ready");
    let found = server.get("Patient?blood-group=A").await.expect(200);
    assert_eq!(found.sorted_ids("match"), "after before");
    let found = server.get("Patient?blood-group:missing=true").await.expect(200);
    assert_eq!(found.sorted_ids("match"), "without");
    let found = server.get("Patient?blood-group:not=A&blood-group:missing=false").await;
    assert_eq!(found.sorted_ids("match"), "other");
    let found = server.get("Patient?_sort=-blood-group,_id").await.expect(200);
    assert_eq!(found.ids("match"), ["other", "after", "before", "without"]);
    server.create(observation().subject("Patient/other")).await.expect(201);
    let found = server.get("Observation?subject:Patient.blood-group=B").await.expect(200);
    assert_eq!(found.ids("match").len(), 1);
    let found = server.get("Patient?_filter=blood-group eq B").await.expect(200);
    assert_eq!(found.ids("match"), ["other"]);
    let before = server.get("Patient/before").await.expect(200);
    assert_eq!(before.body["meta"]["versionId"], "1");
}
