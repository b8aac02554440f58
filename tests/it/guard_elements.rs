//! Which elements whom may write (SECURITY.md 2.3, E1 to E4; red-team list F).

use crate::harness::{TestServer, encounter, observation, patient};
use serde_json::{Value, json};

/// The body with another element.
fn with(body: &Value, element: &str, value: Value) -> Value {
    let mut body = body.clone();
    body[element] = value;
    body
}

#[tokio::test]
async fn rt_074_a_patient_changes_demographics_and_nothing_else() {
    let server = TestServer::start().await;
    let ann = server.patient_client("p").await;
    let body = server.get("Patient/p").await.body;
    for (element, value) in [
        ("identifier", json!([{"system": "http://h", "value": "1"}])),
        ("birthDate", json!("1980-01-01")),
        ("gender", json!("male")),
        ("deceasedBoolean", json!(true)),
        ("multipleBirthInteger", json!(2)),
        ("active", json!(false)),
        ("generalPractitioner", json!([{"display": "Dr No"}])),
        ("managingOrganization", json!({"display": "Nowhere"})),
        ("link", json!([{"other": {"display": "other"}, "type": "seealso"}])),
        ("_birthDate", json!({"id": "x"})),
        ("extension", json!([{"url": "http://x.example", "valueString": "y"}])),
    ] {
        let reply = ann.put("Patient/p", &with(&body, element, value)).await;
        let path = format!("Patient.{}", element.trim_start_matches('_'));
        assert_eq!(reply.expect_outcome(403, "forbidden").expressions(), [path]);
    }
    assert_eq!(server.get("Patient/p").await.etag_version(), 1);
    for (element, value) in [
        ("name", json!([{"family": "New"}])),
        ("telecom", json!([{"system": "phone", "value": "1"}])),
        ("address", json!([{"city": "Ottawa"}])),
        ("communication", json!([{"language": {"text": "fr"}}])),
        ("contact", json!([{"name": {"family": "Friend"}}])),
        ("maritalStatus", json!({"text": "married"})),
    ] {
        ann.put("Patient/p", &with(&body, element, value)).await.expect(200);
    }
}

#[tokio::test]
async fn rt_094_095_a_patch_is_judged_by_what_it_changes() {
    let server = TestServer::start().await;
    let ann = server.patient_client("p").await;
    let patch =
        |op: &str, path: &str, value: Value| json!([{"op": op, "path": path, "value": value}]);
    let whole: Value = patient().id("p").with("birthDate", "1980-01-01").into();
    for (operations, element) in [
        (patch("replace", "/birthDate", json!("1980-01-01")), "birthDate"),
        (patch("replace", "", whole), "birthDate"),
        (patch("add", "/meta", json!({"tag": [{"code": "x"}]})), "meta.tag"),
        (patch("add", "/active", json!(false)), "active"),
        (json!([{"op": "move", "from": "/gender", "path": "/language"}]), "gender"),
    ] {
        let reply = ann.patch("Patient/p", &operations).await.expect_outcome(403, "forbidden");
        assert_eq!(reply.expressions()[0], format!("Patient.{element}"), "{operations}");
    }
    let fhir_path = json!({"resourceType": "Parameters", "parameter": [{"name": "operation",
        "part": [{"name": "type", "valueCode": "replace"},
            {"name": "path", "valueString": "Patient.birthDate"},
            {"name": "value", "valueDate": "1980-01-01"}]}]});
    let request = ann.request("PATCH", "Patient/p").json(&fhir_path);
    request.send().await.expect_outcome(403, "forbidden");
    let meta = json!({"resourceType": "Parameters", "parameter": [
        {"name": "meta", "valueMeta": {"tag": [{"code": "x"}]}}]});
    ann.post("Patient/p/$meta-add", &meta).await.expect_outcome(403, "forbidden");
    let city = patch("add", "/address", json!([{"city": "Ottawa"}]));
    ann.patch("Patient/p", &city).await.expect(200);
    // Changed and changed back is not changed.
    let back = json!([{"op": "remove", "path": "/birthDate"},
        {"op": "add", "path": "/birthDate", "value": "1990-05-17"},
        {"op": "add", "path": "/telecom", "value": [{"value": "1"}]}]);
    ann.patch("Patient/p", &back).await.expect(200);
}

#[tokio::test]
async fn e2_a_doctor_also_sets_general_practitioner_and_death() {
    let server = TestServer::start().await;
    let doctor = server.doctor("d").await;
    server.update(patient().id("p")).await.expect(201);
    server.update(encounter("e", "p", "d")).await.expect(201);
    let body = server.get("Patient/p").await.body;
    for (element, value) in [("birthDate", json!("1980-01-01")), ("active", json!(false))] {
        let reply = doctor.put("Patient/p", &with(&body, element, value)).await;
        let reply = reply.expect_outcome(403, "forbidden");
        assert_eq!(reply.expressions(), [format!("Patient.{element}")]);
    }
    let gp = json!([{"reference": "Practitioner/d"}]);
    doctor.put("Patient/p", &with(&body, "generalPractitioner", gp)).await.expect(200);
    doctor.put("Patient/p", &with(&body, "deceasedBoolean", json!(true))).await.expect(200);
}

#[tokio::test]
async fn rt_080_a_doctor_changes_of_himself_only_how_to_reach_him() {
    let server = TestServer::start().await;
    let doctor = server.doctor("d").await;
    server.doctor("other").await;
    let body = server.get("Practitioner/d").await.body;
    let qualification = json!([{"code": {"text": "Professor"}}]);
    let reply = doctor.put("Practitioner/d", &with(&body, "qualification", qualification)).await;
    let expressions = reply.expect_outcome(403, "forbidden").expressions();
    assert_eq!(expressions, ["Practitioner.qualification"]);
    let telecom = json!([{"system": "phone", "value": "1"}]);
    doctor.put("Practitioner/d", &with(&body, "telecom", telecom.clone())).await.expect(200);
    let other = with(&server.get("Practitioner/other").await.body, "telecom", telecom);
    let reply = doctor.put("Practitioner/other", &other).await;
    assert!([403, 404].contains(&reply.status()), "{reply:?}");
}

fn reported(code: &str, by: &str) -> Value {
    let performer = json!([{"reference": by}]);
    let observation = observation().subject("Patient/p").with("performer", performer);
    observation.code("http://loinc.org", code).into()
}

#[tokio::test]
async fn rt_073_a_patient_reports_what_patients_may_and_as_himself() {
    let server = TestServer::start().await;
    let ann = server.patient_client("p").await;
    server.doctor("d").await;
    let refused = async |resource: Value, element: &str| {
        let reply = ann.post("Observation", &resource).await.expect_outcome(403, "forbidden");
        assert_eq!(reply.expressions(), [format!("Observation.{element}")]);
    };
    refused(reported("718-7", "Patient/p"), "code").await;
    refused(reported("882-1", "Practitioner/d"), "performer").await;
    let mut unsaid = reported("882-1", "Patient/p");
    unsaid.as_object_mut().unwrap().shift_remove("performer");
    refused(unsaid, "performer").await;
    ann.post("Observation", &reported("882-1", "Patient/p")).await.expect(201);
}

#[tokio::test]
async fn what_patients_may_report_is_a_setting() {
    let codes = vec!["http://loinc.org|718-7".to_owned()];
    let server = TestServer::start_with(|settings| settings.patient_reported = codes).await;
    let ann = server.patient_client("p").await;
    ann.post("Observation", &reported("718-7", "Patient/p")).await.expect(201);
    ann.post("Observation", &reported("882-1", "Patient/p")).await.expect(403);
}

#[tokio::test]
async fn a_patient_reports_an_allergy_and_verifies_none() {
    let server = TestServer::start().await;
    let ann = server.patient_client("p").await;
    let of = |status: &str| {
        let system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
        json!({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p"},
            "asserter": {"reference": "Patient/p"}, "code": {"text": "nuts"},
            "clinicalStatus": {"coding": [{"code": "active", "system":
                "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"}]},
            "verificationStatus": {"coding": [{"system": system, "code": status}]}})
    };
    let reply = ann.post("AllergyIntolerance", &of("confirmed")).await;
    reply.expect_outcome(403, "forbidden");
    let made = ann.post("AllergyIntolerance", &of("unconfirmed")).await.expect(201);
    // A doctor confirms it, and then it is no longer the patient's to change.
    let path = format!("AllergyIntolerance/{}", made.id());
    server.put(&path, &with(&of("confirmed"), "id", made.id().into())).await.expect(200);
    let note = json!([{"text": "no"}]);
    let body = with(&server.get(&path).await.body, "note", note);
    ann.put(&path, &body).await.expect_outcome(403, "forbidden");
}

#[tokio::test]
async fn staff_write_what_is_observed_at_a_birth() {
    let server = TestServer::start().await;
    let staff = server.staff("o").await;
    let child = staff.post("Patient", &patient().into()).await.expect(201);
    let of = |code: &str| -> Value {
        let subject = format!("Patient/{}", child.id());
        observation().subject(&subject).code("http://loinc.org", code).into()
    };
    let reply = staff.post("Observation", &of("718-7")).await.expect_outcome(403, "forbidden");
    assert_eq!(reply.expressions(), ["Observation.code"]);
    for code in ["8339-4", "89269-5", "9843-4", "9272-6", "9274-2", "9271-8", "11884-4", "57722-1"]
    {
        staff.post("Observation", &of(code)).await.expect(201);
    }
}

#[tokio::test]
async fn a_patient_books_a_free_slot_and_may_cancel() {
    let server = TestServer::start().await;
    let ann = server.patient_client("p").await;
    server.doctor("d").await;
    for (id, status) in [("free", "free"), ("busy", "busy")] {
        let slot = json!({"resourceType": "Slot", "id": id, "status": status,
            "schedule": {"reference": "Schedule/x"}, "start": "2099-01-01T10:00:00Z",
            "end": "2099-01-01T10:30:00Z"});
        server.update(slot).await.expect(201);
    }
    let of = |status: &str, slot: &str| {
        let mut appointment = crate::harness::appointment("", "p", "d");
        appointment.as_object_mut().unwrap().shift_remove("id");
        appointment["status"] = status.into();
        with(&appointment, "slot", json!([{"reference": format!("Slot/{slot}")}]))
    };
    let refused = async |body: Value, status: u16| {
        ann.post("Appointment", &body).await.expect(status);
    };
    // Slots that are not free are not for patients to see.
    let busy = ann.post("Appointment", &of("booked", "busy")).await;
    assert!([403, 422].contains(&busy.status()), "{busy:?}");
    refused(of("fulfilled", "free"), 403).await;
    refused(of("booked", "none"), 422).await;
    let mut without = of("booked", "free");
    without.as_object_mut().unwrap().shift_remove("slot");
    refused(without.clone(), 403).await;
    refused(with(&without, "status", "proposed".into()), 201).await;
    let booked = ann.post("Appointment", &of("booked", "free")).await.expect(201);
    let path = format!("Appointment/{}", booked.id());
    let later = with(&booked.body, "start", "2099-01-01T10:10:00Z".into());
    ann.put(&path, &later).await.expect_outcome(403, "forbidden");
    let cancelled = with(&booked.body, "status", "cancelled".into());
    let moved = with(&cancelled, "description", "x".into());
    ann.put(&path, &moved).await.expect_outcome(403, "forbidden");
    ann.put(&path, &cancelled).await.expect(200);
    ann.put(&path, &booked.body).await.expect_outcome(403, "forbidden");
}

#[tokio::test]
async fn a_doctor_signs_for_nobody_else() {
    let server = TestServer::start().await;
    let doctor = server.doctor("d").await;
    server.doctor("other").await;
    for id in ["d", "other"] {
        server.employ(id, "o").await;
    }
    server.update(patient().id("p")).await.expect(201);
    server.update(encounter("e", "p", "d")).await.expect(201);
    for (by, status) in [
        ("Practitioner/other", 403),
        ("PractitionerRole/other-at-o", 403),
        ("Practitioner/d", 201),
        ("PractitionerRole/d-at-o", 201),
        ("Patient/p", 201),
    ] {
        let reply = doctor.post("Observation", &reported("718-7", by)).await;
        assert_eq!(reply.status(), status, "{by} {reply:?}");
    }
    // Who was there stays there.
    let seen = with(&reported("718-7", "Practitioner/other"), "id", "seen".into());
    server.update(seen.clone()).await.expect(201);
    doctor.put("Observation/seen", &with(&seen, "status", "amended".into())).await.expect(200);
}

#[tokio::test]
async fn relations_are_verified_by_staff_alone() {
    let server = TestServer::start().await;
    let doctor = server.doctor("d").await;
    let staff = server.staff("o").await;
    let child = staff.post("Patient", &patient().into()).await.expect(201);
    server.update(encounter("e", child.id(), "d")).await.expect(201);
    let plain = json!({"resourceType": "RelatedPerson",
        "patient": {"reference": format!("Patient/{}", child.id())}});
    let url = "https://birthhealthnetwork.org/fhir/StructureDefinition/verified-legal-relationship";
    let verified = with(
        &plain,
        "extension",
        json!([{"url": url, "valueReference":
        {"reference": "Practitioner/d"}}]),
    );
    doctor.post("RelatedPerson", &plain).await.expect(201);
    doctor.post("RelatedPerson", &verified).await.expect_outcome(403, "forbidden");
    staff.post("RelatedPerson", &verified).await.expect(201);
}

#[tokio::test]
async fn a_patient_writes_to_who_cares_for_him() {
    let server = TestServer::start().await;
    let ann = server.patient_client("p").await;
    for id in ["d", "other"] {
        server.doctor(id).await;
    }
    server.update(encounter("e", "p", "d")).await.expect(201);
    let of = |recipient: Value| {
        json!({"resourceType": "Communication", "status": "completed",
            "subject": {"reference": "Patient/p"}, "sender": {"reference": "Patient/p"},
            "recipient": recipient, "payload": [{"contentString": "hello"}]})
    };
    let to = |id: &str| json!([{"reference": format!("Practitioner/{id}")}]);
    let reply = ann.post("Communication", &of(to("other"))).await;
    let expressions = reply.expect_outcome(403, "forbidden").expressions();
    assert_eq!(expressions, ["Communication.recipient"]);
    ann.post("Communication", &of(json!([{"display": "all"}]))).await.expect(403);
    ann.post("Communication", &of(to("d"))).await.expect(201);
}

#[tokio::test]
async fn a_provenance_is_about_what_is_visible_and_by_oneself() {
    let server = TestServer::start().await;
    let doctor = server.doctor("d").await;
    for id in ["p", "q"] {
        server.update(patient().id(id)).await.expect(201);
    }
    server.doctor("other").await;
    server.update(encounter("e", "p", "d")).await.expect(201);
    let of = |target: &str, who: &str| {
        json!({"resourceType": "Provenance", "target": [{"reference": target}],
            "recorded": "2026-01-01T00:00:00Z", "agent": [{"who": {"reference": who}}]})
    };
    let (own, other) = ("Practitioner/d", "Practitioner/other");
    doctor.post("Provenance", &of("Patient/q", own)).await.expect_outcome(422, "not-found");
    doctor.post("Provenance", &of("Patient/p", other)).await.expect_outcome(403, "forbidden");
    doctor.post("Provenance", &of("Patient/p", own)).await.expect(201);
    // That of a header is judged as any other.
    let with_header = async |who: &str| {
        let mut header = of("", who);
        header.as_object_mut().unwrap().shift_remove("target");
        let request = doctor.request("POST", "Observation");
        let request = request.header("X-Provenance", &header.to_string());
        request.json(&reported("718-7", "Practitioner/d")).send().await
    };
    with_header(other).await.expect_outcome(403, "forbidden");
    with_header(own).await.expect(201);
    let stored = server.get("Provenance?_summary=count").await;
    assert_eq!(stored.body["total"], 2);
}

#[tokio::test]
async fn rt_120_a_binary_is_not_put_under_an_invisible_context() {
    let server = TestServer::start().await;
    let doctor = server.doctor("d").await;
    server.update(patient().id("q")).await.expect(201);
    let of = |context: &str| {
        json!({"resourceType": "Binary", "contentType": "text/plain", "data": "eA==",
            "securityContext": {"reference": context}})
    };
    doctor.post("Binary", &of("Patient/q")).await.expect_outcome(422, "not-found");
    doctor.post("Binary", &of("Practitioner/d")).await.expect(201);
}
