//! create: <https://hl7.org/fhir/R4/http.html#create>.

use super::harness::{TestServer, observation, patient};
use serde_json::{Value, json};

#[tokio::test]
async fn a_create_is_201_with_location_etag_and_last_modified() {
    let server = TestServer::start().await;
    let reply = server.create(patient()).await.expect(201);
    let expected = format!("{}/Patient/{}/_history/1", server.base(), reply.id());
    assert_eq!(reply.header("location"), expected);
    assert_eq!(reply.etag_version(), 1);
    assert!(reply.header("last-modified").ends_with(" GMT"));
    let read = server.get(&expected).await.expect(200);
    assert_eq!(read.bytes, reply.bytes);
}

#[tokio::test]
async fn the_clients_id_of_a_create_is_ignored() {
    let server = TestServer::start().await;
    let reply = server.create(patient().id("mine")).await.expect(201);
    assert_ne!(reply.id(), "mine");
    server.get("Patient/mine").await.expect(404);
    let reply = server.create(patient().id("not an id at all!")).await;
    assert!(reply.status() == 201 || reply.status() == 400, "{reply:?}");
}

#[tokio::test]
async fn a_body_of_another_type_than_the_url_is_400() {
    let server = TestServer::start().await;
    let reply = server.post("Observation", &patient().into()).await.expect_outcome(400, "invalid");
    assert_eq!(reply.expressions(), ["resourceType"]);
    assert_eq!(server.count("Patient").await + server.count("Observation").await, 0);
}

#[tokio::test]
async fn a_body_without_a_resource_type_is_400() {
    let server = TestServer::start().await;
    for body in [json!({}), json!({"resourceType": ""}), json!({"resourceType": 1}), json!([])] {
        let reply = server.post("Patient", &body).await;
        assert_eq!(reply.status(), 400, "{body}: {reply:?}");
        assert_eq!(reply.body["resourceType"], "OperationOutcome", "{body}");
    }
    let unknown = json!({"resourceType": "Nonsense"});
    assert_eq!(server.post("Patient", &unknown).await.status(), 400);
}

#[tokio::test]
async fn a_create_without_a_body_is_400() {
    let server = TestServer::start().await;
    server.request("POST", "Patient").send().await.expect_outcome(400, "invalid");
    let empty = server.request("POST", "Patient").body("application/fhir+json", "");
    empty.send().await.expect_outcome(400, "invalid");
}

#[tokio::test]
async fn a_create_on_an_unknown_type_is_404() {
    let server = TestServer::start().await;
    let body = json!({"resourceType": "Nonsense"});
    server.post("Nonsense", &body).await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn malformed_json_is_400_with_the_place_of_the_fault() {
    let server = TestServer::start().await;
    for body in ["{", "{\"resourceType\":\"Patient\",}", "nonsense", "{}{}", "\u{feff}{}", "[1"] {
        let request = server.request("POST", "Patient").body("application/fhir+json", body);
        let reply = request.send().await;
        assert_eq!(reply.status(), 400, "{body}");
        assert_eq!(reply.body["resourceType"], "OperationOutcome", "{body}");
    }
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn every_invalid_element_is_named_in_one_answer() {
    let server = TestServer::start().await;
    let resource = patient()
        .with("gender", "woman")
        .with("birthDate", "17.05.1990")
        .with("active", "yes")
        .with("hobby", "chess")
        .with("name", json!([{"family": ["A"]}, {}]))
        .with("contact", json!([]))
        .with("photo", json!([{"data": "###"}]));
    let reply = server.create(resource).await.expect(400);
    let expressions = reply.expressions();
    for expected in [
        "Patient.gender",
        "Patient.birthDate",
        "Patient.active",
        "Patient.hobby",
        "Patient.name[0].family",
        "Patient.name[1]",
        "Patient.contact",
        "Patient.photo[0].data",
    ] {
        assert!(expressions.iter().any(|found| found == expected), "{expected}: {expressions:?}");
    }
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn missing_required_elements_are_named() {
    let server = TestServer::start().await;
    let resource = observation().without("status").without("code");
    let reply = server.create(resource).await.expect(400);
    let texts: Vec<&str> =
        reply.body["issue"].as_array().unwrap().iter().filter_map(|i| i["code"].as_str()).collect();
    assert_eq!(texts, ["required", "required"], "{}", reply.body);
}

#[tokio::test]
async fn two_values_of_one_choice_are_refused() {
    let server = TestServer::start().await;
    let reply = server.create(observation().with("valueString", "x")).await.expect(400);
    assert!(reply.text().contains("value"), "{}", reply.text());
}

#[tokio::test]
async fn a_primitive_of_the_wrong_json_type_is_refused() {
    let server = TestServer::start().await;
    for (element, value) in [
        ("active", json!("true")),
        ("active", json!(1)),
        ("gender", json!(true)),
        ("birthDate", json!(1990)),
        ("birthDate", json!(null)),
        ("name", json!({"family": "not a list"})),
        ("maritalStatus", json!([{"text": "a list"}])),
        ("multipleBirthInteger", json!("1")),
        ("multipleBirthInteger", json!(1.5)),
        ("multipleBirthInteger", json!(2147483648u32)),
    ] {
        let reply = server.create(patient().with(element, value.clone())).await;
        assert_eq!(reply.status(), 400, "{element} {value}: {}", reply.text());
        let at = match element.strip_prefix("multipleBirth") {
            Some(_) => "Patient.multipleBirth.ofType(integer)".to_owned(),
            None => format!("Patient.{element}"),
        };
        assert_eq!(reply.expressions(), [at], "{value}");
    }
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn a_duplicate_key_is_refused() {
    let server = TestServer::start().await;
    let body = r#"{"resourceType":"Patient","active":true,"active":false}"#;
    let request = server.request("POST", "Patient").body("application/fhir+json", body);
    request.send().await.expect(400);
    let body = r#"{"resourceType":"Patient","name":[{"family":"a","family":"b"}]}"#;
    let request = server.request("POST", "Patient").body("application/fhir+json", body);
    request.send().await.expect(400);
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn ids_of_creates_are_distinct_under_concurrency() {
    let server = TestServer::start().await;
    let creates = (0..32).map(|_| server.create(patient()));
    let replies = futures_util::future::join_all(creates).await;
    let mut ids: Vec<String> =
        replies.into_iter().map(|reply| reply.expect(201).id().to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 32);
    assert_eq!(server.count("Patient").await, 32);
}

#[tokio::test]
async fn a_post_to_an_instance_is_405() {
    let server = TestServer::start().await;
    let reply = server.post("Patient/a", &patient().id("a").into()).await.expect(405);
    assert!(reply.header("allow").contains("PUT"), "{}", reply.header("allow"));
}

#[tokio::test]
async fn a_resource_that_is_no_bundle_is_refused_at_the_base() {
    let server = TestServer::start().await;
    server.post("", &patient().into()).await.expect_outcome(400, "invalid");
    let collection = json!({"resourceType": "Bundle", "type": "collection"});
    server.post("", &collection).await.expect_outcome(400, "value");
}

#[tokio::test]
async fn a_contained_resource_and_its_local_reference_are_stored() {
    let server = TestServer::start().await;
    let resource = observation()
        .with("contained", json!([{"resourceType": "Patient", "id": "p"}]))
        .subject("#p");
    let reply = server.create(resource).await.expect(201);
    assert_eq!(reply.body["contained"][0]["id"], "p");
    assert_eq!(reply.body["subject"]["reference"], "#p");
}

#[tokio::test]
async fn ids_of_contained_resources_are_kept_when_the_outer_one_is_ignored() {
    let server = TestServer::start().await;
    let resource: Value = observation()
        .with("contained", json!([{"resourceType": "Patient", "id": "mine"}]))
        .subject("#mine")
        .into();
    let reply = server.post("Observation", &resource).await.expect(201);
    assert_eq!(reply.body["contained"][0]["id"], "mine");
}
