//! What is shown in part (SECURITY.md 2.4, redactions): nobody is shown the rest, nor searches,
//! sorts or includes by it.

use crate::harness::{FhirClient, Network, TestServer, appointment, patient};
use bhn_fhir::access::Role;
use bhn_fhir::access::matrix::Matrix;
use bhn_fhir::fhir::definitions::ResourceType;
use bhn_fhir::search::Registry;
use bhn_fhir::search::registry::Kind;
use serde_json::{Value, json};

async fn found(client: &FhirClient, query: &str) -> String {
    client.get(query).await.expect(200).sorted_ids("match")
}

/// A value that each kind of parameter understands.
fn value_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Date => "2020",
        Kind::Number | Kind::Quantity => "1",
        Kind::Reference => "Patient/x",
        _ => "x",
    }
}

#[tokio::test]
async fn rt_040_and_041_nobody_searches_or_sorts_by_what_any_redaction_leaves_out() {
    let network = Network::start().await;
    let registry = Registry::r4().unwrap();
    let mut asked = 0;
    for (role, name) in [
        (Role::Patient, "p1"),
        (Role::Doctor, "d1"),
        (Role::HospitalStaff, "h1"),
        (Role::Registry, "gon"),
    ] {
        let client = network.as_person(name).await;
        for kind in ResourceType::all() {
            let Some((redaction, _)) = Matrix::get().redaction(role, kind) else { continue };
            for parameter in registry.parameters_of(kind) {
                let code: &str = &parameter.code;
                if ["_has", "_list", "_filter", "_type", "_text", "_content", "_query"]
                    .contains(&code)
                    || !matches!(
                        parameter.kind,
                        Kind::Date | Kind::Token | Kind::String | Kind::Reference | Kind::Uri
                    )
                {
                    continue;
                }
                let is_open = redaction.searched.contains(&code);
                let query = format!("{kind}?{code}={}", value_of(parameter.kind));
                let reply = client.get(&query).await;
                assert_eq!(reply.status() == 403, !is_open, "{name} {query} {}", reply.status());
                let query = format!("{kind}?_sort={code}");
                let reply = client.get(&query).await;
                let is_sorted = ![400, 501].contains(&reply.status());
                assert!(!is_sorted || (reply.status() == 403) != is_open, "{name} {query}");
                asked += 1;
            }
        }
    }
    assert!(asked > 100, "{asked}");
}

#[tokio::test]
async fn a_registry_is_shown_the_identifiers_of_registrars_alone() {
    let server = TestServer::start_with(|all| {
        all.roles.registrar_systems = vec!["urn:registrar".to_owned()].into();
    })
    .await;
    let identifiers = json!([{"system": "urn:registrar", "value": "1"},
        {"system": "urn:mrn", "value": "2"}, {"value": "3"}]);
    let child: Value = patient().id("p").with("identifier", identifiers).into();
    server.update(child).await.expect(201);
    let rid = server.link("Patient/p").await.rid;
    let sql = "insert into release_link values ('ON', $1, 0, 0)";
    let mut connection = server.database.connect().await;
    sqlx::query(sql).bind(rid).execute(&mut connection).await.unwrap();
    let mut registry = crate::harness::principal("r", Role::Registry, "system/*.rs");
    registry.links.jurisdictions = vec!["ON".to_owned()];
    let registry = server.as_principal(registry);
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": "Patient/p"}}]});
    for shown in [
        registry.get("Patient/p").await.expect(200).body,
        registry.get("Patient?name=x,a,b,c,d,e").await.expect(200).body,
        registry.post("", &bundle).await.expect(200).body,
    ] {
        let text = shown.to_string();
        assert!(!text.contains("urn:mrn"), "{text}");
        assert!(text.contains("urn:registrar") || !text.contains("birthDate"), "{text}");
    }
    let shown = registry.get("Patient/p").await.expect(200).body;
    assert_eq!(shown["identifier"], json!([{"system": "urn:registrar", "value": "1"}]));
    // Others of them would be told by a search.
    registry.get("Patient?identifier=urn:mrn|2").await.expect_outcome(403, "forbidden");
    registry.get("Patient?_include=Patient:organization").await.expect_outcome(403, "forbidden");
    let query = "Organization?_revinclude=Patient:organization";
    registry.get(query).await.expect_outcome(403, "forbidden");
}

/// A group of two patients, of whom `a` asks.
async fn group() -> (TestServer, FhirClient) {
    let server = TestServer::start().await;
    for id in ["a", "b"] {
        server.update(patient().id(id)).await.expect(201);
    }
    server.doctor("d").await;
    let mut both = appointment("both", "a", "d");
    let participants = both["participant"].as_array_mut().unwrap();
    participants.push(json!({"actor": {"reference": "Patient/b"}, "status": "declined"}));
    participants
        .push(json!({"actor": {"type": "Patient", "display": "Eve"}, "status": "accepted"}));
    both["text"] = json!({"status": "generated",
        "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">with b</div>"});
    server.update(both).await.expect(201);
    server.update(appointment("alone", "a", "d")).await.expect(201);
    let ann = server.patient_client("a").await;
    (server, ann)
}

#[tokio::test]
async fn other_participants_of_a_group_appointment_are_left_out() {
    let (server, ann) = group().await;
    let of = |value: &Value| -> Vec<String> {
        let all = value["participant"].as_array().cloned().unwrap_or_default();
        all.iter().map(|one| one["actor"]["reference"].as_str().unwrap().to_owned()).collect()
    };
    let shown = ann.get("Appointment/both").await.expect(200).body;
    assert_eq!(of(&shown), ["Patient/a", "Practitioner/d"]);
    assert_eq!(shown["meta"]["security"][0]["code"], "REDACTED");
    assert!(shown["text"].is_null());
    let whole = ann.get("Appointment/alone").await.expect(200).body;
    assert_eq!(of(&whole), ["Patient/a", "Practitioner/d"]);
    assert!(whole["meta"]["security"].is_null());
    for query in
        ["Appointment", "Appointment/both/_history", "Patient?_revinclude=Appointment:actor"]
    {
        let reply = ann.get(query).await.expect(200);
        assert!(reply.text().contains("Appointment/both"), "{query}");
        assert!(!reply.text().contains("Patient/b") && !reply.text().contains("Eve"), "{query}");
    }
    // Who has the patient in care sees everybody.
    assert_eq!(
        server.get("Appointment/both").await.body["participant"].as_array().unwrap().len(),
        4
    );
}

#[tokio::test]
async fn rt_040_nobody_asks_who_else_is_in_a_group() {
    let (_server, ann) = group().await;
    for query in [
        "Appointment?patient=b",
        "Appointment?patient=Patient/b",
        "Appointment?actor=Patient/b",
        "Appointment?actor=Patient/a,Patient/b",
        "Appointment?patient:not=Patient/b",
        "Appointment?part-status=declined",
        "Appointment?_sort=patient",
        "Appointment?_filter=patient eq Patient/b",
        "Appointment?_text=b",
        "Patient?_has:Appointment:actor:part-status=declined",
    ] {
        let reply = ann.get(query).await;
        assert!([400, 403].contains(&reply.status()), "{query} {}", reply.status());
    }
    assert_eq!(found(&ann, "Appointment?patient=Patient/a").await, "alone both");
    assert_eq!(found(&ann, "Appointment?actor=Practitioner/d").await, "alone both");
    assert_eq!(found(&ann, "Appointment?patient.name=x").await, "");
    assert_eq!(found(&ann, "Patient/a/Appointment").await, "alone both");
}

#[tokio::test]
async fn what_is_about_others_as_well_is_not_cancelled_nor_patched() {
    let (server, ann) = group().await;
    let mut both = server.get("Appointment/both").await.body;
    both["status"] = "cancelled".into();
    ann.put("Appointment/both", &both).await.expect_outcome(403, "forbidden");
    let mut shown = ann.get("Appointment/both").await.body;
    shown["status"] = "cancelled".into();
    ann.put("Appointment/both", &shown).await.expect_outcome(403, "forbidden");
    // A test that holds and one that does not are the same.
    let mut said = Vec::new();
    for who in ["Patient/b", "Patient/c"] {
        let path = "/participant/2/actor/reference";
        let patch = json!([{"op": "test", "path": path, "value": who},
            {"op": "replace", "path": "/status", "value": "cancelled"}]);
        let reply = ann.patch("Appointment/both", &patch).await;
        said.push((reply.status(), reply.text().to_owned()));
    }
    assert_eq!(said[0], said[1]);
    assert_eq!(said[0].0, 403);
    let patch = json!([{"op": "replace", "path": "/status", "value": "cancelled"}]);
    ann.patch("Appointment/alone", &patch).await.expect(200);
}
