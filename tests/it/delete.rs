//! delete: <https://hl7.org/fhir/R4/http.html#delete>.

use super::harness::{TestServer, observation, patient};

#[tokio::test]
async fn a_delete_is_204_and_a_read_then_is_410_with_the_etag_of_the_deletion() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let reply = server.delete("Patient/a").await.expect(204);
    assert!(reply.bytes.is_empty());
    assert_eq!(reply.etag_version(), 2);
    let reply = server.get("Patient/a").await.expect_outcome(410, "deleted");
    assert_eq!(reply.etag_version(), 2);
}

#[tokio::test]
async fn a_deleted_resource_is_not_found_by_searches() {
    let server = TestServer::start().await;
    server.update(patient().id("a").mrn("1")).await.expect(201);
    server.delete("Patient/a").await.expect(204);
    assert_eq!(server.count("Patient").await, 0);
    let reply = server.get("Patient?identifier=1").await.expect(200);
    assert_eq!(reply.body["entry"].as_array().map_or(0, Vec::len), 0);
}

#[tokio::test]
async fn versions_before_a_deletion_can_still_be_read() {
    let server = TestServer::start().await;
    server.update(patient().id("a").family("One")).await.expect(201);
    server.update(patient().id("a").family("Two")).await.expect(200);
    server.delete("Patient/a").await.expect(204);
    let reply = server.get("Patient/a/_history/1").await.expect(200);
    assert_eq!(reply.body["name"][0]["family"], "One");
    let reply = server.get("Patient/a/_history/2").await.expect(200);
    assert_eq!(reply.body["name"][0]["family"], "Two");
    server.get("Patient/a/_history/3").await.expect_outcome(410, "deleted");
    server.get("Patient/a/_history/4").await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn deleting_what_is_deleted_or_never_was_is_204_and_makes_no_version() {
    let server = TestServer::start().await;
    server.delete("Patient/never").await.expect(204);
    server.get("Patient/never").await.expect(404);
    server.update(patient().id("a")).await.expect(201);
    server.delete("Patient/a").await.expect(204);
    server.delete("Patient/a").await.expect(204);
    assert_eq!(server.get("Patient/a").await.expect(410).etag_version(), 2);
}

#[tokio::test]
async fn an_update_brings_a_deleted_resource_back_with_the_next_version() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    server.delete("Patient/a").await.expect(204);
    let reply = server.update(patient().id("a")).await.expect(201);
    assert_eq!(reply.etag_version(), 3);
    let expected = format!("{}/Patient/a/_history/3", server.base());
    assert_eq!(reply.header("location"), expected);
    assert_eq!(server.get("Patient/a").await.expect(200).etag_version(), 3);
    server.get("Patient/a/_history/2").await.expect(410);
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn a_delete_with_a_stale_if_match_is_412() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let request = server.request("DELETE", "Patient/a").header("If-Match", "W/\"7\"");
    request.send().await.expect_outcome(412, "conflict");
    server.get("Patient/a").await.expect(200);
    let request = server.request("DELETE", "Patient/a").header("If-Match", "W/\"1\"");
    request.send().await.expect(204);
}

#[tokio::test]
async fn a_patch_of_a_deleted_resource_is_410() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    server.delete("Patient/a").await.expect(204);
    let patch = serde_json::json!([{"op": "replace", "path": "/active", "value": false}]);
    server.patch("Patient/a", &patch).await.expect_outcome(410, "deleted");
}

#[tokio::test]
async fn with_integrity_a_resource_that_others_refer_to_is_not_deleted() {
    let server = TestServer::start_with(|settings| settings.integrity_on_delete = true).await;
    server.update(patient().id("a")).await.expect(201);
    server.update(observation().id("o").subject("Patient/a")).await.expect(201);
    server.delete("Patient/a").await.expect_outcome(409, "conflict");
    server.get("Patient/a").await.expect(200);
    server.delete("Observation/o").await.expect(204);
    server.delete("Patient/a").await.expect(204);
}

#[tokio::test]
async fn with_integrity_a_reference_to_nothing_is_422() {
    let server = TestServer::start_with(|settings| settings.integrity_on_write = true).await;
    let resource = observation().subject("Patient/nobody");
    server.create(resource).await.expect_outcome(422, "not-found");
    assert_eq!(server.count("Observation").await, 0);
    server.update(patient().id("a")).await.expect(201);
    server.create(observation().subject("Patient/a")).await.expect(201);
    server.delete("Patient/a").await.expect(204);
    server.create(observation().subject("Patient/a")).await.expect(422);
}

#[tokio::test]
async fn concurrent_deletes_make_one_version() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let deletes = (0..8).map(|_| server.delete("Patient/a"));
    for reply in futures_util::future::join_all(deletes).await {
        reply.expect(204);
    }
    assert_eq!(server.get("Patient/a").await.expect(410).etag_version(), 2);
}
