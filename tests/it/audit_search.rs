//! AuditEvents over FHIR, for those who may. SECURITY.md, AU-03, AU-04, AU-13 and AU-14.

use super::harness::{Audited, FhirClient, Reply, Role, observation, patient, principal};
use bhn_fhir::fhir::validation;
use bhn_fhir::limits::Limits;
use serde_json::{Value, json};

/// Two patients, each with an observation; a doctor's search would show both.
struct World {
    server: Audited,
    patients: [String; 2],
    observations: [String; 2],
}

impl World {
    async fn start() -> World {
        let server = Audited::start().await;
        let (mut patients, mut observations) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let id = server.create(patient()).await.expect(201).id().to_owned();
            let mut resource: Value = observation().into();
            resource["subject"] = json!({"reference": format!("Patient/{id}")});
            let observed = server.post("Observation", &resource).await.expect(201);
            observations.push(observed.id().to_owned());
            patients.push(id);
        }
        server.get("Observation?code=29463-7").await.expect(200);
        server.get(&format!("Patient/{}", patients[0])).await.expect(200);
        server.ship().await;
        let patients = patients.try_into().unwrap();
        World { server, patients, observations: observations.try_into().unwrap() }
    }

    async fn patient(&self, place: usize) -> FhirClient {
        let key = format!("Patient/{}", self.patients[place]);
        let mut one = principal(&format!("p{place}"), Role::Patient, "patient/*.rs");
        let link = self.server.link(&key).await;
        one.links.fhir_user = Some(link.clone());
        one.links.patients = vec![link];
        self.server.as_principal(one)
    }

    fn admin(&self) -> FhirClient {
        self.server.as_principal(principal("admin", Role::Admin, "user/*.rs"))
    }

    /// The AuditEvents that a search finds.
    async fn found(&self, query: &str) -> Vec<Value> {
        entries(&self.server.get(query).await.expect(200))
    }
}

fn entries(reply: &Reply) -> Vec<Value> {
    let entries = reply.body["entry"].as_array().cloned().unwrap_or_default();
    entries.into_iter().map(|mut entry| entry["resource"].take()).collect()
}

fn references(event: &Value) -> Vec<&str> {
    let entities = event["entity"].as_array().map(Vec::as_slice).unwrap_or_default();
    entities.iter().filter_map(|entity| entity["what"]["reference"].as_str()).collect()
}

fn subtype(event: &Value) -> &str {
    event["subtype"][0]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn au_03_every_audit_event_is_valid() {
    let world = World::start().await;
    world.server.get("Patient/none").await.expect(404);
    world.server.delete(&format!("Observation/{}", world.observations[0])).await.expect(204);
    world.patient(0).await.get("AuditEvent").await.expect(200);
    world.server.get("Patient?nothing=1").await.expect(400);
    world.server.ship().await;
    let events = world.found("AuditEvent?_count=100").await;
    assert!(events.len() > 9, "{}", events.len());
    for event in events {
        if let Err(issues) = validation::validate(&event, &Limits::default()) {
            panic!("{issues:?}\n{event:#}");
        }
    }
}

#[tokio::test]
async fn au_04_a_search_of_several_patients_is_shown_once_for_each() {
    let world = World::start().await;
    let events = world.found("AuditEvent?subtype=search-type&_sort=date").await;
    let of_search: Vec<&Value> =
        events.iter().filter(|event| event["entity"][0]["role"]["code"] == "1").collect();
    assert_eq!(of_search.len(), 2);
    for (event, place) in of_search.iter().zip(sorted(&world.patients)) {
        let patient = format!("Patient/{}", world.patients[place]);
        let observation = format!("Observation/{}/_history/1", world.observations[place]);
        assert_eq!(references(event), [patient.as_str(), observation.as_str()]);
        assert_eq!(event["action"], "E");
        assert_eq!(
            event["meta"]["profile"][0],
            "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientQuery"
        );
    }
}

fn sorted(ids: &[String; 2]) -> [usize; 2] {
    if ids[0] < ids[1] { [0, 1] } else { [1, 0] }
}

#[tokio::test]
async fn au_13_a_patient_sees_who_saw_what_of_his_and_nothing_of_others() {
    let world = World::start().await;
    let reply = world.patient(0).await.get("AuditEvent?_sort=date").await.expect(200);
    let events = entries(&reply);
    let subtypes: Vec<&str> = events.iter().map(subtype).collect();
    assert_eq!(subtypes, ["create", "create", "search-type", "read"]);
    let own = format!("Patient/{}", world.patients[0]);
    for event in &events {
        assert!(references(event).contains(&own.as_str()), "{event:#}");
    }
    for foreign in [&world.patients[1], &world.observations[1]] {
        assert!(!reply.text().contains(foreign.as_str()), "{foreign}");
    }
    // Nor by asking for it, in any way.
    let client = world.patient(0).await;
    let other = &world.patients[1];
    for query in [format!("AuditEvent?patient={other}"), format!("Patient/{other}/AuditEvent")] {
        assert_eq!(entries(&client.get(&query).await.expect(200)).len(), 0, "{query}");
    }
    let of_other = world.found(&format!("AuditEvent?patient={other}")).await;
    for event in of_other {
        let path = format!("AuditEvent/{}", event["id"].as_str().unwrap());
        world.server.get(&path).await.expect(200);
        client.get(&path).await.expect(404);
    }
    for event in &events {
        client.get(&format!("AuditEvent/{}", event["id"].as_str().unwrap())).await.expect(200);
    }
}

#[tokio::test]
async fn au_13_a_patient_sees_people_by_role_and_facility() {
    let world = World::start().await;
    let mut doctor = principal("secret-name", Role::Doctor, "user/*.rs");
    doctor.links.fhir_user = Some(world.server.link("Practitioner/secret-practitioner").await);
    doctor.links.organizations = vec![world.server.link("Organization/clinic").await];
    let path = format!("Patient/{}", world.patients[0]);
    world.server.as_principal(doctor).delete(&path).await;
    let own = world.patient(0).await;
    own.get(&path).await;
    // The doctor's refused try is about the patient's resource.
    let told = bhn_fhir::audit::SecurityEvent {
        patient: Some(path.clone()),
        ..bhn_fhir::audit::SecurityEvent::of(&asker(&world).await, "break-glass")
    };
    let now = world.server.context.clock.precise();
    world.server.context.store.record_security_event(now, told).await.unwrap();
    world.server.ship().await;
    let reply = own.get("AuditEvent?subtype=break-glass").await.expect(200);
    let event = &entries(&reply)[0];
    let user = &event["agent"][2];
    assert_eq!(user["role"][0]["text"], "doctor");
    assert_eq!(user["who"]["reference"], "Organization/clinic");
    for hidden in ["secret-name", "secret-practitioner", "10.9.8.7", "app/9"] {
        assert!(!reply.text().contains(hidden), "{hidden}: {}", reply.text());
    }
    let seen = world.found("AuditEvent?subtype=break-glass").await;
    let text = seen[0].to_string();
    for shown in ["secret-name", "secret-practitioner", "10.9.8.7", "app/9"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    for by in ["agent=Practitioner/a", "altid=account/a", "address=10.9.8.7", "entity=Patient/1"] {
        own.get(&format!("AuditEvent?{by}")).await.expect(403);
    }
}

async fn asker(world: &World) -> bhn_fhir::access::Asker {
    use bhn_fhir::access::{Asker, Caller, Origin};
    let mut doctor = principal("secret-name", Role::Doctor, "user/*.rs");
    doctor.links.fhir_user = Some(world.server.link("Practitioner/secret-practitioner").await);
    doctor.links.organizations = vec![world.server.link("Organization/clinic").await];
    let origin = Origin {
        address: Some("10.9.8.7".parse().unwrap()),
        user_agent: Some("app/9".to_owned()),
        request_id: "request-0001".to_owned(),
        ..Origin::default()
    };
    Asker { caller: Caller::Principal(doctor.into()), origin }
}

#[tokio::test]
async fn au_13_others_see_nothing() {
    let world = World::start().await;
    let id = world.found("AuditEvent?_count=1").await[0]["id"].as_str().unwrap().to_owned();
    let roles = [Role::Doctor, Role::HospitalStaff, Role::Registry, Role::EhrSystem];
    for role in roles {
        let client = world.server.as_principal(principal(role.as_str(), role, "user/*.cruds"));
        client.get("AuditEvent").await.expect(403);
        client.get(&format!("AuditEvent/{id}")).await.expect(403);
        client.get("AuditEvent/none").await.expect(403);
    }
    // Nor those whose token does not say so.
    for scopes in ["user/Patient.rs", "user/AuditEvent.c", "user/AuditEvent.rs?date=2020"] {
        let client = world.server.as_principal(principal(scopes, Role::Admin, scopes));
        client.get("AuditEvent").await.expect(403);
    }
    world.admin().get("AuditEvent").await.expect(200);
    // A patient without a record of his own sees nothing.
    let nobody = world.server.as_principal(principal("n", Role::Patient, "patient/*.rs"));
    assert_eq!(entries(&nobody.get("AuditEvent").await.expect(200)).len(), 0);
}

#[tokio::test]
async fn au_13_nobody_writes_updates_or_deletes_an_audit_event() {
    let world = World::start().await;
    let event = world.found("AuditEvent?_count=1").await.remove(0);
    let path = format!("AuditEvent/{}", event["id"].as_str().unwrap());
    for client in [world.server.client.clone(), world.admin()] {
        client.put(&path, &event).await.expect(405);
        client.delete(&path).await.expect(405);
        client.patch(&path, &json!([{"op": "remove", "path": "/agent"}])).await.expect(405);
        client.delete("AuditEvent?action=C").await.expect(405);
        client.post("AuditEvent", &event).await.expect(403);
    }
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "DELETE", "url": path}}]});
    world.server.post("", &bundle).await.expect(422);
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "DELETE", "url": path}}]});
    let reply = world.server.post("", &batch).await.expect(200);
    assert_eq!(reply.body["entry"][0]["response"]["status"].as_str().unwrap()[..3], *"405");
    world.server.get(&path).await.expect(200);
}

#[tokio::test]
async fn au_13_searches_by_every_parameter() {
    let world = World::start().await;
    let year = chrono::Datelike::year(&world.server.context.clock.now());
    let patient = &world.patients[0];
    let queries = [
        ("_total=none", 7),
        ("type=rest", 7),
        ("type=http://terminology.hl7.org/CodeSystem/audit-event-type|rest", 7),
        ("type=110114", 0),
        ("subtype=create", 4),
        ("subtype=http://hl7.org/fhir/restful-interaction|create,read", 5),
        ("action=C", 4),
        ("action=C,R", 5),
        ("outcome=0", 7),
        ("outcome=4,8", 0),
        ("patient=Patient/@", 4),
        ("patient=@", 4),
        ("entity=Patient/@", 5),
        ("entity=Observation/nothing", 0),
        ("address=127.0.0.1", 7),
        ("address=10.0.0.1", 0),
        ("altid=insecure-no-auth", 7),
        ("agent=Practitioner/1", 0),
        ("date=gt2999", 0),
        ("date=#", 7),
        ("date=lt2000,#", 7),
    ];
    let events = world.server.events().await.len();
    assert_eq!(events, 6, "as many as asked for above");
    for (query, count) in queries {
        let query = query.replace('@', patient).replace('#', &year.to_string());
        // Those that these searches themselves make are not shipped yet.
        let found = world.found(&format!("AuditEvent?{query}&_count=50")).await;
        assert_eq!(found.len(), count, "{query}");
    }
    for wrong in [
        "foo=1",
        "date=yesterday",
        "_sort=agent",
        "patient:missing=true",
        "action=",
        "entity=1",
        "patient=Observation/1",
        "_include=AuditEvent:patient",
    ] {
        world.server.get(&format!("AuditEvent?{wrong}")).await.expect(400);
    }
    let lenient = world.server.request("GET", "AuditEvent?foo=1");
    lenient.header("Prefer", "handling=lenient").send().await.expect(200);
}

#[tokio::test]
async fn au_13_pages_show_each_event_once_in_both_orders() {
    let world = World::start().await;
    for sort in ["date", "-date"] {
        let all = world.found(&format!("AuditEvent?_sort={sort}&_count=100")).await;
        let mut reply = world.server.get(&format!("AuditEvent?_sort={sort}&_count=2")).await;
        let mut paged = entries(&reply.clone().expect(200));
        while let Some(next) = reply.link("next").map(str::to_owned) {
            world.admin().get(&next).await.expect(404);
            reply = world.server.get(&next).await.expect(200);
            assert!(entries(&reply).len() <= 2);
            paged.extend(entries(&reply));
        }
        assert_eq!(paged, all);
    }
    let counted = world.server.get("AuditEvent?_summary=count").await.expect(200);
    assert_eq!((counted.body["total"].as_u64(), entries(&counted).len()), (Some(7), 0));
    let accurate = world.server.get("AuditEvent?_total=accurate&_count=1").await.expect(200);
    assert_eq!((accurate.body["total"].as_u64(), entries(&accurate).len()), (Some(7), 1));
}

#[tokio::test]
async fn au_01_reading_the_audit_is_audited() {
    let world = World::start().await;
    world.admin().get("AuditEvent?action=C").await.expect(200);
    let doctor = world.server.as_principal(principal("d", Role::Doctor, "user/*.rs"));
    doctor.get("AuditEvent").await.expect(403);
    let events = world.server.events().await;
    let last: Vec<(&str, u16, Option<&str>)> = events[events.len() - 2..]
        .iter()
        .map(|event| (event.agent.name.as_str(), event.status, event.query.as_deref()))
        .collect();
    let expected = [
        ("account/admin", 200, Some("AuditEvent?action=C")),
        ("account/d", 403, Some("AuditEvent")),
    ];
    assert_eq!(last, expected);
}

#[tokio::test]
async fn au_13_a_system_may_send_events_and_is_named_as_their_observer() {
    let world = World::start().await;
    let mut sent = world.found("AuditEvent?subtype=read&_count=1").await.remove(0);
    sent["source"]["observer"] = json!({"display": "somebody else"});
    let mut ehr = principal("ehr", Role::EhrSystem, "system/AuditEvent.c");
    ehr.name = "client/ehr".to_owned();
    let client = world.server.as_principal(ehr);
    let reply = client.post("AuditEvent", &sent).await.expect(201);
    let id = reply.header("Location").split('/').rev().nth(2).unwrap().to_owned();
    world.server.ship().await;
    let stored = world.server.get(&format!("AuditEvent/{id}")).await.expect(200).body;
    assert_eq!(stored["source"]["observer"]["identifier"]["value"], "client/ehr");
    assert_eq!(stored["recorded"], sent["recorded"]);
    let own = world.patient(0).await.get(&format!("AuditEvent/{id}")).await;
    assert_eq!(own.status(), 200);
    let bad = json!({"resourceType": "AuditEvent"});
    client.post("AuditEvent", &bad).await.expect(400);
    client.get("AuditEvent").await.expect(403);
}

#[tokio::test]
async fn au_13_metadata_states_what_there_is_for_audit_events() {
    let server = Audited::start().await;
    let statement = server.get("metadata").await.expect(200).body;
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    let stated = resources.iter().find(|stated| stated["type"] == "AuditEvent").unwrap();
    let names = |list: &str, name: &str| -> Vec<String> {
        let items = stated[list].as_array().unwrap().iter();
        items.map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("interaction", "code"), ["read", "search-type", "create"]);
    let parameters = names("searchParam", "name");
    assert!(parameters.contains(&"patient".to_owned()) && !parameters.contains(&"policy".into()));
    for parameter in parameters {
        let value = match parameter.as_str() {
            "date" | "_lastUpdated" => "2020",
            "entity" | "agent" | "patient" => "Patient/1",
            _ => "1",
        };
        server.get(&format!("AuditEvent?{parameter}={value}")).await.expect(200);
    }
    if let Err(issues) = validation::validate(&statement, &Limits::default()) {
        panic!("{issues:?}");
    }
}
