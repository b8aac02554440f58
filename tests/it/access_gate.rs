//! The gate, asked once per interaction.

use crate::harness::{TestServer, principal};
use bhn_fhir::access::{Role, Scopes};
use serde_json::json;

#[tokio::test]
async fn credentials_that_are_not_known_are_401() {
    let server = TestServer::start().await;
    let stranger = server.client.with_authorization("Test nobody".to_owned());
    stranger.get("Patient").await.expect_outcome(401, "login");
    let mut ann = principal("ann", Role::Doctor, "openid");
    ann.links.fhir_user = Some(server.link("Practitioner/ann").await);
    let doctor = server.as_principal(ann);
    doctor.get("Patient").await.expect_outcome(403, "forbidden");
}

#[tokio::test]
async fn the_scope_fhir_user_lets_the_person_be_read_and_nobody_else() {
    let server = TestServer::start().await;
    for id in ["ann", "bob"] {
        let practitioner = json!({"resourceType": "Practitioner", "id": id, "active": true});
        server.update(practitioner).await.expect(201);
    }
    let mut ann = principal("ann", Role::Doctor, "openid fhirUser launch patient/Observation.rs");
    ann.links.fhir_user = Some(server.link("Practitioner/ann").await);
    ann.launch.patient = Some(server.link("Patient/p").await);
    let client = server.as_principal(ann.clone());
    client.get("Practitioner/ann").await.expect(200);
    client.get("Practitioner/bob").await.expect_outcome(404, "not-found");
    client.get("Practitioner").await.expect_outcome(403, "forbidden");
    client.get("Practitioner/ann/_history").await.expect_outcome(403, "forbidden");
    ann.scopes = Scopes::parse("openid patient/Observation.rs").unwrap();
    server.as_principal(ann).get("Practitioner/ann").await.expect_outcome(403, "forbidden");
}

#[tokio::test]
async fn a_conditional_update_without_a_match_creates_nothing_for_who_may_not_create() {
    let server = TestServer::start().await;
    let mut ann = principal("ann", Role::Doctor, "user/*.cruds");
    ann.links.fhir_user = Some(server.link("Practitioner/ann").await);
    let ann = server.as_principal(ann);
    let body = json!({"resourceType": "Patient", "identifier": [{"value": "1"}]});
    ann.put("Patient?identifier=1", &body).await.expect_outcome(404, "not-found");
    assert_eq!(server.count("Patient").await, 0);
}
