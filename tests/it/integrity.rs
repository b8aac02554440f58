//! Referential integrity as a setting, and the row filter that every query carries.

use crate::harness::{TestServer, observation, patient};
use bhn_fhir::access::{Permit, RowFilter};
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use bhn_fhir::fhir::resource::ResourceKey;
use bhn_fhir::storage::{Current, From, HistoryQuery, InstanceQuery, Window};
use serde_json::json;

#[tokio::test]
async fn a_reference_to_a_missing_target_is_allowed_by_default() {
    let server = TestServer::start().await;
    server.create(observation().subject("Patient/unknown")).await.expect(201);
    server.get("Patient/unknown").await.expect(404);
}

#[tokio::test]
async fn with_integrity_on_write_a_reference_leads_to_a_live_resource() {
    let server = TestServer::start_with(|settings| settings.integrity_on_write = true).await;
    let reply = server.create(observation().subject("Patient/unknown")).await.expect(422);
    assert!(reply.body["issue"][0]["diagnostics"].as_str().unwrap().contains("Patient/unknown"));
    server.update(patient().id("a")).await.expect(201);
    server.create(observation().subject("Patient/a")).await.expect(201);
    server.delete("Patient/a").await.expect(204);
    server.create(observation().subject("Patient/a")).await.expect(422);
    // Targets inside the same transaction count.
    let urn = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0";
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": serde_json::Value::from(observation().subject(urn)),
            "request": {"method": "POST", "url": "Observation"}},
        {"fullUrl": urn, "resource": serde_json::Value::from(patient()),
            "request": {"method": "POST", "url": "Patient"}}]});
    server.post("", &bundle).await.expect(200);
}

#[tokio::test]
async fn with_integrity_on_delete_a_resource_that_is_referred_to_stays() {
    let server = TestServer::start_with(|settings| settings.integrity_on_delete = true).await;
    server.update(patient().id("a")).await.expect(201);
    server.update(observation().id("o").subject("Patient/a")).await.expect(201);
    let reply = server.delete("Patient/a").await.expect(409);
    assert!(reply.body["issue"][0]["diagnostics"].as_str().unwrap().contains("Observation/o"));
    server.delete("Observation/o").await.expect(204);
    server.delete("Patient/a").await.expect(204);
}

#[tokio::test]
async fn every_query_obeys_the_row_filter_of_its_permit() {
    let server = TestServer::start().await;
    for id in ["a", "b"] {
        server.update(patient().id(id)).await.expect(201);
        let own = observation().id(&format!("o-{id}")).subject(&format!("Patient/{id}"));
        server.update(own.clone()).await.expect(201);
        server.update(own.with("status", "amended")).await.expect(200);
    }
    let store = &server.context.store;
    let permit = server.permit_about("Patient/a").await;
    let key = |text: &str| ResourceKey::parse(text).unwrap();
    let is_live = |current| matches!(current, Current::Live(_));
    assert!(is_live(store.current(&permit, &key("Observation/o-a")).await.unwrap()));
    assert!(!is_live(store.current(&permit, &key("Observation/o-b")).await.unwrap()));
    let mut connection = store.connection().await.unwrap();
    for (id, is_visible) in [("Observation/o-a", true), ("Observation/o-b", false)] {
        let version = store.version(&mut connection, &permit, (&key(id), 1)).await.unwrap();
        assert_eq!(version.is_some(), is_visible);
        let query =
            InstanceQuery { key: &key(id), window: Window::default(), before: None, count: 10 };
        let history = store.history_of(&mut connection, &permit, &query).await.unwrap();
        assert_eq!(history.is_some(), is_visible);
    }
    let scope = SearchScope::Type(key("Observation/x").resource_type);
    let total = ("_total".to_owned(), "accurate".to_owned());
    let plan = server.context.plan(&scope, &[total], Handling::Strict).unwrap();
    let page = store.search(&permit, &plan).await.unwrap();
    assert_eq!((page.matches.len(), page.total), (1, Some(1)));
    let query = HistoryQuery {
        resource_type: Some(key("Observation/x").resource_type),
        window: Window::default(),
        from: From::Newest,
        count: 10,
        now: server.context.clock.now(),
    };
    let history = store.history(&mut connection, &permit, &query).await.unwrap();
    assert_eq!(history.versions.len(), 2);
    let nobody = Permit::operator().narrowed(RowFilter::of_stamps(vec![], vec![], vec![]));
    assert!(store.search(&nobody, &plan).await.unwrap().matches.is_empty());
}
