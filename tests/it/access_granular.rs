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
    app.get("Observation/vital/_history").await.expect_outcome(404, "not-found");
    app.get("Condition").await.expect_outcome(403, "forbidden");
}

#[tokio::test]
async fn as_26_granular_scopes_take_every_parameter_and_modifier_of_the_search() {
    let network = network().await;
    let mut dated = observation("dated", "P1", "survey", "8480-6");
    dated["effectiveDateTime"] = "2020-05-01".into();
    dated["valueQuantity"] = json!({"value": 7, "unit": "mg"});
    dated["identifier"] = json!([{"system": "urn:i", "value": "1"}]);
    dated["meta"] = json!({"tag": [{"system": "urn:t", "code": "x"}]});
    network.put(&dated).await;
    for (query, ids) in [
        ("date=lt2021", "dated"),
        ("date=ge2020-05-01&date=lt2020-05-02&code=http://l|8480-6", "dated"),
        ("date:missing=true", "social vital"),
        ("category:not=http://c|laboratory", "dated social vital"),
        ("value-quantity=gt5", "dated"),
        ("identifier=urn:i|1", "dated"),
        ("identifier:of-type=a|b|1", ""),
        ("_id=vital,social", "social vital"),
        ("_tag=urn:t|x", "dated"),
        ("_lastUpdated=lt2000", ""),
        ("_lastUpdated=gt2000", "dated o1 social vital"),
        ("status=final,amended", "dated o1 social vital"),
        ("performer=Practitioner/D1", "o1"),
        ("subject:Patient.family=adams", "dated o1 social vital"),
        ("subject:Patient.family=smith", ""),
        ("_has:DiagnosticReport:result:status=final", "o1"),
        ("code-value-quantity=http://l|8480-6$gt5", "dated"),
        ("_filter=date lt 2021 or category eq http://c|laboratory", "dated o1"),
        ("_text=nothing", ""),
    ] {
        let scopes = format!("patient/Observation.rs?{}", query.replace(' ', "%20"));
        let app = network.as_person_with("p1", &scopes).await;
        assert_eq!(found(&app, "Observation").await, ids, "{query}");
        for id in ["o1", "vital", "social", "dated"] {
            let is_given = ids.split_whitespace().any(|one| one == id);
            let wanted = if is_given { 200 } else { 404 };
            assert_eq!(app.get(&format!("Observation/{id}")).await.status(), wanted, "{query}");
            let version = app.get(&format!("Observation/{id}/_history/1")).await;
            assert_eq!(version.status(), wanted, "{query} {id}");
            let history = app.get(&format!("Observation/{id}/_history")).await;
            assert_eq!(history.status(), wanted, "{query} {id}");
        }
    }
}

#[tokio::test]
async fn as_26_value_sets_narrow_a_granular_scope() {
    let network = network().await;
    network
        .put(&json!({"resourceType": "ValueSet", "id": "signs", "status": "active",
            "url": "http://v/signs", "compose": {"include": [
                {"system": "http://c", "concept": [{"code": "vital-signs"}]}]}}))
        .await;
    let scopes = "patient/Observation.rs?category:in=http://v/signs";
    let app = network.as_person_with("p1", scopes).await;
    assert_eq!(found(&app, "Observation").await, "vital");
    app.get("Observation/o1").await.expect_outcome(404, "not-found");
    app.get("Observation/vital/_history/1").await.expect(200);
    let scopes = "user/Observation.cruds?category:in=http://v/signs";
    let writer = network.as_person_with("d1", scopes).await;
    writer.post("Observation", &observation("x", "P1", "vital-signs", "1")).await.expect(201);
    let reply = writer.post("Observation", &observation("x", "P1", "social-history", "1")).await;
    reply.expect_outcome(403, "forbidden");
}

#[tokio::test]
async fn rt_136_a_granular_scope_of_another_patient_gives_nothing() {
    let network = network().await;
    for query in ["patient=P2", "patient=Patient/P2", "subject=Patient/P2", "_id=o2"] {
        let scopes = format!("patient/Observation.rs?{query}");
        let app = network.as_person_with("p1", &scopes).await;
        assert_eq!(found(&app, "Observation").await, "", "{query}");
        app.get("Observation/o2").await.expect_outcome(404, "not-found");
        app.get("Observation/o1").await.expect_outcome(404, "not-found");
    }
}

#[tokio::test]
async fn g10_sub_resource_scopes_of_condition_and_observation() {
    let network = Network::start().await;
    const CONDITIONS: &str = "http://terminology.hl7.org/CodeSystem/condition-category";
    const CORE: &str = "http://hl7.org/fhir/us/core/CodeSystem/condition-category";
    const OBSERVATIONS: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
    let condition = |id: &str, system: &str, code: &str| {
        json!({"resourceType": "Condition", "id": id, "subject": {"reference": "Patient/P1"},
            "category": [{"coding": [{"system": system, "code": code}]}]})
    };
    network.put(&condition("encounter", CONDITIONS, "encounter-diagnosis")).await;
    network.put(&condition("problem", CONDITIONS, "problem-list-item")).await;
    network.put(&condition("concern", CORE, "health-concern")).await;
    for code in ["social-history", "laboratory", "survey", "vital-signs"] {
        let mut one = observation(code, "P1", code, "1");
        one["category"][0]["coding"][0]["system"] = OBSERVATIONS.into();
        network.put(&one).await;
    }
    let scopes = format!(
        "patient/Condition.rs?category={CONDITIONS}|encounter-diagnosis \
         patient/Condition.rs?category={CORE}|health-concern \
         patient/Observation.rs?category={OBSERVATIONS}|social-history \
         patient/Observation.rs?category={OBSERVATIONS}|vital-signs"
    );
    let app = network.as_person_with("p1", &scopes).await;
    assert_eq!(found(&app, "Condition").await, "concern encounter");
    assert_eq!(found(&app, "Condition?patient=P1").await, "concern encounter");
    assert_eq!(found(&app, "Observation").await, "social-history vital-signs");
    let query = format!("Observation?patient=P1&category={OBSERVATIONS}|laboratory");
    assert_eq!(found(&app, &query).await, "");
    app.get("Condition/problem").await.expect_outcome(404, "not-found");
    let all = app.get("?_type=Condition,Observation").await.expect(200);
    assert_eq!(all.sorted_ids("match"), "concern encounter social-history vital-signs");
    let all = app.get("Patient/P1/Condition").await.expect(200);
    assert_eq!(all.sorted_ids("match"), "concern encounter");
}

#[tokio::test]
async fn granular_scopes_judge_each_version_of_a_history() {
    let network = network().await;
    // social-history, vital-signs, social-history, vital-signs
    for category in ["vital-signs", "social-history", "vital-signs"] {
        network.put(&observation("social", "P1", category, "1")).await;
    }
    let scopes = "patient/Observation.rs?category=http://c|vital-signs";
    let app = network.as_person_with("p1", scopes).await;
    let versions = |reply: &crate::harness::Reply| -> Vec<String> {
        let entries = reply.body["entry"].as_array().cloned().unwrap_or_default();
        let of = |entry: &Value| {
            let meta = &entry["resource"]["meta"]["versionId"];
            format!("{}/{}", entry["resource"]["id"].as_str().unwrap(), meta.as_str().unwrap())
        };
        entries.iter().map(of).collect()
    };
    let history = app.get("Observation/social/_history").await.expect(200);
    assert_eq!(versions(&history), ["social/4", "social/2"]);
    let one = app.get("Observation/social/_history?_count=1").await.expect(200);
    assert_eq!(versions(&one), ["social/4"]);
    for (version, status) in [(1, 404), (2, 200), (3, 404), (4, 200)] {
        let reply = app.get(&format!("Observation/social/_history/{version}")).await;
        assert_eq!(reply.status(), status, "{version}");
    }
    let all = app.get("Observation/_history?_count=2").await.expect(200);
    assert_eq!(versions(&all), ["social/4", "social/2"]);
    let all = app.get("Observation/_history").await.expect(200);
    assert_eq!(versions(&all), ["social/4", "social/2", "vital/1"]);
    let all = app.get("_history").await.expect(200);
    assert_eq!(versions(&all), ["social/4", "social/2", "vital/1"]);
}

#[tokio::test]
async fn granular_scopes_bound_what_is_written_before_and_after() {
    let network = network().await;
    let scopes = "user/Observation.cruds?category=http://c|vital-signs user/Patient.rs";
    let writer = network.as_person_with("d1", scopes).await;
    let vital = |category: &str| observation("vital", "P1", category, "x");
    // The version before.
    let social = observation("social", "P1", "vital-signs", "x");
    writer.put("Observation/social", &social).await.expect_outcome(404, "not-found");
    // The version after.
    let reply = writer.put("Observation/vital", &vital("social-history")).await;
    reply.expect_outcome(403, "forbidden");
    writer.put("Observation/vital", &vital("vital-signs")).await.expect(200);
    let reply = writer.post("Observation", &vital("social-history")).await;
    reply.expect_outcome(403, "forbidden");
    writer.post("Observation", &vital("vital-signs")).await.expect(201);
    let patch = json!([{"op": "replace", "path": "/category/0/coding/0/code", "value": "survey"}]);
    let reply = writer.patch("Observation/vital", &patch).await;
    reply.expect_outcome(403, "forbidden");
    // In a transaction, and where criteria name it.
    let entry = json!({"request": {"method": "POST", "url": "Observation"},
        "resource": vital("survey")});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    writer.post("", &bundle).await.expect_outcome(403, "forbidden");
    let reply = writer.put("Observation?_id=social", &vital("vital-signs")).await;
    // The match is hidden, and the id of the body is of what he sees.
    reply.expect_outcome(409, "conflict");
    assert_eq!(found(&writer, "Observation?code=http://l|x").await.split(' ').count(), 2);
    // Several scopes are one or the other.
    let scopes = "user/Observation.cruds?category=vital-signs \
                  user/Observation.cruds?category=social-history";
    let writer = network.as_person_with("d1", scopes).await;
    writer.put("Observation/vital", &vital("social-history")).await.expect(200);
    writer.put("Observation/vital", &vital("survey")).await.expect_outcome(403, "forbidden");
    // What may be written and not be read is not shown.
    let blind = network.as_person_with("d1", "user/Observation.c?category=vital-signs").await;
    let reply = blind.post("Observation", &vital("vital-signs")).await.expect(201);
    assert!(reply.body.is_null(), "{reply:?}");
}

#[tokio::test]
async fn scopes_of_a_patient_let_nothing_be_written_about_another() {
    let network = Network::start().await;
    network.care("D1", "P2").await;
    let mut doctor = network.person_with("d1", "patient/Observation.cruds user/Patient.rs").await;
    doctor.launch.patient = Some(network.server.link("Patient/P1").await);
    let doctor = network.server.as_principal(doctor);
    let of = |patient: &str| observation("x", patient, "vital-signs", "1");
    doctor.post("Observation", &of("P1")).await.expect(201);
    doctor.post("Observation", &of("P2")).await.expect_outcome(403, "forbidden");
}

#[tokio::test]
async fn scopes_with_queries_that_are_not_understood_give_nothing() {
    let network = network().await;
    for scopes in [
        "patient/Observation.rs?nope=1",
        "patient/Observation.rs?date=soon",
        "patient/Observation.rs?_sort=date",
        "patient/Observation.rs?_summary=count",
        "patient/Observation.rs?category=",
        "patient/Observation.rs?category:in=http://v/unknown",
        "patient/Observation.rs?_include=Observation:subject",
        "patient/*.rs?category=vital-signs",
    ] {
        let app = network.as_person_with("p1", scopes).await;
        app.get("Observation").await.expect_outcome(403, "forbidden");
        app.get("Observation/vital").await.expect_outcome(403, "forbidden");
        app.get("Observation/vital/_history").await.expect_outcome(403, "forbidden");
    }
}
