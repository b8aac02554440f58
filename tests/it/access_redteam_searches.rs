//! Red team, B and C: what searches and includes could tell (SECURITY.md 2.8).

use crate::harness::{FhirClient, Network};
use serde_json::json;

/// Ids of the matches, ascending.
async fn found(client: &FhirClient, query: &str) -> String {
    client.get(query).await.expect(200).sorted_ids("match")
}

/// No entries, and a total that says so.
async fn is_empty(client: &FhirClient, query: &str) {
    let reply = client.get(query).await.expect(200);
    assert_eq!(reply.body["total"], 0, "{query}: {:?}", reply.body);
    assert!(reply.body["entry"].is_null(), "{query}");
}

#[tokio::test]
async fn rt_019_to_047_searches_find_own_rows_alone() {
    let network = Network::start().await;
    let patient = network.as_person("p1").await;
    for query in [
        "Observation?patient=P2",
        "Observation?patient=Patient/P2",
        "Observation?patient:missing=true",
        "Observation?patient=P1&patient=P2",
        "Organization?_has:Encounter:service-provider:patient=P2",
        "Observation?subject:Patient.name=Smith",
        "Patient?identifier=urn:mrn|P2",
        "Patient?_list=l2",
        "Practitioner/D2/Observation",
        "Patient?_id=P2",
        "Patient?name:contains=mit",
        "Observation?_filter=subject.name eq Smith",
        "Observation?_lastUpdated=lt2000",
    ] {
        is_empty(&patient, query).await;
    }
    for (query, ids) in [
        ("Observation?patient=P1,P2", "o1"),
        ("Observation?code:not=http://l|1", "o1"),
        ("Observation", "o1"),
        ("Patient", "P1"),
        ("Patient?_id=P1,P2,N2", "P1"),
        ("Observation?subject:Patient.name=Adams", "o1"),
        ("Practitioner?_has:Observation:performer:code=http://l|718-7", "D1"),
        ("Practitioner?_has:Condition:asserter:code=http://l|HIV", ""),
        ("Patient?_has:Condition:patient:code=http://l|HIV", "P1"),
        ("Practitioner", "A1 D1 D2 H1 R1"),
        ("Slot", "free"),
        ("ValueSet", "vs"),
        ("Provenance", "pv1"),
        ("?_type=Patient,Observation", "P1 o1"),
        ("Patient/P1/Observation", "o1"),
    ] {
        assert_eq!(found(&patient, query).await, ids, "{query}");
    }
    let posted = patient.request("POST", "Observation/_search?patient=P1");
    let posted = posted.body("application/x-www-form-urlencoded", "patient=P2").send().await;
    assert_eq!(posted.expect(200).body["total"], 0);
}

#[tokio::test]
async fn rt_022_and_023_totals_count_what_is_seen() {
    let network = Network::start().await;
    let patient = network.as_person("p1").await;
    for (query, total) in [
        ("Patient?_id=P1,P2&_summary=count", 1),
        ("Observation?_total=accurate", 1),
        ("Observation?_total=accurate&_count=0", 1),
        ("Observation?_total=estimate", 1),
        ("?_type=Observation,Condition&_summary=count", 2),
    ] {
        assert_eq!(patient.get(query).await.expect(200).body["total"], total, "{query}");
    }
}

#[tokio::test]
async fn rt_028_chains_over_types_without_a_scope_are_403() {
    let network = Network::start().await;
    let app = network.as_person_with("p1", "patient/Observation.rs patient/Patient.rs").await;
    for query in [
        "Patient?_has:Condition:patient:code=http://l|HIV",
        "Observation?encounter.status=finished",
        "Observation?patient._has:Condition:patient:code=x",
        "Patient?_has:Observation:patient:encounter.status=finished",
        "Observation?_list=l1",
        "Observation?code=http://l|1,2&encounter:Encounter.status=finished",
    ] {
        app.get(query).await.expect_outcome(403, "forbidden");
    }
    assert_eq!(found(&app, "Observation?patient.name=Adams").await, "o1");
}

#[tokio::test]
async fn rt_028_a_role_without_a_type_is_403_on_chains_as_well() {
    let network = Network::start().await;
    let doctor = network.as_person("d1").await;
    doctor.get("Coverage").await.expect_outcome(403, "forbidden");
    let query = "Patient?_has:Coverage:beneficiary:status=active";
    doctor.get(query).await.expect_outcome(403, "forbidden");
    doctor.get("?_type=Patient,Coverage").await.expect_outcome(403, "forbidden");
}

#[tokio::test]
async fn rt_040_and_041_nobody_searches_by_what_is_not_shown() {
    let network = Network::start().await;
    let patient = network.as_person("p1").await;
    for query in [
        "Practitioner?address=Homeville",
        "Practitioner?telecom=1",
        "Practitioner?_sort=address-city",
        "Practitioner?address:missing=false",
        "Practitioner?_filter=address co home",
        "Observation?performer:Practitioner.address=Homeville",
        "Practitioner?_text=home",
    ] {
        patient.get(query).await.expect_outcome(403, "forbidden");
    }
    assert_eq!(found(&patient, "Practitioner?name=Dr D1").await, "D1");
    let registry = network.as_person("gon").await;
    registry.get("Patient?telecom=555-P1").await.expect_outcome(403, "forbidden");
    registry.get("Patient?phone=555-P1").await.expect_outcome(403, "forbidden");
    assert_eq!(found(&registry, "Patient?name=Adams").await, "N1 P1");
}

#[tokio::test]
async fn rt_040_what_is_shown_in_part_says_so_and_shows_no_more() {
    let network = Network::start().await;
    let doctor = network.as_person("d1").await;
    let other = doctor.get("Practitioner/D2").await.expect(200);
    assert!(other.body["address"].is_null() && other.body["birthDate"].is_null(), "{other:?}");
    assert_eq!(other.body["telecom"].as_array().unwrap().len(), 1);
    assert_eq!(other.body["meta"]["security"][0]["code"], "REDACTED");
    assert_eq!(doctor.get("Practitioner/D1").await.expect(200).body["birthDate"], "1970-01-01");
    for query in [
        "Practitioner?_id=D2",
        "Observation?_include=Observation:performer",
        "Practitioner/D2/_history/1",
    ] {
        let client = if query.starts_with("Pr") { &doctor } else { &network.as_person("p1").await };
        let reply = client.get(query).await.expect(200);
        assert!(!reply.text().contains("Homeville"), "{query}");
        assert!(reply.text().contains("REDACTED"), "{query}");
    }
    let slot = doctor.get("Slot/free").await.expect(200);
    assert!(slot.body["comment"].is_null());
    let registry = network.as_person("gon").await;
    let minimum = registry.get("Patient/P1").await.expect(200);
    assert!(minimum.body["telecom"].is_null() && minimum.body["identifier"].is_null());
    assert_eq!(minimum.body["birthDate"], "1990-01-01");
}

#[tokio::test]
async fn rt_043_a_patient_that_links_to_me_is_not_mine() {
    let network = Network::start().await;
    network
        .put(&json!({"resourceType": "Patient", "id": "P2",
            "link": [{"other": {"reference": "Patient/P1"}, "type": "seealso"}]}))
        .await;
    let patient = network.as_person("p1").await;
    assert_eq!(found(&patient, "Patient").await, "P1");
    assert_eq!(found(&patient, "Patient/P1/Patient").await, "P1");
}

#[tokio::test]
async fn rt_044_a_link_to_a_page_of_somebody_else_is_404() {
    let network = Network::start().await;
    network.care("D1", "N1").await;
    let doctor = network.as_person("d1").await;
    let page = doctor.get("Observation?_count=1").await.expect(200);
    let next = page.link("next").expect("two rows").to_owned();
    network.as_person("p1").await.get(&next).await.expect_outcome(404, "not-found");
    doctor.get(&next).await.expect(200);
}

#[tokio::test]
async fn rt_050_to_055_includes_show_what_may_be_read() {
    let network = Network::start().await;
    let patient = network.as_person("p1").await;
    let included = async |client: &FhirClient, query: &str| {
        client.get(query).await.expect(200).sorted_ids("include")
    };
    assert_eq!(included(&patient, "Coverage?_include=Coverage:subscriber").await, "");
    assert_eq!(included(&patient, "DiagnosticReport?_include=DiagnosticReport:result").await, "o1");
    let all = "Observation?_include=*&_revinclude=*&_include:iterate=*";
    assert_eq!(included(&patient, all).await, "D1 P1 l1 pv1 r1");
    let both = "Patient?_revinclude=Observation:subject&_revinclude=Condition:subject";
    assert_eq!(included(&patient, both).await, "c1 o1");
    let app = network.as_person_with("p1", "patient/Observation.rs").await;
    assert_eq!(included(&app, "Observation?_include=Observation:subject").await, "");
    assert_eq!(included(&app, all).await, "");
    let doctor = network.as_person("d1").await;
    let report = "DiagnosticReport?_include=DiagnosticReport:result&_include=*";
    assert_eq!(included(&doctor, report).await, "P1 o1");
}

#[tokio::test]
async fn rt_056_rows_that_are_not_seen_take_no_place_of_those_that_are() {
    let network = Network::start().await;
    let mut entries = Vec::new();
    for n in 0..1_050 {
        entries.push(json!({"request": {"method": "PUT", "url": format!("Condition/x{n:04}")},
            "resource": {"resourceType": "Condition", "id": format!("x{n:04}"),
                "subject": {"reference": "Patient/P2"},
                "encounter": {"reference": "Encounter/e1"}}}));
    }
    entries.push(json!({"request": {"method": "PUT", "url": "Condition/y"},
        "resource": {"resourceType": "Condition", "id": "y",
            "subject": {"reference": "Patient/P1"}, "encounter": {"reference": "Encounter/e1"}}}));
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    network.server.post("", &bundle).await.expect(200);
    let patient = network.as_person("p1").await;
    let reply = patient.get("Encounter?_revinclude=Condition:encounter").await.expect(200);
    assert_eq!(reply.sorted_ids("include"), "y");
    assert_eq!(found(&patient, "Condition?_count=2").await, "c1 y");
}

#[tokio::test]
async fn rt_058_what_is_contained_is_seen_with_its_container_alone() {
    let network = Network::start().await;
    for (id, patient) in [("k1", "P1"), ("k2", "P2")] {
        network
            .put(&json!({"resourceType": "MedicationStatement", "id": id, "status": "active",
                "subject": {"reference": format!("Patient/{patient}")},
                "medicationReference": {"reference": "#m"},
                "contained": [{"resourceType": "Medication", "id": "m", "status": "active",
                    "code": {"coding": [{"system": "http://m", "code": "abc"}]}}]}))
            .await;
    }
    let patient = network.as_person("p1").await;
    let query = "Medication?code=http://m|abc&_contained=true";
    let reply = patient.get(query).await.expect(200);
    assert_eq!(reply.body["total"], 1);
    assert!(reply.text().contains("k1") && !reply.text().contains("k2"));
    let containers = format!("{query}&_containedType=container");
    assert_eq!(found(&patient, &containers).await, "k1");
    let chain = "MedicationStatement?medication.code=http://m|abc";
    assert_eq!(found(&patient, chain).await, "k1");
}

#[tokio::test]
async fn rt_059_a_provenance_is_seen_where_all_its_targets_are() {
    let network = Network::start().await;
    let patient = network.as_person("p1").await;
    patient.get("Provenance/pv1").await.expect(200);
    for id in ["pv2", "pv12"] {
        patient.get(&format!("Provenance/{id}")).await.expect_outcome(404, "not-found");
    }
    let doctor = network.as_person("d1").await;
    assert_eq!(found(&doctor, "Provenance").await, "pv1");
    network.care("D1", "P2").await;
    assert_eq!(found(&doctor, "Provenance").await, "pv1 pv12 pv2");
}

#[tokio::test]
async fn hierarchies_go_over_what_is_seen() {
    let network = Network::start().await;
    for (id, patient, parent) in [("h1", "P1", "e1"), ("h2", "P2", "h1"), ("h3", "P1", "h2")] {
        network
            .put(&json!({"resourceType": "Encounter", "id": id, "status": "finished",
                "class": {"code": "AMB"}, "subject": {"reference": format!("Patient/{patient}")},
                "partOf": {"reference": format!("Encounter/{parent}")}}))
            .await;
    }
    for who in ["d1", "p1", "h1", "e1"] {
        let client = network.as_person(who).await;
        assert_eq!(found(&client, "Encounter?part-of:below=e1").await, "h1", "{who}");
        assert_eq!(found(&client, "Encounter?part-of:above=h2").await, "h3", "{who}");
    }
    let admin = network.as_person("a1").await;
    assert_eq!(found(&admin, "Encounter?part-of:below=e1").await, "h1 h2 h3");
}

#[tokio::test]
async fn lists_and_groups_are_seen_by_their_subject_and_never_by_a_member() {
    let network = Network::start().await;
    network
        .put(&json!({"resourceType": "Group", "id": "g", "type": "person", "actual": true,
            "member": [{"entity": {"reference": "Patient/P1"}}]}))
        .await;
    let patient = network.as_person("p1").await;
    assert_eq!(found(&patient, "List").await, "l1");
    patient.get("Group").await.expect_outcome(403, "forbidden");
    let doctor = network.as_person("d1").await;
    assert_eq!(found(&doctor, "List").await, "l1 l2");
    assert_eq!(found(&doctor, "Group").await, "g");
    assert_eq!(found(&network.as_person("d2").await, "Group").await, "");
}

#[tokio::test]
async fn search_without_read_counts_and_shows_nothing() {
    let network = Network::start().await;
    let app = network.as_person_with("p1", "patient/Observation.s").await;
    app.get("Observation").await.expect_outcome(403, "forbidden");
    app.get("Observation/o1").await.expect_outcome(403, "forbidden");
    let count = app.get("Observation?_summary=count").await.expect(200);
    assert_eq!(count.body["total"], 1);
    assert!(count.body["entry"].is_null());
    let reader = network.as_person_with("p1", "patient/Observation.r").await;
    reader.get("Observation?_summary=count").await.expect_outcome(403, "forbidden");
    reader.get("Observation/o1").await.expect(200);
}

#[tokio::test]
async fn meta_of_a_type_tells_of_rows_that_are_seen() {
    let network = Network::start().await;
    for (id, patient) in [("t1", "P1"), ("t2", "P2")] {
        network
            .put(
                &json!({"resourceType": "Flag", "id": id, "status": "active", "code": {"text": "f"},
                "subject": {"reference": format!("Patient/{patient}")},
                "meta": {"tag": [{"system": "http://t", "code": id}]}}),
            )
            .await;
    }
    for path in ["Flag/$meta", "$meta"] {
        let reply = network.as_person("p1").await.get(path).await.expect(200);
        assert!(reply.text().contains("t1") && !reply.text().contains("t2"), "{path}");
    }
}
