//! patch in its four forms: <https://hl7.org/fhir/R4/http.html#patch>,
//! <https://hl7.org/fhir/R4/fhirpatch.html>.

use super::harness::{Reply, TestServer, patient};
use serde_json::{Value, json};

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const XML_PATCH: &str = "application/xml-patch+xml";
const FHIR_JSON: &str = "application/fhir+json";
const FHIR_XML: &str = "application/fhir+xml";

async fn with_patient() -> TestServer {
    let server = TestServer::start().await;
    server.update(patient().id("a").family("Old")).await.expect(201);
    server
}

async fn patch(server: &TestServer, content_type: &str, body: impl Into<String>) -> Reply {
    server.request("PATCH", "Patient/a").body(content_type, body.into()).send().await
}

/// One operation of a FHIRPath Patch.
fn operation(parts: &[(&str, Value)]) -> Value {
    let parts: Vec<Value> = parts
        .iter()
        .map(|(name, value)| match value.as_object() {
            Some(object) if object.len() == 1 => {
                let (kind, value) = object.iter().next().unwrap();
                json!({"name": name, kind.as_str(): value})
            }
            _ => json!({"name": name, "valueString": value}),
        })
        .collect();
    json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]})
}

fn replace_family(family: &str) -> Value {
    operation(&[
        ("type", json!({"valueCode": "replace"})),
        ("path", json!("Patient.name[0].family")),
        ("value", json!(family)),
    ])
}

#[tokio::test]
async fn a_json_patch_makes_the_next_version() {
    let server = with_patient().await;
    let operations = json!([
        {"op": "test", "path": "/name/0/family", "value": "Old"},
        {"op": "replace", "path": "/name/0/family", "value": "New"},
        {"op": "add", "path": "/name/0/given", "value": ["A"]},
        {"op": "add", "path": "/name/0/given/-", "value": "B"},
        {"op": "copy", "from": "/name/0/given/0", "path": "/name/0/given/-"},
        {"op": "remove", "path": "/birthDate"}
    ]);
    let reply = patch(&server, JSON_PATCH, operations.to_string()).await.expect(200);
    assert_eq!(reply.etag_version(), 2);
    assert_eq!(reply.body["name"][0], json!({"family": "New", "given": ["A", "B", "A"]}));
    assert_eq!(reply.body["birthDate"], Value::Null);
    assert_eq!(server.get("Patient/a").await.bytes, reply.bytes);
}

#[tokio::test]
async fn a_failed_test_of_a_json_patch_changes_nothing() {
    let server = with_patient().await;
    let operations = json!([
        {"op": "replace", "path": "/active", "value": false},
        {"op": "test", "path": "/name/0/family", "value": "Other"}
    ]);
    let reply = patch(&server, JSON_PATCH, operations.to_string()).await;
    assert!(matches!(reply.status(), 409 | 412 | 422), "{reply:?}");
    assert_eq!(reply.body["resourceType"], "OperationOutcome");
    assert_eq!(server.get("Patient/a").await.etag_version(), 1);
}

#[tokio::test]
async fn a_merge_patch_sets_and_removes_members() {
    let server = with_patient().await;
    let merge = json!({"active": false, "gender": null});
    let reply = patch(&server, MERGE_PATCH, merge.to_string()).await.expect(200);
    assert_eq!((reply.etag_version(), &reply.body["active"]), (2, &json!(false)));
    assert_eq!(reply.body["gender"], Value::Null);
    assert_eq!(reply.body["name"][0]["family"], "Old");
}

#[tokio::test]
async fn a_fhirpath_patch_in_json_makes_the_next_version() {
    let server = with_patient().await;
    let reply = patch(&server, FHIR_JSON, replace_family("New").to_string()).await.expect(200);
    assert_eq!((reply.etag_version(), &reply.body["name"][0]["family"]), (2, &json!("New")));
}

#[tokio::test]
async fn a_fhirpath_patch_in_xml_makes_the_next_version() {
    let server = with_patient().await;
    let body = r#"<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/>
        <part><name value="type"/><valueCode value="delete"/></part>
        <part><name value="path"/><valueString value="Patient.birthDate"/></part>
        </parameter></Parameters>"#;
    let request = server.request("PATCH", "Patient/a").header("Accept", FHIR_JSON);
    let reply = request.body(FHIR_XML, body).send().await.expect(200);
    assert_eq!((reply.etag_version(), &reply.body["birthDate"]), (2, &Value::Null));
}

#[tokio::test]
async fn a_fhirpath_patch_adds_inserts_and_moves() {
    let server = with_patient().await;
    let add = operation(&[
        ("type", json!({"valueCode": "add"})),
        ("path", json!("Patient.name[0]")),
        ("name", json!("given")),
        ("value", json!("A")),
    ]);
    patch(&server, FHIR_JSON, add.to_string()).await.expect(200);
    let insert = operation(&[
        ("type", json!({"valueCode": "insert"})),
        ("path", json!("Patient.name[0].given")),
        ("index", json!({"valueInteger": 0})),
        ("value", json!("B")),
    ]);
    patch(&server, FHIR_JSON, insert.to_string()).await.expect(200);
    let shift = operation(&[
        ("type", json!({"valueCode": "move"})),
        ("path", json!("Patient.name[0].given")),
        ("source", json!({"valueInteger": 0})),
        ("destination", json!({"valueInteger": 1})),
    ]);
    let reply = patch(&server, FHIR_JSON, shift.to_string()).await.expect(200);
    assert_eq!(reply.body["name"][0]["given"], json!(["A", "B"]));
    assert_eq!(reply.etag_version(), 4);
}

#[tokio::test]
async fn an_xml_patch_makes_the_next_version() {
    let server = with_patient().await;
    let body = r#"<diff xmlns:f="http://hl7.org/fhir">
        <replace sel="f:Patient/f:name[1]/f:family/@value">New</replace></diff>"#;
    let request = server.request("PATCH", "Patient/a").header("Accept", FHIR_JSON);
    let reply = request.body(XML_PATCH, body).send().await.expect(200);
    assert_eq!((reply.etag_version(), &reply.body["name"][0]["family"]), (2, &json!("New")));
}

#[tokio::test]
async fn a_patch_that_changes_nothing_makes_no_version() {
    let server = with_patient().await;
    let operations = json!([{"op": "replace", "path": "/name/0/family", "value": "Old"}]);
    let reply = patch(&server, JSON_PATCH, operations.to_string()).await.expect(200);
    assert_eq!(reply.etag_version(), 1);
    assert_eq!(patch(&server, JSON_PATCH, "[]").await.expect(200).etag_version(), 1);
    assert_eq!(patch(&server, MERGE_PATCH, "{}").await.expect(200).etag_version(), 1);
}

#[tokio::test]
async fn a_patch_whose_result_is_invalid_is_422_with_the_elements() {
    let server = with_patient().await;
    let operations = json!([
        {"op": "add", "path": "/hobby", "value": "chess"},
        {"op": "replace", "path": "/gender", "value": "woman"}
    ]);
    let reply = patch(&server, JSON_PATCH, operations.to_string()).await.expect(422);
    assert_eq!(reply.expressions(), ["Patient.gender", "Patient.hobby"]);
    assert_eq!(server.get("Patient/a").await.etag_version(), 1);
}

#[tokio::test]
async fn a_patch_may_not_change_type_or_id() {
    let server = with_patient().await;
    for (path, value) in [("/id", "b"), ("/resourceType", "Group")] {
        let operations = json!([{"op": "replace", "path": path, "value": value}]);
        patch(&server, JSON_PATCH, operations.to_string()).await.expect(422);
        let operations = json!([{"op": "remove", "path": path}]);
        let reply = patch(&server, JSON_PATCH, operations.to_string()).await;
        assert!(matches!(reply.status(), 400 | 422), "{reply:?}");
    }
    let reply = patch(&server, MERGE_PATCH, json!({"id": "b"}).to_string()).await;
    reply.expect_outcome(422, "business-rule");
    server.get("Patient/b").await.expect(404);
}

#[tokio::test]
async fn a_patch_cannot_set_what_the_server_sets() {
    let server = with_patient().await;
    let operations = json!([
        {"op": "replace", "path": "/meta/versionId", "value": "77"},
        {"op": "replace", "path": "/meta/lastUpdated", "value": "1999-01-01T00:00:00Z"}
    ]);
    let reply = patch(&server, JSON_PATCH, operations.to_string()).await.expect(200);
    assert_eq!(reply.body["meta"]["versionId"], json!(reply.etag_version().to_string()));
    assert!(reply.body["meta"]["lastUpdated"].as_str().unwrap() > "2020");
}

#[tokio::test]
async fn a_patch_may_take_a_tag_away() {
    let server = TestServer::start().await;
    let meta = json!({"tag": [{"system": "http://tags.example", "code": "a"}]});
    server.update(patient().id("a").with("meta", meta)).await.expect(201);
    let operations = json!([{"op": "remove", "path": "/meta/tag"}]);
    let reply = patch(&server, JSON_PATCH, operations.to_string()).await.expect(200);
    assert_eq!(reply.body["meta"]["tag"], Value::Null, "http.html#patch: tags may be removed");
}

#[tokio::test]
async fn paths_that_lead_nowhere_are_refused_with_4xx() {
    let server = with_patient().await;
    for operations in [
        json!([{"op": "remove", "path": "/nothing"}]),
        json!([{"op": "replace", "path": "/name/7/family", "value": "x"}]),
        json!([{"op": "add", "path": "/name/-/x/y", "value": "x"}]),
        json!([{"op": "add", "path": "/name/01", "value": {"family": "x"}}]),
        json!([{"op": "move", "from": "/name", "path": "/name/0"}]),
        json!([{"op": "copy", "from": "/nothing", "path": "/name"}]),
    ] {
        let reply = patch(&server, JSON_PATCH, operations.to_string()).await;
        assert!((400..500).contains(&reply.status()), "{operations}: {reply:?}");
        assert_eq!(reply.body["resourceType"], "OperationOutcome", "{operations}");
    }
    assert_eq!(server.get("Patient/a").await.etag_version(), 1);
}

#[tokio::test]
async fn patches_that_are_none_are_refused_with_4xx() {
    let server = with_patient().await;
    let not_a_parameter = json!({"resourceType": "Parameters", "parameter": [{"name": "x"}]});
    for (content_type, body) in [
        (JSON_PATCH, "{}".to_owned()),
        (JSON_PATCH, "[1]".to_owned()),
        (JSON_PATCH, "[{\"op\":\"destroy\",\"path\":\"/active\"}]".to_owned()),
        (JSON_PATCH, "[{\"op\":\"add\"}]".to_owned()),
        (JSON_PATCH, "[{\"op\":\"add\",\"path\":\"active\",\"value\":true}]".to_owned()),
        (JSON_PATCH, "nonsense".to_owned()),
        (JSON_PATCH, String::new()),
        (MERGE_PATCH, "[]".to_owned()),
        (MERGE_PATCH, "null".to_owned()),
        (FHIR_JSON, "{\"resourceType\":\"Patient\",\"id\":\"a\"}".to_owned()),
        (FHIR_JSON, not_a_parameter.to_string()),
        (FHIR_JSON, operation(&[("type", json!({"valueCode": "replace"}))]).to_string()),
        (XML_PATCH, "<diff".to_owned()),
        (XML_PATCH, "<other/>".to_owned()),
        (XML_PATCH, "<diff><replace sel=\"((\">x</replace></diff>".to_owned()),
        (XML_PATCH, "<!DOCTYPE d [<!ENTITY e \"x\">]><diff/>".to_owned()),
    ] {
        let reply = patch(&server, content_type, body.clone()).await;
        assert!((400..500).contains(&reply.status()), "{content_type} {body}: {reply:?}");
    }
    assert_eq!(server.get("Patient/a").await.etag_version(), 1);
}

#[tokio::test]
async fn a_patch_of_another_media_type_is_415_with_accept_patch() {
    let server = with_patient().await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "nonsense"] {
        let reply = patch(&server, content_type, "[]").await.expect_outcome(415, "not-supported");
        let accepted = reply.header("accept-patch");
        assert!(accepted.contains(JSON_PATCH), "{content_type}: {accepted}");
    }
}

#[tokio::test]
async fn a_json_patch_is_not_a_body_for_post_or_put() {
    let server = with_patient().await;
    let request = server.request("PUT", "Patient/a").body(JSON_PATCH, "[]");
    request.send().await.expect_outcome(415, "not-supported");
}

#[tokio::test]
async fn a_patch_of_what_is_not_there_is_404() {
    let server = TestServer::start().await;
    patch(&server, JSON_PATCH, "[]").await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn a_patch_obeys_if_match() {
    let server = with_patient().await;
    let operations = json!([{"op": "replace", "path": "/active", "value": false}]).to_string();
    let send = |tag: &'static str| {
        let request = server.request("PATCH", "Patient/a").header("If-Match", tag);
        request.body(JSON_PATCH, operations.clone()).send()
    };
    send("W/\"2\"").await.expect_outcome(412, "conflict");
    assert_eq!(send("W/\"1\"").await.expect(200).etag_version(), 2);
}

#[tokio::test]
async fn a_patch_keeps_the_digits_of_decimals() {
    let server = TestServer::start().await;
    let body = r#"{"resourceType":"Observation","id":"a","status":"final","code":{"text":"x"},
        "valueQuantity":{"value":1.10}}"#;
    let request = server.request("PUT", "Observation/a").body(FHIR_JSON, body);
    request.send().await.expect(201);
    let operations = r#"[{"op":"add","path":"/referenceRange","value":[{"low":{"value":0.500}}]}]"#;
    let request = server.request("PATCH", "Observation/a").body(JSON_PATCH, operations);
    let reply = request.send().await.expect(200);
    assert!(reply.text().contains("\"value\":1.10}"), "{}", reply.text());
    assert!(reply.text().contains("\"value\":0.500}"), "{}", reply.text());
}

#[tokio::test]
async fn concurrent_patches_of_different_elements_are_all_kept() {
    let server = with_patient().await;
    let add = |n: usize| {
        let operations =
            json!([{"op": "add", "path": "/name/-", "value": {"text": n.to_string()}}]);
        let request = server.request("PATCH", "Patient/a");
        request.body(JSON_PATCH, operations.to_string()).send()
    };
    for reply in futures_util::future::join_all((0..8).map(add)).await {
        reply.expect(200);
    }
    let reply = server.get("Patient/a").await.expect(200);
    assert_eq!(reply.body["name"].as_array().unwrap().len(), 9);
    assert_eq!(reply.etag_version(), 9);
}
