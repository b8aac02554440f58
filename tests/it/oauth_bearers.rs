//! Access tokens: which are good, for whom, and how soon they end (SECURITY AS-10, AS-20 to 22, 33).

use super::harness::{Grantee, TestServer};
use bhn_fhir::access::Role;

/// The bearer of a token as the server knows it.
async fn bearer(server: &TestServer, token: &str) -> std::sync::Arc<bhn_fhir::access::Principal> {
    server.authorization().bearers.principal(token).await.unwrap()
}

#[tokio::test]
async fn the_bearer_of_a_token_is_what_the_database_says() {
    let server = TestServer::start_signed_in().await;
    let account = server.person(Role::Patient, "Patient/p").await;
    let token = server.token(&Grantee::person(&account).about("p"), "patient/*.rs").await;
    let bearer = bearer(&server, &token).await;
    assert_eq!(bearer.name, format!("account/{account}"));
    assert_eq!(bearer.role, Role::Patient);
    let patient = server.link("Patient/p").await;
    assert_eq!(bearer.links.fhir_user.as_ref(), Some(&patient));
    assert_eq!(bearer.links.patients, std::slice::from_ref(&patient));
    assert_eq!(bearer.launch.patient, Some(patient));
}
