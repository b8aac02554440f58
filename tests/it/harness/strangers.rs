//! Role confusion (TE-18): where `BHN_STRANGERS` is set, each request of the tests is first sent by
//! callers of every role who have nothing to do with what is stored, and gets nothing of it.
//!
//! They have every scope, and no link: no record of their own, no patient in care, no facility that
//! owns a row, no jurisdiction with a birth. What they may see is what everybody may: the directory
//! and definitions.

use super::callers::{TestCallers, principal};
use bhn_fhir::access::{Launch, Link, Role};
use bhn_fhir::fhir::resource::ResourceKey;
use reqwest::RequestBuilder;
use serde_json::Value;
use std::sync::Arc;

/// Types that everybody who signed in may read: D and K of the matrix. Kept here as well, so that a
/// change of the matrix has to be meant.
const FOR_EVERYBODY: [&str; 47] = [
    "ActivityDefinition",
    "CapabilityStatement",
    "ChargeItemDefinition",
    "CodeSystem",
    "CompartmentDefinition",
    "ConceptMap",
    "EffectEvidenceSynthesis",
    "EventDefinition",
    "Evidence",
    "EvidenceVariable",
    "ExampleScenario",
    "GraphDefinition",
    "HealthcareService",
    "ImplementationGuide",
    "Library",
    "Location",
    "Measure",
    "Medication",
    "MedicationKnowledge",
    "MedicinalProduct",
    "MedicinalProductAuthorization",
    "MedicinalProductContraindication",
    "MedicinalProductIndication",
    "MedicinalProductIngredient",
    "MedicinalProductInteraction",
    "MessageDefinition",
    "NamingSystem",
    "OperationDefinition",
    "OperationOutcome",
    "Organization",
    "OrganizationAffiliation",
    "PlanDefinition",
    "Practitioner",
    "PractitionerRole",
    "Questionnaire",
    "ResearchDefinition",
    "ResearchElementDefinition",
    "RiskEvidenceSynthesis",
    "Schedule",
    "SearchParameter",
    "Slot",
    "SpecimenDefinition",
    "StructureDefinition",
    "StructureMap",
    "TerminologyCapabilities",
    "TestScript",
    "ValueSet",
];

/// The strangers of a server, by what their requests say.
pub struct Strangers {
    all: Vec<(Role, String)>,
    http: reqwest::Client,
}

impl Strangers {
    /// None unless `BHN_STRANGERS` asks for them.
    pub fn of(callers: &TestCallers) -> Option<Arc<Strangers>> {
        std::env::var_os("BHN_STRANGERS")?;
        Some(Strangers::admitted(callers))
    }

    pub fn admitted(callers: &TestCallers) -> Arc<Strangers> {
        let roles =
            Role::ALL.into_iter().filter(|role| !matches!(role, Role::Admin | Role::Registrar));
        let strangers = roles.map(|role| (role, callers.admit(stranger(role))));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Arc::new(Strangers { all: strangers.collect(), http })
    }

    /// Sends a request as each of them. Panics where one gets to see or to change anything.
    pub async fn try_out(&self, request: &RequestBuilder) {
        for (role, authorization) in &self.all {
            // A body that is a stream cannot be sent twice.
            let Some(again) = request.try_clone() else { return };
            let Ok(sent) = again.header("Authorization", authorization).build() else { return };
            let (method, url) = (sent.method().clone(), sent.url().clone());
            let is_search = url.path().ends_with("/_search");
            let is_read = matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS") || is_search;
            // What they may create for themselves would be in the way of the test.
            let registers = matches!(role, Role::HospitalStaff | Role::EhrSystem);
            let creates = method == "POST" || (registers && url.query().is_some());
            if !is_read && creates {
                continue;
            }
            let Ok(reply) = self.http.execute(sent).await else { continue };
            let status = reply.status().as_u16();
            let said = reply.bytes().await.unwrap_or_default();
            let is_fhir = url.path().starts_with("/fhir/");
            if !is_fhir || url.path() == "/fhir/metadata" {
                continue;
            }
            assert!(status < 500 || status == 503, "{role} {method} {url}: {status}");
            assert!(is_read || status >= 400, "{role} may {method} {url}: {status}");
            let body: Value = serde_json::from_slice(&said).unwrap_or(Value::Null);
            let seen = seen(&body);
            assert!(seen.is_empty(), "{role} {method} {url} sees {seen:?}");
        }
    }
}

fn stranger(role: Role) -> bhn_fhir::access::Principal {
    let scopes = match role {
        Role::Patient => "patient/*.cruds user/*.cruds",
        Role::Doctor | Role::HospitalStaff => "user/*.cruds patient/*.cruds",
        _ => "system/*.cruds",
    };
    let mut stranger = principal(&format!("stranger-{role}"), role, scopes);
    // Surrogate keys that no resource has: of the numbers below the first block.
    let link = |key: &str, rid: i64| Link { key: ResourceKey::parse(key).unwrap(), rid };
    let person = match role {
        Role::Patient => Some(link("Patient/stranger", 1)),
        Role::Doctor | Role::HospitalStaff => Some(link("Practitioner/stranger", 2)),
        _ => None,
    };
    stranger.links.patients = person.iter().filter(|_| role == Role::Patient).cloned().collect();
    stranger.launch = Launch { patient: stranger.links.patients.first().cloned(), encounter: None };
    stranger.links.fhir_user = person;
    if matches!(role, Role::HospitalStaff | Role::EhrSystem) {
        stranger.links.organizations = vec![link("Organization/stranger", 3)];
        stranger.links.id_prefix = Some("stranger-".to_owned());
    }
    if role == Role::Registry {
        stranger.links.jurisdictions = vec!["stranger".to_owned()];
    }
    stranger
}

/// What of an answer is not for everybody.
fn seen(body: &Value) -> Vec<String> {
    // A stored Bundle has another type, or is an entry.
    let is_answer = body["resourceType"] == "Bundle"
        && ["searchset", "history"].contains(&body["type"].as_str().unwrap_or_default());
    let entries = body["entry"].as_array().filter(|_| is_answer).map(Vec::as_slice);
    let resources = entries.unwrap_or_default().iter().map(|entry| &entry["resource"]);
    let kinds = resources.chain(Some(body).filter(|_| !is_answer));
    let kinds = kinds.filter_map(|resource| resource["resourceType"].as_str());
    let private = kinds.filter(|kind| !FOR_EVERYBODY.contains(kind) && *kind != "Parameters");
    private.map(str::to_owned).collect()
}
