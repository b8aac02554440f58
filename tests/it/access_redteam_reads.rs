//! Red team, A and E: direct access to resources, and headers (SECURITY.md 2.8).

use crate::harness::{FhirClient, Network, Reply, TestServer};
use serde_json::json;

/// What an answer says, but for the request it belongs to.
fn said(reply: &Reply, id: &str) -> (u16, String) {
    (reply.status(), reply.text().replace(id, "[id]"))
}

/// 404, byte for byte as for an id that there never was.
async fn is_missing(client: &FhirClient, path: &str, id: &str) {
    let missing = path.replace(id, "nonesuch");
    let (hidden, missing) = (client.get(path).await, client.get(&missing).await);
    assert_eq!(said(&hidden, id), said(&missing, "nonesuch"), "{path}");
    hidden.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn rt_001_without_a_token_is_401_with_a_challenge() {
    let server = TestServer::start_with(|settings| settings.insecure_no_auth = false).await;
    for path in ["Patient/P1", "Patient", "_history", "Patient?_type=x", "$meta"] {
        let reply = server.get(path).await;
        assert_eq!(reply.header("www-authenticate"), "Bearer", "{path}");
        reply.expect_outcome(401, "login");
    }
    server.get("metadata").await.expect(200);
    let stranger = server.client.with_authorization("Test nobody".to_owned());
    let reply = stranger.get("Patient/P1").await;
    assert_eq!(reply.header("www-authenticate"), "Bearer error=\"invalid_token\"");
}

#[tokio::test]
async fn rt_002_to_011_what_is_not_seen_is_missing() {
    let network = Network::start().await;
    network.put(&json!({"resourceType": "Patient", "id": "P2", "active": true})).await;
    let cases = [
        ("p1", "Patient/P2", "P2"),
        ("p1", "Observation/o2/_history/1", "o2"),
        ("p1", "Observation/o2/_history", "o2"),
        ("p1", "Patient/P2/_history/1", "P2"),
        ("p1", "Patient/P2/$meta", "P2"),
        ("d1", "Patient/P2", "P2"),
        ("d1", "Observation/o2", "o2"),
        ("h1", "Observation/o2", "o2"),
        ("gon", "Composition/br2", "br2"),
        ("e1", "Patient/P2", "P2"),
        ("p1", "Practitioner/gone", "gone"),
        ("p1", "Slot/busy", "busy"),
        ("p1", "Patient/P2/Observation", "P2"),
    ];
    for (who, path, id) in cases {
        is_missing(&network.as_person(who).await, path, id).await;
    }
    for (who, path) in [
        ("p1", "Patient/P1"),
        ("p1", "Observation/o1"),
        ("p1", "Observation/o1/_history/1"),
        ("p1", "Observation/o1/_history"),
        ("d1", "Patient/P1"),
        ("d1", "Patient/P1/Observation"),
        ("h1", "Patient/P1"),
        ("a1", "Observation/o2"),
        ("gon", "Composition/br1"),
        ("r1", "Composition/br1"),
        ("e1", "Patient/P1"),
        ("p1", "Practitioner/D2"),
        ("p1", "Slot/free"),
        ("p1", "ValueSet/vs"),
    ] {
        network.as_person(who).await.get(path).await.expect(200);
    }
}

#[tokio::test]
async fn rt_007_a_conditional_read_of_what_is_not_seen_is_404_not_304() {
    let network = Network::start().await;
    let patient = network.as_person("p1").await;
    let ask =
        |path: &'static str| patient.request("GET", path).header("If-None-Match", "W/\"1\"").send();
    ask("Observation/o2").await.expect_outcome(404, "not-found");
    assert_eq!(ask("Observation/o1").await.status(), 304);
}

#[tokio::test]
async fn rt_013_a_type_that_the_scopes_do_not_name_is_403() {
    let network = Network::start().await;
    let app = network.as_person_with("p1", "patient/Observation.rs").await;
    for path in ["Patient/P1", "Patient/nonesuch", "Patient", "Condition/c1", "Patient/P1/_history"]
    {
        let reply = app.get(path).await;
        assert_eq!(reply.header("www-authenticate"), "Bearer error=\"insufficient_scope\"");
        reply.expect_outcome(403, "forbidden");
    }
    app.get("Observation/o1").await.expect(200);
    app.get("Observation").await.expect(200);
}

#[tokio::test]
async fn rt_014_spellings_of_a_path_lead_to_no_other_patient() {
    let network = Network::start().await;
    let patient = network.as_person("p1").await;
    for path in ["patient/P1", "Patient//P1", "Patient/%2e%2e/P2", "Patient/P1%2f..%2fP2"] {
        let status = patient.get(path).await.status();
        assert!(matches!(status, 400 | 404), "{path} {status}");
    }
    assert_eq!(patient.get("Patient/%50%31").await.id(), "P1");
    patient.get("Patient/%50%32").await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn rt_016_and_017_headers_that_override_are_ignored() {
    let network = Network::start().await;
    let patient = network.as_person("p1").await;
    for (name, value) in [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Original-URL", "/fhir/Patient/P2"),
        ("X-Rewrite-URL", "/fhir/Patient/P2"),
    ] {
        let reply = patient.request("GET", "Patient/P1").header(name, value).send().await;
        assert_eq!(reply.expect(200).id(), "P1");
    }
    patient.get("Patient/P1").await.expect(200);
}

#[tokio::test]
async fn rt_067_answers_are_not_for_shared_caches() {
    let network = Network::start().await;
    let reply = network.as_person("p1").await.get("Patient/P1").await.expect(200);
    assert_eq!(reply.header("cache-control"), "private, no-store");
    assert!(reply.header("vary").contains("Authorization"));
    assert!(!reply.header("etag").is_empty());
}

#[tokio::test]
async fn as_27_patient_scopes_need_a_patient_in_context() {
    let network = Network::start().await;
    let mut nowhere = network.person("p1").await;
    nowhere.launch.patient = None;
    nowhere.name = "account/nowhere".to_owned();
    network.server.as_principal(nowhere).get("Patient/P1").await.expect_outcome(403, "forbidden");
    let mut other = network.person("p1").await;
    other.launch.patient = Some(network.server.link("Patient/P2").await);
    other.name = "account/other".to_owned();
    let other = network.server.as_principal(other);
    other.get("Patient/P2").await.expect_outcome(403, "forbidden");
    let mut proxy = network.person("p1").await;
    proxy.launch.patient = Some(network.server.link("Patient/N1").await);
    proxy.name = "account/proxy".to_owned();
    let proxy = network.server.as_principal(proxy);
    proxy.get("Observation/on1").await.expect(200);
    proxy.get("Observation/o1").await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn az_03_a_person_without_fhir_user_is_nobody() {
    let network = Network::start().await;
    let mut nobody = network.person("d1").await;
    nobody.links.fhir_user = None;
    nobody.name = "account/nobody".to_owned();
    let nobody = network.server.as_principal(nobody);
    nobody.get("Patient/P1").await.expect_outcome(401, "login");
}

#[tokio::test]
async fn scopes_of_systems_are_for_systems_and_those_of_users_for_people() {
    let network = Network::start().await;
    for (who, scopes) in
        [("d1", "system/*.cruds"), ("e1", "user/*.cruds"), ("e1", "patient/*.cruds")]
    {
        let client = network.as_person_with(who, scopes).await;
        client.get("Patient/P1").await.expect_outcome(403, "forbidden");
    }
    // A patient's own scope of users is about what is public.
    let patient = network.as_person_with("p1", "user/*.rs").await;
    patient.get("Patient/P1").await.expect_outcome(403, "forbidden");
    patient.get("Practitioner/D1").await.expect(200);
}

#[tokio::test]
async fn a_doctor_in_the_context_of_a_patient_sees_that_patient_alone() {
    let network = Network::start().await;
    network.care("D1", "P2").await;
    let mut doctor = network.person_with("d1", "patient/*.rs").await;
    doctor.launch.patient = Some(network.server.link("Patient/P2").await);
    let doctor = network.server.as_principal(doctor);
    doctor.get("Observation/o2").await.expect(200);
    doctor.get("Observation/o1").await.expect_outcome(404, "not-found");
    assert_eq!(doctor.get("Patient").await.expect(200).sorted_ids("match"), "P2");
    doctor.get("Practitioner/D2").await.expect(200);
}
