//! Content is seen as what it is attached to, or as its security context
//! (<https://hl7.org/fhir/R4/binary.html#security>, SECURITY.md 2.4 and 2.6).

use crate::harness::{FhirClient, Network, Reply};
use serde_json::{Value, json};

const FORMS: [&str; 3] = ["text/plain", "application/fhir+json", "application/fhir+xml"];

fn binary(id: &str) -> Value {
    json!({"resourceType": "Binary", "id": id, "contentType": "text/plain", "data": "aGVsbG8="})
}

fn document(id: &str, patient: &str, binary: &str) -> Value {
    json!({"resourceType": "DocumentReference", "id": id, "status": "current",
        "subject": {"reference": format!("Patient/{patient}")},
        "content": [{"attachment": {"url": format!("Binary/{binary}")}}]})
}

/// Whether it is shown; the same in every form, and as if it were not there where it is not.
async fn sees(client: &FhirClient, id: &str) -> bool {
    let read = async |id: &str, form: &str| -> Reply {
        let request = client.request("GET", &format!("Binary/{id}"));
        request.header("Accept", form).send().await
    };
    let mut statuses = Vec::new();
    for form in FORMS {
        let (reply, missing) = (read(id, form).await, read("missing", form).await);
        if reply.status() != 200 {
            assert_eq!(reply.text().replace(id, "missing"), missing.text());
        }
        statuses.push(reply.status());
    }
    let version = client.get(&format!("Binary/{id}/_history/1")).await.status();
    assert!(statuses.iter().all(|status| *status == version), "{id} {statuses:?} {version}");
    assert!([200, 404].contains(&version), "{version}");
    version == 200
}

/// Who sees it.
async fn seen_by(network: &Network, id: &str) -> String {
    let mut who = Vec::new();
    for name in ["p1", "p2", "d1", "d2", "h1", "a1", "gon", "e1"] {
        if sees(&network.as_person(name).await, id).await {
            who.push(name);
        }
    }
    who.join(" ")
}

#[tokio::test]
async fn content_is_its_authors_alone_until_it_is_attached() {
    let network = Network::start().await;
    let doctor = network.as_person("d1").await;
    let id = doctor.post("Binary", &binary("x")).await.expect(201).id().to_owned();
    assert_eq!(seen_by(&network, &id).await, "d1 a1");
    doctor.post("DocumentReference", &document("x", "P1", &id)).await.expect(201);
    assert_eq!(seen_by(&network, &id).await, "p1 d1 h1 a1 e1");
    // The author of it sees it as everybody else does: as what it is attached to.
    network.sql("delete from care_link", &[]).await;
    assert_eq!(seen_by(&network, &id).await, "p1 h1 a1 e1");
}

#[tokio::test]
async fn content_is_seen_as_whatever_it_is_attached_to() {
    let network = Network::start().await;
    let photo = |binary: &str| {
        json!({"resourceType": "Patient", "id": "P2", "photo": [{"url": binary}],
            "name": [{"family": "Smith"}]})
    };
    let report = json!({"resourceType": "DiagnosticReport", "id": "dr", "status": "final",
        "code": {"text": "r"}, "subject": {"reference": "Patient/P2"},
        "presentedForm": [{"url": "Binary/b/_history/1"}]});
    let media = json!({"resourceType": "Media", "id": "m", "status": "completed",
        "subject": {"reference": "Patient/P2"}, "content": {"url": "Binary/b"}});
    let extension = json!({"resourceType": "Basic", "id": "e", "code": {"text": "x"},
        "subject": {"reference": "Patient/P2"}, "extension": [{"url": "http://x",
            "valueReference": {"reference": "Binary/b"}}]});
    network.put(&binary("b")).await;
    assert_eq!(seen_by(&network, "b").await, "a1");
    for (holder, who) in [
        (document("d", "P2", "b"), "p2 d2 a1"),
        (photo("Binary/b"), "p2 d2 a1"),
        (report, "p2 d2 a1"),
        (media, "p2 d2 a1"),
        (extension, "a1"),
    ] {
        network.put(&holder).await;
        assert_eq!(seen_by(&network, "b").await, who, "{holder}");
        let key = format!("{}/{}", holder["resourceType"], holder["id"]).replace('"', "");
        match key == "Patient/P2" {
            true => drop(network.put(&photo("http://elsewhere/x")).await),
            false => drop(network.server.delete(&key).await.expect(204)),
        }
        assert_eq!(seen_by(&network, "b").await, "a1");
    }
    // One of several is enough.
    network.put(&document("d1", "P1", "b")).await;
    network.put(&document("d2", "P2", "b")).await;
    assert_eq!(seen_by(&network, "b").await, "p1 p2 d1 d2 h1 a1 e1");
}

#[tokio::test]
async fn a_security_context_decides_alone() {
    let network = Network::start().await;
    let mut content = binary("b");
    for (context, who) in [
        ("Patient/P2", "p2 d2 a1 e1"),
        ("Observation/o1", "p1 d1 h1 a1 gon e1"),
        ("Patient/missing", "a1"),
        ("http://elsewhere.example/Patient/P1", "a1"),
    ] {
        content["securityContext"] = json!({"reference": context});
        network.put(&content).await;
        // Attached to what the others see.
        network.put(&document("d", "P1", "b")).await;
        let who = if context == "Patient/P2" { "p2 d2 a1" } else { who };
        let who = if context == "Observation/o1" { "p1 d1 h1 a1 e1" } else { who };
        let mut seen = Vec::new();
        for name in ["p1", "p2", "d1", "d2", "h1", "a1", "gon", "e1"] {
            let client = network.as_person(name).await;
            if client.get("Binary/b").await.status() == 200 {
                seen.push(name);
            }
        }
        assert_eq!(seen.join(" "), who, "{context}");
    }
}

#[tokio::test]
async fn rt_120_a_security_context_out_of_sight_is_422() {
    let network = Network::start().await;
    let doctor = network.as_person("d1").await;
    let post = async |client: &FhirClient, context: &str| {
        let request = client.request("POST", "Binary").header("X-Security-Context", context);
        request.body("text/plain", "hello").send().await
    };
    let (hidden, missing) = (post(&doctor, "Patient/P2").await, post(&doctor, "Patient/no").await);
    assert_eq!(hidden.status(), 422, "{hidden:?}");
    assert_eq!(hidden.text().replace("P2", "no"), missing.text());
    post(&doctor, "Patient/P1").await.expect(201);
    // A patient makes none.
    let patient = network.as_person("p1").await;
    post(&patient, "Patient/P2").await.expect_outcome(403, "forbidden");
}

#[tokio::test]
async fn nobody_lets_himself_see_content_by_attaching_it() {
    let network = Network::start().await;
    network.put(&binary("b2")).await;
    network.put(&document("d2", "P2", "b2")).await;
    let answers = json!({"resourceType": "QuestionnaireResponse", "status": "completed",
        "subject": {"reference": "Patient/P1"}, "author": {"reference": "Patient/P1"},
        "item": [{"linkId": "1", "answer": [{"valueAttachment": {"url": "Binary/b2"}}]}]});
    let patient = network.as_person("p1").await;
    patient.post("QuestionnaireResponse", &answers).await.expect(422);
    for who in ["d1", "e1"] {
        let client = network.as_person(who).await;
        client.post("DocumentReference", &document("x", "P1", "b2")).await.expect(422);
        client.post("DocumentReference", &document("x", "P1", "missing")).await.expect(422);
        assert!(!sees(&client, "b2").await, "{who}");
    }
    // Nor by a change of what is his.
    let doctor = network.as_person("d1").await;
    doctor.post("Binary", &binary("x")).await.expect(201);
    network.put(&document("mine", "P1", "other")).await;
    doctor.put("DocumentReference/mine", &document("mine", "P1", "b2")).await.expect(422);
    assert!(!sees(&doctor, "b2").await);
}

#[tokio::test]
async fn the_context_of_a_patient_narrows_content() {
    let network = Network::start().await;
    for (document_id, patient, id) in [("d1", "P1", "b1"), ("dn", "N1", "bn")] {
        network.put(&binary(id)).await;
        network.put(&document(document_id, patient, id)).await;
    }
    // The patient in context is the mother; she is the newborn's proxy.
    let app = network.as_person_with("p1", "patient/Binary.r patient/DocumentReference.rs").await;
    assert!(sees(&app, "b1").await);
    assert!(!sees(&app, "bn").await);
    let app = network.as_person_with("p1", "patient/DocumentReference.rs").await;
    app.get("Binary/b1").await.expect_outcome(403, "forbidden");
}
