//! The gate, asked once per interaction.

use crate::harness::{TestServer, principal};
use bhn_fhir::access::Role;

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
