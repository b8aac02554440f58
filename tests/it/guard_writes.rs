//! Writes by callers who may not see or do everything (SECURITY.md 2.5 and 2.6; red-team lists F
//! and G).

use crate::harness::{FhirClient, Reply, TestServer, encounter, observation, patient, principal};
use bhn_fhir::access::Role;
use serde_json::{Value, json};

/// Two organizations with a patient each, and who works there.
struct Town {
    server: TestServer,
}

impl Town {
    async fn start() -> Town {
        Town::with(TestServer::start().await).await
    }

    async fn with(server: TestServer) -> Town {
        for number in ["1", "2"] {
            let organization = format!("Organization/org{number}");
            let name = json!({"resourceType": "Organization", "id": format!("org{number}"),
                "name": number});
            server.update(name).await.expect(201);
            let resource = patient().id(&format!("p{number}")).mrn(number);
            let managed = json!({"reference": organization});
            server.update(resource.with("managingOrganization", managed)).await.expect(201);
            let about = observation().id(&format!("o{number}"));
            server.update(about.subject(&format!("Patient/p{number}"))).await.expect(201);
        }
        Town { server }
    }

    /// A doctor with p1 in care.
    async fn doctor(&self) -> FhirClient {
        let doctor = self.server.doctor("d1").await;
        self.server.update(encounter("e1", "p1", "d1")).await.expect(201);
        doctor
    }
}

/// The same answer but for the id that was asked for.
#[track_caller]
fn same(one: (&Reply, &str), other: (&Reply, &str)) {
    assert_eq!(one.0.status(), other.0.status());
    let text = |(reply, id): (&Reply, &str)| reply.text().replace(id, "ID");
    assert_eq!(text(one), text(other));
}

fn of_id(id: &str) -> Value {
    patient().id(id).into()
}

#[tokio::test]
async fn rt_076_a_put_tells_no_user_whether_a_resource_is_there() {
    let town = Town::start().await;
    let ann = town.server.patient_client("p1").await;
    for user in [ann, town.doctor().await, town.server.staff("org1").await] {
        let hidden = user.put("Patient/p2", &of_id("p2")).await.expect_outcome(404, "not-found");
        let missing = user.put("Patient/nobody", &of_id("nobody")).await;
        same((&hidden, "p2"), (&missing, "nobody"));
        let conditional = user.request("PUT", "Patient/p2").header("If-Match", "W/\"1\"");
        let conditional = conditional.json(&of_id("p2")).send().await;
        same((&hidden, "p2"), (&conditional, "p2"));
        let patch = json!([{"op": "test", "path": "/active", "value": true}]);
        let hidden = user.patch("Patient/p2", &patch).await.expect_outcome(404, "not-found");
        same((&hidden, "p2"), (&user.patch("Patient/nobody", &patch).await, "nobody"));
    }
    assert_eq!(town.server.get("Patient/p2").await.etag_version(), 1);
}

#[tokio::test]
async fn rt_077_a_doctor_makes_no_appointment_with_a_patient_whom_he_does_not_see() {
    let town = Town::start().await;
    let doctor = town.doctor().await;
    let source = crate::harness::appointment("a", "p2", "d1");
    let reply = doctor.post("Appointment", &source).await;
    assert!([403, 422].contains(&reply.status()), "{reply:?}");
    assert_eq!(town.server.care().await, "d1 p1");
    doctor.get("Patient/p2").await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn rt_079_what_is_about_one_patient_never_becomes_about_another() {
    let town = Town::start().await;
    let doctor = town.doctor().await;
    for other in ["Patient/p2", "Patient/nobody"] {
        let body: Value = observation().id("o1").subject(other).into();
        let reply = doctor.put("Observation/o1", &body).await.expect_outcome(403, "forbidden");
        assert_eq!(reply.expressions(), ["Observation.subject"]);
        let patch = json!([{"op": "replace", "path": "/subject/reference", "value": other}]);
        doctor.patch("Observation/o1", &patch).await.expect_outcome(403, "forbidden");
    }
    let patch = json!([{"op": "remove", "path": "/subject"}]);
    doctor.patch("Observation/o1", &patch).await.expect_outcome(403, "forbidden");
    doctor.get("Patient/p2").await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn a_reference_to_an_invisible_resource_is_one_to_a_missing_one() {
    let town = Town::start().await;
    let doctor = town.doctor().await;
    let of = |focus: &str| -> Value {
        let focus = json!([{"reference": focus}]);
        observation().subject("Patient/p1").with("focus", focus).into()
    };
    let hidden = doctor.post("Observation", &of("Patient/p2")).await;
    let hidden = hidden.expect_outcome(422, "not-found");
    let missing = doctor.post("Observation", &of("Patient/nobody")).await;
    same((&hidden, "p2"), (&missing, "nobody"));
    let about = |subject: &str| -> Value { observation().subject(subject).into() };
    let hidden = doctor.post("Observation", &about("Patient/p2")).await.expect(422);
    let missing = doctor.post("Observation", &about("Patient/nobody")).await;
    same((&hidden, "p2"), (&missing, "nobody"));
    doctor.post("Observation", &of("Patient/p1")).await.expect(201);
    // About nobody is in nobody's care.
    let about_nobody: Value = observation().into();
    doctor.post("Observation", &about_nobody).await.expect_outcome(403, "forbidden");
}

#[tokio::test]
async fn rt_096_every_form_of_a_reference_is_judged_as_what_it_becomes() {
    let town = Town::start().await;
    let doctor = town.doctor().await;
    let absolute = format!("{}/Patient/p2", town.server.base());
    let forms = [absolute.as_str(), "Patient/p2/_history/1", "Patient?identifier=2"];
    for form in forms {
        let body: Value = observation().subject(form).into();
        let entry = json!({"resource": body, "request": {"method": "POST", "url": "Observation"}});
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
        let reply = doctor.post("", &bundle).await;
        assert!([403, 412, 422].contains(&reply.status()), "{form}: {reply:?}");
    }
    assert_eq!(town.server.count("Observation").await, 2);
}

#[tokio::test]
async fn a_system_may_name_what_is_to_come_and_write_about_patients_that_it_sees() {
    let town = Town::start().await;
    let system = town.server.system("org1", "e1-").await;
    let of = |subject: &str, performer: &str| -> Value {
        let performer = json!([{"reference": performer}]);
        observation().subject(subject).with("performer", performer).into()
    };
    let to_come = "Practitioner/to-come";
    system.post("Observation", &of("Patient/p1", to_come)).await.expect(201);
    system.post("Observation", &of("Patient/e1-to-come", to_come)).await.expect(201);
    // An id of another's may come to be another's patient.
    for subject in ["Patient/p2", "Patient/nobody"] {
        system.post("Observation", &of(subject, to_come)).await.expect_outcome(422, "not-found");
    }
}

#[tokio::test]
async fn rt_083_audit_and_provenance_are_never_changed_nor_deleted() {
    let town = Town::start().await;
    let admin = town.server.as_principal(town.server.person(Role::Admin, "Practitioner/a").await);
    for path in ["AuditEvent/x", "Provenance/x"] {
        let kind = path.split('/').next().unwrap();
        let reply = admin.delete(path).await;
        assert!([403, 405].contains(&reply.status()), "{reply:?}");
        let reply = admin.patch(path, &json!([{"op": "remove", "path": "/recorded"}])).await;
        assert!([403, 405].contains(&reply.status()), "{reply:?}");
        let reply = admin.delete(&format!("{kind}?_id=x")).await;
        assert!([403, 405].contains(&reply.status()), "{reply:?}");
    }
}

#[tokio::test]
async fn rt_085_staff_keep_documents_for_their_own_facility() {
    let town = Town::start().await;
    let staff = town.server.staff("org1").await;
    let of = |custodian: &str| {
        json!({"resourceType": "Composition", "status": "preliminary", "title": "Birth",
            "type": {"coding": [{"system": "http://loinc.org", "code": "92011-6"}]},
            "date": "2026-01-01", "author": [{"display": "clerk"}],
            "subject": {"reference": "Patient/p1"}, "custodian": {"reference": custodian}})
    };
    let reply = staff.post("Composition", &of("Organization/org2")).await;
    let expressions = reply.expect_outcome(403, "forbidden").expressions();
    assert_eq!(expressions, ["Composition.custodian"]);
    let made = staff.post("Composition", &of("Organization/org1")).await.expect(201);
    let mut connection = town.server.database.connect().await;
    let sql = "select o.id from resource r join resource o on o.rid = r.owner where r.id = $1";
    let query = sqlx::query_scalar::<_, String>(sql).bind(made.id());
    assert_eq!(query.fetch_one(&mut connection).await.unwrap(), "org1");
}

#[tokio::test]
async fn rt_086_a_system_chooses_ids_within_its_prefix() {
    let town = Town::start().await;
    let system = town.server.system("org1", "e1-").await;
    let missing = system.put("Patient/nobody", &of_id("nobody")).await.expect(422);
    assert_eq!(missing.expressions(), ["Patient.id"]);
    let hidden = system.put("Patient/p2", &of_id("p2")).await;
    same((&missing, "nobody"), (&hidden, "p2"));
    system.put("Patient/e1-a", &of_id("e1-a")).await.expect(201);
    system.put("Patient/e1-a", &patient().id("e1-a").family("X").into()).await.expect(200);
    // What the facility sees and does not own stays as it is.
    let seen = patient().id("p1").family("X").into();
    system.put("Patient/p1", &seen).await.expect_outcome(403, "forbidden");
}

#[tokio::test]
async fn rt_088_who_may_create_and_not_read_gets_no_body() {
    let town = Town::start().await;
    let mut writer = principal("writer", Role::EhrSystem, "system/Patient.c");
    writer.links.organizations = vec![town.server.link("Organization/org1").await];
    let writer = town.server.as_principal(writer);
    let resource: Value = patient().into();
    let request = writer.request("POST", "Patient").header("Prefer", "return=representation");
    let reply = request.json(&resource).send().await.expect(201);
    assert!(reply.bytes.is_empty() && reply.header("location").contains("/Patient/"), "{reply:?}");
    let entry = json!({"resource": resource, "request": {"method": "POST", "url": "Patient"}});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    let request = writer.request("POST", "").header("Prefer", "return=representation");
    let reply = request.json(&bundle).send().await.expect(200);
    assert_eq!(reply.body["entry"][0]["response"]["status"], "201 Created");
    assert_eq!(reply.body["entry"][0]["resource"], Value::Null);
}

#[tokio::test]
async fn rt_089_version_and_instant_are_the_servers_and_labels_go_by_privilege() {
    let town = Town::start().await;
    let system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    let label = |code: &str| json!({"code": code, "system": system});
    let staff = town.server.staff("org1").await;
    let meta = json!({"versionId": "77", "lastUpdated": "1999-01-01T00:00:00Z",
        "security": [label("R")]});
    let made = staff.post("Patient", &patient().with("meta", meta).into()).await.expect(201);
    assert_eq!(made.body["meta"]["versionId"], "1");
    assert_ne!(made.body["meta"]["lastUpdated"], "1999-01-01T00:00:00Z");
    let path = format!("Patient/{}", made.id());
    let add = json!([{"op": "add", "path": "/meta/security/-", "value": label("N")}]);
    staff.patch(&path, &add).await.expect(200);
    let remove = json!([{"op": "remove", "path": "/meta/security/0"}]);
    let reply = staff.patch(&path, &remove).await.expect_outcome(403, "forbidden");
    assert_eq!(reply.expressions(), ["Patient.meta.security"]);
    let parameters = json!({"resourceType": "Parameters", "parameter": [
        {"name": "meta", "valueMeta": {"security": [label("R")]}}]});
    let reply = staff.post(&format!("{path}/$meta-delete"), &parameters).await;
    reply.expect_outcome(403, "forbidden");
    // An update that leaves them out keeps them.
    let mut body = made.body.clone();
    body.as_object_mut().unwrap().shift_remove("meta");
    body["gender"] = "male".into();
    let kept = staff.put(&path, &body).await.expect(200);
    assert_eq!(kept.body["meta"]["security"].as_array().map(Vec::len), Some(2));
    // A doctor who has the patient in care may take a label away.
    let doctor = town.doctor().await;
    let about = observation().id("labelled").subject("Patient/p1");
    town.server.update(about.with("meta", json!({"security": [label("R")]}))).await.expect(201);
    let reply = doctor.post("Observation/labelled/$meta-delete", &parameters).await.expect(200);
    assert_eq!(reply.body["parameter"][0]["valueMeta"]["security"], Value::Null);
}

#[tokio::test]
async fn rt_091_what_was_cut_short_is_not_stored() {
    let town = Town::start().await;
    let doctor = town.doctor().await;
    let tag = json!({"tag": [{"code": "SUBSETTED",
        "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"}]});
    let body: Value = observation().id("o1").subject("Patient/p1").with("meta", tag).into();
    doctor.put("Observation/o1", &body).await.expect(422);
}

#[tokio::test]
async fn rt_092_a_name_that_stands_twice_is_400() {
    let town = Town::start().await;
    let doctor = town.doctor().await;
    let body = r#"{"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": "Patient/p1"}, "subject": {"reference": "Patient/p2"}}"#;
    let request = doctor.request("POST", "Observation");
    request.body("application/fhir+json", body).send().await.expect(400);
}

#[tokio::test]
async fn rt_097_criteria_that_match_what_is_invisible_match_nothing() {
    let town = Town::start().await;
    let system = town.server.system("org1", "e1-").await;
    let create = async |criteria: &str| {
        let request = system.request("POST", "Patient").header("If-None-Exist", criteria);
        request.json(&patient().into()).send().await
    };
    create("identifier=2").await.expect(201);
    create("identifier=1").await.expect(200);
}

#[tokio::test]
async fn rt_099_a_conditional_update_reaches_nothing_invisible() {
    let town = Town::start().await;
    let staff = town.server.staff("org1").await;
    let hidden = staff.put("Patient?identifier=none", &of_id("p2")).await;
    let hidden = hidden.expect_outcome(404, "not-found");
    let missing = staff.put("Patient?identifier=none", &of_id("nobody")).await;
    same((&hidden, "p2"), (&missing, "nobody"));
    let by_criteria = staff.put("Patient?identifier=2", &of_id("p2")).await;
    same((&hidden, "p2"), (&by_criteria, "p2"));
    assert_eq!(town.server.get("Patient/p2").await.etag_version(), 1);
    staff.put("Patient?identifier=none", &patient().into()).await.expect(201);
}

/// State of an application, which is its user's own.
fn state(code: &str) -> Value {
    json!({"resourceType": "Basic", "code": {"coding": [{"system": "http://app", "code": code}]}})
}

#[tokio::test]
async fn a_conditional_delete_counts_what_is_visible() {
    let town = Town::start().await;
    let (doctor, other) = (town.doctor().await, town.server.doctor("d2").await);
    let own = doctor.post("Basic", &state("x")).await.expect(201);
    let hidden = other.post("Basic", &state("x")).await.expect(201);
    doctor.delete("Basic?code=http://app|x").await.expect(204);
    town.server.get(&format!("Basic/{}", own.id())).await.expect(410);
    town.server.get(&format!("Basic/{}", hidden.id())).await.expect(200);
}

#[tokio::test]
async fn rt_102_a_conditional_reference_resolves_to_the_visible_match() {
    let town = Town::start().await;
    let doctor = town.doctor().await;
    for id in ["p1", "p2"] {
        town.server.update(patient().id(id).mrn("both")).await.expect(200);
    }
    let body: Value = observation().subject("Patient?identifier=both").into();
    let entry = json!({"resource": body, "request": {"method": "POST", "url": "Observation"}});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    let request = doctor.request("POST", "").header("Prefer", "return=representation");
    let reply = request.json(&bundle).send().await.expect(200);
    let subject = &reply.body["entry"][0]["resource"]["subject"]["reference"];
    assert_eq!(subject, "Patient/p1");
}

#[tokio::test]
async fn rt_103_a_unique_identifier_of_an_invisible_resource_is_no_conflict() {
    let unique = bhn_fhir::config::UniqueIdentifier {
        resource_type: bhn_fhir::fhir::definitions::ResourceType::parse("Patient").unwrap(),
        system: crate::harness::MRN.to_owned(),
    };
    let server = TestServer::start_with(|settings| settings.unique_identifiers = vec![unique]);
    let town = Town::with(server.await).await;
    let staff = town.server.staff("org1").await;
    staff.post("Patient", &patient().mrn("1").into()).await.expect(409);
    staff.post("Patient", &patient().mrn("2").into()).await.expect(201);
}

#[tokio::test]
async fn a_delete_tells_nothing_of_what_refers() {
    let server = TestServer::start_with(|settings| settings.integrity_on_delete = true).await;
    let doctor = server.doctor("d1").await;
    let own = doctor.post("Basic", &state("x")).await.expect(201);
    let path = format!("Basic/{}", own.id());
    let focus = json!([{"reference": path}]);
    server.update(observation().id("secret").with("focus", focus)).await.expect(201);
    let reply = doctor.delete(&path).await.expect(409);
    assert!(!reply.text().contains("secret"), "{reply:?}");
}

#[tokio::test]
async fn who_may_not_choose_ids_does_not_bring_back_what_was_deleted() {
    let town = Town::start().await;
    let staff = town.server.staff("org1").await;
    let own = staff.post("Patient", &patient().into()).await.expect(201);
    let path = format!("Patient/{}", own.id());
    town.server.delete(&path).await.expect(204);
    let body = of_id(own.id());
    let reply = staff.put(&path, &body).await;
    assert!([404, 410].contains(&reply.status()), "{reply:?}");
}

#[tokio::test]
async fn the_first_refused_entry_of_a_transaction_is_named_and_nothing_is_stored() {
    let town = Town::start().await;
    let doctor = town.doctor().await;
    let entry = |subject: &str| {
        let body: Value = observation().subject(subject).into();
        json!({"resource": body, "request": {"method": "POST", "url": "Observation"}})
    };
    let bundle = json!({"resourceType": "Bundle", "type": "transaction",
        "entry": [entry("Patient/p1"), entry("Patient/p2")]});
    let reply = doctor.post("", &bundle).await.expect_outcome(422, "not-found");
    let expression = &reply.expressions()[0];
    assert!(expression.starts_with("Bundle.entry[1]"), "{expression}");
    assert_eq!(town.server.count("Observation").await, 2);
}
