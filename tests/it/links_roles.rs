//! Care that a facility grants goes with the practitioner's role there; nobody grants himself any,
//! by whichever source; until when a parent acts for a child (SECURITY.md 2.2, C1 to C3, and 2.2,
//! proxy).

use crate::harness::{FhirClient, TestServer, appointment, encounter, patient};
use bhn_fhir::config::ProxyAge;
use serde_json::{Value, json};

fn role(practitioner: &str, organization: &str) -> Value {
    json!({"resourceType": "PractitionerRole", "active": true,
        "id": format!("{practitioner}-at-{organization}"),
        "practitioner": {"reference": format!("Practitioner/{practitioner}")},
        "organization": {"reference": format!("Organization/{organization}")}})
}

/// A facility with a system of its own, and a patient of it.
async fn facility() -> (TestServer, FhirClient) {
    let server = TestServer::start().await;
    server.update(json!({"resourceType": "Organization", "id": "o", "name": "o"})).await;
    for id in ["d", "e"] {
        server.doctor(id).await;
    }
    let system = server.system("o", "s-").await;
    system.put("Patient/s-p", &patient().id("s-p").into()).await.expect(201);
    (server, system)
}

/// Each source of care that names the practitioner for the patient, with a key of its own.
fn sources(patient: &str, doctor: &str) -> Vec<Value> {
    let subject = json!({"reference": format!("Patient/{patient}")});
    let named = json!({"reference": format!("Practitioner/{doctor}")});
    let id = |kind: &str| format!("s-{}-{patient}-{doctor}", kind.to_lowercase());
    let mut visit = encounter(&id("Encounter"), patient, doctor);
    visit["status"] = "in-progress".into();
    vec![
        json!({"resourceType": "CareTeam", "id": id("CareTeam"), "status": "active",
            "subject": subject, "participant": [{"member": named}]}),
        visit,
        appointment(&id("Appointment"), patient, doctor),
        json!({"resourceType": "EpisodeOfCare", "id": id("EpisodeOfCare"), "status": "active",
            "patient": subject, "careManager": named}),
        json!({"resourceType": "ServiceRequest", "id": id("ServiceRequest"), "status": "active",
            "intent": "order", "subject": subject, "performer": [named]}),
        json!({"resourceType": "Composition", "id": id("Composition"), "status": "preliminary",
            "type": {"coding": [{"system": "http://loinc.org", "code": "92011-6"}]},
            "date": "2099-01-01", "title": "Birth", "author": [named], "subject": subject,
            "attester": [{"mode": "professional", "party": named}]}),
    ]
}

fn key(source: &Value) -> String {
    format!("{}/{}", source["resourceType"], source["id"]).replace('"', "")
}

#[tokio::test]
async fn c2_a_role_that_comes_after_the_sources_lets_them_count() {
    let (server, system) = facility().await;
    for source in sources("s-p", "d") {
        system.put(&key(&source), &source).await.expect(201);
        assert_eq!(server.care().await, "", "{source}");
        server.update(role("d", "o")).await;
        assert_eq!(server.care().await, "d s-p", "{source}");
        // The end of the role ends it, and what is not of this facility changes nothing.
        server.update(role("d", "other")).await;
        let mut ended = role("d", "o");
        ended["active"] = false.into();
        server.update(ended).await.expect(200);
        assert_eq!(server.care().await, "", "{source}");
        server.update(role("d", "o")).await.expect(200);
        assert_eq!(server.care().await, "d s-p", "{source}");
        // So does its deletion.
        server.delete("PractitionerRole/d-at-o").await.expect(204);
        assert_eq!(server.care().await, "", "{source}");
        // A source that is gone comes back with no role.
        server.delete(&key(&source)).await.expect(204);
        server.update(role("d", "o")).await.expect(201);
        assert_eq!(server.care().await, "", "{source}");
        server.delete("PractitionerRole/d-at-o").await.expect(204);
    }
}

#[tokio::test]
async fn c2_care_lasts_no_longer_than_the_role_and_comes_with_one_of_a_part() {
    let (server, system) = facility().await;
    let part = json!({"resourceType": "Organization", "id": "ward", "name": "ward",
        "partOf": {"reference": "Organization/o"}});
    server.update(part).await.expect(201);
    system.put("Encounter/s-e", &encounter("s-e", "s-p", "d")).await.expect(201);
    let mut of_ward = role("d", "ward");
    server.update(of_ward.clone()).await.expect(201);
    assert_eq!(server.care().await, "d s-p");
    of_ward["period"] = json!({"end": "2099-06-30"});
    server.update(of_ward.clone()).await.expect(200);
    let until = async || {
        let sql = "select (valid_to at time zone 'utc')::date::text from care_link";
        let mut connection = server.database.connect().await;
        sqlx::query_scalar::<_, String>(sql).fetch_one(&mut connection).await.unwrap()
    };
    assert_eq!(until().await, "2099-07-01");
    of_ward["period"] = json!({"end": "2020-01-01"});
    server.update(of_ward).await.expect(200);
    assert_eq!(server.care().await, "");
    // Another role is enough.
    server.update(role("d", "o")).await.expect(201);
    assert_eq!(server.care().await, "d s-p");
    // In one transaction with the source as well.
    let entry = |resource: Value| {
        let request = json!({"method": "PUT", "url": key(&resource)});
        json!({"resource": resource, "request": request})
    };
    let mut of_e = role("e", "o");
    of_e["id"] = "s-role".into();
    let entries = [entry(of_e), entry(encounter("s-f", "s-p", "e"))];
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    system.post("", &bundle).await.expect(200);
    assert_eq!(server.care().await, "d s-p, e s-p");
}

#[tokio::test]
async fn c2_a_role_lets_nothing_count_that_the_practitioner_wrote_or_another_granted() {
    let (server, system) = facility().await;
    let doctor = server.doctor("d").await;
    // The doctor is let in for a while, and names himself in a source of the facility's.
    server.update(encounter("short", "s-p", "d")).await.expect(201);
    let mut visit = encounter("s-e", "s-p", "e");
    system.put("Encounter/s-e", &visit).await.expect(201);
    visit["participant"] = json!([{"individual": {"reference": "Practitioner/d"}}]);
    doctor.put("Encounter/s-e", &visit).await.expect(200);
    server.delete("Encounter/short").await.expect(204);
    assert_eq!(server.care().await, "");
    server.update(role("d", "o")).await;
    assert_eq!(server.care().await, "");
    // What the operator granted does not go with a role.
    server.update(encounter("long", "s-p", "d")).await.expect(201);
    server.delete("PractitionerRole/d-at-o").await.expect(204);
    assert_eq!(server.care().await, "d s-p");
}

#[tokio::test]
async fn c2_nobody_grants_himself_care_by_any_source() {
    let (server, system) = facility().await;
    let doctor = server.doctor("d").await;
    server.update(encounter("short", "s-p", "d")).await.expect(201);
    for mut source in sources("s-p", "d") {
        let kind = source["resourceType"].as_str().unwrap().to_owned();
        source.as_object_mut().unwrap().shift_remove("id");
        doctor.post(&kind, &source).await.expect(201);
    }
    let mut own = server.get("Patient/s-p").await.body;
    own["generalPractitioner"] = json!([{"reference": "Practitioner/d"}]);
    doctor.put("Patient/s-p", &own).await.expect(200);
    assert_eq!(server.care().await, "d s-p");
    server.delete("Encounter/short").await.expect(204);
    assert_eq!(server.care().await, "");
    doctor.get("Patient/s-p").await.expect_outcome(404, "not-found");
    // A facility grants none to who does not work there.
    for source in sources("s-p", "e") {
        system.put(&key(&source), &source).await.expect(201);
        assert_eq!(server.care().await, "", "{source}");
    }
}

#[tokio::test]
async fn c3_a_source_that_is_deleted_ends_care() {
    let (server, system) = facility().await;
    server.update(role("d", "o")).await;
    for source in sources("s-p", "d") {
        system.put(&key(&source), &source).await.expect(201);
        assert_eq!(server.care().await, "d s-p", "{source}");
        server.delete(&key(&source)).await.expect(204);
        assert_eq!(server.care().await, "", "{source}");
    }
}

async fn proxied(server: &TestServer, person: &str) -> String {
    let rid = server.link(person).await.rid;
    let sql =
        "select coalesce(string_agg(id, ' ' order by id), '') from proxied_patients($1, now())";
    let mut connection = server.database.connect().await;
    sqlx::query_scalar(sql).bind(rid).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test]
async fn p_nobody_acts_for_a_patient_from_the_age_of_the_setting_on() {
    let ages = |list: &[&str]| -> Vec<ProxyAge> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    };
    let settings = ages(&["18", "QC=14"]);
    let server = TestServer::start_with(|all| all.roles.proxy_ages = settings).await;
    let born = |years: i32| {
        let today = bhn_fhir::clock::Clock::System.now();
        let year: i32 = today.format("%Y").to_string().parse().unwrap();
        format!("{}{}", year - years, today.format("-%m-%d"))
    };
    for (id, birth) in [("small", born(10)), ("teen", born(15)), ("grown", born(18))] {
        let child = json!({"resourceType": "Patient", "id": id, "birthDate": birth});
        server.update(child).await.expect(201);
        let related = json!({"resourceType": "RelatedPerson", "id": format!("of-{id}"),
            "patient": {"reference": format!("Patient/{id}")},
            "extension": [{"url": "https://birthhealthnetwork.org/fhir/StructureDefinition/\
                                   verified-legal-relationship",
                "valueReference": {"reference": "Patient/mother"}}]});
        server.update(related).await.expect(201);
    }
    assert_eq!(proxied(&server, "Patient/mother").await, "small teen");
    // A correction of the date of birth counts at once.
    let child = json!({"resourceType": "Patient", "id": "small", "birthDate": born(40)});
    server.update(child).await.expect(200);
    assert_eq!(proxied(&server, "Patient/mother").await, "teen");
    // Where the jurisdiction has an age of its own, that counts.
    let rid = server.link("Patient/teen").await.rid;
    let sql = "insert into release_link values ('QC', $1, 0, 0)";
    let mut connection = server.database.connect().await;
    sqlx::query(sql).bind(rid).execute(&mut connection).await.unwrap();
    assert_eq!(proxied(&server, "Patient/mother").await, "");
}
