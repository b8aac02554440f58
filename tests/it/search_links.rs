//! Chained parameters (search.html#chaining) and `_has` (search.html#has).

use super::harness::TestServer;
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::fhir::interaction::{Handling, SearchScope};
use serde_json::{Value, json};

fn reference(to: &str) -> Value {
    json!({ "reference": to })
}

/// Two hospitals, two mothers, a newborn, what was seen of them, and who saw it.
async fn births(server: &TestServer) {
    for (id, name) in [("north", "North"), ("south", "South")] {
        server
            .update(json!({"resourceType": "Organization", "id": id, "name": name}))
            .await
            .expect(201);
    }
    for (id, family) in [("ann", "Ashe"), ("bob", "Boyd")] {
        server
            .update(json!({"resourceType": "Practitioner", "id": id, "name": [{"family": family}],
                "identifier": [{"system": "urn:license", "value": id}]}))
            .await
            .expect(201);
    }
    for (id, family, gender, at) in [
        ("amina", "Rahman", "female", "north"),
        ("lucia", "Gómez", "female", "south"),
        ("rafi", "Rahman", "male", "north"),
    ] {
        server
            .update(json!({"resourceType": "Patient", "id": id, "gender": gender,
                "name": [{"family": family}], "birthDate": "2025-01-01",
                "managingOrganization": reference(&format!("Organization/{at}"))}))
            .await
            .expect(201);
    }
    for (id, patient, at) in [("e1", "amina", "north"), ("e2", "lucia", "south")] {
        server
            .update(json!({"resourceType": "Encounter", "id": id, "status": "finished",
                "class": {"code": "IMP"}, "subject": reference(&format!("Patient/{patient}")),
                "serviceProvider": reference(&format!("Organization/{at}"))}))
            .await
            .expect(201);
    }
    for (id, subject, code, encounter, performer) in [
        ("o1", "Patient/amina", "weight", Some("e1"), "Practitioner/ann"),
        ("o2", "Patient/lucia", "weight", Some("e2"), "Practitioner/bob"),
        ("o3", "Patient/rafi", "apgar", None, "Practitioner/ann"),
        ("o4", "Group/all", "weight", None, "Practitioner/bob"),
    ] {
        let mut observation = json!({"resourceType": "Observation", "id": id, "status": "final",
            "code": {"coding": [{"system": "http://l", "code": code}]},
            "subject": reference(subject), "performer": [reference(performer)]});
        if let Some(encounter) = encounter {
            observation["encounter"] = reference(&format!("Encounter/{encounter}"));
        }
        server.update(observation).await.expect(201);
    }
    server
        .update(json!({"resourceType": "Group", "id": "all", "type": "person", "actual": true,
            "member": [{"entity": reference("Patient/amina")},
                {"entity": reference("Patient/rafi")}]}))
        .await
        .expect(201);
}

async fn found(server: &TestServer, path: &str) -> String {
    let reply = server.get(&path.replace('|', "%7C")).await.expect(200);
    let entries = reply.body["entry"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<&str> =
        entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.join(" ")
}

const FINDS: &[(&str, &str)] = &[
    // Typed and untyped chains; an untyped one goes wherever the parameter is.
    ("Observation?subject:Patient.name=rahman", "o1 o3"),
    ("Observation?subject.name=rahman", "o1 o3"),
    ("Observation?patient.name=rahman", "o1 o3"),
    ("Observation?patient.gender=female,male", "o1 o2 o3"),
    ("Observation?patient.gender:not=male", "o1 o2"),
    ("Observation?patient.family:exact=Rahman&code=http://l|weight", "o1"),
    ("Observation?subject:Group.type=person", "o4"),
    ("Observation?subject._id=amina,all", "o1 o4"),
    ("Observation?performer.identifier=urn:license|ann", "o1 o3"),
    ("Observation?performer:Practitioner.name=boyd", "o2 o4"),
    ("Observation?performer:Practitioner.name=nobody", ""),
    // Deeper.
    ("Observation?encounter.service-provider.name=north", "o1"),
    ("Observation?patient.organization.name=north", "o1 o3"),
    ("Observation?encounter.subject:Patient.organization.name=south", "o2"),
    // Chains beside each other and beside plain parameters.
    ("Observation?patient.organization.name=north&performer.name=ashe", "o1 o3"),
    ("Observation?patient=amina&performer.name=ashe", "o1"),
    ("Observation?patient=amina&performer.name=boyd", ""),
    // _has, nested and mixed with chains.
    ("Patient?_has:Observation:patient:code=weight", "amina lucia"),
    ("Patient?_has:Observation:patient:code=http://l|apgar", "rafi"),
    ("Patient?_has:Observation:subject:code=weight&gender=female", "amina lucia"),
    ("Patient?_has:Observation:patient:performer.name=ashe", "amina rafi"),
    ("Patient?_has:Observation:patient:code:not=weight", "rafi"),
    ("Patient?_has:Group:member:_id=all", "amina rafi"),
    ("Practitioner?_has:Observation:performer:code=apgar", "ann"),
    ("Practitioner?_has:Observation:performer:patient.name=gomez", "bob"),
    ("Organization?_has:Patient:organization:_has:Observation:patient:code=apgar", "north"),
    ("Observation?patient._has:Group:member:_id=all", "o1 o3"),
    ("Organization?_has:Encounter:service-provider:subject:Patient.family=rahman", "north"),
    ("Patient?_has:Observation:patient:_id=o2,o3&_sort=-_id", "lucia rafi"),
    ("Patient?_has:Observation:patient:code=nothing", ""),
];

#[tokio::test]
async fn chains_and_has_find_what_they_lead_to() {
    let server = TestServer::start().await;
    births(&server).await;
    for &(path, expected) in FINDS {
        assert_eq!(found(&server, path).await, expected, "{path}");
        let counted = server.get(&format!("{}&_summary=count", path.replace('|', "%7C"))).await;
        let total = expected.split_whitespace().count();
        assert_eq!(counted.expect(200).body["total"], total, "{path}");
    }
}

#[tokio::test]
async fn what_was_deleted_leads_nowhere() {
    let server = TestServer::start().await;
    births(&server).await;
    server.delete("Patient/amina").await.expect(204);
    server.delete("Observation/o3").await.expect(204);
    assert_eq!(found(&server, "Observation?patient.name=rahman").await, "");
    assert_eq!(found(&server, "Patient?_has:Observation:patient:code=apgar").await, "");
}

#[tokio::test]
async fn a_chain_that_cannot_be_read_is_400_and_says_why() {
    let server = TestServer::start().await;
    for (path, hint) in [
        ("Observation?code.name=a", "token"),
        ("Observation?subject:Practitioner.name=a", "Practitioner"),
        ("Observation?patient.nmae=a", "name"),
        ("Observation?subject.nothing=a", "nothing"),
        ("Observation?patient.name.given=a", "string"),
        ("Patient?_has:Observation:code:value=a", "token"),
        ("Patient?_has:Nothing:patient:code=a", "Nothing"),
        ("Patient?_has:Observation:patient=a", "_has:[type]"),
        ("Patient?_has:Observation:device:code=a", "Patient"),
        ("Patient?_has=a", "_has:[type]"),
        ("Patient?organization.partof.partof.partof.partof.partof.name=a", "at most"),
        ("Observation?patient.birthdate=yesterday", "yesterday"),
        ("Observation?patient.name=a,", "empty"),
    ] {
        let reply = server.get(path).await.expect(400);
        let text = reply.body["issue"][0]["diagnostics"].as_str().unwrap_or_default();
        assert!(text.contains(hint), "{path}: {text}");
    }
}

#[tokio::test]
async fn a_link_never_leads_through_what_the_caller_may_not_see() {
    let server = TestServer::start().await;
    births(&server).await;
    let store = &server.context.store;
    let permit = server.permit_about("Patient/rafi").await;
    for (kind, name, value, expected) in [
        ("Observation", "patient.name", "rahman", 1),
        // Seen: the observation of the newborn. Not seen: who took it, and its hospital.
        ("Observation", "performer.name", "ashe", 0),
        ("Patient", "organization.name", "north", 0),
        ("Patient", "_has:Observation:patient:code", "apgar", 1),
        ("Patient", "_has:Observation:patient:code", "weight", 0),
        ("Patient", "_has:Group:member:_id", "all", 0),
    ] {
        let scope = SearchScope::Type(ResourceType::parse(kind).unwrap());
        let parameters = [(name.to_owned(), value.to_owned())];
        let plan = server.context.plan(&scope, &parameters, Handling::Strict).unwrap();
        let page = store.search(&permit, &plan).await.unwrap();
        assert_eq!(page.matches.len(), expected, "{kind}?{name}={value}");
    }
}

#[tokio::test]
async fn a_chain_without_a_type_goes_where_the_rest_of_its_name_is_known() {
    let server = TestServer::start().await;
    let location = json!({"resourceType": "Location", "id": "ward"});
    server.update(location).await.expect(201);
    let stay = json!({"resourceType": "Encounter", "id": "e", "status": "finished",
        "class": {"code": "IMP"}, "location": [{"location": reference("Location/ward")}]});
    server.update(stay).await.expect(201);
    let seen = json!({"resourceType": "Observation", "id": "o", "status": "final",
        "code": {"text": "x"}, "subject": reference("Location/ward")});
    server.update(seen).await.expect(201);
    let visit = json!({"resourceType": "Appointment", "id": "a", "status": "booked",
        "reasonReference": [reference("Observation/o")],
        "participant": [{"status": "accepted", "actor": reference("Location/ward")}]});
    server.update(visit).await.expect(201);
    // Conditions are of patients and groups alone; Observations of places as well.
    let query = "Appointment?reason-reference.subject._has:Encounter:location:status=";
    let found = server.get(&format!("{query}finished")).await.expect(200);
    assert_eq!(found.ids("match"), ["a"]);
    assert!(server.get(&format!("{query}planned")).await.expect(200).ids("match").is_empty());
    server
        .get("Appointment?reason-reference.subject._has:Encounter:nowhere:status=x")
        .await
        .expect(400);
}
