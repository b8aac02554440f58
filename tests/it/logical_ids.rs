//! Logical ids in URLs: <https://hl7.org/fhir/R4/resource.html#id>, datatypes.html#id.

use super::harness::{TestServer, patient, send_raw};

#[tokio::test]
async fn ids_have_up_to_64_characters() {
    let server = TestServer::start().await;
    let longest = "a".repeat(64);
    server.update(patient().id(&longest)).await.expect(201);
    server.get(&format!("Patient/{longest}")).await.expect(200);
    let too_long = "a".repeat(65);
    server.update(patient().id(&too_long)).await.expect(400);
    server.get(&format!("Patient/{too_long}")).await.expect(404);
}

#[tokio::test]
async fn ids_have_letters_digits_hyphens_and_dots() {
    let server = TestServer::start().await;
    for id in ["1", "-", "A.b-9", "...a", "-.-", "00000000-0000-0000-0000-000000000000"] {
        server.update(patient().id(id)).await.expect(201);
        server.get(&format!("Patient/{id}")).await.expect(200);
    }
    for id in ["a_b", "a%20b", "a%2Fb", "%C3%A9", "a%00b", "a+b", "a~", "a@b", "a:b", "%27"] {
        let path = format!("Patient/{id}");
        let plain = percent(id);
        let reply = server.put(&path, &patient().id(&plain).into()).await;
        assert!(matches!(reply.status(), 400 | 404), "{id}: {reply:?}");
        let reply = server.get(&path).await;
        assert!(matches!(reply.status(), 400 | 404), "{id}: {reply:?}");
        assert_eq!(reply.body["resourceType"], "OperationOutcome", "{id}");
    }
}

fn percent(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[tokio::test]
async fn ids_of_dots_alone_are_refused() {
    let server = TestServer::start().await;
    for id in [".", "..", "...", "%2e", "%2E%2e"] {
        let plain = percent(id);
        let body = serde_json::Value::from(patient().id(&plain)).to_string();
        let length = format!("content-length: {}", body.len());
        let lines = ["content-type: application/fhir+json", length.as_str()];
        let path = format!("/fhir/Patient/{id}");
        let reply = send_raw(server.base(), ("PUT", &path), &lines, body.as_bytes()).await;
        if plain == "..." {
            assert!(matches!(reply.status, 201 | 400), "{id}: {}", reply.body);
            continue;
        }
        assert!(matches!(reply.status, 400 | 404), "{id}: {} {}", reply.status, reply.body);
        let reply = send_raw(server.base(), ("GET", &path), &[], b"").await;
        assert!(matches!(reply.status, 400 | 404), "{id}: {}", reply.body);
        assert!(reply.body.contains("OperationOutcome"), "{id}: {}", reply.body);
    }
}

#[tokio::test]
async fn broken_percent_encoding_is_400() {
    let server = TestServer::start().await;
    for path in ["/fhir/Patient/%", "/fhir/Patient/%zz", "/fhir/Patient/%ff", "/fhir/%00"] {
        let reply = send_raw(server.base(), ("GET", path), &[], b"").await;
        assert!(matches!(reply.status, 400 | 404), "{path}: {}", reply.body);
        assert!(reply.body.contains("OperationOutcome"), "{path}: {}", reply.body);
    }
    for query in ["%", "%zz", "name=%ff", "name=%00", "%00=1", "=&=", "name=%ed%a0%80"] {
        let path = format!("/fhir/Patient?{query}");
        let reply = send_raw(server.base(), ("GET", &path), &[], b"").await;
        assert_eq!(reply.status, 400, "{query}: {}", reply.body);
        assert!(reply.body.contains("OperationOutcome"), "{query}: {}", reply.body);
    }
}

#[tokio::test]
async fn an_id_in_the_url_may_be_percent_encoded() {
    let server = TestServer::start().await;
    server.update(patient().id("a-b")).await.expect(201);
    server.get("Patient/a%2Db").await.expect(200);
    server.get("%50atient/a-b").await.expect(200);
}

#[tokio::test]
async fn an_id_of_the_body_is_of_the_same_rules() {
    let server = TestServer::start().await;
    for id in ["a b", "", "a/b", "..", "ä"] {
        let reply = server.put("Patient/a", &patient().id(id).into()).await;
        assert_eq!(reply.status(), 400, "{id}: {reply:?}");
    }
    let reply = server.put("Patient/a", &patient().with("id", 1).into()).await;
    assert_eq!(reply.expect(400).expressions(), ["Patient.id"]);
}
