//! A small network, as SECURITY.md 2.8 has it: two patients, two newborns, doctors, staff, an admin,
//! registries and an EHR system. Links and stamps are put into the database as the server derives
//! them, so that tests of reading do not rest on those of writing.

use super::{FhirClient, TestServer, principal};
use bhn_fhir::access::{Principal, Role};
use serde_json::{Value, json};

/// A server with the network in it.
pub struct Network {
    pub server: TestServer,
}

/// Who there is: name, role, person that the account is, facilities, and the patients who are
/// their own or in their care as a proxy.
const PEOPLE: [(&str, Role, &str, &[&str], &[&str]); 9] = [
    ("p1", Role::Patient, "Patient/P1", &[], &["Patient/P1", "Patient/N1"]),
    ("p2", Role::Patient, "Patient/P2", &[], &["Patient/P2", "Patient/N2"]),
    ("d1", Role::Doctor, "Practitioner/D1", &[], &[]),
    ("d2", Role::Doctor, "Practitioner/D2", &[], &[]),
    ("h1", Role::HospitalStaff, "Practitioner/H1", &["Organization/Org1"], &[]),
    ("a1", Role::Admin, "Practitioner/A1", &[], &[]),
    ("r1", Role::Registrar, "Practitioner/R1", &[], &[]),
    ("gon", Role::Registry, "", &["Organization/Org1"], &[]),
    ("e1", Role::EhrSystem, "", &["Organization/Org1"], &[]),
];

fn reference(key: &str) -> Value {
    json!({"reference": key})
}

fn observation(id: &str, patient: &str, performer: &str, code: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "category": [{"coding": [{"system": "http://c", "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://l", "code": code}]},
        "subject": reference(patient), "performer": [reference(performer)],
        "effectiveDateTime": "2024-03-01",
    })
}

fn person(id: &str, family: &str) -> Value {
    json!({
        "resourceType": "Patient", "id": id, "name": [{"family": family}], "gender": "female",
        "birthDate": "1990-01-01", "telecom": [{"system": "phone", "value": format!("555-{id}")}],
        "identifier": [{"system": "urn:mrn", "value": id}],
    })
}

fn practitioner(id: &str, active: bool) -> Value {
    json!({
        "resourceType": "Practitioner", "id": id, "active": active, "birthDate": "1970-01-01",
        "name": [{"family": format!("Dr {id}")}],
        "address": [{"use": "home", "city": "Homeville"}],
        "telecom": [{"system": "phone", "use": "home", "value": "1"},
                    {"system": "phone", "use": "work", "value": "2"}],
    })
}

/// Everything that is stored, those first that others refer to.
fn resources() -> Vec<Value> {
    let mut all = vec![
        json!({"resourceType": "Organization", "id": "Org1", "active": true, "name": "One"}),
        json!({"resourceType": "Organization", "id": "Org2", "active": true, "name": "Two"}),
    ];
    all.extend(["D1", "D2", "H1", "A1", "R1"].map(|id| practitioner(id, true)));
    all.push(practitioner("gone", false));
    for (id, family) in [("P1", "Adams"), ("P2", "Smith"), ("N1", "Adams"), ("N2", "Smith")] {
        all.push(person(id, family));
    }
    for (n, org) in [("1", "Org1"), ("2", "Org2")] {
        let (patient, child) = (format!("Patient/P{n}"), format!("Patient/N{n}"));
        let doctor = format!("Practitioner/D{n}");
        all.push(observation(&format!("o{n}"), &patient, &doctor, "718-7"));
        all.push(observation(&format!("on{n}"), &child, &doctor, "8339-4"));
        all.extend([
            json!({"resourceType": "Condition", "id": format!("c{n}"), "subject": reference(&patient),
                   "code": {"coding": [{"system": "http://l", "code": "HIV"}]}}),
            json!({"resourceType": "Encounter", "id": format!("e{n}"), "status": "finished",
                   "class": {"code": "AMB"}, "subject": reference(&patient),
                   "serviceProvider": reference(&format!("Organization/{org}"))}),
            json!({"resourceType": "DiagnosticReport", "id": format!("r{n}"), "status": "final",
                   "code": {"text": "r"}, "subject": reference(&patient),
                   "result": [reference("Observation/o1"), reference("Observation/o2")]}),
            json!({"resourceType": "Coverage", "id": format!("v{n}"), "status": "active",
                   "beneficiary": reference(&patient), "subscriber": reference("Patient/P2"),
                   "payor": [reference(&format!("Organization/{org}"))]}),
            json!({"resourceType": "Composition", "id": format!("br{n}"), "status": "final",
                   "type": {"text": "birth"}, "subject": reference(&child), "date": "2024-03-01",
                   "author": [reference(&patient)], "title": "Birth registration"}),
            json!({"resourceType": "List", "id": format!("l{n}"), "status": "current",
                   "mode": "working", "subject": reference(&patient),
                   "entry": [{"item": reference("Observation/o1")}]}),
            json!({"resourceType": "Provenance", "id": format!("pv{n}"),
                   "target": [reference(&format!("Observation/o{n}"))],
                   "recorded": "2024-01-01T00:00:00Z", "agent": [{"who": reference(&doctor)}]}),
        ]);
    }
    all.push(json!({"resourceType": "Provenance", "id": "pv12",
        "target": [reference("Observation/o1"), reference("Observation/o2")],
        "recorded": "2024-01-01T00:00:00Z", "agent": [{"who": reference("Practitioner/D1")}]}));
    all.push(
        json!({"resourceType": "ValueSet", "id": "vs", "status": "active", "url": "http://v"}),
    );
    for (id, status) in [("free", "free"), ("busy", "busy")] {
        all.push(json!({"resourceType": "Slot", "id": id, "status": status,
            "schedule": {"display": "s"}, "start": "2030-01-01T10:00:00Z",
            "end": "2030-01-01T10:30:00Z", "comment": "for Smith"}));
    }
    all
}

impl Network {
    pub async fn start() -> Network {
        let network = Network { server: TestServer::start().await };
        for resource in resources() {
            network.put(&resource).await;
        }
        for (doctor, patient) in [("D1", "P1"), ("D2", "P2")] {
            network.care(doctor, patient).await;
        }
        for (n, jurisdiction) in [("1", "ON"), ("2", "QC")] {
            for patient in ["P", "N"] {
                network
                    .register(&format!("Organization/Org{n}"), &format!("Patient/{patient}{n}"))
                    .await;
                network.release(jurisdiction, &format!("Patient/{patient}{n}")).await;
            }
            network.release(jurisdiction, &format!("Composition/br{n}")).await;
        }
        network
    }

    /// Stores it as the operator does.
    pub async fn put(&self, resource: &Value) -> i64 {
        let reply = self.server.update(resource.clone()).await;
        assert!(matches!(reply.status(), 200 | 201), "{reply:?}");
        reply.body["meta"]["versionId"].as_str().unwrap().parse().unwrap()
    }

    pub async fn rid(&self, key: &str) -> i64 {
        self.server.link(key).await.rid
    }

    pub async fn sql(&self, sql: &'static str, rids: &[i64]) {
        let mut query = sqlx::query(sql);
        for rid in rids {
            query = query.bind(*rid);
        }
        query.execute(&mut self.server.database.connect().await).await.unwrap();
    }

    /// From now on a patient is in the care of a practitioner.
    pub async fn care(&self, practitioner: &str, patient: &str) {
        let practitioner = self.rid(&format!("Practitioner/{practitioner}")).await;
        let patient = self.rid(&format!("Patient/{patient}")).await;
        let sql = "insert into care_link values ($1, $2, 0, 0, 'test', '-infinity', 'infinity')";
        self.sql(sql, &[practitioner, patient]).await;
    }

    /// A patient is one of an organization.
    pub async fn register(&self, organization: &str, patient: &str) {
        let (organization, patient) = (self.rid(organization).await, self.rid(patient).await);
        let sql = "insert into facility_link values ($1, $2, 0, 0, '-infinity', 'infinity')";
        self.sql(sql, &[organization, patient]).await;
    }

    /// The resource is released to a jurisdiction.
    pub async fn release(&self, jurisdiction: &'static str, key: &str) {
        let rid = self.rid(key).await;
        sqlx::query("insert into release_link values ($1, $2, 0, 0)")
            .bind(jurisdiction)
            .bind(rid)
            .execute(&mut self.server.database.connect().await)
            .await
            .unwrap();
    }

    /// Somebody of the network, with the widest scopes of the role.
    pub async fn person(&self, name: &str) -> Principal {
        let scopes = match name {
            "p1" | "p2" => "patient/*.cruds user/*.cruds",
            "gon" | "e1" => "system/*.cruds",
            _ => "user/*.cruds",
        };
        self.person_with(name, scopes).await
    }

    /// The same with these scopes. Patients are in the context of their own record.
    pub async fn person_with(&self, name: &str, scopes: &str) -> Principal {
        let found = PEOPLE.iter().find(|(known, ..)| *known == name);
        let (name, role, person, organizations, patients) = found.expect("somebody of the network");
        let mut made = principal(name, *role, scopes);
        made.client_id = format!("client-{}", scopes.replace(' ', "+"));
        if !person.is_empty() {
            made.links.fhir_user = Some(self.server.link(person).await);
        }
        for key in *organizations {
            made.links.organizations.push(self.server.link(key).await);
        }
        for key in *patients {
            made.links.patients.push(self.server.link(key).await);
        }
        made.launch.patient = made.links.patients.first().cloned();
        if matches!(role, Role::Registrar | Role::Registry) {
            made.links.jurisdictions = vec!["ON".to_owned()];
        }
        made
    }

    /// Requests of somebody of the network.
    pub async fn as_person(&self, name: &str) -> FhirClient {
        self.server.as_principal(self.person(name).await)
    }

    pub async fn as_person_with(&self, name: &str, scopes: &str) -> FhirClient {
        self.server.as_principal(self.person_with(name, scopes).await)
    }
}
