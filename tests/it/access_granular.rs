//! Scopes with search parameters: what they give is what their query finds, everywhere
//! (SMART App Launch 2.2, finer-grained resource constraints).

use crate::harness::{FhirClient, Network};
use serde_json::{Value, json};

fn observation(id: &str, patient: &str, category: &str, code: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "category": [{"coding": [{"system": "http://c", "code": category}]}],
        "code": {"coding": [{"system": "http://l", "code": code},
                            {"system": "http://l", "code": format!("also-{code}")}]},
        "subject": {"reference": format!("Patient/{patient}")},
        "hasMember": [{"reference": "Observation/o1"}],
    })
}

async fn network() -> Network {
    let network = Network::start().await;
    for (id, patient, category, code) in [
        ("vital", "P1", "vital-signs", "8480-6"),
        ("social", "P1", "social-history", "72166-2"),
        ("other", "P2", "vital-signs", "8480-6"),
    ] {
        network.put(&observation(id, patient, category, code)).await;
    }
    network
}

async fn found(client: &FhirClient, query: &str) -> String {
    client.get(query).await.expect(200).sorted_ids("match")
}

#[tokio::test]
async fn scopes_with_search_parameters_give_what_their_query_finds() {
    let network = network().await;
    for (scopes, ids) in [
        ("patient/Observation.rs?category=http://c|vital-signs", "vital"),
        ("patient/Observation.rs?category=vital-signs,laboratory", "o1 vital"),
        ("patient/Observation.rs?category=http://d|vital-signs", ""),
        ("patient/Observation.rs?code=http://l|8480-6", "vital"),
        ("patient/Observation.rs?code=http://l|also-8480-6", "vital"),
        ("patient/Observation.rs?category=vital-signs&code=http://l|72166-2", ""),
        (
            "patient/Observation.rs?category=http://c|vital-signs \
             patient/Observation.rs?category=http://c|social-history",
            "social vital",
        ),
        ("patient/Observation.rs patient/Observation.rs?category=x", "o1 social vital"),
    ] {
        let app = network.as_person_with("p1", scopes).await;
        assert_eq!(found(&app, "Observation").await, ids, "{scopes}");
        let total = app.get("Observation?_summary=count").await.expect(200);
        assert_eq!(total.body["total"], ids.split_whitespace().count(), "{scopes}");
        for id in ["o1", "o2", "vital", "social", "other"] {
            let status = app.get(&format!("Observation/{id}")).await.status();
            let is_given = ids.split_whitespace().any(|one| one == id);
            assert_eq!(status, if is_given { 200 } else { 404 }, "{scopes} {id}");
        }
    }
}

#[tokio::test]
async fn scopes_with_search_parameters_hold_in_includes_chains_and_histories() {
    let network = network().await;
    let scopes = "patient/Observation.rs?category=http://c|vital-signs patient/Patient.rs";
    let app = network.as_person_with("p1", scopes).await;
    let query = "Patient?_revinclude=Observation:subject";
    assert_eq!(app.get(query).await.expect(200).sorted_ids("include"), "vital");
    let query = "Observation?_include=Observation:has-member";
    assert_eq!(app.get(query).await.expect(200).sorted_ids("include"), "");
    assert_eq!(found(&app, "Patient?_has:Observation:subject:code=http://l|718-7").await, "");
    assert_eq!(found(&app, "Patient?_has:Observation:subject:code=http://l|8480-6").await, "P1");
    app.get("Observation/vital/_history/1").await.expect(200);
    network.put(&observation("vital", "P1", "social-history", "8480-6")).await;
    app.get("Observation/vital").await.expect_outcome(404, "not-found");
    app.get("Observation/vital/_history/1").await.expect_outcome(404, "not-found");
    app.get("Observation/vital/_history").await.expect_outcome(403, "forbidden");
    app.get("Condition").await.expect_outcome(403, "forbidden");
    let writer = network.as_person_with("d1", "user/Observation.cruds?category=vital-signs").await;
    let reply =
        writer.put("Observation/vital", &observation("vital", "P1", "vital-signs", "x")).await;
    reply.expect_outcome(403, "forbidden");
    assert_eq!(found(&writer, "Observation").await, "");
}

#[tokio::test]
async fn scopes_with_other_search_parameters_give_nothing() {
    let network = network().await;
    for scopes in ["patient/Observation.rs?date=ge2000", "patient/*.rs?category=vital-signs"] {
        let app = network.as_person_with("p1", scopes).await;
        app.get("Observation").await.expect_outcome(403, "forbidden");
        app.get("Observation/vital").await.expect_outcome(403, "forbidden");
    }
}
