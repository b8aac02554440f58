//! The demonstration set: valid, loaded once, and something to see.

use super::harness::{ServerProcess, TestDatabase, TestServer, patient};
use bhn_fhir::jobs::demo::load_demo;
use serde_json::Value;

#[tokio::test]
async fn the_set_is_loaded_and_answers() {
    let server = TestServer::start().await;
    let stored = load_demo(&server.context).await.unwrap();
    assert_eq!((stored.resources, stored.created), (172, 172));
    let found = async |query: &str| server.get(query).await.expect(200).body;
    let count = |bundle: &Value| bundle["entry"].as_array().map_or(0, Vec::len);
    assert_eq!(count(&found("Patient?family=Gutierrez").await), 2);
    let weights = found("Observation?patient=Patient/demo-child-rafi&_sort=date").await;
    assert_eq!(count(&weights), 7);
    assert_eq!(count(&found("Patient?name=আমিনা").await), 1);
    assert_eq!(count(&found("Appointment?patient=Patient/demo-amina").await), 1);
    assert_eq!(count(&found("Observation?value-quantity=lt2000||g").await), 1);
    assert_eq!(server.count("Organization").await, 3);
}

#[tokio::test]
async fn every_reference_leads_to_a_resource_of_the_set() {
    let server = TestServer::start_with(|settings| settings.integrity_on_write = true).await;
    assert_eq!(load_demo(&server.context).await.unwrap().created, 172);
}

#[tokio::test]
async fn the_set_is_loaded_once() {
    let server = TestServer::start().await;
    load_demo(&server.context).await.unwrap();
    server.update(patient().id("demo-amina").family("Changed")).await.expect(200);
    server.delete("Patient/demo-mei").await;
    assert!(load_demo(&server.context).await.unwrap().was_done);
    let read = server.get("Patient/demo-amina").await.body;
    assert_eq!(read["name"][0]["family"], "Changed");
    server.get("Patient/demo-mei").await.expect(410);
}

#[tokio::test]
async fn the_binary_loads_it_on_request() {
    let database = TestDatabase::clone_template();
    let process = ServerProcess::start_on_with(&database, &["--demo"]);
    process.get("Patient/demo-amina").await.expect(200);
}

#[tokio::test]
async fn a_mother_of_the_set_may_act_for_her_child() {
    let server = TestServer::start().await;
    load_demo(&server.context).await.unwrap();
    let links = server.links("proxy_link", ("person", "patient")).await;
    assert!(links.split(", ").any(|link| link == "demo-amina demo-child-rafi"), "{links}");
}
