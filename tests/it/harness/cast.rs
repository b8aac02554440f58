//! Who takes part in tests of access: the same few people and systems.

use super::{FhirClient, TestServer, patient, principal};
use bhn_fhir::access::{Principal, Role};
use serde_json::{Value, json};

const ALL: &str = "user/*.cruds patient/*.cruds system/*.cruds";

impl TestServer {
    /// A principal who is this resource, with every scope.
    pub async fn person(&self, role: Role, key: &str) -> Principal {
        let mut principal = principal(key, role, ALL);
        let link = self.link(key).await;
        if role == Role::Patient {
            principal.links.patients = vec![link.clone()];
            principal.launch.patient = Some(link.clone());
        }
        principal.links.fhir_user = Some(link);
        principal
    }

    /// The patient of this id; made by the operator where it is not there.
    pub async fn patient_client(&self, id: &str) -> FhirClient {
        let key = format!("Patient/{id}");
        if self.get(&key).await.status() == 404 {
            self.update(patient().id(id)).await.expect(201);
        }
        self.as_principal(self.person(Role::Patient, &key).await)
    }

    pub async fn doctor(&self, id: &str) -> FhirClient {
        let key = format!("Practitioner/{id}");
        if self.get(&key).await.status() == 404 {
            self.update(json!({"resourceType": "Practitioner", "id": id})).await.expect(201);
        }
        self.as_principal(self.person(Role::Doctor, &key).await)
    }

    /// Staff of an organization.
    pub async fn staff(&self, organization: &str) -> FhirClient {
        let key = format!("Practitioner/staff-of-{organization}");
        let mut person = self.person(Role::HospitalStaff, &key).await;
        person.links.organizations = vec![self.link(&format!("Organization/{organization}")).await];
        self.as_principal(person)
    }

    /// The system of an organization, with the prefix of its ids.
    pub async fn system(&self, organization: &str, prefix: &str) -> FhirClient {
        let mut system = principal(&format!("system-of-{organization}"), Role::EhrSystem, ALL);
        system.links.organizations = vec![self.link(&format!("Organization/{organization}")).await];
        system.links.id_prefix = Some(prefix.to_owned());
        self.as_principal(system)
    }

    /// Has the practitioner work for the organization, as the operator says.
    pub async fn employ(&self, practitioner: &str, organization: &str) -> Value {
        let role = json!({"resourceType": "PractitionerRole", "active": true,
            "id": format!("{practitioner}-at-{organization}"),
            "practitioner": {"reference": format!("Practitioner/{practitioner}")},
            "organization": {"reference": format!("Organization/{organization}")}});
        self.update(role).await.expect(201).body
    }

    /// Live links of a table, as `one other` by id, sorted and apart by commas.
    pub async fn links(&self, table: &str, columns: (&str, &str)) -> String {
        let (one, other) = columns;
        let sql = format!(
            "select coalesce(string_agg(distinct a.id || ' ' || b.id, ', ' order by a.id || ' ' \
             || b.id), '') from {table} l
             join (select rid, id from resource union all select rid, id from reference_stub) a
               on a.rid = l.{one}
             join (select rid, id from resource union all select rid, id from reference_stub) b
               on b.rid = l.{other}
             where l.valid_from <= now() and l.valid_to > now()"
        );
        let mut connection = self.database.connect().await;
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql));
        query.fetch_one(&mut connection).await.unwrap()
    }

    /// Live care links.
    pub async fn care(&self) -> String {
        self.links("care_link", ("practitioner", "patient")).await
    }
}

/// An Encounter of a patient with a practitioner, under way.
pub fn encounter(id: &str, patient: &str, practitioner: &str) -> Value {
    json!({"resourceType": "Encounter", "id": id, "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": format!("Patient/{patient}")},
        "participant": [{"individual": {"reference": format!("Practitioner/{practitioner}")}}],
        "period": {"start": "2020-01-01T00:00:00Z"}})
}

/// A booked Appointment of a patient with a practitioner, in years to come.
pub fn appointment(id: &str, patient: &str, practitioner: &str) -> Value {
    let of = |reference: String| json!({"actor": {"reference": reference}, "status": "accepted"});
    json!({"resourceType": "Appointment", "id": id, "status": "booked",
    "start": "2099-01-01T10:00:00Z", "end": "2099-01-01T10:30:00Z",
    "participant": [
        of(format!("Patient/{patient}")),
        of(format!("Practitioner/{practitioner}"))
    ]})
}
