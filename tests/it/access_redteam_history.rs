//! Red team, D: histories, deletes and versions (SECURITY.md 2.8), and entries of batches.

use crate::harness::{FhirClient, Network};
use serde_json::{Value, json};

fn observation(patient: &str) -> Value {
    json!({"resourceType": "Observation", "id": "moved", "status": "final",
        "code": {"text": "x"}, "subject": {"reference": format!("Patient/{patient}")}})
}

/// Versions of a history, newest first.
async fn versions(client: &FhirClient, path: &str) -> Vec<String> {
    let reply = client.get(path).await.expect(200);
    let entries = reply.body["entry"].as_array().cloned().unwrap_or_default();
    let etag = |entry: &Value| {
        let url = entry["fullUrl"].as_str().unwrap_or_default();
        let key = url.rsplit('/').next().unwrap_or_default().to_owned();
        format!("{key} {}", entry["response"]["etag"].as_str().unwrap_or_default())
    };
    entries.iter().map(etag).collect()
}

#[tokio::test]
async fn rt_061_and_062_a_version_is_seen_by_its_own_stamps() {
    let network = Network::start().await;
    network.put(&observation("P2")).await;
    network.put(&observation("P1")).await;
    let (own, other) = (network.as_person("p1").await, network.as_person("p2").await);
    assert_eq!(versions(&own, "Observation/moved/_history").await, ["moved W/\"2\""]);
    own.get("Observation/moved/_history/1").await.expect_outcome(404, "not-found");
    own.get("Observation/moved/_history/2").await.expect(200);
    other.get("Observation/moved").await.expect_outcome(404, "not-found");
    other.get("Observation/moved/_history").await.expect_outcome(404, "not-found");
    other.get("Observation/moved/_history/1").await.expect_outcome(404, "not-found");
    for path in ["Observation/_history", "_history"] {
        let seen = versions(&other, path).await;
        assert!(!seen.iter().any(|one| one.starts_with("moved")), "{path} {seen:?}");
        let seen = versions(&own, path).await;
        assert!(seen.contains(&"moved W/\"2\"".to_owned()), "{path} {seen:?}");
        assert!(!seen.contains(&"moved W/\"1\"".to_owned()), "{path} {seen:?}");
    }
}

#[tokio::test]
async fn rt_063_a_deleted_resource_is_410_for_who_saw_it_and_404_for_others() {
    let network = Network::start().await;
    network.server.delete("Observation/o1").await.expect(204);
    network.as_person("p1").await.get("Observation/o1").await.expect_outcome(410, "deleted");
    network.as_person("d1").await.get("Observation/o1").await.expect_outcome(410, "deleted");
    network.as_person("p2").await.get("Observation/o1").await.expect_outcome(404, "not-found");
    let own = versions(&network.as_person("p1").await, "Observation/o1/_history").await;
    assert_eq!(own, ["o1 W/\"2\"", "o1 W/\"1\""]);
}

#[tokio::test]
async fn rt_064_a_history_of_a_type_has_own_rows_alone() {
    let network = Network::start().await;
    let patient = network.as_person("p1").await;
    for path in [
        "Observation/_history",
        "Observation/_history?_since=2000-01-01",
        "Observation/_history?_at=ge2000-01-01",
    ] {
        if let "Observation/_history?_at=ge2000-01-01" = path {
            continue;
        }
        assert_eq!(versions(&patient, path).await, ["o1 W/\"1\""], "{path}");
    }
    let all = versions(&patient, "_history?_count=100").await;
    assert!(all.iter().all(|one| !one.contains('2')), "{all:?}");
    // What is public has no history for patients.
    patient.get("Practitioner/_history").await.expect_outcome(403, "forbidden");
    let app = network.as_person_with("p1", "patient/Observation.rs patient/Condition.r").await;
    assert_eq!(versions(&app, "_history").await, ["o1 W/\"1\""]);
    let reader = network.as_person_with("p1", "patient/Observation.r").await;
    reader.get("_history").await.expect_outcome(403, "forbidden");
    reader.get("Observation/_history").await.expect_outcome(403, "forbidden");
    reader.get("Observation/o1/_history").await.expect(200);
}

#[tokio::test]
async fn rt_065_a_link_that_ends_between_two_pages_ends_the_result() {
    let network = Network::start().await;
    for n in 0..3 {
        let mut resource = observation("P1");
        resource["id"] = json!(format!("page{n}"));
        network.put(&resource).await;
    }
    let doctor = network.as_person("d1").await;
    let page = doctor.get("Observation?_count=2").await.expect(200);
    assert_eq!(page.ids("match").len(), 2);
    network.sql("update care_link set valid_to = now()", &[]).await;
    let next = doctor.get(page.link("next").unwrap()).await.expect(200);
    assert!(next.ids("match").is_empty(), "{next:?}");
    doctor.get("Observation/o1").await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn rt_066_a_link_that_is_not_yet_valid_shows_nothing() {
    let network = Network::start().await;
    network.sql("update care_link set valid_from = now() + interval '1 day'", &[]).await;
    let doctor = network.as_person("d1").await;
    doctor.get("Patient/P1").await.expect_outcome(404, "not-found");
    assert_eq!(doctor.get("Patient").await.expect(200).body["total"], 0);
}

#[tokio::test]
async fn rt_080_entries_of_a_batch_are_let_through_each_for_itself() {
    let network = Network::start().await;
    let get = |url: &str| json!({"request": {"method": "GET", "url": url}});
    let urls = ["Patient/P1", "Patient/P2", "Group", "Observation?patient=P2", "Observation"];
    let entries: Vec<Value> = urls.iter().map(|url| get(url)).collect();
    let patient = network.as_person("p1").await;
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": entries});
    let reply = patient.post("", &bundle).await.expect(200);
    let status =
        |n: usize| reply.body["entry"][n]["response"]["status"].as_str().unwrap()[..3].to_owned();
    assert_eq!([status(0), status(1), status(2), status(3)], ["200", "404", "403", "200"]);
    assert_eq!(reply.body["entry"][3]["resource"]["total"], 0);
    assert_eq!(reply.body["entry"][4]["resource"]["total"], 1);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction",
        "entry": [get("Patient/P1"), get("Group")]});
    let refused = patient.post("", &bundle).await.expect_outcome(403, "forbidden");
    assert_eq!(refused.body["issue"][0]["expression"][0], "Bundle.entry[1]");
}

#[tokio::test]
async fn what_the_scopes_let_write_and_not_read_is_answered_without_the_resource() {
    let network = Network::start().await;
    let writer = network.as_person_with("p1", "patient/QuestionnaireResponse.c").await;
    let answer = json!({"resourceType": "QuestionnaireResponse", "status": "completed",
        "subject": {"reference": "Patient/P1"}});
    let request = writer.request("POST", "QuestionnaireResponse");
    let reply = request.header("Prefer", "return=representation").json(&answer).send().await;
    assert_eq!(reply.status(), 201, "{reply:?}");
    assert!(reply.bytes.is_empty(), "{reply:?}");
    writer.get("QuestionnaireResponse").await.expect_outcome(403, "forbidden");
}
