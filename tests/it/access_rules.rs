//! Rows of the access matrix that are about other rows: Provenance, CareTeam, Group and List; and
//! the audit.

use crate::harness::{FhirClient, Network};
use serde_json::{Value, json};

async fn found(client: &FhirClient, query: &str) -> String {
    client.get(query).await.expect(200).sorted_ids("match")
}

fn references(element: &str, keys: &[&str]) -> Vec<Value> {
    keys.iter().map(|key| json!({element: {"reference": key}})).collect()
}

/// Who sees which of these resources, by reading and by searching.
async fn seen(network: &Network, name: &str, kind: &str, ids: &[&str]) -> String {
    let client = network.as_person(name).await;
    let mut read = Vec::new();
    for id in ids {
        if client.get(&format!("{kind}/{id}")).await.status() == 200 {
            read.push(*id);
        }
    }
    let searched = client.get(&format!("{kind}?_id={}", ids.join(","))).await;
    match searched.status() {
        403 => assert!(read.is_empty(), "{name} {kind}"),
        _ => {
            let mut sorted = read.clone();
            sorted.sort_unstable();
            assert_eq!(searched.sorted_ids("match"), sorted.join(" "), "{name} {kind}");
        }
    }
    read.join(" ")
}

#[tokio::test]
async fn a_provenance_is_seen_where_every_target_is() {
    let network = Network::start().await;
    let provenance = |id: &str, targets: &[&str]| {
        let targets: Vec<Value> = targets.iter().map(|key| json!({"reference": key})).collect();
        json!({"resourceType": "Provenance", "id": id, "target": targets,
            "recorded": "2024-01-01T00:00:00Z",
            "agent": [{"who": {"reference": "Practitioner/D1"}}]})
    };
    network.put(&provenance("both", &["Observation/o1", "Condition/c1"])).await;
    network.put(&provenance("mixed", &["Observation/o1", "Condition/c2"])).await;
    network.put(&provenance("gone", &["Observation/o1", "Observation/missing"])).await;
    network.put(&provenance("old", &["Observation/o1/_history/1"])).await;
    let ids = ["both", "mixed", "gone", "old"];
    for (name, sees) in [
        ("p1", "both old"),
        ("p2", ""),
        ("d1", "both old"),
        ("d2", ""),
        ("h1", "both old"),
        ("e1", "both old"),
        ("a1", "both mixed gone old"),
        ("gon", ""),
    ] {
        assert_eq!(seen(&network, name, "Provenance", &ids).await, sees, "{name}");
    }
    // One that is deleted is no longer seen.
    network.server.delete("Condition/c1").await.expect(204);
    assert_eq!(seen(&network, "d1", "Provenance", &ids).await, "old");
    let doctor = network.as_person("d1").await;
    let reply = doctor.get("Observation?_id=o1&_revinclude=Provenance:target").await.expect(200);
    assert_eq!(reply.sorted_ids("include"), "old pv1");
}

#[tokio::test]
async fn groups_and_lists_are_seen_where_all_that_is_in_them_is() {
    let network = Network::start().await;
    // An array without items is none.
    let with = |mut value: Value, element: &str, items: Vec<Value>| {
        if !items.is_empty() {
            value[element] = items.into();
        }
        value
    };
    let group = |id: &str, members: &[&str]| {
        let empty = json!({"resourceType": "Group", "id": id, "type": "person", "actual": true});
        with(empty, "member", references("entity", members))
    };
    let list = |id: &str, items: &[&str]| {
        let empty = json!({"resourceType": "List", "id": id, "status": "current",
            "mode": "working"});
        with(empty, "entry", references("item", items))
    };
    for (id, of) in
        [("own", &["Patient/P1"][..]), ("mixed", &["Patient/P1", "Patient/P2"]), ("empty", &[])]
    {
        network.put(&group(id, of)).await;
        network.put(&list(id, of)).await;
    }
    let ids = ["own", "mixed", "empty"];
    for (name, sees) in
        [("p1", ""), ("d1", "own"), ("d2", ""), ("h1", "own"), ("a1", "own mixed empty")]
    {
        assert_eq!(seen(&network, name, "Group", &ids).await, sees, "{name}");
        assert_eq!(seen(&network, name, "List", &ids).await, sees, "{name}");
    }
    // A list about the patient is the patient's, whatever is in it.
    let mut mine = list("mine", &["Observation/o2"]);
    mine["subject"] = json!({"reference": "Patient/P1"});
    network.put(&mine).await;
    assert_eq!(seen(&network, "p1", "List", &["mine"]).await, "mine");
    assert_eq!(seen(&network, "d1", "List", &["mine"]).await, "");
    // RT-034: a list that is hidden selects nothing.
    let patient = network.as_person("p1").await;
    assert_eq!(found(&patient, "Patient?_list=own").await, "");
}

#[tokio::test]
async fn a_care_team_is_its_patients_and_lets_nobody_in_by_itself() {
    let network = Network::start().await;
    let team = |id: &str, patient: &str| {
        json!({"resourceType": "CareTeam", "id": id, "status": "active",
            "subject": {"reference": format!("Patient/{patient}")},
            "participant": [{"member": {"reference": "Patient/P1"}}]})
    };
    network.put(&team("t1", "P1")).await;
    network.put(&team("t2", "P2")).await;
    for (name, sees) in [
        ("p1", "t1"),
        ("p2", "t2"),
        ("d1", "t1"),
        ("d2", "t2"),
        ("h1", "t1"),
        ("e1", "t1"),
        ("a1", "t1 t2"),
        ("gon", ""),
    ] {
        assert_eq!(seen(&network, name, "CareTeam", &["t1", "t2"]).await, sees, "{name}");
    }
    let (doctor, patient) = (network.as_person("d1").await, network.as_person("p1").await);
    patient.get("CareTeam/t1/_history").await.expect_outcome(403, "forbidden");
    doctor.get("CareTeam/t1/_history").await.expect(200);
    doctor.put("CareTeam/t2", &team("t2", "P2")).await.expect_outcome(404, "not-found");
    doctor.delete("CareTeam/t1").await.expect_outcome(403, "forbidden");
    patient.put("CareTeam/t1", &team("t1", "P1")).await.expect_outcome(403, "forbidden");
}

#[tokio::test]
async fn the_audit_is_for_administrators_with_a_second_factor() {
    let network = Network::start().await;
    let mut admin = network.person("a1").await;
    let with_factor = network.server.as_principal(admin.clone());
    with_factor.get("AuditEvent").await.expect(200);
    admin.methods = vec!["pwd".to_owned()];
    admin.token_id = "password-alone".to_owned();
    admin.client_id = "password-alone".to_owned();
    let without = network.server.as_principal(admin);
    without.get("AuditEvent").await.expect_outcome(403, "forbidden");
    without.get("AuditEvent/x").await.expect_outcome(403, "forbidden");
    without.get("Patient").await.expect(200);
    for who in ["d1", "h1", "gon"] {
        let client = network.as_person(who).await;
        client.get("AuditEvent").await.expect_outcome(403, "forbidden");
    }
}
