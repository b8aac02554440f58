//! `X-Provenance`: <https://hl7.org/fhir/R4/provenance.html#header>, and `Idempotency-Key`.

use super::harness::{Reply, TestServer, patient};
use serde_json::{Value, json};

fn provenance() -> Value {
    json!({
        "resourceType": "Provenance",
        "recorded": "2025-03-01T10:00:00Z",
        "agent": [{"who": {"display": "Amina"}}]
    })
}

async fn put(server: &TestServer, header: &str, family: &str) -> Reply {
    let request = server.request("PUT", "Patient/a").header("X-Provenance", header);
    request.json(&patient().id("a").family(family).into()).send().await
}

#[tokio::test]
async fn a_provenance_is_stored_with_the_version_that_it_is_about() {
    let server = TestServer::start().await;
    put(&server, &provenance().to_string(), "One").await.expect(201);
    put(&server, &provenance().to_string(), "Two").await.expect(200);
    let found = server.get("Provenance?_sort=_lastUpdated").await.expect(200);
    let entries = found.body["entry"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    for (index, entry) in entries.iter().enumerate() {
        let target = &entry["resource"]["target"][0]["reference"];
        assert_eq!(target, &json!(format!("Patient/a/_history/{}", index + 1)));
    }
}

#[tokio::test]
async fn a_create_and_a_delete_take_a_provenance_too() {
    let server = TestServer::start().await;
    let header = provenance().to_string();
    let request = server.request("POST", "Patient").header("X-Provenance", &header);
    let id = request.json(&patient().into()).send().await.expect(201).id().to_owned();
    let path = format!("Patient/{id}");
    server.request("DELETE", &path).header("X-Provenance", &header).send().await.expect(204);
    assert_eq!(server.count("Provenance").await, 2);
}

#[tokio::test]
async fn an_update_that_changes_nothing_stores_no_provenance() {
    let server = TestServer::start().await;
    put(&server, &provenance().to_string(), "One").await.expect(201);
    put(&server, &provenance().to_string(), "One").await.expect(200);
    assert_eq!(server.count("Provenance").await, 1);
}

#[tokio::test]
async fn an_invalid_provenance_stops_the_write() {
    let server = TestServer::start().await;
    let mut with_target = provenance();
    with_target["target"] = json!([{"reference": "Patient/a"}]);
    let mut without_agent = provenance();
    without_agent.as_object_mut().unwrap().remove("agent");
    for header in [
        "nonsense".to_owned(),
        "{}".to_owned(),
        Value::from(patient()).to_string(),
        with_target.to_string(),
        without_agent.to_string(),
    ] {
        let reply = put(&server, &header, "One").await;
        assert_eq!(reply.status(), 400, "{header}: {reply:?}");
    }
    let reply = put(&server, "{}", "One").await;
    assert_eq!(reply.expressions(), ["http.X-Provenance.resourceType"]);
    assert_eq!(server.count("Patient").await + server.count("Provenance").await, 0);
}

#[tokio::test]
async fn a_write_that_fails_stores_no_provenance() {
    let server = TestServer::start().await;
    let request = server.request("POST", "Patient");
    let request = request.header("X-Provenance", &provenance().to_string());
    request.json(&patient().with("hobby", "x").into()).send().await.expect(400);
    assert_eq!(server.count("Provenance").await, 0);
}

async fn post(server: &TestServer, key: &str, family: &str) -> Reply {
    let request = server.request("POST", "Patient").header("Idempotency-Key", key);
    request.json(&patient().family(family).into()).send().await
}

#[tokio::test]
async fn the_same_idempotency_key_has_the_same_answer_and_stores_nothing_twice() {
    let server = TestServer::start().await;
    let first = post(&server, "key-1", "One").await.expect(201);
    let again = post(&server, "key-1", "One").await.expect(201);
    assert_eq!(again.bytes, first.bytes);
    for name in ["location", "etag", "last-modified", "content-type"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_eq!(server.count("Patient").await, 1);
    post(&server, "key-2", "One").await.expect(201);
    assert_eq!(server.count("Patient").await, 2);
}

#[tokio::test]
async fn an_idempotency_key_with_another_body_is_422() {
    let server = TestServer::start().await;
    post(&server, "key-1", "One").await.expect(201);
    post(&server, "key-1", "Two").await.expect_outcome(422, "duplicate");
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn an_idempotency_key_still_answers_after_the_resource_changed() {
    let server = TestServer::start().await;
    let first = post(&server, "key-1", "One").await.expect(201);
    let id = first.id().to_owned();
    server.update(patient().id(&id).family("Other")).await.expect(200);
    assert_eq!(post(&server, "key-1", "One").await.expect(201).bytes, first.bytes);
    server.delete(&format!("Patient/{id}")).await.expect(204);
    assert_eq!(post(&server, "key-1", "One").await.expect(201).bytes, first.bytes);
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn an_idempotency_key_of_a_refused_request_may_be_used_again() {
    let server = TestServer::start().await;
    let request = server.request("POST", "Patient").header("Idempotency-Key", "key-1");
    request.json(&patient().with("hobby", "x").into()).send().await.expect(400);
    post(&server, "key-1", "One").await.expect(201);
}

#[tokio::test]
async fn concurrent_posts_with_one_key_store_one_resource() {
    let server = TestServer::start().await;
    let replies =
        futures_util::future::join_all((0..12).map(|_| post(&server, "key-1", "One"))).await;
    let first = replies[0].bytes.clone();
    for reply in replies {
        assert_eq!(reply.expect(201).bytes, first);
    }
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn an_idempotency_key_covers_a_transaction() {
    let server = TestServer::start().await;
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": Value::from(patient()), "request": {"method": "POST", "url": "Patient"}}
    ]});
    let post =
        || server.request("POST", "").header("Idempotency-Key", "key-1").json(&bundle).send();
    let first = post().await.expect(200);
    let again = post().await.expect(200);
    assert_eq!(again.body["entry"], first.body["entry"]);
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn a_malformed_idempotency_key_is_400() {
    let server = TestServer::start().await;
    for key in ["", "a b", &"x".repeat(256)] {
        post(&server, key, "One").await.expect_outcome(400, "value");
    }
    assert_eq!(server.count("Patient").await, 0);
}

#[tokio::test]
async fn a_key_with_a_conditional_create_keeps_its_first_answer() {
    let server = TestServer::start().await;
    let post = || {
        let request = server.request("POST", "Patient").header("Idempotency-Key", "key-1");
        let request = request.header("If-None-Exist", "identifier=1");
        request.json(&patient().mrn("1").into()).send()
    };
    let first = post().await.expect(201);
    assert_eq!(post().await.expect(201).bytes, first.bytes);
    assert_eq!(server.count("Patient").await, 1);
}

fn bundle(kind: &str) -> Value {
    let entry = |id: &str| {
        json!({"resource": Value::from(patient().id(id)),
            "request": {"method": "PUT", "url": format!("Patient/{id}")}})
    };
    json!({"resourceType": "Bundle", "type": kind, "entry": [entry("a"), entry("b")]})
}

#[tokio::test]
async fn a_provenance_with_a_transaction_is_about_all_that_it_writes() {
    let server = TestServer::start().await;
    let request = server.request("POST", "").header("X-Provenance", &provenance().to_string());
    let reply = request.json(&bundle("transaction")).send().await.expect(200);
    assert_eq!(reply.body["entry"].as_array().unwrap().len(), 2, "{}", reply.body);
    let found = server.get("Provenance").await.expect(200);
    let targets = &found.body["entry"][0]["resource"]["target"];
    let expected =
        json!([{"reference": "Patient/a/_history/1"}, {"reference": "Patient/b/_history/1"}]);
    assert_eq!(targets, &expected);
}

#[tokio::test]
async fn a_provenance_with_a_batch_is_refused_and_nothing_is_done() {
    let server = TestServer::start().await;
    let request = server.request("POST", "").header("X-Provenance", &provenance().to_string());
    let reply = request.json(&bundle("batch")).send().await;
    reply.expect_outcome(400, "not-supported");
    assert_eq!(server.count("Patient").await, 0);
}
