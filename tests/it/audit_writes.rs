//! Writes and their events: one does not come without the other. SECURITY.md, AU-06.

use super::harness::{Audited, Role, observation, patient, principal};
use bhn_fhir::audit::{Action, Event, EventOutcome};
use futures_util::future::join_all;
use serde_json::{Value, json};

fn seen(event: &Event) -> Vec<String> {
    event.seen.iter().map(|seen| seen.key.clone()).collect()
}

#[tokio::test]
async fn au_06_a_create_and_its_event_are_one_transaction() {
    let server = Audited::start().await;
    let (created, event) = server.event_of(server.create(patient())).await;
    let id = created.expect(201).id().to_owned();
    assert_eq!((event.subtype.as_str(), event.action), ("create", Action::Create));
    assert_eq!((event.outcome, event.status), (EventOutcome::Success, 201));
    assert_eq!((seen(&event), event.patients.clone()), (vec![format!("Patient/{id}")], vec![id]));
    assert_eq!(event.seen[0].version, Some(1));
    assert_eq!(event.agent.name, "insecure-no-auth");
    assert_eq!(event.before, None, "an event of a write is in no journal");
    let mut connection = server.database.connect().await;
    let sql = "select count(*) from audit_event e join resource r on r.xid::text::bigint = e.xid";
    let same: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(same, 1);
}

#[tokio::test]
async fn au_06_creates_that_share_a_statement_have_an_event_each() {
    let server = Audited::start().await;
    let send = |n: usize| {
        let request = server.request("POST", "Patient");
        let id = format!("request-{n:04}");
        async move { request.header("X-Request-Id", &id).json(&patient().into()).send().await }
    };
    let (replies, events) = server.events_of(join_all((0..40).map(send))).await;
    let mut expected: Vec<(String, String)> = replies
        .iter()
        .map(|reply| (reply.header("X-Request-Id").to_owned(), reply.id().to_owned()))
        .collect();
    let mut found: Vec<(String, String)> = events
        .iter()
        .map(|event| (event.origin.request_id.clone(), event.patients[0].clone()))
        .collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn au_06_update_patch_and_delete_have_their_events() {
    let server = Audited::start().await;
    let id = server.create(patient()).await.expect(201).id().to_owned();
    let path = format!("Patient/{id}");
    let changed = json!({"resourceType": "Patient", "id": id, "gender": "female"});
    let (_, event) = server.event_of(async { server.put(&path, &changed).await.expect(200) }).await;
    assert_eq!((event.subtype.as_str(), event.action), ("update", Action::Update));
    assert_eq!(event.seen[0].version, Some(2));
    let patch = json!([{"op": "replace", "path": "/gender", "value": "male"}]);
    let (_, event) = server.event_of(async { server.patch(&path, &patch).await.expect(200) }).await;
    assert_eq!((event.subtype.as_str(), event.action), ("patch", Action::Update));
    let (_, event) = server.event_of(async { server.delete(&path).await.expect(204) }).await;
    assert_eq!((event.subtype.as_str(), event.action), ("delete", Action::Delete));
    assert_eq!((event.patients, event.seen[0].version), (vec![id], Some(4)));
}

#[tokio::test]
async fn au_06_an_update_that_creates_is_a_create() {
    let server = Audited::start().await;
    let new = json!({"resourceType": "Patient", "id": "mine"});
    let (_, event) =
        server.event_of(async { server.put("Patient/mine", &new).await.expect(201) }).await;
    assert_eq!((event.subtype.as_str(), event.action), ("update", Action::Create));
}

fn transaction(creates: usize) -> Value {
    let entry = |n: usize| {
        let url = format!("urn:uuid:00000000-0000-4000-8000-{n:012}");
        json!({"fullUrl": url, "resource": patient_value(),
            "request": {"method": "POST", "url": "Patient"}})
    };
    let entries: Vec<Value> = (0..creates).map(entry).collect();
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

fn patient_value() -> Value {
    patient().into()
}

#[tokio::test]
async fn au_06_a_transaction_of_any_size_has_one_event_with_all_that_it_wrote() {
    let server = Audited::start().await;
    // The second one is stored by COPY.
    for creates in [3, 60] {
        let bundle = transaction(creates);
        let (reply, event) = server.event_of(server.post("", &bundle)).await;
        reply.expect(200);
        assert_eq!((event.subtype.as_str(), event.action), ("transaction", Action::Create));
        assert_eq!((event.seen.len(), event.patients.len()), (creates, creates));
    }
}

#[tokio::test]
async fn au_06_a_transaction_names_what_it_did_to_each_and_its_reads_have_their_own() {
    let server = Audited::start().await;
    let id = server.create(patient()).await.expect(201).id().to_owned();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "DELETE", "url": format!("Patient/{id}")}},
        {"resource": patient_value(), "request": {"method": "POST", "url": "Patient"}},
        {"request": {"method": "GET", "url": "Patient"}},
    ]});
    let (_, events) = server.events_of(async { server.post("", &bundle).await.expect(200) }).await;
    let [written, read] = events.as_slice() else { panic!("{events:?}") };
    let mut actions: Vec<Action> =
        written.seen.iter().map(|seen| seen.action.expect("of each its own")).collect();
    actions.sort_by_key(|action| action.as_str());
    assert_eq!((written.action, actions), (Action::Execute, vec![Action::Create, Action::Delete]));
    assert_eq!(read.rows, 1);
}

#[tokio::test]
async fn au_06_what_changes_nothing_is_told_as_a_read() {
    let server = Audited::start().await;
    let made = server.create(patient().mrn("1")).await.expect(201).id().to_owned();
    let again =
        async { server.create_if_none_exist(patient().mrn("1"), "identifier=1").await.expect(200) };
    let (_, event) = server.event_of(again).await;
    assert_eq!((event.status, event.rows, event.patients), (200, 1, vec![made]));
    assert!(event.before.is_some(), "it is in the journal");
    assert_eq!(event.query.as_deref(), Some("Patient?identifier=1"));
}

#[tokio::test]
async fn au_06_a_refused_write_has_one_event_that_says_why() {
    let server = Audited::start().await;
    let id = server.create(patient()).await.expect(201).id().to_owned();
    let update = server.request("PUT", &format!("Patient/{id}")).header("If-Match", "W/\"7\"");
    let resource = json!({"resourceType": "Patient", "id": id});
    let (_, event) =
        server.event_of(async { update.json(&resource).send().await.expect(412) }).await;
    assert_eq!((event.outcome, event.status), (EventOutcome::Minor, 412));
    assert!(event.reason.is_some());
    let invalid = json!({"resourceType": "Patient", "gender": 1});
    let (_, event) =
        server.event_of(async { server.post("Patient", &invalid).await.expect(400) }).await;
    assert_eq!((event.outcome, event.status), (EventOutcome::Minor, 400));
    assert_eq!(server.count("Patient").await, 1);
}

#[tokio::test]
async fn au_06_lost_races_leave_one_event_for_each_version() {
    let server = Audited::start().await;
    let id = server.create(patient()).await.expect(201).id().to_owned();
    let path = format!("Patient/{id}");
    let put = |n: usize| {
        let resource = json!({"resourceType": "Patient", "id": id, "active": n.is_multiple_of(2),
            "birthDate": format!("20{n:02}")});
        let (path, server) = (&path, &server);
        async move { server.put(path, &resource).await.expect(200) }
    };
    let (_, events) = server.events_of(join_all((10..30).map(put))).await;
    let mut versions: Vec<i64> = events
        .iter()
        .filter(|event| event.before.is_none())
        .flat_map(|event| event.seen[0].version)
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..22).collect::<Vec<i64>>());
}

#[tokio::test]
async fn au_06_no_write_without_audit() {
    let server = Audited::start().await;
    server.create(patient()).await.expect(201);
    server.tamper("alter table audit_event add constraint full_up check (false) not valid").await;
    assert!(server.create(patient()).await.status() >= 500);
    assert!(server.post("", &transaction(60)).await.status() >= 500);
    assert!(
        server.put("Patient/x", &json!({"resourceType": "Patient", "id": "x"})).await.status()
            >= 500
    );
    server.tamper("alter table audit_event drop constraint full_up").await;
    assert_eq!(server.count("Patient").await, 1);
    server.create(patient()).await.expect(201);
}

#[tokio::test]
async fn au_02_an_event_says_who_from_where_and_with_what() {
    let server = Audited::start().await;
    let caller = server.as_principal(principal("rahima", Role::Doctor, "user/*.rs"));
    let request = caller.request("GET", "Patient/none").header("User-Agent", "app/1");
    let request = request.header("X-Request-Id", "request-0001");
    let (_, event) = server.event_of(request.send()).await;
    assert_eq!(event.agent.name, "account/rahima");
    assert_eq!(event.agent.role.as_deref(), Some("doctor"));
    assert_eq!(event.agent.client.as_deref(), Some("test"));
    assert_eq!(event.agent.token.as_deref(), Some("rahima"));
    assert_eq!(event.origin.address.unwrap().to_string(), "127.0.0.1");
    assert_eq!(event.origin.user_agent.as_deref(), Some("app/1"));
    assert_eq!(event.origin.request_id, "request-0001");
    assert_eq!(seen(&event), ["Patient/none"]);
    assert!(event.status >= 400 && event.reason.is_some());
}

#[tokio::test]
async fn au_02_observations_are_told_to_the_patient_they_are_about() {
    let server = Audited::start().await;
    let mother = server.create(patient()).await.expect(201).id().to_owned();
    let resource: Value = observation().into();
    let mut resource = resource;
    resource["subject"] = json!({"reference": format!("Patient/{mother}")});
    let (_, event) =
        server.event_of(async { server.post("Observation", &resource).await.expect(201) }).await;
    assert_eq!(event.patients, [mother]);
}
