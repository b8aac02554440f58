//! Metadata of versions: <https://hl7.org/fhir/R4/resource.html#Meta>,
//! <https://hl7.org/fhir/R4/http.html#metadata>, <https://hl7.org/fhir/R4/search.html#summary>.

use super::harness::{TestServer, patient};
use serde_json::{Value, json};

const SUBSETTED: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

fn tag(code: &str) -> Value {
    json!({ "system": "http://tags.example", "code": code })
}

#[tokio::test]
async fn the_clients_version_id_and_last_updated_are_ignored() {
    let server = TestServer::start().await;
    let meta = json!({ "versionId": "77", "lastUpdated": "1999-01-01T00:00:00Z" });
    let reply = server.create(patient().with("meta", meta.clone())).await.expect(201);
    assert_eq!(reply.body["meta"]["versionId"], "1");
    assert!(reply.body["meta"]["lastUpdated"].as_str().unwrap() > "2020");
    let again = patient().id(reply.id()).with("meta", meta);
    let again = server.update(again).await.expect(200);
    assert_eq!(again.etag_version(), 1, "they make no change either");
}

#[tokio::test]
async fn profiles_tags_labels_and_source_are_stored() {
    let server = TestServer::start().await;
    let meta = json!({
        "source": "http://system.example",
        "profile": ["http://profile.example"],
        "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
            "code": "R"}],
        "tag": [tag("a")]
    });
    let reply = server.create(patient().with("meta", meta.clone())).await.expect(201);
    for name in ["source", "profile", "security", "tag"] {
        assert_eq!(reply.body["meta"][name], meta[name], "{name}");
    }
}

#[tokio::test]
async fn tags_and_labels_that_an_update_leaves_out_are_carried_over() {
    let server = TestServer::start().await;
    let label = json!({"system": "http://labels.example", "code": "R"});
    let meta = json!({"tag": [tag("a"), tag("b")], "security": [label]});
    server.update(patient().id("p").with("meta", meta)).await.expect(201);
    let meta = json!({"tag": [tag("c")]});
    let reply = server.update(patient().id("p").with("meta", meta)).await.expect(200);
    let mut codes: Vec<&str> = reply.body["meta"]["tag"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tag| tag["code"].as_str())
        .collect();
    codes.sort();
    assert_eq!(codes, ["a", "b", "c"]);
    assert_eq!(reply.body["meta"]["security"], json!([label]));
    let reply = server.update(patient().id("p")).await.expect(200);
    assert_eq!(reply.etag_version(), 2, "an update without them changes nothing");
}

#[tokio::test]
async fn profiles_that_an_update_leaves_out_are_gone() {
    let server = TestServer::start().await;
    let meta = json!({"profile": ["http://profile.example/1", "http://profile.example/2"]});
    server.update(patient().id("p").with("meta", meta)).await.expect(201);
    let meta = json!({"profile": ["http://profile.example/2"]});
    let reply = server.update(patient().id("p").with("meta", meta.clone())).await.expect(200);
    assert_eq!(reply.body["meta"]["profile"], meta["profile"]);
    assert_eq!(reply.etag_version(), 2);
}

#[tokio::test]
async fn a_subsetted_resource_is_refused_with_422() {
    let server = TestServer::start().await;
    server.update(patient().id("p")).await.expect(201);
    let part = server.get("Patient/p?_elements=name").await.expect(200).body;
    assert_eq!(part["meta"]["tag"][0]["code"], "SUBSETTED");
    server.put("Patient/p", &part).await.expect_outcome(422, "business-rule");
    let meta = json!({"tag": [{"system": SUBSETTED, "code": "SUBSETTED"}]});
    let created = server.create(patient().with("meta", meta)).await;
    created.expect_outcome(422, "business-rule");
    assert_eq!(server.count("Patient").await, 1);
    assert_eq!(server.get("Patient/p").await.etag_version(), 1);
}

#[tokio::test]
async fn invalid_metadata_is_refused() {
    let server = TestServer::start().await;
    for meta in [json!({"profile": "x"}), json!({"tag": {}}), json!([]), json!("x"), json!({})] {
        let reply = server.create(patient().with("meta", meta.clone())).await;
        assert_eq!(reply.status(), 400, "{meta}: {}", reply.text());
    }
}

#[tokio::test]
async fn extensions_of_metadata_are_kept() {
    let server = TestServer::start().await;
    let extension = json!([{"url": "http://extension.example", "valueString": "x"}]);
    let meta = json!({"extension": extension});
    let reply = server.create(patient().with("meta", meta)).await.expect(201);
    assert_eq!(reply.body["meta"]["extension"], extension);
}
