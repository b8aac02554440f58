//! Search parameters of one's own, among those that are tried: each world defines them when half
//! of what it holds is stored, and changes some of that while their rows are made.

use super::super::harness::TestServer;
use bhn_fhir::jobs::search_parameters::build_next;
use serde_json::{Value, json};

/// Name, type, base and expression; what they find is in `parameters`.
const CUSTOMS: [(&str, &str, &str, &str); 8] = [
    ("own-prefix", "string", "Patient", "Patient.name.prefix"),
    ("own-doctor", "reference", "Patient", "Patient.generalPractitioner"),
    ("own-number", "token", "Patient", "Patient.identifier"),
    ("own-period", "date", "Encounter", "Encounter.period"),
    ("own-part", "token", "Observation", "Observation.component.code"),
    ("own-amount", "quantity", "Observation", "Observation.component.value.ofType(Quantity)"),
    ("own-pair", "composite", "Observation", "Observation.component"),
    ("own-system", "uri", "ValueSet", "ValueSet.compose.include.system"),
];

fn definition((code, kind, base, expression): (&str, &str, &str, &str)) -> Value {
    let url = format!("http://oracle.example/{code}");
    let mut resource = json!({
        "resourceType": "SearchParameter", "id": code, "url": url, "name": "Own",
        "status": "active", "description": "Tried", "code": code, "base": [base], "type": kind,
        "expression": expression
    });
    if kind == "composite" {
        resource["component"] = json!([
            {"definition": "http://hl7.org/fhir/SearchParameter/clinical-code",
                "expression": "code"},
            {"definition": "http://hl7.org/fhir/SearchParameter/Observation-value-quantity",
                "expression": "value.as(Quantity)"}
        ]);
    }
    resource
}

pub async fn define(server: &TestServer) {
    for custom in CUSTOMS {
        let reply = server.update(definition(custom)).await;
        assert!(matches!(reply.status(), 200 | 201), "{}", reply.body);
    }
}

/// Makes the rows of those that are defined, and removes those of others.
pub async fn build(server: &TestServer) {
    while build_next(&server.context, "oracle").await.expect("a build") {}
}

pub async fn remove(server: &TestServer) {
    for (code, ..) in CUSTOMS {
        server.delete(&format!("SearchParameter/{code}")).await.expect(204);
    }
    build(server).await;
}
