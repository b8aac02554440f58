//! Care links (SECURITY.md 2.2): which resources make them, who may grant them, and when they end.

use crate::harness::{TestServer, appointment, encounter, observation, patient};
use bhn_fhir::clock::Clock;
use serde_json::{Value, json};

/// What the operator stores makes this link, and no longer does so after a change of it.
async fn links_until(source: Value, change: impl FnOnce(&mut Value)) {
    let server = TestServer::start().await;
    let mut source = source;
    server.update(patient().id("p")).await.expect(201);
    server.update(source.clone()).await;
    assert_eq!(server.care().await, "d p", "{source}");
    change(&mut source);
    server.update(source).await.expect(200);
    assert_eq!(server.care().await, "");
}

fn of_patient(mut resource: Value, element: &str) -> Value {
    resource["id"] = "source".into();
    resource[element] = json!({"reference": "Patient/p"});
    resource
}

#[tokio::test]
async fn c1_a_general_practitioner_has_the_patient_in_care_while_he_is_active() {
    let gp = json!([{"reference": "Practitioner/d"}]);
    let source: Value = patient().id("p").with("generalPractitioner", gp).into();
    links_until(source, |source| source["active"] = false.into()).await;
}

#[tokio::test]
async fn c1_members_of_an_active_care_team_have_its_patient_in_care() {
    let team = json!({"resourceType": "CareTeam", "status": "active",
        "participant": [{"member": {"reference": "Practitioner/d"}}]});
    let ended = |team: &mut Value| {
        team["participant"][0]["period"] = json!({"end": "2020-01-01"});
    };
    links_until(of_patient(team.clone(), "subject"), ended).await;
    let inactive = |team: &mut Value| team["status"] = "inactive".into();
    links_until(of_patient(team, "subject"), inactive).await;
}

#[tokio::test]
async fn c1_participants_of_an_encounter_have_its_patient_in_care_until_after_it() {
    let encounter = encounter("source", "p", "d");
    let ended_long_ago = |source: &mut Value| {
        source["status"] = "finished".into();
        source["period"] = json!({"start": "2020-01-01", "end": "2020-01-02"});
    };
    links_until(encounter.clone(), ended_long_ago).await;
    links_until(encounter, |source| source["status"] = "entered-in-error".into()).await;
}

#[tokio::test]
async fn c1_an_encounter_of_yesterday_still_gives_care_and_one_without_its_end() {
    let server = TestServer::start().await;
    let yesterday = chrono_text(-1);
    let mut ended = encounter("a", "p", "d");
    ended["status"] = "finished".into();
    ended["period"] = json!({"start": "2020-01-01", "end": yesterday});
    server.update(ended).await.expect(201);
    let mut unsaid = encounter("b", "p", "e");
    unsaid["status"] = "finished".into();
    server.update(unsaid).await.expect(201);
    let mut coming = encounter("c", "p", "f");
    coming["status"] = "planned".into();
    coming["period"] = json!({"start": chrono_text(3)});
    server.update(coming).await.expect(201);
    assert_eq!(server.care().await, "d p, e p");
}

/// The day so many days from now.
fn chrono_text(days: i64) -> String {
    (Clock::System.now() + chrono::Duration::days(days)).format("%Y-%m-%d").to_string()
}

#[tokio::test]
async fn c1_the_days_after_an_encounter_are_a_setting() {
    let server = TestServer::start_with(|settings| settings.link_days.encounter = 0).await;
    let mut ended = encounter("a", "p", "d");
    ended["status"] = "finished".into();
    ended["period"] = json!({"start": "2020-01-01", "end": chrono_text(-2)});
    server.update(ended).await.expect(201);
    assert_eq!(server.care().await, "");
}

#[tokio::test]
async fn c1_practitioners_of_a_booked_appointment_have_its_patient_in_care() {
    for status in ["cancelled", "noshow", "entered-in-error"] {
        let cancelled = |source: &mut Value| source["status"] = status.into();
        links_until(appointment("source", "p", "d"), cancelled).await;
    }
}

#[tokio::test]
async fn c1_a_care_manager_has_the_patient_of_an_active_episode_in_care() {
    let episode = json!({"resourceType": "EpisodeOfCare", "status": "active",
        "careManager": {"reference": "Practitioner/d"}});
    let finished = |source: &mut Value| source["status"] = "finished".into();
    links_until(of_patient(episode, "patient"), finished).await;
}

#[tokio::test]
async fn c1_the_performer_of_an_active_request_has_its_patient_in_care() {
    let request = json!({"resourceType": "ServiceRequest", "status": "active", "intent": "order",
        "performer": [{"reference": "Practitioner/d"}]});
    let completed = |source: &mut Value| source["status"] = "completed".into();
    links_until(of_patient(request, "subject"), completed).await;
}

#[tokio::test]
async fn c1_the_attendant_of_a_birth_has_mother_and_child_in_care_for_ninety_days() {
    let server = TestServer::start().await;
    let mut registration = json!({"resourceType": "Composition", "id": "br",
        "status": "preliminary",
        "type": {"coding": [{"system": "http://loinc.org", "code": "92011-6"}]},
        "date": chrono_text(-1), "title": "Birth", "author": [{"display": "clerk"}],
        "subject": {"reference": "Patient/child"},
        "attester": [{"mode": "professional", "time": chrono_text(-80),
            "party": {"reference": "Practitioner/d"}}],
        "section": [{"code": {"coding": [{"system": "http://loinc.org", "code": "92014-0"}]},
            "focus": {"reference": "Patient/mother"}, "text": {"status": "empty",
            "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">none</div>"}}]});
    server.update(registration.clone()).await.expect(201);
    assert_eq!(server.care().await, "d child, d mother");
    registration["attester"][0]["time"] = chrono_text(-91).into();
    server.update(registration).await.expect(200);
    assert_eq!(server.care().await, "");
}

#[tokio::test]
async fn c1_a_practitioner_role_stands_for_its_practitioner() {
    let server = TestServer::start().await;
    server.employ("d", "o").await;
    let mut source = encounter("a", "p", "d");
    source["participant"][0]["individual"]["reference"] = "PractitionerRole/d-at-o".into();
    server.update(source).await.expect(201);
    assert_eq!(server.care().await, "d p");
    // Also where it comes in the same transaction.
    let entry = |resource: Value, url: &str| {
        let request = json!({"method": "PUT", "url": url});
        json!({"resource": resource, "request": request})
    };
    let role = json!({"resourceType": "PractitionerRole", "id": "r",
        "practitioner": {"reference": "Practitioner/e"},
        "organization": {"reference": "Organization/o"}});
    let mut source = encounter("b", "q", "d");
    source["participant"][0]["individual"]["reference"] = "PractitionerRole/r".into();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        entry(role, "PractitionerRole/r"), entry(source, "Encounter/b")]});
    server.post("", &bundle).await.expect(200);
    assert_eq!(server.care().await, "d p, e q");
}

#[tokio::test]
async fn c2_a_doctor_does_not_grant_himself_care() {
    let server = TestServer::start().await;
    let doctor = server.doctor("d").await;
    server.update(patient().id("p")).await.expect(201);
    let source = appointment("a", "p", "d");
    let reply = doctor.post("Appointment", &source).await;
    assert!([403, 422].contains(&reply.status()), "{reply:?}");
    assert_eq!(server.care().await, "");
    // Nor from a patient whom he has in care for a while to one whom he has for ever.
    server.update(encounter("e", "p", "d")).await.expect(201);
    doctor.post("Appointment", &source).await.expect(201);
    server.delete("Encounter/e").await.expect(204);
    assert_eq!(server.care().await, "");
    doctor.get("Patient/p").await.expect_outcome(404, "not-found");
}

#[tokio::test]
async fn c2_a_doctor_may_shorten_his_own_care_and_not_lengthen_it() {
    let server = TestServer::start().await;
    let doctor = server.doctor("d").await;
    server.update(patient().id("p")).await.expect(201);
    let mut source = encounter("e", "p", "d");
    source["period"]["end"] = chrono_text(1).into();
    server.update(source.clone()).await.expect(201);
    let until = || async {
        let sql = "select (valid_to at time zone 'utc')::date::text from care_link";
        let mut connection = server.database.connect().await;
        sqlx::query_scalar::<_, String>(sql).fetch_one(&mut connection).await.unwrap()
    };
    let first = until().await;
    source["period"]["end"] = chrono_text(900).into();
    doctor.put("Encounter/e", &source).await.expect(200);
    assert_eq!(until().await, first);
    source["period"]["end"] = chrono_text(0).into();
    doctor.put("Encounter/e", &source).await.expect(200);
    assert!(until().await < first);
}

#[tokio::test]
async fn c2_a_patient_grants_care_to_whom_he_books() {
    let server = TestServer::start().await;
    let patient = server.patient_client("p").await;
    server.doctor("d").await;
    let slot = json!({"resourceType": "Slot", "id": "s", "status": "free",
        "schedule": {"reference": "Schedule/x"}, "start": "2099-01-01T10:00:00Z",
        "end": "2099-01-01T10:30:00Z"});
    server.update(slot).await.expect(201);
    let mut source = appointment("a", "p", "d");
    source["slot"] = json!([{"reference": "Slot/s"}]);
    patient.post("Appointment", &source).await.expect(201);
    assert_eq!(server.care().await, "d p");
}

#[tokio::test]
async fn c2_staff_grant_care_to_practitioners_of_their_own_facility_alone() {
    let server = TestServer::start().await;
    let managed = json!({"reference": "Organization/o"});
    server.update(patient().id("p").with("managingOrganization", managed)).await.expect(201);
    for id in ["d", "e"] {
        server.doctor(id).await;
    }
    server.employ("d", "o").await;
    server.employ("e", "other").await;
    let staff = server.staff("o").await;
    for id in ["d", "e"] {
        staff.post("Encounter", &encounter("x", "p", id)).await.expect(201);
    }
    assert_eq!(server.care().await, "d p");
}

#[tokio::test]
async fn c2_a_system_grants_care_to_practitioners_of_its_own_facility_alone() {
    let server = TestServer::start().await;
    server.employ("d", "o").await;
    server.employ("e", "other").await;
    let system = server.system("o", "e1-").await;
    system.put("Patient/e1-p", &patient().id("e1-p").into()).await.expect(201);
    for id in ["d", "e"] {
        let source = encounter(&format!("e1-{id}"), "e1-p", id);
        system.put(&format!("Encounter/e1-{id}"), &source).await.expect(201);
    }
    assert_eq!(server.care().await, "d e1-p");
}

#[tokio::test]
async fn c2_a_doctor_with_care_refers_to_another_one() {
    let server = TestServer::start().await;
    let (doctor, other) = (server.doctor("d").await, server.doctor("e").await);
    let gp = json!([{"reference": "Practitioner/d"}]);
    server.update(patient().id("p").with("generalPractitioner", gp)).await.expect(201);
    other.get("Patient/p").await.expect_outcome(404, "not-found");
    let referral = json!({"resourceType": "ServiceRequest", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/p"}, "requester": {"reference": "Practitioner/d"},
        "performer": [{"reference": "Practitioner/e"}]});
    doctor.post("ServiceRequest", &referral).await.expect(201);
    assert_eq!(server.care().await, "d p, e p");
    other.get("Patient/p").await.expect(200);
}

#[tokio::test]
async fn c2_what_a_doctor_claimed_counts_once_staff_wrote_it() {
    let server = TestServer::start().await;
    let doctor = server.doctor("d").await;
    server.employ("d", "o").await;
    let managed = json!({"reference": "Organization/o"});
    server.update(patient().id("p").with("managingOrganization", managed)).await.expect(201);
    server.update(encounter("e", "p", "d")).await.expect(201);
    let claimed = doctor.post("Appointment", &appointment("a", "p", "d")).await.expect(201);
    server.delete("Encounter/e").await.expect(204);
    assert_eq!(server.care().await, "");
    let path = format!("Appointment/{}", claimed.id());
    let staff = server.staff("o").await;
    let mut body = claimed.body.clone();
    body["description"] = "seen by staff".into();
    // It is not owned by the facility: staff see it, and may not write it.
    staff.put(&path, &body).await.expect_outcome(403, "forbidden");
    server.put(&path, &body).await.expect(200);
    assert_eq!(server.care().await, "d p");
}

#[tokio::test]
async fn c3_care_ends_in_the_transaction_that_ends_its_source() {
    let server = TestServer::start().await;
    let doctor = server.doctor("d").await;
    server.update(patient().id("p")).await.expect(201);
    server.update(encounter("e", "p", "d")).await.expect(201);
    let about = observation().id("o").subject("Patient/p");
    server.update(about).await.expect(201);
    doctor.get("Observation/o").await.expect(200);
    server.delete("Encounter/e").await.expect(204);
    doctor.get("Observation/o").await.expect_outcome(404, "not-found");
    doctor.get("Observation/o/_history").await.expect_outcome(404, "not-found");
    // And comes back with it.
    server.update(encounter("e", "p", "d")).await.expect(201);
    doctor.get("Observation/o").await.expect(200);
}

#[tokio::test]
async fn c3_a_transaction_that_fails_ends_nothing() {
    let server = TestServer::start().await;
    server.update(encounter("e", "p", "d")).await.expect(201);
    let entry = |method: &str, url: &str| json!({"request": {"method": method, "url": url}});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction",
        "entry": [entry("DELETE", "Encounter/e"), entry("GET", "Patient/none")]});
    server.post("", &bundle).await.expect(404);
    assert_eq!(server.care().await, "d p");
}
