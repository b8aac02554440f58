//! Reads and refusals are written down before they are answered. SECURITY.md, AU-01, AU-07 to
//! AU-09.

use super::harness::{Audited, Reply, Role, observation, patient, principal};
use bhn_fhir::audit::{Action, EventOutcome, Kind, SecurityEvent};
use bhn_fhir::config::AuditDurability;
use bhn_fhir::search::SubjectPaths;
use futures_util::future::join_all;
use serde_json::{Value, json};

async fn with_patient() -> (Audited, String) {
    let server = Audited::start().await;
    let id = server.create(patient()).await.expect(201).id().to_owned();
    (server, id)
}

#[tokio::test]
async fn au_07_a_read_is_written_down_with_its_patient() {
    let (server, id) = with_patient().await;
    let path = format!("Patient/{id}");
    let (_, event) = server.event_of(async { server.get(&path).await.expect(200) }).await;
    assert_eq!((event.subtype.as_str(), event.action), ("read", Action::Read));
    assert_eq!((event.status, event.rows, event.patients), (200, 1, vec![id]));
    assert_eq!((event.seen[0].key.as_str(), event.seen[0].version), (path.as_str(), Some(1)));
}

#[tokio::test]
async fn au_07_head_304_vread_and_history_are_written_down() {
    let (server, id) = with_patient().await;
    let path = format!("Patient/{id}");
    let head = server.request("HEAD", &path).send();
    let known = server.request("GET", &path).header("If-None-Match", "W/\"1\"").send();
    let vread = format!("{path}/_history/1");
    let history = format!("{path}/_history");
    let expected = [(200, "read"), (304, "read"), (200, "vread"), (200, "history-instance")];
    let (_, events) = server
        .events_of(async {
            head.await.expect(200);
            known.await.expect(304);
            server.get(&vread).await.expect(200);
            server.get(&history).await.expect(200);
        })
        .await;
    let found: Vec<(u16, &str)> =
        events.iter().map(|event| (event.status, event.subtype.as_str())).collect();
    assert_eq!(found, expected);
    assert!(events.iter().all(|event| event.patients == [id.clone()]), "{events:?}");
}

#[tokio::test]
async fn au_04_a_search_is_one_event_with_every_resource_and_patient() {
    let server = Audited::start().await;
    let mut expected = Vec::new();
    for _ in 0..3 {
        let id = server.create(patient()).await.expect(201).id().to_owned();
        let mut resource: Value = observation().into();
        resource["subject"] = json!({"reference": format!("Patient/{id}")});
        let observed = server.post("Observation", &resource).await.expect(201);
        expected.push((format!("Observation/{}", observed.id()), id));
    }
    let query = "Observation?code=29463-7&_include=Observation:patient";
    let (_, event) = server.event_of(async { server.get(query).await.expect(200) }).await;
    assert_eq!((event.subtype.as_str(), event.rows), ("search-type", 6));
    for (observation, patient) in expected {
        let place = event.patients.iter().position(|id| *id == patient).unwrap() as u32;
        for key in [observation, format!("Patient/{patient}")] {
            let seen = event.seen.iter().find(|seen| seen.key == key).unwrap();
            assert_eq!(seen.patients, [place]);
        }
    }
    let asked = event.query.unwrap();
    assert!(asked.starts_with("Observation?code=29463-7&_include="), "{asked}");
}

#[tokio::test]
async fn au_01_refusals_are_written_down_with_their_reason() {
    let (server, _) = with_patient().await;
    let mut doctor = principal("a", Role::Doctor, "user/*.rs");
    doctor.links.fhir_user = Some(server.link("Practitioner/a").await);
    let doctor = server.as_principal(doctor);
    let requests: Vec<(u16, Reply)> = vec![
        (404, server.get("Patient/none").await),
        (400, server.get("Patient?nothing=1").await),
        (404, server.get("Nothing/1").await),
        (405, server.request("PUT", "Patient/_search").send().await),
        (415, server.request("POST", "Patient").body("text/csv", "a").send().await),
        (400, server.request("POST", "Patient").body("application/fhir+json", "{").send().await),
        (403, doctor.post("Patient", &patient().into()).await),
    ];
    let events = server.events().await.split_off(1);
    assert_eq!(events.len(), requests.len(), "{events:?}");
    for ((status, reply), event) in requests.iter().zip(&events) {
        assert_eq!((reply.status(), event.status), (*status, *status), "{event:?}");
        assert_eq!(event.outcome, EventOutcome::Minor);
        assert!(event.reason.as_ref().is_some_and(|reason| reason.len() > 10), "{event:?}");
    }
    assert_eq!(events[6].agent.name, "account/a");
}

#[tokio::test]
async fn au_01_strangers_are_written_down_within_a_bound() {
    let server = Audited::start_with(|_| {}, |all| all.insecure_no_auth = false).await;
    let get = || async { server.get("Patient/1").await.expect(401) };
    // Fewer than an address may ask at once.
    join_all((0..90).map(|_| get())).await;
    let bad = server.client.with_authorization("Bearer nonsense".to_owned());
    bad.get("Patient/1").await.expect(401);
    let events = server.events().await;
    // The minute may end meanwhile.
    assert!((60..=121).contains(&events.len()), "{}", events.len());
    assert!(events.iter().all(|event| event.agent.name == "anonymous" && event.status == 401));
}

#[tokio::test]
async fn au_01_each_entry_of_a_batch_is_an_event() {
    let (server, id) = with_patient().await;
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": format!("Patient/{id}")}},
        {"request": {"method": "GET", "url": "Patient/none"}},
        {"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}},
        {"request": {"method": "GET", "url": "Patient/a/b/c"}},
    ]});
    let (_, events) = server.events_of(async { server.post("", &bundle).await.expect(200) }).await;
    let mut found: Vec<u16> = events.iter().map(|event| event.status).collect();
    found.sort_unstable();
    assert_eq!(found, [200, 201, 404, 404]);
}

#[tokio::test]
async fn au_01_metadata_and_options_say_nothing_about_anybody() {
    let (server, _) = with_patient().await;
    let (_, events) = server
        .events_of(async {
            server.get("metadata").await.expect(200);
            server.request("OPTIONS", "Patient").send().await.expect(204);
        })
        .await;
    assert!(events.is_empty(), "{events:?}");
}

#[tokio::test]
async fn au_01_security_events_go_the_same_way() {
    let server = Audited::start().await;
    let asker = bhn_fhir::access::Asker::operator();
    let event = SecurityEvent::of(&asker, "login")
        .by("account/1", Some("app".to_owned()))
        .refused("wrong password");
    let now = server.context.clock.precise();
    server.context.store.record_security_event(now, event).await.unwrap();
    let events = server.events().await;
    assert_eq!((events[0].kind, events[0].subtype.as_str()), (Kind::Authentication, "login"));
    assert_eq!(events[0].agent.client.as_deref(), Some("app"));
}

#[tokio::test]
async fn au_07_strict_answers_when_the_disk_has_the_event() {
    let durability = AuditDurability::Strict;
    let server = Audited::start_with(|audit| audit.durability = durability, |_| {}).await;
    let id = server.create(patient()).await.expect(201).id().to_owned();
    let path = format!("Patient/{id}");
    let (replies, events) = server.events_of(join_all((0..32).map(|_| server.get(&path)))).await;
    assert!(replies.iter().all(|reply| reply.status() == 200));
    assert_eq!(events.len(), 32);
}

#[tokio::test]
async fn au_08_without_a_journal_the_answer_waits_for_the_database() {
    let set = |audit: &mut bhn_fhir::config::AuditSettings| {
        (audit.durability, audit.folder) = (AuditDurability::Database, None);
    };
    let server = Audited::start_with(set, |_| {}).await;
    let id = server.create(patient()).await.expect(201).id().to_owned();
    let path = format!("Patient/{id}");
    join_all((0..32).map(|_| server.get(&path))).await;
    let mut connection = server.database.connect().await;
    let count: i64 = sqlx::query_scalar("select count(*) from audit_event")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(count, 33);
    assert_eq!(server.seal().await, 33);
    assert_eq!(server.findings().await, [""; 0]);
    server.tamper("alter table audit_event rename to gone").await;
    server.get(&path).await.expect(503);
    server.tamper("alter table gone rename to audit_event").await;
    server.get(&path).await.expect(200);
}

#[tokio::test]
async fn au_08_what_is_brought_twice_is_there_once() {
    let (server, id) = with_patient().await;
    server.get(&format!("Patient/{id}")).await.expect(200);
    assert_eq!(server.ship().await, 1);
    let (database, folder) = (server.database.clone(), server.into_folder());
    // The active segment is still there: a new start brings it again.
    let server = Audited::on(database, folder, (|_| {}, |_| {})).await;
    assert_eq!(server.ship().await, 1);
    assert_eq!(server.events().await.len(), 2);
    assert_eq!(server.seal().await, 2);
    assert_eq!(server.findings().await, [""; 0]);
}

#[tokio::test]
async fn au_08_an_event_of_another_content_under_the_same_number_stops_the_shipping() {
    let (server, id) = with_patient().await;
    server.get(&format!("Patient/{id}")).await.expect(200);
    server.ship().await;
    server
        .tamper("update audit_event set hash = sha256('other') where seq < 1::bigint << 40")
        .await;
    let (database, folder) = (server.database.clone(), server.into_folder());
    let server = Audited::on(database, folder, (|_| {}, |_| {})).await;
    assert!(server.context.store.ship_audit().await.is_err());
}

#[tokio::test]
async fn au_09_a_backlog_beyond_its_limit_refuses_but_not_metadata() {
    let server = Audited::start_with(|audit| audit.backlog_bytes = 1_000, |_| {}).await;
    let id = server.create(patient()).await.expect(201).id().to_owned();
    let path = format!("Patient/{id}");
    while server.get(&path).await.status() == 200 {
        assert!(server.context.store.audit_backlog() < 3_000);
    }
    let refused = server.get(&path).await.expect(503);
    assert!(refused.text().contains("audit"), "{}", refused.text());
    server.get("Patient").await.expect(503);
    server.get("metadata").await.expect(200);
    assert_eq!(server.get_beside("/livez").await.status(), 200);
    assert_eq!(server.get_beside("/health").await.status(), 200);
    // Nothing of a refused answer is shown.
    assert!(!refused.text().contains(&id));
    server.ship().await;
    server.get(&path).await.expect(200);
}

#[tokio::test]
async fn au_17_a_clock_that_is_behind_the_databases_is_refused() {
    let server = Audited::start().await;
    let mut store = super::harness::open_store(&server.database.database).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = bhn_fhir::config::AuditSettings {
        folder: Some(folder.path().to_owned()),
        ..bhn_fhir::config::AuditSettings::default()
    };
    let behind = server.context.clock.precise() - chrono::Duration::seconds(6);
    let refused = store.begin_audit(&settings, &[], behind).await.unwrap_err().to_string();
    assert!(refused.contains("behind"), "{refused}");
    // And one that falls behind later answers nothing until it is right again.
    let now = server.context.clock.precise();
    let store = &server.context.store;
    store.check_audit_clock(|| now - chrono::Duration::seconds(60)).await.unwrap();
    server.get("Patient/none").await.expect(503);
    server.create(patient()).await.expect(503);
    server.get("metadata").await.expect(200);
    store.check_audit_clock(|| server.context.clock.precise()).await.unwrap();
    server.get("Patient/none").await.expect(404);
}

/// The two readings of whom a resource is about: of index rows, for the stamps, and of JSON, for
/// the audit.
#[tokio::test]
async fn subjects_are_those_of_the_stamps_for_every_example_of_hl7() {
    let server = Audited::start().await;
    let paths = SubjectPaths::r4().unwrap();
    let (mut examples, mut with_subjects) = (0, 0);
    for mut value in super::hl7_examples::examples() {
        value["id"] = "x".into();
        let Ok(resource) = bhn_fhir::fhir::resource::Resource::from_value(value) else { continue };
        let id = resource.id().unwrap();
        let key = bhn_fhir::fhir::resource::ResourceKey::new(resource.resource_type(), id);
        let rows = server.context.index(&key, &resource);
        let stamps: Vec<String> =
            rows.subjects.iter().map(|subject| subject.id.as_str().to_owned()).collect();
        let body = resource.value().to_string();
        let read: Vec<String> =
            paths.read(&key, body.as_bytes()).iter().map(|id| id.as_str().to_owned()).collect();
        assert_eq!(read, stamps, "{body}");
        examples += 1;
        with_subjects += usize::from(!stamps.is_empty());
    }
    assert!(examples > 700 && with_subjects > 400, "{examples} {with_subjects}");
}
