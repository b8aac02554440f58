//! read, vread, HEAD and conditional read: <https://hl7.org/fhir/R4/http.html#read>.

use super::harness::{TestServer, patient};
use serde_json::json;

#[tokio::test]
async fn a_read_returns_the_resource_with_its_id_etag_and_last_modified() {
    let server = TestServer::start().await;
    let id = server.create(patient()).await.expect(201).id().to_owned();
    let reply = server.get(&format!("Patient/{id}")).await.expect(200);
    assert_eq!(reply.body["id"], json!(id));
    assert_eq!(reply.body["meta"]["versionId"], "1");
    assert_eq!(reply.etag_version(), 1);
    assert!(reply.header("last-modified").ends_with(" GMT"), "{reply:?}");
    assert_eq!(reply.header("content-type"), "application/fhir+json; charset=utf-8");
}

#[tokio::test]
async fn last_modified_is_meta_last_updated_to_the_second() {
    let server = TestServer::start().await;
    let id = server.create(patient()).await.expect(201).id().to_owned();
    let reply = server.get(&format!("Patient/{id}")).await.expect(200);
    let stored = reply.body["meta"]["lastUpdated"].as_str().unwrap();
    let stored = chrono::DateTime::parse_from_rfc3339(stored).unwrap();
    let header = chrono::DateTime::parse_from_rfc2822(reply.header("last-modified")).unwrap();
    assert_eq!(stored.timestamp(), header.timestamp());
}

#[tokio::test]
async fn a_read_of_an_unknown_id_is_404_with_an_outcome() {
    let server = TestServer::start().await;
    let reply = server.get("Patient/nobody").await.expect_outcome(404, "not-found");
    assert_eq!(reply.header("etag"), "");
}

#[tokio::test]
async fn a_read_of_an_unknown_type_is_404_with_an_outcome() {
    let server = TestServer::start().await;
    server.get("Nonsense/1").await.expect_outcome(404, "not-found");
    server.get("patient/1").await.expect_outcome(404, "not-found");
    // Abstract types have no instances (resource.html, domainresource.html).
    server.get("Resource/1").await.expect_outcome(404, "not-found");
    server.get("DomainResource/1").await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn ids_of_two_types_do_not_meet() {
    let server = TestServer::start().await;
    server.update(patient().id("same")).await.expect(201);
    server.get("Observation/same").await.expect_outcome(404, "not-found");
    server.get("Patient/SAME").await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn vread_returns_each_version_as_it_was() {
    let server = TestServer::start().await;
    server.update(patient().id("a").family("One")).await.expect(201);
    server.update(patient().id("a").family("Two")).await.expect(200);
    for (version, family) in [(1, "One"), (2, "Two")] {
        let reply = server.get(&format!("Patient/a/_history/{version}")).await.expect(200);
        assert_eq!(reply.body["name"][0]["family"], family);
        assert_eq!(reply.body["meta"]["versionId"], json!(version.to_string()));
        assert_eq!(reply.etag_version(), version);
    }
}

#[tokio::test]
async fn vread_of_a_version_that_never_was_is_404() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    for version in ["2", "0", "-1", "01", "x", "99999999999999999999", "1.0", "%31%31"] {
        let path = format!("Patient/a/_history/{version}");
        server.get(&path).await.expect_outcome(404, "not-found");
    }
    server.get("Patient/b/_history/1").await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn head_answers_as_get_does_without_a_body() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    for path in ["Patient/a", "Patient/a/_history/1", "Patient?_id=a", "metadata"] {
        let get = server.get(path).await.expect(200);
        let head = server.request("HEAD", path).send().await.expect(200);
        assert!(head.bytes.is_empty(), "{path}");
        for name in ["etag", "last-modified", "content-type"] {
            assert_eq!(head.header(name), get.header(name), "{name} of {path}");
        }
    }
    let reply = server.request("HEAD", "Patient/nobody").send().await.expect(404);
    assert!(reply.bytes.is_empty());
    server.delete("Patient/a").await;
    let reply = server.request("HEAD", "Patient/a").send().await.expect(410);
    assert_eq!(reply.etag_version(), 2);
}

#[tokio::test]
async fn if_none_match_with_the_current_etag_is_304_without_a_body() {
    let server = TestServer::start().await;
    let etag = server.update(patient().id("a")).await.expect(201).header("etag").to_owned();
    let asked = server.request("GET", "Patient/a").header("If-None-Match", &etag);
    let reply = asked.send().await.expect(304);
    assert!(reply.bytes.is_empty());
    assert_eq!(reply.header("etag"), etag);
    let list = format!("W/\"77\", {etag}");
    let asked = server.request("GET", "Patient/a").header("If-None-Match", &list);
    asked.send().await.expect(304);
    let asked = server.request("HEAD", "Patient/a").header("If-None-Match", &etag);
    asked.send().await.expect(304);
}

#[tokio::test]
async fn if_none_match_with_an_old_etag_is_200_with_the_new_version() {
    let server = TestServer::start().await;
    let etag = server.update(patient().id("a")).await.expect(201).header("etag").to_owned();
    server.update(patient().id("a").family("Other")).await.expect(200);
    let asked = server.request("GET", "Patient/a").header("If-None-Match", &etag);
    assert_eq!(asked.send().await.expect(200).body["name"][0]["family"], "Other");
}

#[tokio::test]
async fn if_modified_since_is_304_until_the_resource_changes() {
    let server = TestServer::start().await;
    let created = server.update(patient().id("a")).await.expect(201);
    let modified = created.header("last-modified").to_owned();
    let asked =
        |since: &str| server.request("GET", "Patient/a").header("If-Modified-Since", since).send();
    asked(&modified).await.expect(304);
    asked("Sun, 06 Nov 1994 08:49:37 GMT").await.expect(200);
    asked("not a date").await.expect(200);
}

#[tokio::test]
async fn a_broken_if_none_match_is_400() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    let asked = server.request("GET", "Patient/a").header("If-None-Match", "1");
    asked.send().await.expect_outcome(400, "value");
}

#[tokio::test]
async fn a_conditional_read_of_what_is_not_there_is_404_or_410_never_304() {
    let server = TestServer::start().await;
    let asked = server.request("GET", "Patient/a").header("If-None-Match", "*");
    asked.send().await.expect(404);
    server.update(patient().id("a")).await.expect(201);
    server.delete("Patient/a").await.expect(204);
    let asked = server.request("GET", "Patient/a").header("If-None-Match", "W/\"2\"");
    asked.send().await.expect(410);
}

#[tokio::test]
async fn an_unknown_parameter_of_a_read_is_refused_unless_handling_is_lenient() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    server.get("Patient/a?foo=bar").await.expect_outcome(400, "not-supported");
    let asked = server.request("GET", "Patient/a?foo=bar").header("Prefer", "handling=lenient");
    asked.send().await.expect(200);
}

#[tokio::test]
async fn a_trailing_slash_names_the_same_resource() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    server.get("Patient/a/").await.expect(200);
    server.get("Patient/").await.expect(200);
}

#[tokio::test]
async fn a_304_has_the_headers_that_its_200_would_have() {
    let server = TestServer::start().await;
    server.update(patient().id("a")).await.expect(201);
    for path in ["Patient/a", "Patient/a/_history/1"] {
        let full = server.get(path).await.expect(200);
        let known = server.request("GET", path).header("If-None-Match", "W/\"1\"").send().await;
        let known = known.expect(304);
        for name in ["etag", "last-modified", "content-location", "vary", "cache-control"] {
            assert!(!known.header(name).is_empty(), "{name}");
            assert_eq!(known.header(name), full.header(name), "{name}");
        }
    }
}
